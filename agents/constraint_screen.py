"""Keeps the generated records that satisfy every constraint, and says so when hardly any does."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rlsyn_env.errors import ConfigError
from rlsyn_env.tables.constraints import schema_constraints
from rlsyn_env.tables.encoder import RecordEncoder

ENOUGH_RECORDS = 4096
LEAST_SHARE = 0.01
_MOST_NAMED = 3


class ConstraintScreen:
    """Passes records that break no rule of an encoder's schema, and counts what it sees.

    Args:
        encoder: decodes the columns that its rules name.
    """

    def __init__(self, encoder: RecordEncoder) -> None:
        self._encoder = encoder
        self._constraints = schema_constraints(encoder.schema)
        self._seen = 0
        self._good = 0
        self._broken = np.zeros(len(self._constraints.rules), dtype=np.int64)

    def good(self, records: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return those of the records ``(n, d)`` that break no rule, in their order.

        Raises:
            ConfigError: of the records seen so far, 4,096 or more, fewer than 1 % were good.
        """
        if not self._constraints.rules:
            return records
        columns = self._encoder.decode_columns(records, self._constraints.names)
        broken = self._constraints.broken(columns)
        good = ~broken.any(axis=1)
        self._seen += len(records)
        self._good += int(good.sum())
        self._broken += broken.sum(axis=0)
        if self._seen >= ENOUGH_RECORDS and self._good < LEAST_SHARE * self._seen:
            raise ConfigError(self._refusal())
        return records[good]

    def _refusal(self) -> str:
        worst = np.argsort(-self._broken, kind="stable")[:_MOST_NAMED]
        rules = ", ".join(
            f"{self._constraints.rules[k]!r} ({100 * self._broken[k] / self._seen:.0f} % break it)"
            for k in worst
            if self._broken[k]
        )
        return (
            f"only {self._good:,} of {self._seen:,} records satisfy the constraints, too few to "
            f"draw until enough do; most broken: {rules}. Train longer or with a larger weight "
            "(--reward-term constraints=8), remove rules from the schema, fix other values, or do "
            "not enforce them"
        )
