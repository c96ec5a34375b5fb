"""One cell: write the training rows, run the peer, judge what it gives back."""

from __future__ import annotations

import json
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sklearn

import rlsyn_env
from benchmarks.field.accounting import Usage, run_accounted
from benchmarks.field.environments import Environment
from benchmarks.field.judging import N_BOOTSTRAP, judge, read_real, read_synthetic
from benchmarks.field.peer_folders import PROJECT, SHARED, Peer
from benchmarks.field.references import cached_references
from benchmarks.field.results import (
    CRASHED,
    NOT_INSTALLED,
    OK,
    TIMED_OUT,
    UNUSABLE,
    Cell,
    Record,
)
from benchmarks.field.tables import PreparedTable
from rlsyn_env.errors import RLSynError

ERROR_LINES = 6
_THREAD_VARIABLES = (
    "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS",
    "LOKY_MAX_CPU_COUNT", "POLARS_MAX_THREADS", "FIELD_THREADS",
)  # fmt: skip


@dataclass(frozen=True)
class CellRun:
    """Everything a cell needs."""

    cell: Cell
    peer: Peer
    table: PreparedTable
    work: Path
    limit: float
    threads: int = 1

    @property
    def folder(self) -> Path:
        """Where the cell's files are kept; the peer itself only sees ``peer/`` in it."""
        return self.work / "cells" / self.cell.peer / self.cell.table / str(self.cell.seed)

    @property
    def _references_file(self) -> Path:
        return self.work / "references" / f"{self.cell.table}-{self.cell.seed}.json"

    def run(self, environment: Environment) -> Record:
        """Run the peer and judge its table; whatever happens is a result."""
        peer_folder = self.folder / "peer"
        shutil.rmtree(self.folder, ignore_errors=True)
        (peer_folder / "tmp").mkdir(parents=True)
        train, test = self.table.split(self.cell.seed)
        train.to_csv(peer_folder / "train.csv", index=False)
        test.to_csv(self.folder / "test.csv", index=False)
        self.table.schema.save(peer_folder / "schema.yaml")
        record = self._head(environment)
        record["rows"] = {"train": len(train), "test": len(test)}
        usage = self._run_peer(environment, peer_folder)
        record |= {
            "wall_seconds": round(usage.wall_seconds, 2),
            "cpu_seconds": round(usage.cpu_seconds, 2),
            "peak_mb": round(usage.peak_mb),
        }
        if usage.timed_out:
            limit = self.peer.seconds(self.cell.table, self.limit)
            return {**record, "status": TIMED_OUT, "reason": f"longer than {limit:.0f} s"}
        if usage.returncode != 0:
            reason = f"exit status {usage.returncode}: {self._error_lines()}"
            return {**record, "status": CRASHED, "reason": reason}
        return self.judge(record)

    def judge(self, record: Record) -> Record:
        """Add the figures of the table that the cell's folder holds to ``record``."""
        peer_folder = self.folder / "peer"
        synthetic, notes = peer_folder / "synthetic.csv", peer_folder / "notes.json"
        if not synthetic.is_file():
            return {**record, "status": UNUSABLE, "reason": "no synthetic.csv was written"}
        start = time.perf_counter()
        try:
            train, test, schema = read_real(
                peer_folder / "train.csv", self.folder / "test.csv", self.table.schema
            )
            released = read_synthetic(synthetic, schema, len(train))
            seed = self.cell.seed
            references = cached_references(self._references_file, train, test, schema, seed)
            figures = judge(train, test, released, schema, seed, references)
            if notes.is_file():
                record["notes"] = json.loads(notes.read_text(encoding="utf-8"))
        except (RLSynError, ValueError) as error:
            reason = self._without_paths(str(error))
            return {**record, "status": UNUSABLE, "reason": reason}
        judged = {
            "seconds": round(time.perf_counter() - start, 1),
            "n_bootstrap": N_BOOTSTRAP,
            "rlsyn": rlsyn_env.__version__,
            "scikit-learn": sklearn.__version__,
        }
        return {**record, "status": OK, "reason": "", "judge": judged, "figures": figures}

    def not_installed(self, reason: str) -> Record:
        """Return the result of a cell whose environment could not be made."""
        return {**self._head(None), "status": NOT_INSTALLED, "reason": self._without_paths(reason)}

    def _head(self, environment: Environment | None) -> Record:
        cell = self.cell
        record: dict[str, Any] = {"peer": cell.peer, "table": cell.table, "seed": cell.seed}
        record |= {
            "hash": self.peer.hash(),
            "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
        if environment is not None:
            versions = environment.versions_of(self.peer.packages)
            record |= {"python": environment.version, "packages": versions}
        return record

    def _run_peer(self, environment: Environment, peer_folder: Path) -> Usage:
        variables = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
        variables |= {name: str(self.threads) for name in _THREAD_VARIABLES}
        shared = self.peer.folder.parent / SHARED
        variables |= {
            "PYTHONPATH": str(shared),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONHASHSEED": "0",
            "TMPDIR": str(peer_folder / "tmp"),
        }
        return run_accounted(
            [str(environment.python), str(self.peer.folder / "run.py"), str(peer_folder),
             str(self.cell.seed), *self.peer.options],
            folder=peer_folder,
            environment=variables,
            limit=self.peer.seconds(self.cell.table, self.limit),
            stdout=self.folder / "stdout.txt",
            stderr=self.folder / "stderr.txt",
        )  # fmt: skip

    def _error_lines(self) -> str:
        text = (self.folder / "stderr.txt").read_text(encoding="utf-8", errors="replace")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return self._without_paths(" | ".join(lines[-ERROR_LINES:]))[-1500:]

    def _without_paths(self, text: str) -> str:
        """Keep this machine's folders out of results that are shared."""
        for folder, name in ((self.work, "WORK"), (PROJECT, "PROJECT"), (Path.home(), "~")):
            text = text.replace(str(folder), name)
        return " ".join(text.split())
