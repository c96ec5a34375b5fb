"""What real rows and independent marginals score: once per table and seed, kept in a file."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pandas as pd

import rlsyn_env
from benchmarks.field.code_figures import (
    code_matrix,
    correlation_difference,
    forest_two_sample_auc,
)
from benchmarks.field.judging import N_BOOTSTRAP, Figures, figure_of, rounded
from benchmarks.field.locks import locked
from rlsyn_env.files import write_text
from rlsyn_env.metrics import evaluate
from rlsyn_env.metrics.bootstrap import stream
from rlsyn_env.metrics.preparation import independent_marginals
from rlsyn_env.metrics.rows import judged_rows
from rlsyn_env.tables.schema import TableSchema

_OWN = [
    Path(__file__).with_name(f"{name}.py") for name in ("code_figures", "judging", "references")
]
_JUDGE = Path(rlsyn_env.__file__).resolve().parent / "metrics"


def cached_references(
    file: Path, train: pd.DataFrame, test: pd.DataFrame, schema: TableSchema, seed: int
) -> Figures:
    """Return :func:`references`, from ``file`` when it holds those of the same rows and judge."""
    digest = hashlib.sha256(schema.to_yaml().encode())
    for table in (train, test):
        digest.update(table.to_csv(index=False).encode())
    for path in (*sorted(_JUDGE.rglob("*.py")), *_OWN):
        digest.update(path.read_bytes())
    key = digest.hexdigest()
    with locked(file.with_suffix(".lock")):
        if file.is_file():
            known = json.loads(file.read_text(encoding="utf-8"))
            if known["key"] == key:
                figures: Figures = known["figures"]
                return figures
        figures = references(train, test, schema, seed)
        write_text(file, json.dumps({"key": key, "figures": figures}, indent=1) + "\n")
        return figures


def references(train: pd.DataFrame, test: pd.DataFrame, schema: TableSchema, seed: int) -> Figures:
    """Return the figures of a copy of the training rows with what stands beside them.

    ``real`` and ``independent`` of the quick suite's figures, the value of ``r2r``, and the same
    for the figures on numeric codes.
    """
    report = evaluate(train, test, train, schema=schema, seed=seed, n_bootstrap=N_BOOTSTRAP)
    figures = {name: rounded(figure_of(metric)) for name, metric in report.metrics.items()}
    rows, _ = judged_rows(train, test, train, schema, group=None, seed=seed)
    marginals = independent_marginals(rows.train, rows.train.n_rows, stream(seed, "codes"))
    inside, outside, independent = (
        code_matrix(table) for table in (rows.train, rows.test, marginals)
    )
    figures["c2st_codes"] = rounded(
        {
            "real": forest_two_sample_auc(outside, inside, seed),
            "independent": forest_two_sample_auc(outside, independent, seed),
        }
    )
    figures["corr"] = rounded(
        {
            "real": correlation_difference(inside, outside),
            "independent": correlation_difference(inside, independent),
        }
    )
    return figures
