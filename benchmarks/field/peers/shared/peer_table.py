"""The table a peer is given and the one it gives back: types, missing values, constants.

Runs in every peer's own environment: standard library, NumPy, pandas and PyYAML only, Python 3.10.
"""

from __future__ import annotations

import json
import os
import random
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

MISSING_LEVEL = "(missing)"
INDICATOR = "{} (missing)"
NO, YES = "no", "yes"
_LEVEL_KINDS = ("binary", "boolean", "categorical")


@dataclass
class Task:
    """One cell as a peer sees it.

    Attributes:
        folder: where train.csv lies and synthetic.csv goes.
        seed: for every random generator.
        options: further arguments of the command line.
        table: training rows ``(n, columns)``: text levels, float64 numbers, no constants; no
            missing values where they are filled.
        target: column to predict, or None.
        levels: levels of every level column of ``table``, as text, indicators included.
        integers: numeric columns of ``table`` that hold whole numbers.
        numeric: all numeric columns of ``table``.
    """

    folder: Path
    seed: int
    options: list[str]
    table: pd.DataFrame
    target: str | None
    levels: dict[str, list[str]]
    integers: list[str]
    numeric: list[str]
    _original: pd.DataFrame = field(repr=False)
    _filled: bool = True

    @classmethod
    def from_arguments(
        cls, argv: Sequence[str] | None = None, *, fill_missing: bool = True
    ) -> Task:
        """Read ``FOLDER SEED [options]`` and the table; seeds ``random`` and ``numpy.random``."""
        arguments = list(sys.argv[1:] if argv is None else argv)
        folder, seed = Path(arguments[0]), int(arguments[1])
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002  (packages of peers draw from the global generator)
        return cls.read(folder, seed, arguments[2:], fill_missing=fill_missing)

    @classmethod
    def read(
        cls, folder: Path, seed: int, options: Sequence[str] = (), *, fill_missing: bool = True
    ) -> Task:
        """Read ``train.csv`` and ``schema.yaml`` of ``folder``."""
        schema = yaml.safe_load((folder / "schema.yaml").read_text(encoding="utf-8"))
        kinds = {name: column["kind"] for name, column in schema["columns"].items()}
        is_level = {name: kind in _LEVEL_KINDS for name, kind in kinds.items()}
        original = pd.read_csv(
            folder / "train.csv",
            keep_default_na=False,
            na_values=[""],
            dtype={name: object if level else "float64" for name, level in is_level.items()},
        )
        table: dict[str, Any] = {}
        levels: dict[str, list[str]] = {}
        integers: list[str] = []
        for name in original.columns:
            values = original[name]
            if values.nunique(dropna=False) < 2:
                continue
            missing = values.isna()
            if is_level[name]:
                known = sorted(values.dropna().unique())
                if fill_missing and missing.any():
                    known.append(MISSING_LEVEL)
                    values = values.where(~missing, MISSING_LEVEL)
                levels[name] = known
                table[name] = values.astype(object).where(values.notna(), None)
                continue
            if kinds[name] == "integer":
                integers.append(name)
            table[name] = values.fillna(values.median()) if fill_missing else values
            if fill_missing and missing.any():
                indicator = INDICATOR.format(name)
                table[indicator] = pd.Series(np.where(missing, YES, NO), dtype=object)
                levels[indicator] = [NO, YES]
        numeric = [name for name in table if name not in levels]
        return cls(
            folder,
            seed,
            list(options),
            pd.DataFrame(table),
            schema.get("target"),
            levels,
            integers,
            numeric,
            original,
            fill_missing,
        )

    def write(self, frame: pd.DataFrame, notes: Mapping[str, Any] | None = None) -> None:
        """Write ``synthetic.csv``: missing values and constants put back, whole numbers rounded.

        Args:
            frame: as many rows as the training table, its columns in any order, levels as text.
            notes: kept with the result.

        Raises:
            ValueError: rows or columns do not fit, or a level is unknown.
        """
        if len(frame) != len(self._original):
            raise ValueError(f"{len(frame)} rows instead of {len(self._original)}")
        absent = [name for name in self.table.columns if name not in frame.columns]
        if absent:
            raise ValueError(f"columns are missing: {absent}")
        output = {name: self._column(name, frame) for name in self._original.columns}
        temporary = self.folder / "synthetic.csv.tmp"
        pd.DataFrame(output).to_csv(temporary, index=False)
        os.replace(temporary, self.folder / "synthetic.csv")  # noqa: PTH105
        if notes:
            text = json.dumps(dict(notes), indent=1) + "\n"
            (self.folder / "notes.json").write_text(text, encoding="utf-8")

    def _column(self, name: str, frame: pd.DataFrame) -> pd.Series:
        if name not in self.table.columns:  # constant
            return self._original[name]
        values = pd.Series(frame[name].to_numpy(), dtype=object)
        if name in self.levels:
            if self._filled:
                values = values.where(values != MISSING_LEVEL, None)
            unknown = set(values.dropna()) - set(self.levels[name])
            if unknown:
                raise ValueError(f"column {name!r}: unknown levels {sorted(map(str, unknown))[:5]}")
            return values
        numbers = pd.to_numeric(values).astype("float64")
        indicator = INDICATOR.format(name)
        if self._filled and indicator in self.levels:
            numbers = numbers.mask((frame[indicator] == YES).to_numpy())
        return numbers.round().astype("Int64") if name in self.integers else numbers
