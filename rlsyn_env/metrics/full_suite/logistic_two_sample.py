"""C2ST with a logistic regression: shown beside the forest, weaker than it by construction."""

from __future__ import annotations

from rlsyn_env.metrics.fidelity import c2st, logistic_judge
from rlsyn_env.metrics.full_suite.context import Context, Findings
from rlsyn_env.metrics.judge_fidelity import fidelity_reference
from rlsyn_env.metrics.report import Metric
from rlsyn_env.metrics.rows import MAX_C2ST_ROWS


def judge_logistic_two_sample(context: Context) -> Findings:
    """Return ``c2st_logistic``."""
    transform = context.design.transform
    found = {
        name: c2st(
            transform(context.test),
            transform(table),
            context.stream("c2st"),
            real_groups=context.test.groups,
            synthetic_groups=table.groups,
            max_rows=min(context.test.n_rows, MAX_C2ST_ROWS),
            judge=logistic_judge,
        )
        for name, table in context.tables.items()
    }
    scored = found["value"]
    low, high = scored.interval(context.stream("c2st resamples"), context.n_bootstrap)
    return Findings(
        {
            "c2st_logistic": Metric(
                family="fidelity",
                value=scored.auc,
                low=low,
                high=high,
                ideal=0.5,
                direction="nearest to 0.5",
                reference=fidelity_reference({k: r.auc for k, r in found.items()}),
                description=(
                    "AUC of a logistic regression that tells synthetic from held-out rows. It "
                    "hardly sees dependences: independent columns pass it, so c2st is what counts."
                ),
            )
        }
    )
