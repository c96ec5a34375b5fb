"""Tables as matrices in [0, 1], for networks: min-max numbers, 0/1 and one-hot levels.

Runs in every peer's own environment: NumPy, pandas and PyYAML only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from decimals import rounded

if TYPE_CHECKING:
    from peer_table import Task


class UnitRecords:
    """The training rows of a task as a matrix, and matrices back as tables.

    Attributes:
        matrix: float32 ``(n, k)`` in [0, 1].
        blocks: per column of the table its name and its columns ``(start, stop)`` of the matrix.
    """

    def __init__(self, task: Task) -> None:
        table = task.table
        self._task = task
        self._levels = task.levels
        self._ranges: dict[str, tuple[float, float]] = {}
        self.blocks: list[tuple[str, int, int]] = []
        parts: list[np.ndarray] = []
        start = 0
        for name in table.columns:
            if name in task.levels:
                known = task.levels[name]
                first = 1 if len(known) == 2 else 0  # two levels say the same thing
                values = table[name].to_numpy()
                part = np.column_stack([values == level for level in known[first:]])
            else:
                numbers = table[name].to_numpy(dtype=np.float64)
                low, high = float(numbers.min()), float(numbers.max())
                self._ranges[name] = (low, high)
                # One value besides missing ones has no range: it is 0 everywhere.
                part = ((numbers - low) / ((high - low) or 1.0))[:, None]
            self.blocks.append((name, start, start + part.shape[1]))
            start += part.shape[1]
            parts.append(part)
        self.matrix: np.ndarray = np.hstack(parts).astype(np.float32)

    def frame(self, matrix: np.ndarray) -> pd.DataFrame:
        """Return the table of ``matrix (m, k)``.

        Two levels are thresholded at 0.5, of more the largest is taken, numbers are clipped to
        [0, 1], scaled back and rounded to the decimals of the schema.
        """
        columns: dict[str, np.ndarray] = {}
        for name, start, stop in self.blocks:
            part = np.asarray(matrix[:, start:stop], dtype=np.float64)
            if name in self._levels:
                known = np.array(self._levels[name], dtype=object)
                one = part.shape[1] == 1
                codes = (part[:, 0] >= 0.5).astype(int) if one else part.argmax(axis=1)
                columns[name] = known[codes]
            else:
                low, high = self._ranges[name]
                columns[name] = low + np.clip(part[:, 0], 0.0, 1.0) * (high - low)
        return rounded(self._task, pd.DataFrame(columns))
