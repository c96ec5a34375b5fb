"""Attribute inference: does the release tell more about its training rows than about others?

The attacker knows all columns of a person but one and guesses that one from the nearest synthetic
row. Guessing well is what a useful table is for; harm to members is guessing *better* for training
rows than for test rows with the same table. A guess hits when the level is right, or the number
is within a tenth of the range between the 10th and 90th percentile of the training rows. Missing
values are values.
"""

from __future__ import annotations

import numpy as np

from rlsyn_env.metrics.bootstrap import percentile_interval
from rlsyn_env.metrics.design_matrix import DesignMatrix
from rlsyn_env.metrics.full_suite.attack_rows import AttackRows, over_halves
from rlsyn_env.metrics.full_suite.context import Context, Findings
from rlsyn_env.metrics.preparation import Feature, FeatureTable
from rlsyn_env.metrics.privacy import nearest_rows
from rlsyn_env.metrics.report import Metric

TOLERANCE = 0.1
MAX_SECRETS = 40
MAX_VICTIMS = 1_000
# A distance costs as much as there are columns: wide tables are attacked on fewer.
WIDE = 100
MAX_SECRETS_WIDE = 12
MAX_VICTIMS_WIDE = 500
MAX_SYNTHETIC = 10_000


def tolerance(feature: Feature, train: FeatureTable) -> float:
    """How far a guess may be off and still hit; 0 for levels."""
    if not feature.numeric:
        return 0.0
    values = train.columns[feature.name]
    present = values[~np.isnan(values)]
    if not len(present):
        return 0.0
    low, high = np.quantile(present, [0.1, 0.9])
    return float(TOLERANCE * (high - low))


def attribute_hits(
    design: DesignMatrix,
    secret: Feature,
    victims: FeatureTable,
    released: FeatureTable,
    allowed: float,
) -> np.ndarray:
    """Bool ``(n,)``: whether the secret of each victim is guessed from the nearest released row."""
    nearest, _ = nearest_rows(
        design.transform(victims, without=secret.name),
        design.transform(released, without=secret.name),
    )
    truth = victims.columns[secret.name]
    guess = released.columns[secret.name][nearest]
    if not secret.numeric:
        return guess == truth
    both_missing = np.isnan(truth) & np.isnan(guess)
    return both_missing | (np.abs(guess - truth) <= allowed + 1e-12)


def judge_attribute_inference(context: Context, attacked: AttackRows) -> Findings:
    """Return ``attribute_inference`` (the gain), and hit rates by column."""
    secrets = context.features
    if len(secrets) < 2:
        return Findings({}, notices=("attribute inference needs two columns: left out",))
    notices = []
    wide = len(secrets) > WIDE
    max_secrets = MAX_SECRETS_WIDE if wide else MAX_SECRETS
    if len(secrets) > max_secrets:
        chosen = context.stream("secrets").choice(len(secrets), max_secrets, replace=False)
        kept = {secrets[k].name for k in chosen.tolist()} | {context.target}
        secrets = tuple(f for f in secrets if f.name in kept)
        notices.append(f"attribute inference guesses {len(secrets)} columns chosen at random")
    cut = context.rows.cut
    max_victims = MAX_VICTIMS_WIDE if wide else MAX_VICTIMS
    members = cut(attacked.members, max_victims, "victims")
    others = cut(attacked.others, max_victims, "other victims")
    if max(attacked.members.n_rows, attacked.others.n_rows) > max_victims:
        notices.append(f"attribute inference is tried on {max_victims:,} training and test rows")
    released = {k: cut(t, MAX_SYNTHETIC, "given") for k, t in attacked.released.items()}
    released["copy"] = members  # every victim must be among the copies
    if released["value"].n_rows < attacked.released["value"].n_rows:
        notices.append(f"attribute inference looks at {MAX_SYNTHETIC:,} synthetic rows")
    allowed = {f.name: tolerance(f, context.rows.train) for f in secrets}

    def hits(victims: FeatureTable, table: FeatureTable) -> np.ndarray:
        """Hits ``(n, n_secrets)``."""
        return np.column_stack(
            [attribute_hits(attacked.design, f, victims, table, allowed[f.name]) for f in secrets]
        )

    found = {name: (hits(members, t), hits(others, t)) for name, t in released.items()}
    gains = {name: float(a.mean() - b.mean()) for name, (a, b) in found.items()}

    def real(first: np.ndarray, second: np.ndarray) -> float:
        table = others.take(first)
        return float(hits(members, table).mean() - hits(others.take(second), table).mean())

    inside, outside = found["value"]
    groups = None
    if members.groups is not None and others.groups is not None:
        groups = np.concatenate([members.groups, others.groups])
    is_member = np.arange(len(inside) + len(outside)) < len(inside)
    counts = AttackRows(members, others, released, attacked.design, groups).counts(
        context, "attribute inference"
    )
    per_row = np.concatenate([inside.mean(axis=1), outside.mean(axis=1)])
    rates = [
        (counts[:, side] @ per_row[side]) / counts[:, side].sum(axis=1)
        for side in (is_member, ~is_member)
    ]
    low, high = percentile_interval(rates[0] - rates[1])
    metric = Metric(
        family="privacy",
        value=gains["value"],
        low=low,
        high=high,
        ideal=0.0,
        direction="lower",
        reference={
            "real": over_halves(context, others, real),
            "independent": gains["independent"],
            "copy": gains["copy"],
        },
        description=(
            "Attribute inference: the attacker knows all columns but one and copies that one from "
            "the nearest synthetic row. Hit rate on training rows minus that on test rows: above "
            "0 the release tells more about the people it was made from."
        ),
        extra={"hit_rate_train": float(inside.mean()), "hit_rate_test": float(outside.mean())},
    )
    by_column = inside.mean(axis=0) - outside.mean(axis=0)
    details = [
        {
            "column": secrets[k].name,
            "train": float(inside[:, k].mean()),
            "test": float(outside[:, k].mean()),
            "gain": float(by_column[k]),
        }
        for k in np.argsort(-by_column, kind="stable").tolist()
    ]
    return Findings(
        {"attribute_inference": metric}, {"attribute_inference": details}, tuple(notices)
    )
