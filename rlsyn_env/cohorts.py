"""Cohorts by name: which exist, and what each is built from.

Nothing heavy is imported before a cohort is built, so that the command line can list them at once.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from rlsyn_env.errors import ConfigError

if TYPE_CHECKING:
    from rlsyn_env.tables.datasets.cohort_choices import CohortChoice
    from rlsyn_env.tables.datasets.dataset import Cohort

DAYS_PER_PATIENT = 10

Progress = Callable[[float], None]
"""Called with the share that is done."""


@dataclass(frozen=True)
class CohortOptions:
    """What a cohort is built from; None is "not given".

    Attributes:
        data_dir: folder of the raw release.
        phecode_map_dir: folder of the two phecode maps (MIMIC-IV only).
        cohort: ``"default"`` or ``"published"``.
        rows: rows to simulate (patient-days: about so many).
        codes: code columns to simulate.
    """

    data_dir: str | os.PathLike[str] | None = None
    phecode_map_dir: str | os.PathLike[str] | None = None
    cohort: CohortChoice | None = None
    rows: int | None = None
    codes: int | None = None


@dataclass(frozen=True)
class CohortKind:
    """One cohort that can be built.

    Attributes:
        description: one line.
        options: names of the options it takes.
        build: makes it from its options and a seed, telling its progress where that takes long.
    """

    description: str
    options: tuple[str, ...]
    build: Callable[[CohortOptions, int, Progress | None], Cohort]

    @property
    def needs_data(self) -> bool:
        """Whether it is built from a release that the user has a copy of."""
        return "data_dir" in self.options


def build_cohort(
    name: str,
    options: CohortOptions | None = None,
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> Cohort:
    """Build a cohort of :data:`COHORTS`.

    Raises:
        TableError: its release cannot be read.
        ConfigError: the name is unknown, an option is not one of this cohort's, or the folder of
            the release is not given.
    """
    options = options or CohortOptions()
    check_options(name, options)
    return COHORTS[name].build(options, seed, progress)


def check_options(name: str, options: CohortOptions) -> None:
    """Raise ConfigError for an unknown cohort and for options that it cannot be built from."""
    if name not in COHORTS:
        raise ConfigError(f"no cohort {name!r}; cohorts are {', '.join(COHORTS)}")
    kind = COHORTS[name]
    for option in given_options(options):
        if option not in kind.options:
            raise ConfigError(f"{flag(option)} is no option of the cohort {name}")
    if kind.needs_data and options.data_dir is None:
        raise ConfigError(f"the cohort {name} is built from your copy of it: give --data-dir")
    if options.cohort is not None:
        from rlsyn_env.tables.datasets.cohort_choices import check_choice

        check_choice(options.cohort)


def given_options(options: CohortOptions) -> list[str]:
    """Return the names of the options that are given."""
    return [f.name for f in fields(options) if getattr(options, f.name) is not None]


def flag(option: str) -> str:
    """Return how the command line spells an option."""
    return "--" + option.replace("_", "-")


def _mimic_iv(options: CohortOptions, seed: int, progress: Progress | None) -> Cohort:
    from rlsyn_env.tables.datasets.mimic_iv import load_mimic_iv

    assert options.data_dir is not None  # check_options has seen to it
    return load_mimic_iv(
        options.data_dir,
        phecode_map_dir=options.phecode_map_dir,
        cohort=options.cohort or "default",
        seed=seed,
    )


def _ai_readi(options: CohortOptions, seed: int, progress: Progress | None) -> Cohort:
    from rlsyn_env.tables.datasets.ai_readi import load_ai_readi

    assert options.data_dir is not None  # check_options has seen to it
    return load_ai_readi(
        options.data_dir, cohort=options.cohort or "default", seed=seed, progress=progress
    )


def _simulated_ehr(options: CohortOptions, seed: int, progress: Progress | None) -> Cohort:
    from rlsyn_env.tables.datasets.simulate import simulate_ehr

    rows = 10_000 if options.rows is None else options.rows
    return simulate_ehr(rows, 300 if options.codes is None else options.codes, seed)


def _simulated_patient_days(options: CohortOptions, seed: int, progress: Progress | None) -> Cohort:
    from rlsyn_env.tables.datasets.simulate import simulate_patient_days

    rows = 4_000 if options.rows is None else options.rows
    return simulate_patient_days(round(rows / DAYS_PER_PATIENT), seed)


COHORTS = {
    "mimic-iv": CohortKind(
        "MIMIC-IV, a row per patient (needs your copy)",
        ("data_dir", "phecode_map_dir", "cohort"),
        _mimic_iv,
    ),
    "ai-readi": CohortKind(
        "AI-READI, a row per patient-day (needs your copy)", ("data_dir", "cohort"), _ai_readi
    ),
    "simulated-ehr": CohortKind(
        "simulated patients with sparse codes and a known truth (10,000 x 307)",
        ("rows", "codes"),
        _simulated_ehr,
    ),
    "simulated-patient-days": CohortKind(
        "simulated patient-days with a known truth (4,000 x 109)",
        ("rows",),
        _simulated_patient_days,
    ),
}
"""Cohorts by name."""
