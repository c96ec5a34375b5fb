"""Ctrl-C and SIGTERM: finish the update under way, save, stop."""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType, TracebackType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class TrainingStopped(Exception):  # noqa: N818 - not an error: the user asked for it
    """Raised out of ``learn()`` once the checkpoint of a requested stop is on the disk."""


class StopRequest:
    """Context in which the first signal asks for a stop and the second one quits at once.

    SB3 algorithms cannot be stopped at any step: PPO stopped inside a rollout leaves half of one,
    and ARS ignores a callback that returns False. So a signal only sets ``requested``; whoever
    checkpoints looks at it where the state is whole. Outside the main thread, where Python allows
    no handlers, the context changes nothing.
    """

    def __init__(self) -> None:
        self.requested = False
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous.clear()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
        print(
            "\nstopping after this update and saving (once more to quit at once)",
            file=sys.stderr,
            flush=True,
        )
