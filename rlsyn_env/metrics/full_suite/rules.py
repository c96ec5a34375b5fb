"""Clinical violations: records that cannot be, by declared rules.

A rule says that where some columns hold given values, others must not hold given ones (a female
with a disease of the prostate, a child code without its parent). The figure is the share of
records that break at least one rule; real records break some too, so it is read against theirs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import binomtest

from rlsyn_env.errors import ConfigError
from rlsyn_env.metrics.full_suite.context import Context, Findings
from rlsyn_env.metrics.judge_fidelity import fidelity_reference
from rlsyn_env.metrics.preparation import Feature, FeatureTable, level_text
from rlsyn_env.metrics.report import Metric
from rlsyn_env.tables.schema import ColumnKind, TableSchema, nearest

MALE_PHECODES = ("600", "185", "605")
"""Hyperplasia and cancer of the prostate, male sexual dysfunction."""
FEMALE_PHECODES = ("649", "655", "646")
"""Complications of pregnancy."""
_PHECODE = re.compile(r"(?:phe(?:code)?[_ ]?)?(\d{3})(?:\.(\d{1,2}))?", re.IGNORECASE)


@dataclass(frozen=True)
class Rule:
    """A record breaks the rule when all of ``when`` and all of ``forbidden`` hold in it.

    Attributes:
        name: how a reader would say it.
        when: value by column.
        forbidden: value by column.
    """

    name: str
    when: Mapping[str, Any]
    forbidden: Mapping[str, Any]


def phecode_rules(
    columns: Iterable[str],
    *,
    sex: str | None = None,
    female: Any = "F",
    male: Any = "M",
    parents: bool = True,
) -> list[Rule]:
    """Rules for columns named by phecodes ("600", "phe_600.1"), 1 for present.

    Args:
        columns: column names; those that are no phecodes are ignored.
        sex: column of the sex; without it no sex-specific rule is made.
        female: its value for women.
        male: its value for men.
        parents: also require the parent ("250") of a child code ("250.1") where both are columns.
    """
    codes = {}
    for name in columns:
        match = _PHECODE.fullmatch(str(name))
        if match:
            codes[name] = (match.group(1), match.group(2))
    rules = []
    if sex is not None:
        for name, (root, _) in codes.items():
            for roots, other in ((MALE_PHECODES, female), (FEMALE_PHECODES, male)):
                if root in roots:
                    rules.append(Rule(f"{name} with {sex} = {other}", {sex: other}, {name: 1}))
    if parents:
        by_code = {code: name for name, code in codes.items()}
        for name, (root, child) in codes.items():
            parent = by_code.get((root, None))
            if child is not None and parent is not None:
                rules.append(Rule(f"{name} without {parent}", {name: 1}, {parent: 0}))
    return rules


def broken(
    rule: Rule, features: Sequence[Feature], schema: TableSchema, table: FeatureTable
) -> np.ndarray:
    """Bool ``(n,)``: which records break the rule; missing values hold nothing.

    Raises:
        ConfigError: the rule names a column that is not compared.
    """
    by_name = {feature.name: feature for feature in features}
    hit = np.ones(table.n_rows, dtype=bool)
    for name, value in (*rule.when.items(), *rule.forbidden.items()):
        if name not in by_name:
            hint = nearest(name, list(by_name))
            raise ConfigError(f"the rule {rule.name!r} names {name!r}, no compared column{hint}")
        if by_name[name].numeric:
            hit &= table.columns[name] == float(value)
            continue
        boolean = schema.column(name).kind is ColumnKind.BOOLEAN
        texts = [level_text(level, boolean) for level in schema.column(name).levels]
        wanted = level_text(value, boolean)
        if wanted not in texts:
            return np.zeros(table.n_rows, dtype=bool)  # no record of train holds it
        hit &= table.columns[name] == texts.index(wanted)
    return hit


def judge_rules(context: Context) -> Findings:
    """Return ``rule_violations`` and the share per rule, the most broken first."""
    if not context.rules:
        return Findings({})
    tables = {"test": context.test} | context.tables

    def shares(table: FeatureTable) -> tuple[np.ndarray, np.ndarray]:
        hits = np.column_stack(
            [broken(rule, context.features, context.schema, table) for rule in context.rules]
        )
        return np.asarray(hits.any(axis=1)), np.asarray(hits.mean(axis=0))

    found = {name: shares(table) for name, table in tables.items()}
    records = found["value"][0]
    interval = binomtest(int(records.sum()), len(records)).proportion_ci(0.95, method="wilson")
    values: dict[str, float | None] = {k: float(v[0].mean()) for k, v in found.items()}
    order = np.argsort(-found["value"][1], kind="stable").tolist()
    return Findings(
        {
            "rule_violations": Metric(
                family="fidelity",
                value=values["value"],
                low=float(interval.low),
                high=float(interval.high),
                ideal=values["test"],
                direction="nearest to real rows",
                reference=fidelity_reference(values),
                description=(
                    f"Share of synthetic records that break one of {len(context.rules)} declared "
                    "rules; ideal is the share of held-out records that do."
                ),
            )
        },
        {
            "rule_violations": [
                {
                    "rule": context.rules[k].name,
                    "value": float(found["value"][1][k]),
                    "real": float(found["test"][1][k]),
                }
                for k in order
            ]
        },
    )
