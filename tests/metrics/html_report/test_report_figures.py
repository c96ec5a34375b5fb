"""The figures' numbers: associations, histogram edges, curves."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats.contingency import association

from rlsyn_env.metrics.html_report.association_plots import (
    absolute_correlation,
    association_matrix,
    corrected_cramers_v,
)
from rlsyn_env.metrics.html_report.column_plots import column_plot
from rlsyn_env.metrics.html_report.curve_plots import curve_plots
from rlsyn_env.metrics.html_report.drawing import plain
from rlsyn_env.metrics.html_report.scatter_plots import scatter_plots
from rlsyn_env.metrics.preparation import encode_tables
from rlsyn_env.tables.schema import ColumnKind


def corrected_v_of_counts(counts: np.ndarray) -> float:
    first, second = np.nonzero(counts)
    times = counts[first, second]
    return corrected_cramers_v(np.repeat(first, times), np.repeat(second, times))


def test_cramers_v_is_scipys_for_many_rows_and_corrected_for_few():
    counts = np.array([[50, 10, 0], [4, 40, 9], [3, 8, 60]])
    scale = 1_000
    assert corrected_v_of_counts(counts * scale) == pytest.approx(
        association(counts * scale, method="cramer"), abs=1e-4
    )
    assert corrected_v_of_counts(counts) < association(counts, method="cramer")
    assert corrected_v_of_counts(np.outer([5, 5], [3, 7])) == 0.0
    assert corrected_v_of_counts(np.diag([30, 30])) == pytest.approx(1.0)
    assert corrected_v_of_counts(np.array([[5, 7], [0, 0]])) == 0.0


def test_cramers_v_of_as_many_levels_as_rows_needs_no_table_of_them():
    codes = np.arange(60_000)
    assert corrected_cramers_v(codes, codes[::-1]) == 0.0


def test_correlation_by_hand():
    x = np.array([1.0, 2.0, 3.0, np.nan])
    assert absolute_correlation(x, -x) == pytest.approx(1.0)
    assert absolute_correlation(x, np.ones(4)) == 0.0
    assert absolute_correlation(np.full(4, np.nan), x) == 0.0


def test_association_matrix_is_symmetric(cohort_schema, make_cohort):
    features, tables = encode_tables({"real": make_cohort(200, 0)}, cohort_schema)
    matrix = association_matrix(features, tables["real"], tables["real"])
    np.testing.assert_array_equal(matrix, matrix.T)
    assert ((matrix >= 0) & (matrix <= 1)).all()
    names = [feature.name for feature in features]
    age, marker, stage = (names.index(name) for name in ("age", "marker", "stage"))
    assert matrix[age, stage] > 0.5
    assert matrix[age, marker] < 0.2


def test_text_of_a_column_plot(make_schema):
    schema = make_schema({"c": ("a", "b")}, c=ColumnKind.BINARY, x=ColumnKind.CONTINUOUS)
    real = pd.DataFrame({"c": ["a", "a", "b", None], "x": [1.0, 2.0, 3.0, np.nan]})
    synthetic = pd.DataFrame({"c": ["a", "z", "z", "z"], "x": [np.nan] * 4})
    features, tables = encode_tables({"real": real, "synthetic": synthetic}, schema)
    by_name = {feature.name: feature for feature in features}
    pair = (tables["real"], tables["synthetic"])
    _, alt = column_plot(by_name["c"], ["a", "b"], False, *pair)
    assert "a 50.0 % against 25.0 %" in alt
    assert "unseen 1 0.0 % against 75.0 %" in alt
    assert "missing 25.0 % against 0.0 %" in alt
    _, alt = column_plot(by_name["x"], [], False, *pair)
    assert "Median 2 against none; missing 25.0 % against 100.0 %" in alt


def test_curves_without_values_are_left_out():
    steps = np.arange(5)
    plots = curve_plots({"a": (steps, np.full(5, np.nan)), "b": (steps, steps * 2.0)})
    assert len(plots) == 1
    assert "b over training: from 0 to 8" in plots[0][1]


def test_a_single_column_still_has_a_plane():
    rows = np.arange(12.0)[:, None]
    assert len(scatter_plots(rows, rows[:5], rows)) == 2


def test_dollars_and_long_names_are_no_formulas():
    assert plain("a $x^2 b") == r"a \$x^2 b"
    assert plain("x" * 100, 10) == "xxxxxxx..."
