"""The two ways to build a cohort: ours, and as it was published."""

from __future__ import annotations

from typing import Literal, get_args

from rlsyn_env.errors import ConfigError

CohortChoice = Literal["default", "published"]
COHORT_CHOICES: tuple[str, ...] = get_args(CohortChoice)


def check_choice(choice: str) -> None:
    """Raise ConfigError for a choice that is neither ``default`` nor ``published``."""
    if choice not in COHORT_CHOICES:
        raise ConfigError(f"cohort {choice!r} is not known; it is {' or '.join(COHORT_CHOICES)}")
