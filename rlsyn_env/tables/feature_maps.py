"""One feature as one number u in [0, 1], and back: the randomised probability integral transform.

A :class:`FeatureMap` cuts [0, 1] into cells as wide as their share of the training rows. A cell is
an atom (a level, a point mass, missing) or a continuous piece. u lies in cell i when
``edges[i] <= u < edges[i + 1]`` in float32; u = 1 belongs to the last cell. Encoded values keep
clear of the edges by a margin that survives ``a = 2u - 1`` and back in float32.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from rlsyn_env.errors import EncodingError
from rlsyn_env.tables.column_values import level_codes, native
from rlsyn_env.tables.schema import ColumnKind, ColumnSchema

Float32Array = npt.NDArray[np.float32]
FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_NARROWEST = 2.0**-20
_MARGIN = 2.0**-22
UNSEEN_COUNT = 0.5
"""Rows that a declared level (or missing) counts as when no training row has it."""


class FeatureMap(ABC):
    """Base of the maps of one column.

    Attributes:
        name: column name.
        kind: column kind.
        edges: (m + 1,) float32, strictly increasing from 0 to 1.
        is_atom: (m,) bool, True for cells that are one value.
        missing_cell: index of the cell that means missing (always the last), or None.
        ordered: whether cells lie in value order (the missing cell apart).
    """

    ordered: bool = False

    def __init__(
        self,
        column: ColumnSchema,
        edges: Float32Array,
        is_atom: npt.NDArray[np.bool_],
        missing_cell: int | None,
    ) -> None:
        self.column = column
        self.name = column.name
        self.kind: ColumnKind = column.kind
        self.edges = edges
        self.is_atom = is_atom
        self.missing_cell = missing_cell
        self._low = edges[:-1].astype(np.float64)
        self._width = np.diff(edges.astype(np.float64))
        self._margin = np.minimum(self._width / 4, _MARGIN)

    @property
    def n_cells(self) -> int:
        """Number of cells m."""
        return len(self.is_atom)

    @abstractmethod
    def encode(self, series: pd.Series, rng: np.random.Generator) -> Float32Array:
        """Return u (n,) float32 in (0, 1); EncodingError naming the first row that has no cell."""

    @abstractmethod
    def decode(self, u: Float32Array) -> pd.Series:
        """Return the values of u (n,) as a Series of the column's dtype."""

    @abstractmethod
    def interval(self, value: Any) -> tuple[float, float]:
        """Return [lo, hi] of u for one value; lo == hi for a value of a continuous piece."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Return the map as plain JSON types."""

    def cells_of(self, u: Float32Array) -> IntArray:
        """Return the cell index (n,) of each u (float32 comparisons)."""
        cells = np.searchsorted(self.edges[1:-1], np.asarray(u, dtype=np.float32), side="right")
        return np.asarray(cells, dtype=np.int64)

    def bin_edges(self, max_bins: int) -> Float32Array:
        """Return (k + 1,) float32 edges of bins that respect the cells.

        Atoms are one bin each; continuous pieces share what is left of ``max_bins``, cut so that
        the bins are about equally wide. k is at most max(max_bins, number of cells).
        """
        parts = np.ones(self.n_cells, dtype=np.int64)
        for _ in range(max(0, max_bins - self.n_cells)):
            width = np.where(self.is_atom, 0.0, self._width / parts)
            widest = int(np.argmax(width))
            if width[widest] < 2 * _NARROWEST:
                break
            parts[widest] += 1
        pieces = [
            self._low[i] + self._width[i] * np.arange(parts[i]) / parts[i]
            for i in range(self.n_cells)
        ]
        return np.concatenate([*pieces, [1.0]]).astype(np.float32)

    def _place(self, cells: IntArray, share: FloatArray) -> Float32Array:
        """Return u at ``share`` in [0, 1] of each cell, strictly inside it in float32."""
        low, width, margin = self._low[cells], self._width[cells], self._margin[cells]
        u = low + width * share
        return np.clip(u, low + margin, low + width - margin).astype(np.float32)

    def _cell_interval(self, cell: int) -> tuple[float, float]:
        low, margin = float(self._low[cell]), float(self._margin[cell])
        return low + margin, low + float(self._width[cell]) - margin

    def _missing_interval(self) -> tuple[float, float]:
        if self.missing_cell is None:
            raise EncodingError(
                f"column {self.name!r} has no missing values, so missing cannot be encoded"
            )
        return self._cell_interval(self.missing_cell)

    def _no_missing(self, row: int) -> EncodingError:
        return EncodingError(
            f"column {self.name!r}, row {row + 1}: missing, but the training rows have no missing "
            "value there; fill it, or give the column 'missing: 0.01' in the schema"
        )


def edges_of_counts(counts: npt.ArrayLike) -> Float32Array:
    """Return (m + 1,) float32 edges of cells as wide as their counts, none narrower than 2^-20."""
    share = np.asarray(counts, dtype=np.float64)
    share = np.maximum(share / share.sum(), 2 * _NARROWEST)
    edges = np.concatenate([[0.0], np.cumsum(share / share.sum())]).astype(np.float32)
    edges[-1] = 1.0
    return np.asarray(edges, dtype=np.float32)


class LevelMap(FeatureMap):
    """Binary, boolean or categorical column: one atom per level, in the schema's order."""

    def __init__(self, column: ColumnSchema, edges: Float32Array, *, has_missing: bool) -> None:
        atoms = np.ones(len(edges) - 1, dtype=bool)
        super().__init__(column, edges, atoms, len(atoms) - 1 if has_missing else None)
        values: list[Any] = list(column.levels) + ([None] if has_missing else [])
        self._values = level_array(values, column)

    @classmethod
    def fit(cls, series: pd.Series, column: ColumnSchema) -> LevelMap:
        """Count the levels of ``series``; EncodingError for a value outside the schema's levels."""
        codes = level_codes(series, column.levels)
        _refuse_unknown(codes, series, column)
        counts = np.bincount(codes[codes >= 0], minlength=len(column.levels)).astype(np.float64)
        n_missing = float(np.sum(codes == -1))
        has_missing = n_missing > 0 or column.missing > 0
        cells = np.append(counts, n_missing) if has_missing else counts
        return cls(
            column, edges_of_counts(np.maximum(cells, UNSEEN_COUNT)), has_missing=has_missing
        )

    def encode(self, series: pd.Series, rng: np.random.Generator) -> Float32Array:
        """See :meth:`FeatureMap.encode`."""
        codes = level_codes(series, self.column.levels)
        _refuse_unknown(codes, series, self.column)
        missing = codes == -1
        if missing.any():
            if self.missing_cell is None:
                raise self._no_missing(int(np.argmax(missing)))
            codes[missing] = self.missing_cell
        return self._place(codes, rng.random(len(codes)))

    def decode(self, u: Float32Array) -> pd.Series:
        """See :meth:`FeatureMap.decode`."""
        return pd.Series(self._values.take(self.cells_of(u)), name=self.name)

    def interval(self, value: Any) -> tuple[float, float]:
        """See :meth:`FeatureMap.interval`; text such as '1' or 'True' also finds its level."""
        if value is None or value is pd.NA or value != value:
            return self._missing_interval()
        codes = level_codes(pd.Series([value], dtype=object), self.column.levels)
        if codes[0] < 0:
            as_text = [str(level) for level in self.column.levels]
            if str(value) not in as_text:
                shown = ", ".join(repr(level) for level in self.column.levels[:10])
                raise EncodingError(
                    f"column {self.name!r} has no level {native(value)!r}; its levels are {shown}"
                    + (", ..." if len(self.column.levels) > 10 else "")
                )
            codes[0] = as_text.index(str(value))
        return self._cell_interval(int(codes[0]))

    def to_dict(self) -> dict[str, Any]:
        """See :meth:`FeatureMap.to_dict`; the levels stand in the schema."""
        return {
            "name": self.name,
            "edges": [float(edge) for edge in self.edges],
            "has_missing": self.missing_cell is not None,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any], column: ColumnSchema) -> LevelMap:
        """Rebuild from :meth:`to_dict` and the column's schema."""
        edges = np.asarray(data["edges"], dtype=np.float32)
        return cls(column, edges, has_missing=data["has_missing"])


def level_array(values: list[Any], column: ColumnSchema) -> Any:
    """Return levels (None for missing) as an array of the column's dtype, ready to ``take``."""
    from rlsyn_env.tables.column_values import cast

    series = pd.Series(values, dtype=object)
    if column.dtype == "object":
        return series.where(series.notna(), np.nan).to_numpy()
    return cast(series, column).array


def _refuse_unknown(codes: IntArray, series: pd.Series, column: ColumnSchema) -> None:
    unknown = codes == -2
    if unknown.any():
        row = int(np.argmax(unknown))
        raise EncodingError(
            f"column {column.name!r}, row {row + 1}: {native(series.iloc[row])!r} is not among its "
            f"{len(column.levels)} levels; add it to the levels in the schema"
        )
