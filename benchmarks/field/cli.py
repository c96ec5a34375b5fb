"""Run the matrix generator x table x seed and write its tables and plots."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from agents.runs.interrupts import TrainingStopped
from benchmarks.field.accounting import StoppedError
from benchmarks.field.matrix import Matrix, Settings
from benchmarks.field.peer_folders import PEERS, PROJECT, Peer, choose_peers, load_peers
from benchmarks.field.results import ResultsFile
from benchmarks.field.tables import FIELD_TABLES, choose_tables
from rlsyn_env.errors import RLSynError

RESULTS = PROJECT / "benchmarks" / "results"
MARKDOWN = PROJECT / "benchmarks" / "RESULTS.md"
EXIT_BAD_INPUT, EXIT_INTERRUPTED = 2, 130


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of ``python -m benchmarks.field``."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.field", description=__doc__)
    add_matrix_options(parser, work=PROJECT / ".field")
    add_again_options(parser)
    add = parser.add_argument
    add("--peers", nargs="+", metavar="NAME", help="generators (default: all but heavy ones)")
    add("--heavy", action="store_true", help="also generators whose environments are large")
    add("--rejudge", action="store_true", help="judge the tables of finished cells again, run none")
    add("--list", action="store_true", help="show generators and tables")
    add("--peers-dir", type=Path, default=PEERS, metavar="DIR", help="folder of the generators")
    return parser


def add_matrix_options(
    parser: argparse.ArgumentParser, *, work: Path, seeds: Sequence[int] = (0, 1, 2)
) -> None:
    """Declare what every command that runs cells takes.

    Args:
        parser: of the command.
        work: default folder of environments and cells.
        seeds: default splits.
    """
    add = parser.add_argument
    add(
        "--tables",
        nargs="+",
        metavar="NAME",
        help="tables (default: the usual ones that are there)",
    )
    add("--seeds", nargs="+", type=int, default=list(seeds), metavar="N",
        help=f"splits ({' '.join(map(str, seeds))})")  # fmt: skip
    add("--data-dir", type=Path, metavar="DIR", help="folder of the tables that are files")
    add("--work", type=Path, default=work, metavar="DIR",
        help=f"environments and cells ({work.relative_to(PROJECT)})")  # fmt: skip
    add("--jobs", type=int, default=1, metavar="N", help="cells at a time (1)")
    add("--threads", type=int, default=1, metavar="N", help="threads of a generator (1)")
    add("--time-limit", type=float, default=1800.0, metavar="S", help="seconds per cell (1800)")
    add("--table-only", action="store_true", help="only write tables and plots")
    add("--results", type=Path, metavar="DIR",
        help="folder of the results and what is made of them (benchmarks/results)")  # fmt: skip
    add("--python", type=Path, metavar="FILE", help="interpreter of all generators, to try one out")


def add_again_options(parser: argparse.ArgumentParser) -> None:
    """Declare which finished cells are run again."""
    add = parser.add_argument
    add("--retry", action="store_true", help="run failed cells again")
    add("--keep", action="store_true", help="keep results of earlier versions of a generator")


def settings_of(arguments: argparse.Namespace) -> Settings:
    """Return the settings that the options of both functions above ask for."""
    return Settings(
        work=arguments.work.resolve(),
        data_dir=arguments.data_dir,
        jobs=arguments.jobs,
        limit=arguments.time_limit,
        threads=arguments.threads,
        retry=arguments.retry,
        keep=arguments.keep,
        python=arguments.python,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns 0, 2 for input that cannot be used, 130 after Ctrl-C."""
    return guarded(run, build_parser().parse_args(argv))


def guarded(
    command: Callable[[argparse.Namespace], int],
    arguments: argparse.Namespace,
    *,
    goes_on: bool = True,
) -> int:
    """Return the command's exit code; bad input is one line and 2, Ctrl-C or a kill 130.

    Args:
        command: takes the arguments.
        arguments: of the command line.
        goes_on: whether the command, given again, goes on where it was stopped.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # kill is as good as Ctrl-C
    try:
        return command(arguments)
    except RLSynError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except (KeyboardInterrupt, StoppedError, TrainingStopped):
        after = "goes on where it stopped" if goes_on else "begins anew"
        print(f"interrupted; the same command {after}", file=sys.stderr)
        return EXIT_INTERRUPTED


def run(arguments: argparse.Namespace) -> int:
    """Check everything, run the cells, write the tables."""
    peers = load_peers(arguments.peers_dir)
    if arguments.list:
        print(listing(peers))
        return 0
    chosen = choose_peers(peers, arguments.peers, heavy=arguments.heavy)
    tables = choose_tables(arguments.tables, arguments.data_dir)
    folder = (arguments.results or RESULTS).resolve()
    results = ResultsFile(folder / "field.jsonl")
    if not arguments.table_only:
        settings = replace(settings_of(arguments), rejudge=arguments.rejudge)
        Matrix(chosen, tables, arguments.seeds, results, settings).run()
    from benchmarks.field.pages import write_pages

    markdown = MARKDOWN if arguments.results is None else folder / "RESULTS.md"
    write_pages(results.read(), peers, folder, markdown)
    return 0


def listing(peers: dict[str, Peer]) -> str:
    """Return peers and tables, a line each."""
    lines = ["peers:"]
    for peer in peers.values():
        heavy = " (only with --heavy)" if peer.heavy else ""
        lines.append(f"  {peer.name:22} {peer.description}{heavy}")
    lines.append("tables:")
    for table in FIELD_TABLES.values():
        where = table.path or "comes with scikit-learn"
        extra = "" if table.default else " (only when named)"
        lines.append(f"  {table.name:24} target {table.target}, {where}{extra}")
    return "\n".join(lines)
