"""Global utility: can every column be predicted from the others as well as from real rows?

After TabStruct: no column is singled out as the target. Each column is predicted by a small
random forest trained on synthetic, real or independent rows, scored on held-out rows: skill is
2 AUROC - 1 for levels (macro one-vs-rest) and R2 for numbers, negative skill counting as 0. The
figure is the skill of the models of synthetic rows over that of the models of real rows, both
averaged over columns first: a ratio per column would be ruled by columns nothing can predict.
"""

from __future__ import annotations

import numpy as np
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from rlsyn_env.metrics.bootstrap import percentile_interval, resample_counts
from rlsyn_env.metrics.full_suite.context import Context, Findings
from rlsyn_env.metrics.predictive_task import missing_targets
from rlsyn_env.metrics.preparation import Feature, FeatureTable
from rlsyn_env.metrics.report import Metric
from rlsyn_env.metrics.utility import classification_utility, regression_utility

N_TREES = 50
MAX_COLUMNS = 40
MAX_ROWS = 2000


def column_skill(
    context: Context, feature: Feature, test: FeatureTable, table: FeatureTable, counts: np.ndarray
) -> np.ndarray | None:
    """Skill ``(B,)`` at predicting ``feature`` of the test rows; None when it does not vary."""
    truth = test.columns[feature.name]
    known = ~missing_targets(truth)
    if len(np.unique(truth[known])) < 2:
        return None
    seed = int(context.stream(f"global utility {feature.name}").integers(2**31))
    forest = (RandomForestRegressor if feature.numeric else RandomForestClassifier)(
        N_TREES,
        min_samples_leaf=2,
        max_features=1 / 3 if feature.numeric else "sqrt",
        n_jobs=context.n_jobs,
        random_state=seed,
    )
    scores = (regression_utility if feature.numeric else classification_utility)(
        context.design.transform(table, without=feature.name),
        table.columns[feature.name],
        context.design.transform(test, without=feature.name)[known],
        truth[known],
        seed=seed,
        models={"forest": forest},
    ).score(counts[:, known])
    skill = scores if feature.numeric else 2.0 * scores - 1.0
    # A resample without two values of a column says nothing about it: 0 for every table alike.
    return np.maximum(np.nan_to_num(skill, nan=0.0), 0.0)


def judge_global_utility(context: Context) -> Findings:
    """Return ``global_utility`` and each column's skill."""
    features = context.features
    notices: tuple[str, ...] = ()
    if len(features) < 2:
        return Findings({}, notices=("global utility needs two columns",))
    if len(features) > MAX_COLUMNS:
        chosen = context.stream("global utility columns").choice(
            len(features), MAX_COLUMNS, replace=False
        )
        features = tuple(features[k] for k in sorted(chosen.tolist()))
        notices += (f"global utility predicts {MAX_COLUMNS} columns chosen at random",)
    if max(table.n_rows for table in (context.test, *context.tables.values())) > MAX_ROWS:
        notices += (f"global utility trains on and scores {MAX_ROWS:,} rows",)
    cut = context.rows.cut
    test = cut(context.test, MAX_ROWS, "global utility test")
    tables = {k: cut(t, MAX_ROWS, "global utility") for k, t in context.tables.items()}
    drawn = resample_counts(
        context.stream("global utility resamples"),
        context.n_bootstrap,
        test.n_rows,
        groups=test.groups,
    )
    counts = np.vstack([np.ones((1, test.n_rows)), drawn])
    skills: dict[str, list[np.ndarray]] = {name: [] for name in tables}
    names: list[str] = []
    for feature in features:
        for k, table in tables.items():
            skill = column_skill(context, feature, test, table, counts)
            if skill is not None:  # None for every table or for none: it is the test rows' doing
                skills[k].append(skill)
        if len(skills["real"]) > len(names):
            names.append(feature.name)
    if not names:
        return Findings({}, notices=("no column of the test rows varies: no global utility",))
    means = {k: np.mean(s, axis=0) for k, s in skills.items()}
    usable = means["real"] > 0.02
    ratios = {
        k: np.divide(m, means["real"], out=np.full(len(m), np.nan), where=usable)
        for k, m in means.items()
    }
    low, high = percentile_interval(ratios["value"][1:])
    metric = Metric(
        family="utility",
        value=float(ratios["value"][0]),
        low=low,
        high=high,
        ideal=1.0,
        direction="higher",
        reference={
            "real": float(ratios["real"][0]),
            "independent": float(ratios["independent"][0]),
            "copy": float(ratios["real"][0]),
        },
        description=(
            "Every column predicted from all others: mean skill on held-out rows of models of "
            "synthetic rows, as a share of that of models of real rows."
        ),
        note="" if usable[0] else "no column can be predicted from the others: no ratio",
        extra={f"skill_{k}": float(m[0]) for k, m in means.items()},
    )
    losses = [float(a[0] - b[0]) for a, b in zip(skills["real"], skills["value"], strict=True)]
    details = [
        {
            "column": names[k],
            "real": float(skills["real"][k][0]),
            "value": float(skills["value"][k][0]),
        }
        for k in np.argsort(np.negative(losses), kind="stable").tolist()
    ]
    return Findings({"global_utility": metric}, {"global_utility": details}, notices)
