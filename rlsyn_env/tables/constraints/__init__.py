"""What every record must satisfy: boolean expressions over the columns, as pandas ``query`` has."""

from rlsyn_env.tables.constraints.evaluation import Constraints
from rlsyn_env.tables.constraints.schema_rules import (
    check_constraints,
    prune_constraints,
    schema_constraints,
    unknown_levels,
)

__all__ = [
    "Constraints",
    "check_constraints",
    "prune_constraints",
    "schema_constraints",
    "unknown_levels",
]
