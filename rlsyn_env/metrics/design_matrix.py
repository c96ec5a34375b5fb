"""A table as a standardised numeric matrix, for distances and for classifiers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from rlsyn_env.metrics.preparation import Feature, FeatureTable

MAX_BLOCK_CELLS = 50_000_000


@dataclass(frozen=True)
class _Block:
    """The matrix columns of one feature."""

    feature: Feature
    fill: float  # median of the training rows, put in the place of missing values
    unseen: bool  # a column for levels the schema does not know
    missing: bool  # a column that flags missing values

    def raw(self, values: np.ndarray) -> np.ndarray:
        """Return the block ``(n, k)`` before standardisation."""
        columns: list[np.ndarray] = []
        if self.feature.numeric:
            absent = np.isnan(values)
            columns.append(np.where(absent, self.fill, values))
        else:
            absent = values < 0
            # The two levels of a binary column say the same thing: one column, not two, so that a
            # binary weighs in a distance as much as a number does.
            first = 1 if self.feature.n_known == 2 else 0
            columns += [values == code for code in range(first, self.feature.n_known)]
            if self.unseen:
                columns.append(values >= self.feature.n_known)
        if self.missing:
            columns.append(absent)
        return np.column_stack(columns).astype(np.float64)


class DesignMatrix:
    """Numbers with missing ones filled by the training median, one-hot levels, missing flags.

    Every column is centred and scaled by the **training** rows: with 0/1 columns left raw they
    would drown the others in a distance, or be drowned. A column without spread in the training
    rows (a missing flag that only a synthetic table sets) keeps its raw 0/1 scale.

    Args:
        features: the compared columns.
        train: rows that give medians, means and standard deviations.
        others: every other table that will be transformed; they only decide whether a column for
            missing values or for unseen levels is needed.
    """

    def __init__(
        self, features: Sequence[Feature], train: FeatureTable, others: Iterable[FeatureTable] = ()
    ):
        tables = (train, *others)
        self._blocks: list[_Block] = []
        for feature in features:
            values = [table.columns[feature.name] for table in tables]
            fill = 0.0
            if feature.numeric:
                present = values[0][~np.isnan(values[0])]
                fill = float(np.median(present)) if present.size else 0.0
                missing = any(bool(np.isnan(v).any()) for v in values)
                unseen = False
            else:
                missing = any(bool((v < 0).any()) for v in values)
                unseen = any(bool((v >= feature.n_known).any()) for v in values)
            self._blocks.append(_Block(feature, fill, unseen, missing))
        raw = [block.raw(train.columns[block.feature.name]) for block in self._blocks]
        self._means = [part.mean(axis=0) for part in raw]
        spreads = [part.std(axis=0) for part in raw]
        self._scales = [
            np.where(s > 1e-12 * (1 + np.abs(m)), s, 1.0)
            for s, m in zip(spreads, self._means, strict=True)
        ]

    def columns_of(self, name: str, *, without: str | None = None) -> np.ndarray:
        """Positions int64 of the columns of feature ``name`` in what :meth:`transform` returns."""
        owners = [
            block.feature.name
            for block, mean in zip(self._blocks, self._means, strict=True)
            if block.feature.name != without
            for _ in range(len(mean))
        ]
        return np.flatnonzero([owner == name for owner in owners])

    def commonest_levels(self, *, without: str | None = None) -> np.ndarray:
        """Positions int64 of the most frequent training level of every feature of three and more.

        A linear model takes the others against it: against a rare level all are uncertain.
        """
        found, start = [], 0
        for block, mean in zip(self._blocks, self._means, strict=True):
            feature = block.feature
            if feature.name == without:
                continue
            if not feature.numeric and feature.n_known > 2:
                found.append(start + int(np.argmax(mean[: feature.n_known])))
            start += len(mean)
        return np.array(found, dtype=np.int64)

    def labels(self, *, without: str | None = None) -> list[str]:
        """Name of every matrix column: the feature's, with a number where it has several."""
        labels = []
        for block, mean in zip(self._blocks, self._means, strict=True):
            name = block.feature.name
            if name != without:
                labels += [name] if len(mean) == 1 else [f"{name} [{k}]" for k in range(len(mean))]
        return labels

    def transform(self, table: FeatureTable, *, without: str | None = None) -> np.ndarray:
        """Return the float64 matrix ``(n, k)`` of ``table``, leaving out feature ``without``."""
        kept = [
            entry
            for entry in zip(self._blocks, self._means, self._scales, strict=True)
            if entry[0].feature.name != without
        ]
        matrix = np.empty((table.n_rows, sum(len(mean) for _, mean, _ in kept)))
        start = 0
        for block, mean, scale in kept:
            part = matrix[:, start : start + len(mean)]
            np.divide(block.raw(table.columns[block.feature.name]) - mean, scale, out=part)
            start += len(mean)
        return matrix

    def transform_blocks(self, table: FeatureTable) -> Iterator[np.ndarray]:
        """Yield :meth:`transform` of consecutive rows, each of at most 400 MB: one if it fits."""
        n_columns = sum(len(mean) for mean in self._means)
        size = max(1, MAX_BLOCK_CELLS // max(n_columns, 1))
        for start in range(0, table.n_rows, size):
            rows = np.arange(start, min(start + size, table.n_rows))
            yield self.transform(table.take(rows))
