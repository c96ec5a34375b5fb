"""The summary table, the verdict, and what a reader has to know before reading on."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Literal

from rlsyn_env.metrics.html_report import markup
from rlsyn_env.metrics.report import REFERENCE_HEADINGS, Metric, Report
from rlsyn_env.metrics.verdict import interval, number

Limits = Mapping[str, tuple[float | None, float | None]]
"""The reader's own thresholds: lowest and highest acceptable value by metric."""

_RELEASED = {
    "table": (
        "Threat model: the synthetic table is released, the model is not. The attacker holds the "
        "whole table, knows how such tables are made, and may know records of people, or other "
        "people's records of the same kind."
    ),
    "table and model": (
        "Threat model: the synthetic table and the model are released. The attacks of this report "
        "look at the table only; whoever holds the model can draw any number of rows and look "
        "inside it, and may find more."
    ),
}


def verdict(report: Report) -> str:
    """Return the verdict lines as a definition list."""
    lines = "".join(
        f"<dt>{escape(family.capitalize())}</dt><dd>{escape(line)}</dd>"
        for family, line in report.verdict().items()
    )
    return f'<dl class="verdict">{lines}</dl>'


def cautions(released: Literal["table", "table and model"], guarantee: str | None) -> str:
    """Return threat model, guarantee and warnings."""
    formal = (
        f"Formal guarantee, as stated by whoever made the table: {guarantee}"
        if guarantee
        else "There is no formal guarantee (no differential privacy). An attack that was not tried "
        "may succeed where those of this report did not."
    )
    return markup.bullets(
        [
            _RELEASED[released],
            formal,
            "A privacy claim needs at least membership inference, DOMIAS and attribute inference, "
            "each with its interval and its reference columns (the full suite).",
            "One synthetic table is not real data: standard errors and p-values computed on it as "
            "if it were are too small. Inference needs several synthetic tables and combining "
            "rules (arXiv 2312.07837), and findings need confirmation on real data.",
            "Few rows make wide intervals: a figure whose interval covers the reference columns "
            "has not told them apart.",
            "This report shows figures of the real rows (histograms, small cells, a scatter): "
            "handle it like the real table.",
        ]
    )


def summary_table(report: Report, limits: Limits) -> str:
    """Return all figures by family, with their sentence, interval and reference columns."""
    references = [f"{label}" for label in REFERENCE_HEADINGS.values()]
    headings = ["figure", "value", "95 % interval", "ideal", *references]
    parts = []
    for family in dict.fromkeys(metric.family for metric in report.metrics.values()):
        rows = [
            _row(name, metric, limits.get(name))
            for name, metric in report.metrics.items()
            if metric.family == family
        ]
        parts.append(f"<h3>{escape(family.capitalize())}</h3>" + markup.table(headings, rows))
    return "".join(parts)


def _row(
    name: str, metric: Metric, limit: tuple[float | None, float | None] | None
) -> list[markup.Cell]:
    sentence = metric.description + (f" Note: {metric.note}." if metric.note else "")
    if metric.extra:
        further = ", ".join(
            f"{key} {value:.0f}"
            if key == "count" and value is not None
            else f"{key} {number(value)}"
            for key, value in metric.extra.items()
        )
        sentence += f" Further: {further}."
    label = f"{escape(name)}<small>{escape(sentence)}</small>"
    value = escape(number(metric.value))
    if limit is not None and metric.value is not None:
        low, high = limit
        bounds = f"{'-' if low is None else f'{low:g}'} to {'-' if high is None else f'{high:g}'}"
        beyond = (low is not None and metric.value < low) or (
            high is not None and metric.value > high
        )
        word = "outside" if beyond else "within"
        css = ' class="outside"' if beyond else ""
        value += f"<small{css}>{word} your limits</small><small>{escape(bounds)}</small>"
    ideal = escape(number(metric.ideal))
    if metric.direction in ("lower", "higher"):
        ideal += f"<small>{metric.direction} is better</small>"
    elif metric.direction == "nearest to real rows":
        ideal += "<small>as real rows</small>"
    return [
        ("html", label),
        ("html", value),
        interval(metric),
        ("html", ideal),
        *(number(metric.reference.get(key)) for key in REFERENCE_HEADINGS),
    ]
