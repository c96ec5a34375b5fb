"""Time and memory of a command, by the operating system's accounting."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_running: set[subprocess.Popen[bytes]] = set()
LAUNCHER = Path(__file__).resolve().parent / "launcher.py"


class StoppedError(Exception):
    """A command was ended from outside before it was done."""


@dataclass(frozen=True)
class Usage:
    """What a command and the children it waited for used.

    Attributes:
        returncode: exit status; minus the signal's number when a signal ended it.
        timed_out: the limit was reached and the process group killed.
        wall_seconds: from start to end.
        cpu_seconds: user and system time.
        peak_mb: resident memory of the largest single process, MiB.
    """

    returncode: int
    timed_out: bool
    wall_seconds: float
    cpu_seconds: float
    peak_mb: float


def run_accounted(
    command: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    limit: float,
    stdout: Path,
    stderr: Path,
) -> Usage:
    """Run ``command`` in ``folder`` and return what it used; it is killed after ``limit`` s.

    Raises:
        StoppedError: :func:`stop_all` or a signal ended it.
    """
    report = stderr.with_suffix(".usage.json")
    report.unlink(missing_ok=True)
    launch = [sys.executable, "-I", "-S", str(LAUNCHER), str(limit)]
    launcher = subprocess.Popen(
        [*launch, str(report), str(stdout), str(stderr), *command],
        cwd=folder,
        env=dict(environment),
    )
    _running.add(launcher)
    try:
        launcher.wait()
    finally:
        _running.discard(launcher)
    if launcher.returncode != 0:
        raise StoppedError("stopped")
    return Usage(**json.loads(report.read_text(encoding="utf-8")))


def stop_all() -> None:
    """End every command that runs, with its children."""
    for launcher in tuple(_running):
        launcher.terminate()
