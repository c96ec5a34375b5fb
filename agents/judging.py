"""Judge a synthetic table and write what was found: ``metrics.json``, and the page ``report.html``.

The one way from three tables to these files, whether the tables are a run's or a stranger's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pandas as pd

    from rlsyn_env.metrics import Report
    from rlsyn_env.metrics.html_report.curve_plots import Curves
    from rlsyn_env.tables.schema import TableSchema

METRICS_FILE = "metrics.json"
REPORT_FILE = "report.html"


@dataclass(frozen=True)
class JudgedTables:
    """The tables of one evaluation.

    Attributes:
        train: rows the generator was trained on.
        test: held-out rows.
        synthetic: the table to judge.
        schema: of all three; it also names target and group.
    """

    train: pd.DataFrame
    test: pd.DataFrame
    synthetic: pd.DataFrame
    schema: TableSchema


@dataclass(frozen=True)
class SuiteOptions:
    """What :func:`rlsyn_env.metrics.evaluate` is asked for; the same names mean the same."""

    suite: Literal["quick", "paper", "full"] = "quick"
    subgroups: tuple[str, ...] = ()
    quasi_identifiers: tuple[str, ...] = ()
    n_jobs: int = 1


def judge(
    tables: JudgedTables,
    folder: Path,
    *,
    seed: int = 0,
    options: SuiteOptions | None = None,
    html: bool = True,
    provenance: Mapping[str, object] | None = None,
    curves: Curves | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> Report:
    """Judge, then write the figures into ``folder``; nothing is written when judging fails.

    Args:
        tables: see :class:`JudgedTables`.
        folder: receives ``metrics.json`` and ``report.html``, each atomically.
        seed: of subsamples, models and resamples.
        options: the suite; quick by default.
        html: False writes no page, and removes an older one: it would show other figures.
        provenance: lines for the page (command, run, versions, ...).
        curves: training curves for the page, see
            :func:`rlsyn_env.metrics.html_report.write_html`.
        progress: called with what comes next and the share that is done.

    Raises:
        RLSynError: the tables cannot be judged, or a declared column is not compared.
        OSError: a file cannot be written; an older file of that name stays as it was.
    """
    # Here, because whoever only needs the names of the files must not wait for scikit-learn.
    from rlsyn_env.metrics import evaluate
    from rlsyn_env.metrics.html_report import write_html

    options = options or SuiteOptions()
    report = evaluate(
        tables.train,
        tables.test,
        tables.synthetic,
        schema=tables.schema,
        target=tables.schema.target,
        group=tables.schema.group,
        seed=seed,
        suite=options.suite,
        subgroups=options.subgroups,
        quasi_identifiers=options.quasi_identifiers,
        n_jobs=options.n_jobs,
        progress=progress,
    )
    report.save(folder / METRICS_FILE)
    page = folder / REPORT_FILE
    if not html:
        page.unlink(missing_ok=True)
        return report
    if progress is not None:
        progress(f"writing {REPORT_FILE}", 1.0)
    write_html(
        report,
        tables.train,
        tables.test,
        tables.synthetic,
        page,
        schema=tables.schema,
        provenance=provenance,
        curves=curves,
    )
    return report
