"""The page: sections in order, one file, nothing fetched, no script."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from datetime import datetime, timezone
from html import escape
from typing import Literal

import numpy as np
import pandas as pd

from rlsyn_env.errors import TableError
from rlsyn_env.files import write_text
from rlsyn_env.metrics.full_suite.attack_rows import attack_rows
from rlsyn_env.metrics.full_suite.context import Context
from rlsyn_env.metrics.full_suite.domias import domias_runs
from rlsyn_env.metrics.html_report import details, markup
from rlsyn_env.metrics.html_report.association_plots import (
    MAX_LABELS,
    association_matrix,
    difference_heatmap,
    heatmap,
)
from rlsyn_env.metrics.html_report.attack_plots import distance_plot, roc_plot
from rlsyn_env.metrics.html_report.column_plots import column_plot
from rlsyn_env.metrics.html_report.curve_plots import Curves, curve_plots
from rlsyn_env.metrics.html_report.overview import (
    columns_table,
    counted_unit,
    level_names,
    small_cells,
)
from rlsyn_env.metrics.html_report.scatter_plots import scatter_plots
from rlsyn_env.metrics.html_report.style import CSS
from rlsyn_env.metrics.html_report.summary import Limits, cautions, summary_table, verdict
from rlsyn_env.metrics.html_report.utility_plots import utility_plot
from rlsyn_env.metrics.preparation import subsample
from rlsyn_env.metrics.privacy import membership_inference, nearest_distances
from rlsyn_env.metrics.report import SCHEMA_VERSION, Report
from rlsyn_env.metrics.rows import judged_rows
from rlsyn_env.tables.inference import infer_schema
from rlsyn_env.tables.schema import ColumnKind, TableSchema
from rlsyn_env.versions import package_versions

MAX_COLUMN_PLOTS = 60
N_OPEN_COLUMN_PLOTS = 12
MAX_HEATMAP_COLUMNS = 40
MAX_WORST = 10
MAX_NOTICES = 12
MAX_DISTANCE_ROWS = 5_000

_PACKAGES = ("rlsyn", "numpy", "pandas", "scipy", "scikit-learn", "matplotlib")


def write_html(
    report: Report,
    train: pd.DataFrame,
    test: pd.DataFrame,
    synthetic: pd.DataFrame,
    path: str | os.PathLike[str],
    *,
    schema: TableSchema | None = None,
    curves: Curves | None = None,
    provenance: Mapping[str, object] | None = None,
    limits: Limits | None = None,
    released: Literal["table", "table and model"] = "table",
    guarantee: str | None = None,
    small_cell: int = 5,
) -> None:
    """Write a report as a single HTML file that opens offline, atomically.

    Args:
        report: what :func:`rlsyn_env.metrics.evaluate` found on these three tables.
        train: rows the generator was trained on, as given to ``evaluate``.
        test: held-out rows.
        synthetic: the judged table.
        path: the file to write.
        schema: the schema that was used; inferred from ``train`` like ``evaluate`` does.
        curves: training curves by name, (steps ``(n,)``, values ``(n,)``).
        provenance: lines to add (command, run folder, training seed, ...).
        limits: the reader's own thresholds (lowest, highest) by metric; None means no bound.
            There are none by default: what is acceptable is not for a program to say.
        released: what an attacker holds, stated in the report.
        guarantee: the full statement of a formal guarantee (differential privacy with its
            epsilon, delta, unit and mechanism), if the generator has one.
        small_cell: levels and combinations of fewer training rows are listed.

    Raises:
        TableError: the tables are not those of the report, or do not fit the schema.
        OSError: the file cannot be written; an older file of that name stays as it was.
    """
    sizes = {"train": len(train), "test": len(test), "synthetic": len(synthetic)}
    if dict(report.rows) != sizes:
        raise TableError(
            f"the report is of other tables: it has {dict(report.rows)} rows, these have {sizes}"
        )
    context = _context(report, train, test, synthetic, schema)
    parts = [
        _contents(),
        markup.section(
            "verdict",
            "What was found",
            verdict(report) + _notices(report),
        ),
        markup.section("cautions", "Before you rely on it", cautions(released, guarantee)),
        markup.section(
            "summary", "All figures", _how_to_read() + summary_table(report, limits or {})
        ),
        markup.section("worst", "Worst columns and pairs", _worst(report)),
        markup.section("columns", "Columns, worst first", _columns(report, context)),
        markup.section("associations", "Associations", _associations(report, context)),
        markup.section("scatter", "Rows in the plane", _scatter(context)),
        markup.section("utility", "Utility", _utility(report)),
        markup.section("attacks", "Attacks", _attacks(report, context)),
        markup.section("training", "Training", _curves(curves)),
        markup.section("data", "The data", _data(report, context, train, small_cell)),
        markup.section("provenance", "Provenance", _provenance(report, provenance or {})),
    ]
    title = "Evaluation of a synthetic table"
    rows = ", ".join(f"{count:,} {role}" for role, count in report.rows.items())
    write_text(
        path,
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<link rel="icon" href="data:,">\n<title>{title}</title>\n<style>{CSS}</style>\n'
        f'</head>\n<body>\n<h1>{title}</h1>\n<p class="soft">Rows: {escape(rows)}. '
        f"Judged on held-out rows only.</p>\n{''.join(parts)}\n</body>\n</html>\n",
    )


def _context(
    report: Report,
    train: pd.DataFrame,
    test: pd.DataFrame,
    synthetic: pd.DataFrame,
    schema: TableSchema | None,
) -> Context:
    """Set up the rows as the evaluation did: the same seed gives the same subsamples."""
    settings = report.settings
    target, group = settings.get("target"), settings.get("group")
    if schema is None:
        schema = infer_schema(train, target=target, group=group)
    rows, _ = judged_rows(
        train, test, synthetic, schema, group=group, seed=int(settings.get("seed", 0))
    )
    return Context(
        rows,
        schema,
        target,
        classes=True,
        n_bootstrap=2,
        n_jobs=1,
        quasi_identifiers=tuple(settings.get("quasi_identifiers", ())),
    )


def _contents() -> str:
    links = {
        "summary": "All figures",
        "worst": "Worst first",
        "columns": "Columns",
        "associations": "Associations",
        "utility": "Utility",
        "attacks": "Attacks",
        "training": "Training",
        "data": "Data",
        "provenance": "Provenance",
    }
    items = "".join(f'<li><a href="#{key}">{text}</a></li>' for key, text in links.items())
    return f'<nav aria-label="Contents"><ul>{items}</ul></nav>'


def _notices(report: Report) -> str:
    if not report.notices:
        return ""
    content = "<h3>Notices and subsamples</h3>" + markup.bullets(report.notices[:MAX_NOTICES])
    rest = report.notices[MAX_NOTICES:]
    if rest:
        content += markup.folded(f"{len(rest)} more notices", markup.bullets(rest))
    return content


def _how_to_read() -> str:
    return markup.paragraph(
        "Each figure stands beside the same figure for three tables: real rows (the ceiling), "
        "independent columns with the right marginals (the floor a generator has to clear), and a "
        "copy of the training rows (perfect to look at, and the alarm for privacy). Intervals "
        "resample scored rows; models are not trained again for them."
    )


def _worst(report: Report) -> str:
    columns = report.details.get("column_shapes", [])
    pairs = report.details.get("pair_trends", [])
    content = markup.paragraph(
        "Distance of each column's distribution from held-out rows (KS, or total variation for "
        "levels): 0 is the same, 1 disjoint."
    )
    content += details.worst_table(columns, "column", MAX_WORST)
    if pairs:
        content += markup.paragraph("Distance of the association of two columns, 0 to 1.")
        content += details.worst_table(pairs, "pair", MAX_WORST)
    for key in ("constraint_violations", "wnmi"):
        content += details.detail_table(report.details, key)
    return content


def _shapes(report: Report) -> dict[str, float]:
    return {row["column"]: row["value"] for row in report.details.get("column_shapes", [])}


def _columns(report: Report, context: Context) -> str:
    shapes = _shapes(report)
    features = sorted(context.features, key=lambda f: -shapes.get(f.name, 0.0))
    synthetic = context.tables["value"]
    figures = []
    for feature in features[:MAX_COLUMN_PLOTS]:
        column = context.schema.column(feature.name)
        levels = [] if feature.numeric else level_names(feature, context.schema)
        image, alt = column_plot(
            feature, levels, column.kind is ColumnKind.DATETIME, context.test, synthetic
        )
        distance = shapes.get(feature.name)
        caption = "" if distance is None else f"distance {distance:.3f}"
        figures.append(markup.figure(image, alt, caption))
    text = (
        "Held-out rows filled, synthetic rows dashed or hatched. The ends of a histogram hold "
        "everything beyond the 1st and 99th percentile of the held-out rows."
    )
    if len(features) > MAX_COLUMN_PLOTS:
        text += f" Shown are the {MAX_COLUMN_PLOTS} worst of {len(features)} columns."
    content = markup.paragraph(text) + markup.grid(figures[:N_OPEN_COLUMN_PLOTS])
    if len(figures) > N_OPEN_COLUMN_PLOTS:
        rest = markup.grid(figures[N_OPEN_COLUMN_PLOTS:])
        content += markup.folded(f"{len(figures) - N_OPEN_COLUMN_PLOTS} more columns", rest)
    return content


def _associations(report: Report, context: Context) -> str:
    if len(context.features) < 2:
        return markup.paragraph("A single column has no associations.")
    chosen = _heatmap_columns(report, context)
    by_name = {feature.name: feature for feature in context.features}
    # In the table's own order, where related columns are neighbours.
    features = [by_name[name] for name in context.schema.compared_names if name in chosen]
    names = [feature.name for feature in features]
    real = association_matrix(features, context.test, context.test)
    synthetic = association_matrix(features, context.test, context.tables["value"])
    difference = synthetic - real
    largest = np.unravel_index(np.argmax(np.abs(difference)), difference.shape)
    pair = f"{names[largest[0]]} and {names[largest[1]]}"
    figures = [
        markup.figure(
            heatmap(real, names, "held-out real"), "Heatmap of associations in held-out rows."
        ),
        markup.figure(
            heatmap(synthetic, names, "synthetic"), "Heatmap of associations in synthetic rows."
        ),
        markup.figure(
            difference_heatmap(difference, names, "synthetic minus real"),
            "Heatmap of the differences of associations, synthetic minus held-out real. Largest: "
            f"{difference[largest]:+.2f}, {pair}.",
        ),
    ]
    text = (
        "Absolute correlation of two numbers, Cramer's V (bias-corrected, numbers in 10 bins) "
        "otherwise: darker is stronger. In the difference, + is stronger and \u2212 weaker in the "
        "synthetic table, marked from 0.1 on."
    )
    if len(features) < len(context.features):
        text += f" Shown are {len(features)} columns of the worst pairs."
    legend = ""
    if len(names) > MAX_LABELS:
        numbered = [f"{k + 1}: {name}" for k, name in enumerate(names)]
        legend = markup.folded("Numbers of the columns", markup.bullets(numbered))
    return markup.paragraph(text) + markup.grid(figures) + legend


def _heatmap_columns(report: Report, context: Context) -> set[str]:
    names = [feature.name for feature in context.features]
    ranked: dict[str, None] = {}
    for row in report.details.get("pair_trends", []):
        for name in row["columns"]:
            ranked.setdefault(name)
    for name in names:
        ranked.setdefault(name)
    return set(list(ranked)[:MAX_HEATMAP_COLUMNS])


def _scatter(context: Context) -> str:
    transform = context.design.transform
    plots = scatter_plots(
        transform(context.tables["real"]),
        transform(context.test),
        transform(context.tables["value"]),
    )
    text = markup.paragraph(
        "Principal components of the standardised training rows; both figures have the same axes."
    )
    return text + markup.grid([markup.figure(*plot) for plot in plots])


def _utility(report: Report) -> str:
    plot = utility_plot(report.metrics)
    content = ""
    if plot is None:
        content += markup.paragraph("No model was scored: see the notices.")
    else:
        content += markup.figure(*plot, css_class="middle")
    for key in ("subgroups", "importances", "effects", "global_utility"):
        content += details.detail_table(report.details, key)
    return content


def _attacks(report: Report, context: Context) -> str:
    attacked = attack_rows(context)
    inside, outside = attacked.inside, attacked.outside
    labels = {"value": "distance", "independent": "distance, independent columns"}
    attacks = [
        (label, membership_inference(inside, outside, attacked.release_blocks(name)))
        for name, label in labels.items()
    ]
    if "domias_auc" in report.metrics:
        runs = domias_runs(context, attacked, "value")
        attacks += [
            (f"DOMIAS, half {k + 1} as non-members", run.attack) for k, run in enumerate(runs)
        ]
    rng = context.stream("shown distances")
    shown = subsample(attacked.released["value"].n_rows, MAX_DISTANCE_ROWS, rng)
    released = {
        name: attacked.design.transform(attacked.released[name].take(shown))
        for name in ("value", "independent")
    }
    distances = {
        "held-out real rows": nearest_distances(outside, inside),
        "synthetic rows": nearest_distances(released["value"], inside),
        "independent columns": nearest_distances(released["independent"], inside),
    }
    text = markup.paragraph(
        "First: how well an attacker tells training rows from test rows; the diagonal is guessing. "
        "Second: synthetic rows should not lie nearer to training rows than fresh real rows do; a "
        "curve that starts above theirs means copies and near copies."
    )
    figures = [markup.figure(*roc_plot(attacks)), markup.figure(*distance_plot(distances))]
    return text + markup.grid(figures) + details.detail_table(report.details, "attribute_inference")


def _curves(curves: Curves | None) -> str:
    plots = curve_plots(curves or {})
    if not plots:
        return markup.paragraph("No training run was given with this table.")
    return markup.grid([markup.figure(*plot) for plot in plots])


def _data(report: Report, context: Context, train: pd.DataFrame, small_cell: int) -> str:
    counts = ", ".join(f"{count:,} {role}" for role, count in report.rows.items())
    content = markup.paragraph(f"Rows: {counts}. {len(context.features)} columns are compared.")
    cells = small_cells(context.rows, context.schema, small_cell, context.quasi_identifiers)
    unit = counted_unit(context.rows)
    content += f"<h3>Small cells (fewer than {small_cell} {unit})</h3>"
    if cells:
        shown = cells[:20]
        more = [f"and {len(cells) - 20} more"] if len(cells) > 20 else []
        content += markup.bullets([*shown, *more])
    else:
        content += markup.paragraph("No level of a column is that rare.")
    table = columns_table(context.rows, context.schema, _shapes(report), train)
    return content + markup.folded("All compared columns", table)


def _provenance(report: Report, provenance: Mapping[str, object]) -> str:
    versions = {"Python": platform.python_version(), **package_versions(_PACKAGES)}
    entries: dict[str, object] = {
        **provenance,
        "suite": report.settings.get("suite", "quick"),
        "seed": report.settings.get("seed"),
        "resamples": report.settings.get("n_bootstrap"),
        "target": report.settings.get("target") or "none",
        "group": report.settings.get("group") or "none",
        "versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
        "report schema": SCHEMA_VERSION,
        "written": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }
    rows: list[list[markup.Cell]] = [
        [name, ("html", f"<code>{escape(str(value))}</code>")] for name, value in entries.items()
    ]
    return markup.table(["what", "value"], rows, "texts")
