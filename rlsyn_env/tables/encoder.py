"""Whole tables as points of the unit cube, and back."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rlsyn_env.errors import EncodingError, RLSynError
from rlsyn_env.files import write_text
from rlsyn_env.tables.column_values import cast
from rlsyn_env.tables.derived.checks import computing_order
from rlsyn_env.tables.derived.evaluation import evaluate
from rlsyn_env.tables.feature_maps import FeatureMap, Float32Array, LevelMap
from rlsyn_env.tables.inference import complete_schema, infer_schema
from rlsyn_env.tables.ordered_map import OrderedMap
from rlsyn_env.tables.schema import LEVEL_KINDS, ColumnKind, TableSchema, nearest
from rlsyn_env.tables.schema_files import schema_from_dict, schema_to_dict

FORMAT_VERSION = 1


class RecordEncoder:
    """Maps tables to records u in (0, 1)^d and back, one coordinate per feature.

    Independent uniform records decode to the training marginals; dependence is what is left to
    learn (design, section 1: the randomised probability integral transform).

    Attributes:
        schema: the schema with every detail filled in.
        features: one :class:`FeatureMap` per feature, in emission order.
    """

    def __init__(self, schema: TableSchema, features: Sequence[FeatureMap]) -> None:
        self.schema = schema
        self.features: tuple[FeatureMap, ...] = tuple(features)
        self._formulas = computing_order(schema)

    @classmethod
    def fit(
        cls,
        table: pd.DataFrame,
        schema: TableSchema | None = None,
        *,
        feature_order: Sequence[str] | None = None,
        exact_support: bool = False,
    ) -> RecordEncoder:
        """Fit to the training rows of ``table``.

        Args:
            table: training rows only: quantiles and shares are taken from them.
            schema: inferred from ``table`` when None; details it leaves empty are filled in.
            feature_order: features to emit first, in this order (see :meth:`reorder`).
            exact_support: generate only values of training rows (no protection of single values).

        Raises:
            SchemaError: the schema does not match the table.
            EncodingError: no column can be a feature.
        """
        schema = infer_schema(table) if schema is None else complete_schema(schema, table)
        features: list[FeatureMap] = []
        for name in schema.feature_names:
            column = schema.column(name)
            if column.kind in LEVEL_KINDS:
                features.append(LevelMap.fit(table[name], column))
            else:
                features.append(OrderedMap.fit(table[name], column, exact=exact_support))
        if not features:
            raise EncodingError("no column of the table can be a feature; nothing to generate")
        encoder = cls(schema, features)
        return encoder if feature_order is None else encoder.reorder(feature_order)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the features in emission order."""
        return tuple(feature.name for feature in self.features)

    @property
    def n_features(self) -> int:
        """Number of features d."""
        return len(self.features)

    def feature(self, name: str) -> FeatureMap:
        """Return the map of one feature; EncodingError with the nearest names otherwise.

        The error for a derived column names its formula.
        """
        for feature in self.features:
            if feature.name == name:
                return feature
        for formula in self._formulas:
            if formula.name == name:
                generated = (self.feature_names[i] for i in self.positions([name]))
                sources = ", ".join(map(repr, generated))
                raise EncodingError(
                    f"column {name!r} is computed ({formula.short_text}), not generated; give "
                    f"{sources} a value instead, or train without the formula (--no-derived, or "
                    "remove it from the schema)"
                )
        raise EncodingError(f"no feature {name!r}{nearest(name, self.feature_names)}")

    def encode(self, table: pd.DataFrame, rng: np.random.Generator) -> Float32Array:
        """Return records (n, d) float32 strictly inside (0, 1), columns in emission order.

        Values with a cell of their own are drawn uniformly from it, so the result is random where
        the table is tied. EncodingError names the column and row of a value that has no cell.
        """
        missing = [name for name in self.feature_names if name not in table.columns]
        if missing:
            hint = nearest(missing[0], [str(name) for name in table.columns])
            raise EncodingError(f"the table has no column {missing[0]!r}{hint}")
        records = np.empty((len(table), self.n_features), dtype=np.float32)
        for index, feature in enumerate(self.features):
            records[:, index] = feature.encode(table[feature.name], rng)
        return records

    def decode(self, records: np.ndarray) -> pd.DataFrame:
        """Return the table of records (n, d) in [0, 1].

        Columns come in the order of the original table with its dtypes and levels; derived columns
        are computed, constant and all-missing ones put back; identifiers, the group and dropped
        columns are absent.
        """
        return pd.DataFrame(self.decode_columns(records, self.schema.output_names))

    def decode_columns(self, records: np.ndarray, names: Sequence[str]) -> dict[str, pd.Series]:
        """Return some columns (n,) of the table of records (n, d), at the cost of those alone.

        Args:
            records: in [0, 1].
            names: among the schema's ``output_names``.
        """
        records = np.asarray(records, dtype=np.float32)
        if records.ndim != 2 or records.shape[1] != self.n_features:
            raise EncodingError(
                f"records have shape {records.shape}, expected (n, {self.n_features})"
            )
        if np.isnan(records).any():
            raise EncodingError("records contain NaN, expected numbers in [0, 1]")
        by_name = self._position_of
        needed = self._needed(names)
        computed = [formula for formula in self._formulas if formula.name in needed]
        computed_names = {formula.name for formula in computed}
        columns: dict[str, pd.Series] = {}
        for name in needed:
            if name in by_name:
                index = by_name[name]
                column = np.clip(np.ascontiguousarray(records[:, index]), 0.0, 1.0)
                columns[name] = self.features[index].decode(column)
            elif name not in computed_names:
                columns[name] = self._fixed_column(name, len(records))
        for formula in computed:
            columns[formula.name] = evaluate(formula, columns, self.schema)
        return {name: columns[name] for name in names}

    def positions(self, names: Sequence[str]) -> list[int]:
        """Return the positions of the features that some columns are decoded from, in order.

        Args:
            names: among the schema's ``output_names``; constant columns need no feature.
        """
        by_name = self._position_of
        return sorted(by_name[name] for name in self._needed(names) if name in by_name)

    @property
    def _position_of(self) -> dict[str, int]:
        return {feature.name: index for index, feature in enumerate(self.features)}

    def _needed(self, names: Sequence[str]) -> dict[str, None]:
        """Return columns and whatever they are computed from, as keys."""
        needed = dict.fromkeys(names)
        for formula in reversed(self._formulas):  # each after those that need it
            if formula.name in needed:
                needed |= dict.fromkeys(formula.sources)
        return needed

    def _fixed_column(self, name: str, n: int) -> pd.Series:
        """Return a constant or all-missing column (n,)."""
        column = self.schema.column(name)
        if column.kind is ColumnKind.CONSTANT:
            return cast(pd.Series([column.levels[0]] * n, dtype=object), column)
        if column.dtype == "object":
            return pd.Series([None] * n, dtype=object)
        return cast(pd.Series(np.full(n, np.nan)), column)

    def encode_value(self, name: str, value: Any) -> tuple[float, float]:
        """Return the interval [lo, hi] of u that decodes to ``value`` of one feature.

        lo == hi for a value of a continuous piece. None or NaN means missing. EncodingError for an
        unknown feature or level, or a value outside the generated range.
        """
        return self.feature(name).interval(value)

    def reorder(self, feature_order: Sequence[str]) -> RecordEncoder:
        """Return the same encoder with the named features first, the others after as before."""
        first = [self.feature(name) for name in feature_order]
        if len(set(feature_order)) != len(first):
            raise EncodingError(f"feature order names a feature twice: {list(feature_order)}")
        rest = [feature for feature in self.features if feature.name not in set(feature_order)]
        return RecordEncoder(self.schema, [*first, *rest])

    def to_json(self) -> str:
        """Return everything needed to decode, as JSON; equal encoders give equal text."""
        data = {
            "format": "rlsyn-encoder",
            "version": FORMAT_VERSION,
            "schema": schema_to_dict(self.schema, complete=True),
            "features": [feature.to_dict() for feature in self.features],
        }
        return json.dumps(data, allow_nan=False, indent=1)

    @classmethod
    def from_json(cls, text: str, source: str = "encoder") -> RecordEncoder:
        """Rebuild from :meth:`to_json`; EncodingError when the text is something else."""
        try:
            data = json.loads(text)
            version = data["version"] if data["format"] == "rlsyn-encoder" else None
        except (ValueError, KeyError, TypeError) as error:
            raise EncodingError(f"{source} is not a saved encoder: {error}") from error
        if version != FORMAT_VERSION:
            raise EncodingError(
                f"{source} has encoder version {version}, this rlsyn reads {FORMAT_VERSION}"
            )
        try:
            schema = schema_from_dict(data["schema"], source)
            features: list[FeatureMap] = []
            for entry in data["features"]:
                column = schema.column(entry["name"])
                kind = LevelMap if column.kind in LEVEL_KINDS else OrderedMap
                features.append(kind.from_dict(entry, column))
            return cls(schema, features)
        except RLSynError:
            raise
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise EncodingError(
                f"{source} is damaged ({type(error).__name__}: {error}); take the run's own file"
            ) from error

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write :meth:`to_json` to ``path``, atomically."""
        write_text(path, self.to_json())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> RecordEncoder:
        """Read what :meth:`save` wrote; EncodingError when missing or something else."""
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise EncodingError(f"cannot read encoder {path}: {error}") from error
        return cls.from_json(text, str(path))
