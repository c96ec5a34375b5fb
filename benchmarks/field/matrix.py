"""The cells of a matrix, those that are left, and running them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks.field.accounting import stop_all
from benchmarks.field.cells import CellRun
from benchmarks.field.environments import (
    Environment,
    InstallError,
    given_environment,
    make_environment,
)
from benchmarks.field.locks import locked
from benchmarks.field.peer_folders import Peer
from benchmarks.field.results import Cell, Record, ResultsFile, is_finished, latest
from benchmarks.field.tables import FieldTable, PreparedTable, prepare
from rlsyn_env.files import write_text


@dataclass(frozen=True)
class Settings:
    """How a matrix is run.

    Attributes:
        work: folder of environments and cells.
        data_dir: folder of the tables that are files.
        jobs: cells at a time.
        limit: seconds per cell, where the peer says nothing else.
        threads: threads of a peer.
        retry: run failed cells again.
        keep: a result of an earlier version of a generator counts as finished.
        rejudge: only judge the tables that finished cells left behind, again.
        python: interpreter of all peers in place of their own environments.
    """

    work: Path
    data_dir: Path | None
    jobs: int = 1
    limit: float = 1800.0
    threads: int = 1
    retry: bool = False
    keep: bool = False
    rejudge: bool = False
    python: Path | None = None


class Matrix:
    """Peers x tables x seeds; results go to a file as they come."""

    def __init__(
        self,
        peers: Sequence[Peer],
        tables: Sequence[FieldTable],
        seeds: Sequence[int],
        results: ResultsFile,
        settings: Settings,
        say: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True),
    ) -> None:
        self._peers = peers
        self._tables = tables
        self._seeds = seeds
        self._results = results
        self._settings = settings
        self._say = say
        self._prepared: dict[str, PreparedTable] = {}

    def cells(self) -> Iterator[tuple[Cell, Peer, FieldTable]]:
        """All cells: every peer on the first seed and table first, so that tables fill evenly."""
        for seed in self._seeds:
            for table in self._tables:
                for peer in self._peers:
                    if peer.runs_on(table.name, seed):
                        yield Cell(peer.name, table.name, seed), peer, table

    def run(self) -> None:
        """Run (or judge again) every cell that needs it."""
        for table in self._tables:
            self._prepared[table.name] = prepare(table, self._settings.data_dir)
        todo = list(self.cells())
        if self._settings.rejudge:
            done = latest(self._results.read())
            work: list[Callable[[], None]] = [
                lambda c=c, p=p, t=t: self._rejudge(c, p, t, done[c])  # type: ignore[misc]
                for c, p, t in todo
                if c in done and done[c].get("status") in ("ok", "unusable")
            ]
        else:
            work = [lambda c=c, p=p, t=t: self._work(c, p, t) for c, p, t in todo]  # type: ignore[misc]
        with ThreadPoolExecutor(self._settings.jobs) as pool:
            futures = [pool.submit(task) for task in work]
            try:
                for future in futures:
                    future.result()
            except BaseException:  # Ctrl-C above all: leave no generator running
                pool.shutdown(wait=False, cancel_futures=True)
                stop_all()
                raise

    def _cell_run(self, cell: Cell, peer: Peer, table: FieldTable) -> CellRun:
        settings = self._settings
        return CellRun(
            cell, peer, self._prepared[table.name], settings.work, settings.limit, settings.threads
        )

    def _work(self, cell: Cell, peer: Peer, table: FieldTable) -> None:
        run = self._cell_run(cell, peer, table)
        lock = self._settings.work / "locks" / f"{cell.peer}-{cell.table}-{cell.seed}.lock"
        with locked(lock, wait=False) as mine:
            if not mine:  # another command is at it
                return
            known = latest(self._results.read()).get(cell)
            wanted = known["hash"] if known and self._settings.keep else peer.hash()
            if is_finished(known, wanted, retry=self._settings.retry):
                return
            try:
                record = run.run(self._environment(peer))
            except InstallError as error:
                record = run.not_installed(str(error))
            record["threads"] = self._settings.threads
            self._results.append(record)
        self._say(_line(record))

    def _rejudge(self, cell: Cell, peer: Peer, table: FieldTable, record: Record) -> None:
        run = self._cell_run(cell, peer, table)
        if not (run.folder / "peer" / "synthetic.csv").is_file():
            self._say(f"{cell.peer} {cell.table} {cell.seed}: no synthetic.csv left to judge")
            return
        again = run.judge({k: v for k, v in record.items() if k not in ("figures", "judge")})
        self._results.append(again)
        self._say(_line(again))

    def _environment(self, peer: Peer) -> Environment:
        if self._settings.python is not None:
            return given_environment(self._settings.python, peer)
        log = self._settings.work / "venvs" / f"{peer.environment}.log"
        environment = make_environment(peer, self._settings.work, log)
        installed = self._results.path.parent / "environments" / f"{peer.environment}.txt"
        write_text(installed, environment.freeze())
        return environment


def _line(record: Record) -> str:
    head = f"{record['peer']} {record['table']} {record['seed']}: {record['status']}"
    if record["reason"]:
        return f"{head}: {record['reason'][:300]}"
    figures = record["figures"]
    shown = {
        "C2ST": "c2st",
        "S2R/R2R": "s2r_over_r2r",
        "corr": "corr",
        "membership": "membership_auc",
    }
    values = ", ".join(
        f"{title} {figures[name]['value']:.3f}"
        for title, name in shown.items()
        if figures.get(name, {}).get("value") is not None
    )
    return (
        f"{head}: {values}; {record['cpu_seconds']:.0f} s CPU, {record['wall_seconds']:.0f} s, "
        f"{record['peak_mb']} MB, judged in {record['judge']['seconds']:.0f} s"
    )
