"""Entry point of ``rlsyn``, ``train.py`` and ``evaluate.py``: parsing, errors and exit codes."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType

from agents.cli import algos, cohort, datasets, evaluate, generate, schema, train
from agents.cli.options import note
from rlsyn_env.errors import RLSynError

_COMMANDS = {
    "train": train,
    "evaluate": evaluate,
    "generate": generate,
    "datasets": datasets,
    "cohort": cohort,
    "schema": schema,
    "algos": algos,
}
EXIT_FAILURE, EXIT_BAD_INPUT, EXIT_INTERRUPTED, EXIT_TERMINATED = 1, 2, 130, 143


class _Terminated(BaseException):
    """Unwinds the command after SIGTERM, so that files in the making are removed."""


def build_parser() -> argparse.ArgumentParser:
    """The parser of ``rlsyn`` with all its commands."""
    parser = argparse.ArgumentParser(
        prog="rlsyn", description="Synthetic records by reinforcement learning."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, module in _COMMANDS.items():
        help_text = (module.__doc__ or "").splitlines()[0]
        command = commands.add_parser(
            name, help=help_text, description=module.__doc__, allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )  # fmt: skip
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Args:
        argv: arguments without the program's name; default: those of the process.

    Returns:
        0; 2 for input that cannot be used (one line on standard error, nothing written); 1 when
        the system failed us (no space, no permission); 130 after Ctrl-C, 143 after SIGTERM.
    """
    arguments = build_parser().parse_args(argv)
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))  # the module of a user's own algorithm lies there
    try:
        with _orderly_termination(), warnings.catch_warnings():
            warnings.showwarning = _show_warning
            code: int = arguments.run(arguments)
        sys.stdout.flush()
        return code
    except RLSynError as error:
        return _fail(str(error), EXIT_BAD_INPUT)
    except BrokenPipeError:  # the reader of our output (head, less) has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILURE
    except OSError as error:
        return _fail(_describe(error), EXIT_FAILURE)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except _Terminated:
        print("terminated", file=sys.stderr)
        return EXIT_TERMINATED


@contextlib.contextmanager
def _orderly_termination() -> Iterator[None]:
    """Within it SIGTERM unwinds the command; the second one ends the process at once.

    Nothing changes outside the main thread, where Python allows no handlers, and for a process
    that ignores the signal or has a handler of its own.
    """
    in_main_thread = threading.current_thread() is threading.main_thread()
    if not in_main_thread or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _terminate(number: int, frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_DFL)
    raise _Terminated


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    """One line in place of Python's two with a path that means nothing to a user."""
    note(" ".join(str(message).split()))


def _fail(message: str, code: int) -> int:
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    return code


def _describe(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}"


if __name__ == "__main__":
    sys.exit(main())
