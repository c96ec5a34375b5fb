"""Which bins of a feature break a rule, given the bin of a feature before it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from agents.policies.autoregressive.caution import PairRule
from rlsyn_env.tables.constraints import Constraints, schema_constraints
from rlsyn_env.tables.encoder import RecordEncoder
from rlsyn_env.tables.feature_maps import Float32Array

_PLACES = np.array([0.02, 0.5, 0.98], dtype=np.float32)  # within a bin
_MOST_PAIRS = 100_000  # of bins; a rule on columns of so many levels is left to the network
_MOST_NUMBERS = 2_000_000  # of the records that are decoded together


def pair_rules(encoder: RecordEncoder, edges: Float32Array) -> list[PairRule]:
    """Return the schema's rules on two features that some of their bins are sure to break.

    Args:
        encoder: its schema has the rules.
        edges: ``(d, K + 1)`` bin edges, padded with 1.
    """
    constraints = schema_constraints(encoder.schema)
    found = []
    for index, names in enumerate(constraints.names_by_rule):
        positions = encoder.positions(names)
        if len(positions) != 2:
            continue
        one, two = (_points(edges[position]) for position in positions)
        if len(one) * len(two) > _MOST_PAIRS:
            continue
        surely = _surely_broken(encoder, constraints.select([index]), positions, (one, two))
        if surely.any():
            found.append(PairRule(earlier=positions[0], later=positions[1], broken=surely))
    return found


def _points(edges: Float32Array) -> Float32Array:
    """Return coordinates ``(bins, places)`` in every bin of a feature."""
    widths = np.diff(edges)
    n = int((widths > 0).sum())
    points: Float32Array = edges[:n, None] + widths[:n, None] * _PLACES
    return points


def _surely_broken(
    encoder: RecordEncoder,
    rule: Constraints,
    positions: list[int],
    points: tuple[Float32Array, Float32Array],
) -> npt.NDArray[np.bool_]:
    """Return ``(bins, bins)``: whether a rule is broken at all points of two bins."""
    one, two = points
    at_once = max(1, _MOST_NUMBERS // (two.size * len(_PLACES) * encoder.n_features))
    parts = []
    for begin in range(0, len(one), at_once):
        bins = one[begin : begin + at_once]
        records = np.full((bins.size * two.size, encoder.n_features), 0.5, dtype=np.float32)
        records[:, positions[0]] = np.repeat(bins.ravel(), two.size)
        records[:, positions[1]] = np.tile(two.ravel(), bins.size)
        broken = rule.violations(encoder.decode_columns(records, rule.names)) > 0
        parts.append(broken.reshape(*bins.shape, *two.shape).all(axis=(1, 3)))
    surely: npt.NDArray[np.bool_] = np.concatenate(parts)
    return surely
