"""Encoded rows in a compact form: what a wide, sparse table costs to keep in memory.

A row of float32 coordinates is 4 bytes a feature. A feature whose cells are all single values says
no more than which cell it is: one bit where there are two, one byte up to 256. The place inside
such a cell carries nothing and is not kept.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from rlsyn_env.tables.encoder import RecordEncoder

_ROWS_AT_ONCE = 16384  # bounds the memory while encoding
_MOST_CELLS = 256


class EncodedRows:
    """Rows of a table as records, to be read a few at a time.

    Args:
        encoder: d features.
        table: n rows; may be empty.
        rng: of the places that tied values are drawn from.

    Raises:
        EncodingError: names the column and row of a value that has no cell.
    """

    def __init__(
        self, encoder: RecordEncoder, table: pd.DataFrame, rng: np.random.Generator
    ) -> None:
        atoms = np.array([bool(np.all(f.is_atom)) for f in encoder.features])
        cells = np.array([f.n_cells for f in encoder.features])
        self._d, self._n = encoder.n_features, len(table)
        self._binary = np.flatnonzero(atoms & (cells == 2))
        self._levels = np.flatnonzero(atoms & (cells != 2) & (cells <= _MOST_CELLS))
        self._rest = np.flatnonzero(~(atoms & (cells <= _MOST_CELLS)))
        features = [*self._binary, *self._levels]
        self._middles = np.zeros((self._d, int(cells[features].max(initial=2))), dtype=np.float32)
        self._inner = {}
        for j in features:
            edges = np.asarray(encoder.features[j].edges, dtype=np.float32)
            self._middles[j, : len(edges) - 1] = (edges[1:] + edges[:-1]) / 2
            self._inner[j] = edges[1:-1]
        self._bits = np.zeros((self._n, -(-len(self._binary) // 8)), dtype=np.uint8)
        self._codes = np.zeros((self._n, len(self._levels)), dtype=np.uint8)
        self._numbers = np.zeros((self._n, len(self._rest)), dtype=np.float32)
        for begin in range(0, self._n, _ROWS_AT_ONCE):
            rows = slice(begin, begin + _ROWS_AT_ONCE)
            self._keep(rows, encoder.encode(table.iloc[rows], rng))

    def __len__(self) -> int:
        """Number of rows n."""
        return self._n

    @property
    def n_bytes(self) -> int:
        """Memory of the rows in bytes."""
        return self._bits.nbytes + self._codes.nbytes + self._numbers.nbytes

    def take(self, rows: npt.NDArray[np.int64] | slice) -> npt.NDArray[np.float32]:
        """Return the records ``(m, d)`` float32 in (0, 1) of row numbers ``(m,)``.

        Features that are cells only lie at the middle of theirs.
        """
        numbers = self._numbers[rows]
        records = np.empty((len(numbers), self._d), dtype=np.float32)
        records[:, self._rest] = numbers
        records[:, self._levels] = self._middles[self._levels, self._codes[rows]]
        bits = np.unpackbits(self._bits[rows], axis=1, count=len(self._binary))
        records[:, self._binary] = np.where(
            bits, self._middles[self._binary, 1:2].T, self._middles[self._binary, :1].T
        )
        return records

    def _keep(self, rows: slice, records: npt.NDArray[np.float32]) -> None:
        cells = np.empty((len(records), self._d), dtype=np.uint8)
        for j, inner in self._inner.items():
            cells[:, j] = np.searchsorted(inner, records[:, j], side="right")
        self._bits[rows] = np.packbits(cells[:, self._binary], axis=1)
        self._codes[rows] = cells[:, self._levels]
        self._numbers[rows] = records[:, self._rest]
