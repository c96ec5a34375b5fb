"""One of SDV 2's synthesizers on the table of a task, which SDV wants as a dict of tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from peer_table import Task
from sdv.metadata import Metadata

TABLE = "table"


def run(make: Callable[[Metadata], Any], notes: dict[str, Any] | None = None) -> None:
    """Fit the synthesizer that ``make`` builds for a metadata, sample, write.

    Types are declared: levels are categorical, numbers numerical; SDV models missing values itself.
    """
    task = Task.from_arguments(fill_missing=False)
    torch.manual_seed(task.seed)
    columns: dict[str, dict[str, str]] = {}
    for name in task.table.columns:
        columns[name] = {"sdtype": "categorical" if name in task.levels else "numerical"}
    metadata = Metadata.load_from_dict({"tables": {TABLE: {"columns": columns}}})
    table = task.table.copy()
    for name in task.integers:
        if not table[name].isna().any():
            table[name] = table[name].astype(np.int64)
    synthesizer = make(metadata)
    synthesizer.fit({TABLE: table})
    drawn = synthesizer.sample(num_rows=len(table))
    frame = drawn[TABLE] if isinstance(drawn, dict) else drawn
    task.write(frame, notes)
