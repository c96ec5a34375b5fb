"""RepU and DiSCO (Raab, arXiv 2406.16826) for declared quasi-identifiers.

RepU: share of the real records whose combination of quasi-identifiers occurs once among them and
once in the synthetic table. Where records have groups (a patient over several days) it is to be one
group's, and anywhere in the synthetic table, whose rows belong to nobody. DiSCO: share of the real
records for whom all synthetic records of their combination agree on the target, and rightly.
Numbers are cut into ten bins at quantiles of the training rows, as one may know about a person
(years, not days). Both are figures of the training rows and are read against those of test rows,
whom the release never saw.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.stats import binomtest

from rlsyn_env.metrics.bootstrap import LEVEL, percentile_interval, resample_counts
from rlsyn_env.metrics.full_suite.attack_rows import AttackRows
from rlsyn_env.metrics.full_suite.context import Context, Findings
from rlsyn_env.metrics.preparation import Feature, FeatureTable, subsample
from rlsyn_env.metrics.report import Metric

N_BINS = 10

Measure = Callable[[FeatureTable, FeatureTable], np.ndarray]


def coarse_codes(feature: Feature, table: FeatureTable, train: FeatureTable) -> np.ndarray:
    """Level, or bin at deciles of the training rows, ``(n,)`` int64; -1 for missing."""
    values = table.columns[feature.name]
    if not feature.numeric:
        return values
    known = train.columns[feature.name]
    known = known[~np.isnan(known)]
    inner = np.empty(0)
    if len(known):
        inner = np.unique(np.quantile(known, np.linspace(0, 1, N_BINS + 1)[1:-1]))
    return np.where(np.isnan(values), -1, np.searchsorted(inner, values, side="right"))


def combinations(
    features: Sequence[Feature], tables: Sequence[FeatureTable], train: FeatureTable
) -> list[np.ndarray]:
    """Number ``(n,)`` of every row's combination of values, the same in all tables."""
    stacked = np.concatenate(
        [np.column_stack([coarse_codes(f, t, train) for f in features]) for t in tables]
    )
    _, keys = np.unique(stacked, axis=0, return_inverse=True)
    keys = np.asarray(keys).reshape(-1)
    return np.split(keys, np.cumsum([t.n_rows for t in tables])[:-1])


def replicated_uniques(
    real: np.ndarray, synthetic: np.ndarray, groups: np.ndarray | None = None
) -> np.ndarray:
    """Bool ``(n,)``: the real row's combination occurs once in real and once in synthetic.

    With ``groups`` ``(n,)`` of the real rows: in one of them, and in synthetic.
    """
    size = int(max(real.max(), synthetic.max())) + 1
    released = np.bincount(synthetic, minlength=size)
    if groups is None:
        once: np.ndarray = (np.bincount(real, minlength=size) == 1) & (released == 1)
    else:
        once = (group_counts(real, groups, size) == 1) & (released > 0)
    unique: np.ndarray = once[real]
    return unique


def group_counts(keys: np.ndarray, groups: np.ndarray | None, size: int = 0) -> np.ndarray:
    """Number of rows, or of different groups, that have each key: ``(max(size, K),)``."""
    if groups is not None:
        keys = np.unique(np.column_stack([keys, groups]), axis=0)[:, 0]
    return np.bincount(keys, minlength=size)


def disclosed(
    real: np.ndarray, real_target: np.ndarray, synthetic: np.ndarray, synthetic_target: np.ndarray
) -> np.ndarray:
    """Bool ``(n,)``: all synthetic rows of the combination share one target, and it is right."""
    size = int(max(real.max(), synthetic.max())) + 1
    lowest = np.full(size, np.iinfo(np.int64).max)
    highest = np.full(size, np.iinfo(np.int64).min)
    np.minimum.at(lowest, synthetic, synthetic_target)
    np.maximum.at(highest, synthetic, synthetic_target)
    one_value: np.ndarray = lowest[real] == highest[real]
    return one_value & (lowest[real] == real_target)


def judge_quasi_identifiers(context: Context, attacked: AttackRows) -> Findings:
    """Return ``repu``, and ``disco`` where a target is declared."""
    if not context.quasi_identifiers:
        return Findings({})
    by_name = {feature.name: feature for feature in context.features}
    known = [by_name[name] for name in context.quasi_identifiers if name != context.target]
    if not known:
        return Findings({}, notices=("no quasi-identifier beside the target: left out",))
    train = context.rows.train

    def repu(real: FeatureTable, released: FeatureTable) -> np.ndarray:
        keys = combinations(known, (real, released), train)
        return replicated_uniques(keys[0], keys[1], real.groups)

    def disco(real: FeatureTable, released: FeatureTable) -> np.ndarray:
        keys = combinations(known, (real, released), train)
        secret = by_name[str(context.target)]
        return disclosed(
            keys[0],
            coarse_codes(secret, real, train),
            keys[1],
            coarse_codes(secret, released, train),
        )

    listed = ", ".join(feature.name for feature in known)
    metrics = {
        "repu": _metric(
            context,
            attacked,
            repu,
            f"Share of training records that are the only one of their {listed}, in train and in "
            "the synthetic table (replicated uniques); compare with the same for test records.",
        )
    }
    if context.target is not None:
        metrics["disco"] = _metric(
            context,
            attacked,
            disco,
            f"Share of training records whose {context.target} all synthetic records of the same "
            f"{listed} agree on, and rightly (DiSCO); compare with the same for test records.",
        )
    return Findings(metrics)


def control_population(
    members: FeatureTable, others: FeatureTable, rng: np.random.Generator
) -> FeatureTable:
    """Return as many rows as there are members: test rows first, members for the rest.

    Whether somebody is unique depends on how many others there are, so test records are looked at
    in a population of the members' size.
    """
    n_rows = members.n_rows
    kept = others.take(subsample(others.n_rows, n_rows, rng))
    company = members.take(subsample(n_rows, n_rows - kept.n_rows, rng))
    columns = {k: np.concatenate([v, company.columns[k]]) for k, v in kept.columns.items()}
    groups = None
    if kept.groups is not None and company.groups is not None:
        groups = np.concatenate([kept.groups, company.groups])
    return FeatureTable(columns, n_rows, groups)


def _metric(context: Context, attacked: AttackRows, measure: Measure, description: str) -> Metric:
    members = attacked.members
    found = {name: measure(members, table) for name, table in attacked.released.items()}
    control = control_population(members, attacked.others, context.stream("quasi controls"))
    n_controls = min(attacked.others.n_rows, members.n_rows)
    held_out = float(measure(control, attacked.released["value"])[:n_controls].mean())
    hits = int(found["value"].sum())
    low, high = _interval(context, found["value"], members.groups)
    return Metric(
        family="privacy",
        value=hits / len(found["value"]),
        low=low,
        high=high,
        ideal=held_out,
        direction="lower",
        reference={
            "real": held_out,
            "independent": float(found["independent"].mean()),
            "copy": float(found["copy"].mean()),
        },
        description=description,
        extra={"count": float(hits)},
    )


def _interval(
    context: Context, hit: np.ndarray, groups: np.ndarray | None
) -> tuple[float | None, float | None]:
    """Interval of a share: Wilson's of rows; of groups, whose rows are alike, by resampling."""
    if groups is None:
        interval = binomtest(int(hit.sum()), len(hit)).proportion_ci(LEVEL, method="wilson")
        return float(interval.low), float(interval.high)
    rng = context.stream("quasi-identifiers")
    counts = resample_counts(rng, context.n_bootstrap, len(hit), groups=groups)
    return percentile_interval((counts @ hit) / counts.sum(axis=1))
