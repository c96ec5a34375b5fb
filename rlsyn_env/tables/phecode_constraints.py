"""Clinical rules for columns named by phecodes, as constraints."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from rlsyn_env.tables.constraints.grammar import quoted

MALE_PHECODES = ("600", "185", "605")
"""Hyperplasia and cancer of the prostate, male sexual dysfunction."""
FEMALE_PHECODES = ("649", "655", "646")
"""Complications of pregnancy."""
_PHECODE = re.compile(r"(?:phe(?:code)?[_ ]?)?(\d{3})(?:\.(\d{1,2}))?", re.IGNORECASE)


def phecode_constraints(
    columns: Iterable[str],
    *,
    sex: str | None = None,
    female: Any = "F",
    male: Any = "M",
    parents: bool = True,
) -> tuple[str, ...]:
    """Return expressions over columns named by phecodes ("600", "phe_600.1"), 1 for present.

    Args:
        columns: column names; those that are no phecodes are ignored.
        sex: column of the sex; without it no sex-specific rule is made.
        female: its value for women, who have no disease of men.
        male: its value for men, who have no complication of pregnancy.
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
                    rules.append(f"{quoted(sex)} != {other!r} or {quoted(name)} == 0")
    if parents:
        by_code = {code: name for name, code in codes.items()}
        for name, (root, child) in codes.items():
            parent = by_code.get((root, None))
            if child is not None and parent is not None:
                rules.append(f"{quoted(name)} <= {quoted(parent)}")
    return tuple(rules)
