"""The whole judgement of a synthetic table: every figure, its interval and its references.

Which real rows a figure is compared with, and what stands in each reference column:

- column_shapes, pair_trends, c2st: **test** rows. Real rows = the training rows in the place of
  the synthetic ones; they are fresh with respect to the test rows, and no half of a small test set
  has to be given away. A copy of the training rows is those same rows, so both columns agree:
  fidelity cannot see copying.
- s2r: models scored on **test** rows. Real rows and copy = trained on the training rows (R2R).
- membership_*: training rows against **test** rows. Real rows = each half of the test rows in the
  place of the synthetic ones with the other half as non-members, averaged. Copy = training rows.
  Independent marginals = the mean over a few tables of them.
- exact_copies: **training** rows. Real rows = the test rows.
- The full suite (:mod:`rlsyn_env.metrics.full_suite`) follows the same rules; where a figure
  differs, its module or its description says how.

Independent marginals are one table with as many rows as the synthetic one. Fidelity and utility
figures use at most as many synthetic rows as there are training rows; privacy figures use all of
them, because an attacker would.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import pandas as pd

from rlsyn_env.errors import ConfigError, TableError
from rlsyn_env.metrics.full_suite.context import Context
from rlsyn_env.metrics.full_suite.paper import judge_paper
from rlsyn_env.metrics.full_suite.suite import judge_full
from rlsyn_env.metrics.judge_constraints import judge_constraints
from rlsyn_env.metrics.judge_fidelity import judge_fidelity
from rlsyn_env.metrics.judge_privacy import judge_privacy
from rlsyn_env.metrics.judge_utility import judge_utility
from rlsyn_env.metrics.report import Report, by_family
from rlsyn_env.metrics.rows import judged_rows
from rlsyn_env.tables.inference import infer_schema
from rlsyn_env.tables.schema import TableSchema, nearest
from rlsyn_env.tables.splits import is_class_target

Progress = Callable[[str, float], None]
"""Called with what comes next and the share that is done, in [0, 1]."""

SUITES = ("quick", "paper", "full")
QUICK_SHARES = {"quick": 1.0, "paper": 0.4, "full": 0.15}
"""Share of a suite's time that the quick figures take, for the progress."""


def evaluate(
    train: pd.DataFrame,
    test: pd.DataFrame,
    synthetic: pd.DataFrame,
    *,
    schema: TableSchema | None = None,
    target: str | None = None,
    group: str | None = None,
    seed: int = 0,
    n_bootstrap: int = 200,
    n_jobs: int = 1,
    suite: Literal["quick", "paper", "full"] = "quick",
    subgroups: Sequence[str] = (),
    quasi_identifiers: Sequence[str] = (),
    constraints: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> Report:
    """Judge a synthetic table on rows its generator never saw.

    Deterministic for a seed; the global NumPy generator is neither read nor changed.

    Args:
        train: rows the generator was trained on (n_train, columns).
        test: held-out rows (n_test, columns); the only rows that judge.
        synthetic: the table to judge (any number of rows); columns are matched by name.
        schema: schema of the training rows; inferred from them by default.
        target: column that utility models predict; the schema's by default. Without one the
            the figures of models are left out.
        group: column of rows that belong together; the schema's by default. Folds and resamples
            then keep groups whole. The synthetic table need not have it.
        seed: seed of subsamples, folds, forests and resamples, 0 or more.
        n_bootstrap: resamples per interval, at least 2.
        n_jobs: threads for forests.
        suite: "quick" (seconds); "paper" (minutes), which adds the published evaluation of RLSyn
            (:mod:`rlsyn_env.metrics.full_suite.paper`) and is meant for wide tables too; or "full"
            (minutes), which adds the figures of :mod:`rlsyn_env.metrics.full_suite`. The next two
            only matter to the last.
        subgroups: columns (sex, age) whose levels or bands utility is also scored on.
        quasi_identifiers: columns that others may know of a person (age, sex, region).
        constraints: what every record should satisfy, see
            :class:`rlsyn_env.tables.constraints.Constraints`; the schema's by default.
        progress: called before each step with its name and the share that is done.

    Raises:
        TableError: a table lacks a column, has fewer than 10 rows, holds text or an infinite value
            in a numeric column, or the target cannot be predicted.
        ConfigError: the suite is unknown, or a declared column is not compared.
        SchemaError: a constraint cannot be evaluated.
        ValueError: ``seed`` or ``n_bootstrap`` is out of range.
    """
    if seed < 0 or n_bootstrap < 2:
        raise ValueError(f"seed must be >= 0 and n_bootstrap >= 2, not {seed} and {n_bootstrap}")
    if suite not in SUITES:
        raise ConfigError(f"no suite {suite!r}; suites are {', '.join(SUITES)}")
    report_progress = _progress(progress, QUICK_SHARES[suite])
    report_progress("preparing tables", 0.0)
    if schema is None:
        schema = infer_schema(train, target=target, group=group)
    target = schema.target if target is None else target
    group = schema.group if group is None else group
    rows, notices = judged_rows(train, test, synthetic, schema, group=group, seed=seed)
    if target is not None and target not in {feature.name for feature in rows.features}:
        raise TableError(
            f"the target {target!r} is not one of the compared columns: it is unknown, or left "
            "out of the schema as an identifier, group, constant or empty column"
        )

    for role, names in (("subgroup", subgroups), ("quasi-identifier", quasi_identifiers)):
        _check_declared(role, names, [feature.name for feature in rows.features])

    constraints = schema.constraints if constraints is None else tuple(constraints)
    metrics, constraint_details, constraint_notices = judge_constraints(
        train, test, synthetic, schema, constraints, seed=seed
    )
    notices += constraint_notices
    report_progress("fidelity", 0.02)
    fidelity, details = judge_fidelity(rows, n_bootstrap=n_bootstrap, n_jobs=n_jobs)
    metrics = fidelity | metrics
    details |= constraint_details
    report_progress("utility", 0.6)
    classes = target is not None and is_class_target(train[target], schema.column(target).kind)
    if target is None:
        notices.append("no target was given: no models are scored")
    else:
        utility, utility_notices = judge_utility(
            rows, target, classes=classes, n_bootstrap=n_bootstrap, n_jobs=n_jobs
        )
        metrics |= utility
        notices += utility_notices
    report_progress("privacy", 0.95)
    metrics |= judge_privacy(rows, n_bootstrap=n_bootstrap)
    if suite != "quick":
        context = Context(
            rows,
            schema,
            target,
            classes,
            n_bootstrap,
            n_jobs,
            tuple(subgroups),
            tuple(quasi_identifiers),
        )
        judge_more = judge_full if suite == "full" else judge_paper
        share = QUICK_SHARES[suite]
        more, more_details, more_notices = judge_more(
            context, _progress(progress, 1.0 - share, share)
        )
        metrics |= more
        details |= more_details
        notices += more_notices
    if progress is not None:
        progress("done", 1.0)

    settings: dict[str, Any] = {
        "suite": suite,
        "target": target,
        "group": group,
        "seed": seed,
        "n_bootstrap": n_bootstrap,
        "features": [feature.name for feature in rows.features],
        "subgroups": list(subgroups),
        "quasi_identifiers": list(quasi_identifiers),
        "constraints": list(constraints),
    }
    counts = {"train": len(train), "test": len(test), "synthetic": len(synthetic)}
    return Report(by_family(metrics), counts, tuple(notices), settings, details)


def _progress(progress: Progress | None, scale: float, start: float = 0.0) -> Progress:
    """Return a callback that maps shares in [0, 1] to their part of the whole run."""
    if progress is None:
        return lambda label, share: None
    return lambda label, share: progress(label, start + scale * share)


def _check_declared(role: str, names: Sequence[str], compared: list[str]) -> None:
    for name in names:
        if name not in compared:
            hint = nearest(name, compared)
            raise ConfigError(f"the {role} {name!r} is not one of the compared columns{hint}")
