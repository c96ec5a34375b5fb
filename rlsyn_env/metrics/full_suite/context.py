"""What every figure of the full suite works on, and how a distance becomes a metric."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from rlsyn_env.metrics.bootstrap import distance_interval, resample_counts, stream
from rlsyn_env.metrics.design_matrix import DesignMatrix
from rlsyn_env.metrics.judge_fidelity import fidelity_reference
from rlsyn_env.metrics.predictive_task import PredictiveTask, predictive_task
from rlsyn_env.metrics.preparation import Feature, FeatureTable
from rlsyn_env.metrics.report import Metric
from rlsyn_env.metrics.rows import MAX_FIDELITY_ROWS, JudgedRows
from rlsyn_env.tables.schema import TableSchema

MAX_RESAMPLING_WORK = 2e10
"""Multiply-adds that intervals of one figure may cost, about 10 s on one core."""
MIN_RESAMPLES = 25

Distances = Callable[
    [FeatureTable, FeatureTable, "np.ndarray | None", "np.ndarray | None"], np.ndarray
]
"""(real, synthetic, counts of the real rows ``(B, n)``, counts of the synthetic rows ``(B, m)``)
-> distances ``(B,)``; one distance of all rows where the counts are None."""


@dataclass(frozen=True)
class Findings:
    """Figures by their stable name, details for the report, and notices for the reader."""

    metrics: Mapping[str, Metric]
    details: Mapping[str, Any] = field(default_factory=dict)
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Context:
    """Rows and settings of one evaluation.

    Attributes:
        rows: the encoded tables.
        schema: schema of the training rows.
        target: column that models predict, or None.
        classes: whether the target is predicted as classes.
        n_bootstrap: resamples per interval.
        n_jobs: threads for forests.
        subgroups: columns whose levels (bands) are scored apart.
        quasi_identifiers: columns an attacker knows of a person.
    """

    rows: JudgedRows
    schema: TableSchema
    target: str | None
    classes: bool
    n_bootstrap: int
    n_jobs: int
    subgroups: tuple[str, ...] = ()
    quasi_identifiers: tuple[str, ...] = ()

    @property
    def features(self) -> tuple[Feature, ...]:
        """The compared columns, sorted by name."""
        return self.rows.features

    @cached_property
    def test(self) -> FeatureTable:
        """The test rows of the fidelity figures, the same as in the quick suite."""
        return self.rows.cut(self.rows.test, MAX_FIDELITY_ROWS, "fidelity test")

    @cached_property
    def tables(self) -> dict[str, FeatureTable]:
        """What is compared with the test rows: "value", "real" and "independent"."""
        size = self.rows.fidelity_size
        return {
            "value": self.rows.cut(self.rows.synthetic, size, "fidelity synthetic"),
            "real": self.rows.cut(self.rows.train, size, "fidelity train"),
            "independent": self.rows.cut(self.rows.independent, size, "fidelity independent"),
        }

    @cached_property
    def design(self) -> DesignMatrix:
        """Standardisation by the training rows."""
        fitted_on = self.rows.cut(self.rows.train, MAX_FIDELITY_ROWS, "design")
        return DesignMatrix(
            self.features, fitted_on, (self.rows.train, self.test, *self.tables.values())
        )

    @cached_property
    def task(self) -> PredictiveTask | None:
        """The prediction task of the utility figures; None without a target that varies."""
        if self.target is None:
            return None
        return predictive_task(
            self.rows, self.target, classes=self.classes, n_bootstrap=self.n_bootstrap
        )[0]

    def stream(self, name: str) -> np.random.Generator:
        """Return a random generator of its own for the purpose ``name``."""
        return stream(self.rows.seed, name)

    def resamples(self, work: float) -> int:
        """Number of resamples whose cost stays bounded when one costs ``work`` multiply-adds."""
        affordable = int(MAX_RESAMPLING_WORK / max(work, 1.0))
        return min(self.n_bootstrap, max(affordable, MIN_RESAMPLES))


def distance_metric(
    context: Context,
    name: str,
    distances: Distances,
    description: str,
    *,
    work: float = 0.0,
    upper: float = np.inf,
    note: str = "",
    extra: Mapping[str, float | None] | None = None,
) -> Metric:
    """Build a fidelity metric from a distance of two tables (held-out rows first); ideal 0.

    Rows of both tables are resampled for the interval, test rows by group; ``work`` is roughly
    what one distance costs in multiply-adds.
    """
    test, synthetic = context.test, context.tables["value"]
    values = {
        key: float(distances(test, table, None, None)[0]) for key, table in context.tables.items()
    }
    low = high = None
    if np.isfinite(values["value"]):
        n = context.resamples(work)
        rng = context.stream(f"{name} resamples")
        counts = (
            resample_counts(rng, n, test.n_rows, groups=test.groups),
            resample_counts(rng, n, synthetic.n_rows),
        )
        replicates = distances(test, synthetic, *counts)
        low, high = distance_interval(values["value"], replicates, upper=upper)
    return Metric(
        family="fidelity",
        value=values["value"],
        low=low,
        high=high,
        ideal=0.0,
        direction="lower",
        reference=fidelity_reference(values),
        description=description,
        note=note,
        extra=extra or {},
    )
