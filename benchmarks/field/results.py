"""Results as JSON lines: appended whole, read even when the last line was cut off."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.field.locks import locked
from rlsyn_env.errors import TableError

OK, CRASHED, TIMED_OUT, UNUSABLE, NOT_INSTALLED = (
    "ok", "crashed", "timed out", "unusable", "not installed",
)  # fmt: skip
Record = dict[str, Any]


@dataclass(frozen=True, order=True)
class Cell:
    """One generator on one table with one seed."""

    peer: str
    table: str
    seed: int

    @classmethod
    def of(cls, record: Record) -> Cell:
        """Return the cell of a result."""
        return cls(record["peer"], record["table"], record["seed"])


class ResultsFile:
    """The JSON-lines file; several processes may append to it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, record: Record) -> None:
        """Write one line; a line that an earlier process left half written is removed first."""
        line = (json.dumps(record, allow_nan=False) + "\n").encode()
        with locked(self.path.with_name(f".{self.path.name}.lock")):
            whole = self._whole_bytes()
            with self.path.open("r+b" if self.path.exists() else "w+b") as file:
                file.truncate(whole)
                file.seek(whole)
                file.write(line)

    def read(self) -> list[Record]:
        """Return all results in the order in which they were written.

        Raises:
            TableError: a line other than a last one without its end is not JSON.
        """
        if not self.path.exists():
            return []
        records = []
        lines = self.path.read_bytes()[: self._whole_bytes()].splitlines()
        for number, line in enumerate(lines, start=1):
            try:
                records.append(json.loads(line))
            except ValueError as error:
                raise TableError(f"{self.path}, line {number} is not JSON: {error}") from error
        return records

    def _whole_bytes(self) -> int:
        """Return the length of the file up to its last line end."""
        return self.path.read_bytes().rfind(b"\n") + 1 if self.path.exists() else 0


def latest(records: Iterable[Record]) -> dict[Cell, Record]:
    """Return the last result of every cell."""
    return {Cell.of(record): record for record in records}


def is_finished(record: Record | None, current_hash: str, *, retry: bool) -> bool:
    """Tell whether a cell needs no run: it has a result of the peer as it is now."""
    if record is None or record["hash"] != current_hash:
        return False
    return bool(record["status"] == OK) or not retry
