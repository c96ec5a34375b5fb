"""Singling out, linkability and inference by anonymeter (Giomi et al. 2023), with a control set.

Optional: the extra ``eval``. Members and controls are cut to the same number of distinct rows, so
that anonymeter never has to extrapolate between sizes; numeric secrets are cut into deciles,
because it accepts any guess of the wrong sign as a hit for signed numbers.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd

from rlsyn_env.metrics.full_suite.attack_rows import AttackRows
from rlsyn_env.metrics.full_suite.context import Context, Findings
from rlsyn_env.metrics.full_suite.optional import import_optional, left_out
from rlsyn_env.metrics.full_suite.quasi_identifiers import coarse_codes
from rlsyn_env.metrics.preparation import Feature, FeatureTable
from rlsyn_env.metrics.report import Metric
from rlsyn_env.metrics.rows import halves

MAX_ATTACKS = 300
MAX_SYNTHETIC = 2_000
MAX_COLUMNS = 100
MIN_CONTROLS = 20
N_COLUMNS = 3

_SENTENCES = {
    "singling_out": (
        "anonymeter: risk that a combination of values found in the synthetic table picks out "
        "exactly one training record, beyond what it does for test records."
    ),
    "linkability": (
        "anonymeter: risk that the synthetic table tells which two halves of a record's columns "
        "belong to the same training record, beyond what it does for test records."
    ),
    "inference": (
        "anonymeter: risk that a secret ({secret}) of a training record is guessed from its other "
        "columns, beyond what it is for test records."
    ),
}
_FIGURES = "singling out, linkability and inference are"


def judge_anonymeter(context: Context, attacked: AttackRows) -> Findings:
    """Return ``singling_out``, ``linkability`` and ``inference``; a notice without anonymeter."""
    evaluators = import_optional("anonymeter.evaluators")
    if evaluators is None:
        return Findings({}, notices=(left_out("anonymeter", _FIGURES),))
    features = context.features
    notices: tuple[str, ...] = ()
    if len(features) > MAX_COLUMNS:
        rng = context.stream("anonymeter columns")
        kept = {features[k].name for k in rng.choice(len(features), MAX_COLUMNS, replace=False)}
        features = tuple(f for f in features if f.name in kept or f.name == context.target)
        notices += (f"anonymeter looks at {len(features)} columns chosen at random",)
    if attacked.members.n_rows > MAX_ATTACKS or attacked.released["value"].n_rows > MAX_SYNTHETIC:
        notices += (
            f"anonymeter makes at most {MAX_ATTACKS} attempts per attack and looks at at most "
            f"{MAX_SYNTHETIC:,} synthetic rows",
        )
    if len(features) < N_COLUMNS:
        return _too_small(f"{N_COLUMNS} columns")
    secret = context.target or features[0].name
    frames = _frames(context, attacked, features)
    first, second = halves(attacked.others, context.stream("halves of test"))
    test = frames["others"]
    # What stands in for the release, and who serves as control.
    runs = {
        "value": (frames["value"], test),
        "independent": (frames["independent"], test),
        "copy": (frames["members"], test),
        "real": (test.iloc[first], test.iloc[second]),
    }
    risks: dict[str, dict[str, Any]] = {name: {} for name in _SENTENCES}
    for key, (released, control) in runs.items():
        members, controls = _distinct(frames["members"], control, context.stream("anonymeter rows"))
        if len(controls) < MIN_CONTROLS or len(released) < MIN_CONTROLS:
            continue
        seed = int(context.stream("anonymeter").integers(2**31))
        found = _attack(
            evaluators,
            members,
            released.reset_index(drop=True),
            controls,
            [feature.name for feature in features],
            secret=secret,
            seed=seed,
        )
        for name, result in found.items():
            risks[name][key] = result
    if any("value" not in by_table for by_table in risks.values()):
        return _too_small(f"{MIN_CONTROLS} distinct test rows and synthetic rows")
    metrics = {name: _metric(name, by_table, secret) for name, by_table in risks.items()}
    return Findings(metrics, notices=notices)


def _too_small(needed: str) -> Findings:
    return Findings({}, notices=(f"anonymeter needs {needed}: {_FIGURES} left out",))


def _frames(
    context: Context, attacked: AttackRows, features: tuple[Feature, ...]
) -> dict[str, pd.DataFrame]:
    """Return plain frames: floats and level codes as text; the secret in deciles."""
    cut = context.rows.cut
    tables = {
        "members": attacked.members,
        "others": attacked.others,
        "value": cut(attacked.released["value"], MAX_SYNTHETIC, "anonymeter"),
        "independent": cut(attacked.released["independent"], MAX_SYNTHETIC, "anonymeter"),
    }
    secret = context.target or features[0].name

    def column(feature: Feature, table: FeatureTable) -> np.ndarray:
        if feature.numeric and feature.name != secret:
            return table.columns[feature.name]
        codes = coarse_codes(feature, table, context.rows.train)
        return np.array([f"level {code}" for code in codes], dtype=object)

    return {
        key: pd.DataFrame({f.name: column(f, table) for f in features})
        for key, table in tables.items()
    }


def _distinct(
    members: pd.DataFrame, control: pd.DataFrame, rng: np.random.Generator
) -> tuple[pd.DataFrame, pd.DataFrame]:
    # In random order: the evaluators attack the first ones, and files are often sorted.
    members, control = members.drop_duplicates(), control.drop_duplicates()
    size = min(len(members), len(control))
    return (
        members.sample(size, random_state=rng).reset_index(drop=True),
        control.sample(size, random_state=rng).reset_index(drop=True),
    )


def _attack(
    evaluators: ModuleType,
    members: pd.DataFrame,
    released: pd.DataFrame,
    controls: pd.DataFrame,
    columns: list[str],
    *,
    secret: str,
    seed: int,
) -> dict[str, Mapping[str, float]]:
    # Its queries are built from column names: plain ones cannot clash with its keywords.
    plain = {name: f"c{k}" for k, name in enumerate(columns)}
    ori, syn, control = (f.rename(columns=plain) for f in (members, released, controls))
    hidden = plain[secret]
    known = [name for name in ori.columns if name != hidden]
    shuffled = np.random.default_rng(seed).permutation(known).tolist()
    middle = len(shuffled) // 2
    n_attacks = min(MAX_ATTACKS, len(ori))
    attacks = {
        "singling_out": evaluators.SinglingOutEvaluator(
            ori=ori,
            syn=syn,
            control=control,
            n_attacks=n_attacks,
            n_cols=N_COLUMNS,
            max_attempts=20 * n_attacks,
            seed=seed,
        ),
        "linkability": evaluators.LinkabilityEvaluator(
            ori=ori,
            syn=syn,
            control=control,
            n_attacks=n_attacks,
            aux_cols=(sorted(shuffled[:middle]), sorted(shuffled[middle:])),
        ),
        "inference": evaluators.InferenceEvaluator(
            ori=ori,
            syn=syn,
            control=control,
            aux_cols=known,
            secret=hidden,
            n_attacks=n_attacks,
        ),
    }
    found: dict[str, Mapping[str, float]] = {}
    for name, attack in attacks.items():
        with _seeded_and_quiet(seed):
            if name == "singling_out":
                attack.evaluate(mode="multivariate")
            else:
                attack.evaluate(n_jobs=1)
            results = attack.results()
            risk = results.risk()
        found[name] = {
            "value": float(risk.value),
            "low": float(risk.ci[0]),
            "high": float(risk.ci[1]),
            "attack_rate": float(results.attack_rate.value),
            "control_rate": float(results.control_rate.value),
        }
    return found


@contextmanager
def _seeded_and_quiet(seed: int) -> Iterator[None]:
    """Seed the global generator that anonymeter draws its targets from, and give it back."""
    state = np.random.get_state()  # noqa: NPY002
    logger = logging.getLogger("anonymeter")
    level = logger.level
    logger.setLevel(logging.ERROR)  # it warns of few queries, which the attack rate shows
    try:
        np.random.seed(seed % 2**32)  # noqa: NPY002
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        np.random.set_state(state)  # noqa: NPY002
        logger.setLevel(level)


def _metric(name: str, risks: Mapping[str, Mapping[str, float]], secret: str) -> Metric:
    value = risks["value"]
    return Metric(
        family="privacy",
        value=value["value"],
        low=value["low"],
        high=value["high"],
        ideal=0.0,
        direction="lower",
        reference={
            key: risks[key]["value"] if key in risks else None
            for key in ("real", "independent", "copy")
        },
        description=_SENTENCES[name].format(secret=secret),
        extra={key: value[key] for key in ("attack_rate", "control_rate")},
    )
