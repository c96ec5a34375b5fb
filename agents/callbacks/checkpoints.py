"""Saves checkpoints, and stops training where Ctrl-C asked for it."""

from __future__ import annotations

import time
from collections.abc import Callable

from stable_baselines3.common.callbacks import BaseCallback

from agents.runs.interrupts import StopRequest, TrainingStopped


class CheckpointCallback(BaseCallback):
    """Calls ``save`` every so many seconds, always between two updates.

    The start of a rollout is where an algorithm's state is whole: PPO has trained on its last
    rollout, its buffer is empty and its environments are where ``_last_obs`` says. There
    a requested stop saves and raises :class:`~agents.runs.interrupts.TrainingStopped`; returning
    False would not stop ARS.

    Args:
        save: writes one checkpoint.
        stop: tells whether a stop was asked for.
        every_seconds: between two checkpoints.
    """

    def __init__(
        self, save: Callable[[], None], stop: StopRequest, every_seconds: float = 60.0
    ) -> None:
        super().__init__()
        self._save = save
        self._stop = stop
        self._every = every_seconds
        self._last = time.monotonic()

    def _on_training_start(self) -> None:
        self._last = time.monotonic()

    def _on_rollout_start(self) -> None:
        if self._stop.requested:
            self._save()
            raise TrainingStopped
        if time.monotonic() - self._last >= self._every:
            self._save()
            self._last = time.monotonic()

    def _on_step(self) -> bool:
        return True
