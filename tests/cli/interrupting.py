"""Ctrl-C at a given moment of a run in this process."""

from __future__ import annotations

import os
import signal


def interrupt_after(monkeypatch, owner: type, method: str, calls: int) -> None:
    """Send SIGINT to this process inside the given call of a method."""
    original = getattr(owner, method)
    count = [0]

    def wrapped(self, *args, **kwargs):
        count[0] += 1
        if count[0] == calls:
            os.kill(os.getpid(), signal.SIGINT)
        return original(self, *args, **kwargs)

    monkeypatch.setattr(owner, method, wrapped)
