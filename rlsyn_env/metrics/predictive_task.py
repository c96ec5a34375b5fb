"""The prediction task of the utility figures: who is trained, who is scored, as plain arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from rlsyn_env.metrics.bootstrap import resample_counts, stream
from rlsyn_env.metrics.design_matrix import DesignMatrix
from rlsyn_env.metrics.preparation import FeatureTable
from rlsyn_env.metrics.rows import MAX_FIDELITY_ROWS, MAX_FOREST_ROWS, JudgedRows
from rlsyn_env.metrics.utility import (
    UtilityScores,
    classification_utility,
    regression_utility,
)


@dataclass(frozen=True)
class PredictiveTask:
    """Rows without the target, and the target, of every table.

    Attributes:
        target: name of the predicted column.
        classes: True when it is predicted as classes, False for values (R2).
        design: the standardisation, fitted on training rows.
        tables: rows by name: "synthetic", "train", "independent" (trained on) and "test" (scored;
            rows without a target are left out).
        rows: matrices ``(n, k)`` of the same names, without the target.
        targets: int64 class codes (-1 missing) or float64 values (NaN missing) ``(n,)``.
        counts: ``(B, n_test)`` resamples of the test rows.
        seed: seed of the models.
    """

    target: str
    classes: bool
    design: DesignMatrix
    tables: Mapping[str, FeatureTable]
    rows: Mapping[str, np.ndarray]
    targets: Mapping[str, np.ndarray]
    counts: np.ndarray
    seed: int

    def score(
        self,
        trained_on: str,
        *,
        scored_on: str = "test",
        n_jobs: int = 1,
        models: Mapping[str, Any] | None = None,
    ) -> UtilityScores:
        """Train models on one table and score them on another; see :mod:`utility`."""
        return self.score_rows(
            self.rows[trained_on],
            self.targets[trained_on],
            scored_on=scored_on,
            n_jobs=n_jobs,
            models=models,
        )

    def score_rows(
        self,
        rows: np.ndarray,
        targets: np.ndarray,
        *,
        scored_on: str = "test",
        n_jobs: int = 1,
        models: Mapping[str, Any] | None = None,
    ) -> UtilityScores:
        """Train models on given rows ``(n, k)`` with targets ``(n,)``; score them on a table."""
        fit = classification_utility if self.classes else regression_utility
        known = ~missing_targets(self.targets[scored_on])
        return fit(
            rows,
            targets,
            self.rows[scored_on][known],
            self.targets[scored_on][known],
            seed=self.seed,
            n_jobs=n_jobs,
            models=models,
        )


def predictive_task(
    rows: JudgedRows,
    target: str,
    *,
    classes: bool,
    n_bootstrap: int,
    max_rows: int = MAX_FOREST_ROWS,
    all_synthetic: bool = False,
) -> tuple[PredictiveTask | None, list[str]]:
    """Set the task up; None when the target does not vary among the test rows, or nothing is there
    to predict it from. Also notices.

    With ``classes`` the target is predicted as classes even where it is a column of (few) numbers.
    Models are trained on at most ``max_rows`` rows, and on no more synthetic ones than there are
    training rows, unless ``all_synthetic`` allows it.
    """
    test = rows.cut(rows.test, MAX_FIDELITY_ROWS, "fidelity test")
    known = ~missing_targets(test.columns[target])
    notices = []
    if not known.all():
        notices.append(f"{int((~known).sum())} test rows without a target are not scored")
        test = test.take(np.flatnonzero(known))
    if len(np.unique(test.columns[target])) < 2:
        notices.append("the target does not vary among the test rows: no utility can be measured")
        return None, notices

    if all(feature.name == target for feature in rows.features):
        notices.append("no column is left to predict the target from: no utility can be measured")
        return None, notices

    size = min(rows.train.n_rows, rows.synthetic.n_rows, max_rows)
    tables = {
        "synthetic": rows.cut(
            rows.synthetic, max_rows if all_synthetic else size, "fidelity synthetic"
        ),
        "train": rows.cut(rows.train, max_rows, "utility train"),
        "independent": rows.cut(rows.independent, size, "fidelity independent"),
        "test": test,
    }
    design = DesignMatrix(rows.features, tables["train"], tables.values())
    targets = {name: table.columns[target] for name, table in tables.items()}
    if classes:
        targets = _class_codes(targets)
    counts = resample_counts(
        stream(rows.seed, "utility resamples"),
        n_bootstrap,
        test.n_rows,
        groups=test.groups,
        # Without groups every class keeps its size; groups are drawn whole, whatever they hold.
        strata=targets["test"] if classes and test.groups is None else None,
    )
    matrices = {name: design.transform(table, without=target) for name, table in tables.items()}
    seed = int(stream(rows.seed, "utility").integers(2**31))
    task = PredictiveTask(target, classes, design, tables, matrices, targets, counts, seed)
    return task, notices


def missing_targets(values: np.ndarray) -> np.ndarray:
    """Whether each class code or value is missing, bool ``(n,)``."""
    return np.isnan(values) if values.dtype.kind == "f" else values < 0


def _class_codes(targets: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return int64 class codes, -1 for missing, the same in every table.

    Levels are codes already. Numbers are rounded first: a generator that was not told that the
    target is whole has not invented a thousand classes.
    """
    rounded = {}
    for name, values in targets.items():
        if values.dtype.kind != "f":
            return {key: codes.astype(np.int64) for key, codes in targets.items()}
        rounded[name] = np.round(values)
    together = np.concatenate(list(rounded.values()))
    classes = np.unique(together[~np.isnan(together)])
    return {
        name: np.where(np.isnan(values), -1, np.searchsorted(classes, values))
        for name, values in rounded.items()
    }
