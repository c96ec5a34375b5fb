"""Pieces of the command line that several commands share."""

from __future__ import annotations

import argparse
import contextlib
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import Progress

if TYPE_CHECKING:
    from rlsyn_env.metrics import Report


NO_CONSTRAINTS = "the schema has no constraints: --enforce-constraints changes nothing"


def column_name(text: str) -> str:
    """Type of an option that names a column: an empty one is an unset variable of the shell."""
    if not text.strip():
        raise argparse.ArgumentTypeError("the column's name is empty")
    return text


def check_out_file(out: Path) -> None:
    """Raise ConfigError where no file can be written at ``out``: a folder, or below a file."""
    from rlsyn_env.errors import ConfigError

    if out.is_dir():
        raise ConfigError(f"--out {out} is a folder; give the name of a file in it")
    _check_parents(out)


def check_out_folder(out: Path) -> None:
    """Raise ConfigError where ``out`` can be no folder: a file, or below a file."""
    from rlsyn_env.errors import ConfigError

    if out.exists() and not out.is_dir():
        raise ConfigError(f"--out {out} is a file; give a folder")
    _check_parents(out)


def _check_parents(out: Path) -> None:
    from rlsyn_env.errors import ConfigError

    parent = next((parent for parent in out.parents if parent.exists()), None)
    if parent is not None and not parent.is_dir():
        raise ConfigError(f"--out {out} lies below {parent}, which is a file; choose another place")


def split_names(values: list[str]) -> tuple[str, ...]:
    """Names of repeated, comma-separated options: ``["a,b", "c"]`` gives ``("a", "b", "c")``."""
    return tuple(name.strip() for value in values for name in value.split(",") if name.strip())


def progress_console(arguments: argparse.Namespace) -> Console | None:
    """Standard error for progress bars; None with ``--no-progress`` or where it is no terminal."""
    if arguments.no_progress or not sys.stderr.isatty():
        return None
    return Console(stderr=True)


@contextlib.contextmanager
def step_bar(console: Console | None) -> Iterator[Callable[[str, float], None]]:
    """Bar for a job that tells what comes next and the share that is done; none without console."""
    with Progress(console=console, disable=console is None, transient=True) as bar:
        task = bar.add_task("judging", total=1.0)

        def show(label: str, share: float) -> None:
            bar.update(task, description=f"judging: {label}", completed=share)

        yield show


def command_line() -> str:
    """The command that this process was started with, to be repeated in a shell."""
    return shlex.join(["python", *sys.argv])


def print_report(report: Report) -> None:
    """Print a report's table and its verdict, a line per family, to standard output."""
    output_console().print(report.table())
    for line in report.verdict().values():
        say(line)


def output_console() -> Console:
    """Standard output for tables, wide enough for ours where it is no terminal."""
    return Console() if sys.stdout.isatty() else Console(width=110)


def note(message: str) -> None:
    """Print a line that is not an error to standard error."""
    print(f"note: {message}", file=sys.stderr, flush=True)


def say(message: str) -> None:
    """Print a line to standard output at once, so that logs show it in time."""
    print(message, flush=True)


def parse_reward_terms(pairs: list[str]) -> dict[str, float]:
    """Read ``name=weight`` pairs.

    Raises:
        ConfigError: for a pair of another form, a term named twice or not registered, or a weight
            that is no number.
    """
    from rlsyn_env.errors import ConfigError
    from rlsyn_env.rewards import check_reward_weights

    weights: dict[str, float] = {}
    for pair in pairs:
        name, _, text = pair.partition("=")
        try:
            weight = float(text)
        except ValueError as error:
            raise ConfigError(f"--reward-term takes name=weight, got '{pair}'") from error
        if name in weights:
            raise ConfigError(f"--reward-term names '{name}' twice")
        weights[name] = weight
    check_reward_weights(weights)
    return weights


def parse_fixed(pairs: list[str]) -> dict[str, Any]:
    """Read ``column=value`` pairs; a value stays text, the encoder knows the column's type.

    Raises:
        ConfigError: for a pair without ``=`` or a column named twice.
    """
    from rlsyn_env.errors import ConfigError

    fixed: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise ConfigError(f"--fixed takes column=value, got '{pair}'")
        if name in fixed:
            raise ConfigError(f"--fixed names the column '{name}' twice")
        fixed[name] = value
    return fixed
