"""The reward term of the schema's constraints."""

from __future__ import annotations

import numpy as np

from rlsyn_env.errors import ConfigError
from rlsyn_env.rewards import Records, Rewards, RewardTerm
from rlsyn_env.tables.constraints import schema_constraints
from rlsyn_env.tables.encoder import RecordEncoder

MOST_COUNTED = 3
"""Broken rules that count: records that break hundreds must not drown the other terms."""


class ConstraintReward(RewardTerm):
    """Minus the number of rules that a record breaks, at least ``-MOST_COUNTED``.

    Only the columns that rules name are decoded.

    Args:
        encoder: its schema has the rules.

    Raises:
        ConfigError: the schema has no constraints.
    """

    name = "constraints"

    def __init__(self, encoder: RecordEncoder) -> None:
        if not encoder.schema.constraints:
            raise ConfigError(
                "the reward term 'constraints' needs constraints, and the schema has none; list "
                "some under 'constraints' in it, or leave the term out"
            )
        self._encoder = encoder
        self._constraints = schema_constraints(encoder.schema)

    def __call__(self, records: Records) -> Rewards:
        """Score records ``(n, d)`` in [0, 1]; returns ``(n,)`` float32 in [-3, 0]."""
        columns = self._encoder.decode_columns(records, self._constraints.names)
        broken = self._constraints.violations(columns)
        return -np.minimum(broken, MOST_COUNTED).astype(np.float32)
