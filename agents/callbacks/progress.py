"""The progress bar: records per second, reward, discriminator accuracy, time left."""

from __future__ import annotations

import time

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from stable_baselines3.common.callbacks import BaseCallback

from agents.runs.recorder import EpisodeRecorder
from rlsyn_env.core import RecordCore


class ProgressCallback(BaseCallback):
    """Draws one line on ``console`` while training; nothing where it is not a terminal.

    Args:
        recorder: of the finished episodes.
        core: of the environments.
        total_timesteps: of the whole run, resumptions included.
        console: usually standard error.
    """

    def __init__(
        self,
        recorder: EpisodeRecorder,
        core: RecordCore,
        total_timesteps: int,
        console: Console,
    ) -> None:
        super().__init__()
        self._recorder = recorder
        self._core = core
        self._total = total_timesteps
        self._bar = Progress(
            BarColumn(bar_width=8),  # all of it fits into 80 columns
            TextColumn("{task.percentage:>3.0f}% {task.fields[figures]}"),
            TimeRemainingColumn(compact=True),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._task = self._bar.add_task("training", total=total_timesteps, figures="")
        self._shown_at = 0.0
        self._started = 0.0
        self._records_before = 0

    def _on_training_start(self) -> None:
        self._started = time.monotonic()
        self._records_before = self._recorder.total
        self._bar.start()

    def _on_step(self) -> bool:
        now = time.monotonic()
        if now - self._shown_at >= 0.2:
            self._shown_at = now
            self._show(now)
        return True

    def _on_training_end(self) -> None:
        self.close()

    def close(self) -> None:
        """Remove the bar; may be called again."""
        self._bar.stop()

    def _show(self, now: float) -> None:
        speed = (self._recorder.total - self._records_before) / max(now - self._started, 1e-9)
        figures = f"{self._recorder.total:,} records {speed:,.0f}/s"
        reward = self._recorder.last_reward
        if reward is not None:
            figures += f" reward {reward:.2f}"
        adversary = self._core.adversary
        if adversary is not None and "accuracy_real" in adversary.diagnostics:
            real = adversary.diagnostics["accuracy_real"]
            fake = adversary.diagnostics["accuracy_fake"]
            figures += f" discriminator {(real + fake) / 2:.0%}"
        done = min(self.model.num_timesteps, self._total)
        self._bar.update(self._task, completed=done, figures=figures)
