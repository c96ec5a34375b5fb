"""Tables of single columns, pairs, subgroups and rules, the worst first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rlsyn_env.metrics.html_report import markup
from rlsyn_env.metrics.verdict import number

MAX_ROWS = 25

_Row = Mapping[str, Any]


def _pair(row: _Row) -> str:
    return " / ".join(str(name) for name in row["columns"])


def _named(key: str) -> Callable[[_Row], str]:
    return lambda row: str(row[key])


_LAYOUTS: dict[str, tuple[str, str, Callable[[_Row], str], dict[str, str]]] = {
    # details key: (title, heading of the first column, its text, headings by key)
    "wnmi": (
        "Dependences, most changed first (normalised mutual information)",
        "pair",
        _pair,
        {"real": "held-out real", "value": "synthetic"},
    ),
    "importances": (
        "Permutation importances (loss of score on held-out rows)",
        "column",
        _named("column"),
        {"real": "model of real rows", "value": "model of synthetic rows"},
    ),
    "global_utility": (
        "Columns predicted from the others, largest loss first (skill)",
        "column",
        _named("column"),
        {"real": "trained on real", "value": "trained on synthetic"},
    ),
    "effects": (
        "Coefficients, least overlap first",
        "predictor",
        _named("predictor"),
        {"real": "real rows", "value": "synthetic rows", "overlap": "interval overlap"},
    ),
    "subgroups": (
        "Subgroups, lowest score first",
        "subgroup",
        _named("subgroup"),
        {
            "rows": "test rows",
            "value": "trained on synthetic",
            "real": "trained on real",
            "independent": "independent columns",
        },
    ),
    "attribute_inference": (
        "Attribute inference by secret, largest gain first (hit rates)",
        "secret",
        _named("column"),
        {"train": "training rows", "test": "test rows", "gain": "gain"},
    ),
    "constraint_violations": (
        "Constraints, most broken first (share of rows)",
        "constraint",
        _named("constraint"),
        {
            "value": "synthetic rows",
            "real": "held-out rows",
            "independent": "independent columns",
        },
    ),
}


def detail_table(details: Mapping[str, Any], key: str) -> str:
    """Return a folded table of the details ``key``; empty where there are none."""
    rows: Sequence[_Row] = details.get(key) or ()
    if not rows:
        return ""
    title, first, name, headings = _LAYOUTS[key]
    if len(rows) > MAX_ROWS:
        title += f", {MAX_ROWS} of {len(rows)}"
    body = [[name(row), *(_figure(row[k]) for k in headings)] for row in rows[:MAX_ROWS]]
    return markup.folded(title, markup.table([first, *headings.values()], body))


def worst_table(rows: Sequence[_Row], heading: str, limit: int) -> str:
    """Return the worst columns or pairs with what real rows and independent columns score."""
    name = _pair if heading == "pair" else _named("column")
    body = [
        [name(row), *(number(row[key]) for key in ("value", "real", "independent"))]
        for row in rows[:limit]
    ]
    return markup.table([heading, "synthetic", "real rows", "independent"], body)


def _figure(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else number(value)
