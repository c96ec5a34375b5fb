"""The reward term of the schema's constraints."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from rlsyn_env.errors import ConfigError
from rlsyn_env.rewards import Records, Rewards, RewardTerm
from rlsyn_env.tables.constraints import schema_constraints
from rlsyn_env.tables.encoder import RecordEncoder

MOST_COUNTED = 3
"""Rules that count where one feature breaks more: hundreds must not drown the other terms."""


class ConstraintReward(RewardTerm):
    """Minus the number of rules that a record breaks, at most :data:`MOST_COUNTED` per feature.

    A rule is settled, and paid for, by the last of the features that its columns are decoded from:
    on a record of a hundred features the generalised advantage of the breach would otherwise reach
    it at a tenth of its size. Only the columns that rules name are decoded.

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
        constraints = schema_constraints(encoder.schema)
        settled: dict[int, list[int]] = defaultdict(list)
        for rule, names in enumerate(constraints.names_by_rule):
            settled[max(encoder.positions(names), default=encoder.n_features - 1)].append(rule)
        self._settled = {at: constraints.select(rules) for at, rules in settled.items()}
        self.settled_at = frozenset(self._settled)

    def __call__(self, records: Records) -> Rewards:
        """Score records ``(n, d)`` in [0, 1]; returns ``(n,)`` float32, 0 where none is broken."""
        total = np.zeros(len(records), dtype=np.float32)
        for position in self._settled:
            total += self.part(records, position)
        return total

    def part(self, records: Records, position: int) -> Rewards:
        """Minus the rules ``(n,)`` that the feature at a position breaks, in [-3, 0]."""
        constraints = self._settled[position]
        columns = self._encoder.decode_columns(records, constraints.names)
        broken = constraints.violations(columns)
        return -np.minimum(broken, MOST_COUNTED).astype(np.float32)
