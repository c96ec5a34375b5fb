"""Means, ranks, dominance and the pages, by hand-computed values."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.field.code_figures import correlation_difference, correlations
from benchmarks.field.pages import write_pages
from benchmarks.field.pareto import pareto_front
from benchmarks.field.results import Cell, is_finished, latest
from benchmarks.field.summary import (
    Spread,
    dominated_by,
    entries,
    failures,
    mean_ranks,
    table_ranks,
)


def result(peer, table, seed, c2st, ratio, excess, status="ok"):
    record = {"peer": peer, "table": table, "seed": seed, "hash": "h", "status": status}
    if status != "ok":
        return {**record, "reason": "it broke"}
    values = {"c2st": c2st, "s2r_over_r2r": ratio, "membership_excess": excess,
              "membership_auc": 0.5 + excess}  # fmt: skip
    figures = {name: {"value": value} for name, value in values.items()}
    figures["domias_auc"] = {"value": 0.5, "low": 0.45, "high": 0.55}
    return {
        **record, "reason": "", "figures": figures, "rows": {"train": 70, "test": 30},
        "cpu_seconds": 2.0, "wall_seconds": 3.0, "peak_mb": 100, "threads": 1,
        "python": "3.11.7", "packages": {"thing": "1.0"},
    }  # fmt: skip


RECORDS = [
    result("a", "t", 0, 0.60, 0.90, 0.10),
    result("a", "t", 1, 0.70, 1.00, 0.20),
    result("b", "t", 0, 0.80, 0.99, -0.05),
    result("b", "t", 1, 0.80, 0.97, 0.01),
    result("c", "t", 0, 0.90, 0.80, -0.02),
    result("c", "t", 1, 0.90, 0.80, -0.02),
    result("d", "t", 0, 0.55, 1.00, 0.00),
    result("d", "t", 1, 0, 0, 0, status="crashed"),
    result("copy", "t", 0, 0.45, 1.00, 0.50),
]


def test_means_and_spreads_are_over_seeds():
    entry = entries(RECORDS)["t"]["a"]
    assert entry.figure("c2st").mean == pytest.approx(0.65)
    assert entry.figure("c2st").sd == pytest.approx(0.1 / np.sqrt(2))
    assert entry.figure("c2st").n == 2
    assert entry.cost("cpu_seconds") == Spread(2.0, 0.0, 2)
    assert entry.figure("corr").n == 0
    assert entry.holds_half("domias_auc") == (2, 2)
    assert entry.holds_half("domias_folds_auc") == (0, 0)


def test_ranks_by_hand():
    ranks = table_ranks(entries(RECORDS)["t"], unranked=["copy"])
    # C2ST: a 0.65, b 0.80, c 0.90; ratio: b 0.98, a 0.95, c 0.80;
    # excess: b -0.02 and c -0.02 count as 0 and tie, a 0.15; d crashed once and comes last.
    assert {name: (r.fidelity, r.utility, r.privacy) for name, r in ranks.items()} == {
        "a": (1.0, 2.0, 3.0),
        "b": (2.0, 1.0, 1.5),
        "c": (3.0, 3.0, 1.5),
        "d": (4.0, 4.0, 4.0),
    }
    assert ranks["b"].mean == pytest.approx(1.5)


def test_a_c2st_below_one_half_is_no_better_than_one_half():
    records = [result("a", "t", 0, 0.42, 1, 0), result("b", "t", 0, 0.5, 1, 0)]
    ranks = table_ranks(entries(records)["t"])
    assert ranks["a"].fidelity == ranks["b"].fidelity == 1.5


def test_ranks_are_averaged_over_the_tables_a_generator_ran_on():
    more = [*RECORDS, result("b", "u", 0, 0.6, 1.0, 0.0), result("a", "u", 0, 0.7, 0.9, 0.1)]
    found = entries(more, ["u", "t"])
    assert list(found) == ["u", "t"]
    means = mean_ranks({table: table_ranks(e, ["copy"]) for table, e in found.items()})
    assert list(means) == ["b", "a", "c", "d"]
    assert means["b"][0].mean == pytest.approx((1.5 + 1.0) / 2)
    assert means["b"][1] == 2
    assert means["c"][1] == 1


def test_dominated_means_worse_in_all_three():
    found = entries(
        [
            result("good", "t", 0, 0.6, 0.99, 0.01),
            result("bad", "t", 0, 0.7, 0.9, 0.05),
            result("private", "t", 0, 0.8, 0.8, 0.0),
        ]
    )["t"]
    assert dominated_by(found, "bad") == ["good"]
    assert dominated_by(found, "private") == []
    assert dominated_by(found, "bad", unranked=["good"]) == []


def test_the_last_result_of_a_cell_counts():
    records = [result("a", "t", 0, 0, 0, 0, status="crashed"), result("a", "t", 0, 0.6, 1, 0)]
    assert latest(records)[Cell("a", "t", 0)]["status"] == "ok"
    assert failures(records) == []
    assert failures(records[:1]) == [(Cell("a", "t", 0), "crashed", "it broke")]


def test_finished_cells():
    good, bad = result("a", "t", 0, 0.6, 1, 0), result("a", "t", 0, 0, 0, 0, status="crashed")
    assert not is_finished(None, "h", retry=False)
    assert is_finished(good, "h", retry=True)
    assert not is_finished(good, "other", retry=False)
    assert is_finished(bad, "h", retry=False)
    assert not is_finished(bad, "h", retry=True)


def test_the_pareto_front_has_what_none_beats():
    points = {"a": (0.6, 0.7), "b": (0.8, 0.5), "c": (0.8, 0.6), "d": (0.6, 0.7), "e": (0.9, 0.5)}
    assert pareto_front(points) == ["a", "b", "d"]


def test_pages_say_what_failed_and_who_is_not_ranked(tmp_path):
    write_pages(RECORDS[:-1], {}, tmp_path, tmp_path / "RESULTS.md")
    page = (tmp_path / "RESULTS.md").read_text()
    assert "| d | t | 1 | crashed | it broke |" in page
    assert "| a | 2.0 | 2 | 0.650 ± 0.071 |" in page
    assert "thing 1.0" in page
    assert (tmp_path / "pareto.svg").read_text().startswith("<?xml")
    first = (tmp_path / "field.html").read_bytes()
    write_pages(RECORDS[:-1], {}, tmp_path, tmp_path / "RESULTS.md")
    assert (tmp_path / "field.html").read_bytes() == first


def test_correlations_use_the_rows_where_both_have_a_value():
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(60, 4)) @ rng.normal(size=(4, 4)) + 100.0
    matrix[rng.random(matrix.shape) < 0.2] = np.nan
    expected = pd.DataFrame(matrix).corr().to_numpy()
    np.testing.assert_allclose(correlations(matrix), expected, atol=1e-9)


def test_correlation_difference_by_hand():
    real = np.column_stack([[0, 1, 2, 3], [0, 1, 2, 3], [5, 5, 5, 5]]).astype(float)
    same, flat = real.copy(), real.copy()
    flat[:, 1] = 7.0
    assert correlation_difference(real, same) == pytest.approx(0.0, abs=1e-12)
    # two columns vary: |1 - 1|, |1 - 0|, |1 - 0|, |1 - 1| over 4
    assert correlation_difference(real, flat) == pytest.approx(0.5)
    assert np.isnan(correlation_difference(real[:, 2:], real[:, 2:]))
