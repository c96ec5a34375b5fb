"""Which bins of a feature break a rule, given the bin of a feature before it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from agents.policies.autoregressive.caution import PairRule
from rlsyn_env.tables.constraints import schema_constraints
from rlsyn_env.tables.encoder import RecordEncoder

_PLACES = np.array([0.02, 0.5, 0.98], dtype=np.float32)  # within a bin


def pair_rules(encoder: RecordEncoder, edges: npt.NDArray[np.float32]) -> list[PairRule]:
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
        earlier, later = positions
        one, two = (_points(edges[position]) for position in positions)
        records = np.full((len(one) * len(two), encoder.n_features), 0.5, dtype=np.float32)
        records[:, earlier], records[:, later] = np.repeat(one, len(two)), np.tile(two, len(one))
        rule = constraints.select([index])
        broken = rule.violations(encoder.decode_columns(records, names)) > 0
        n = len(_PLACES)
        surely = np.asarray(broken.reshape(len(one) // n, n, -1, n).all(axis=(1, 3)))
        if surely.any():
            found.append(PairRule(earlier, later, surely))
    return found


def _points(edges: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    widths = np.diff(edges)
    n = int((widths > 0).sum())
    points: npt.NDArray[np.float32] = edges[:n, None] + widths[:n, None] * _PLACES
    return points.reshape(-1)
