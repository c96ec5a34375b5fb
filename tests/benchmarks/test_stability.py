"""Stability over seeds: gains, the worst seed's share, the page and its figure."""

import numpy as np
import pytest

from benchmarks import stability
from benchmarks.stability import SeedResult, worst_share


def result(seed: int, c2st: float) -> SeedResult:
    figures = {
        "c2st": c2st,
        "independent_c2st": 0.9,
        "corr": 0.05,
        "independent_corr": 0.25,
        "membership_excess": 0.01,
    }
    steps = np.array([0.0, 100.0])
    return SeedResult(seed, figures, {"reward/mean": (steps, np.array([-1.0, 0.0]))})


def test_the_worst_seed_is_compared_with_the_median():
    results = [result(0, 0.5), result(1, 0.6), result(2, 0.8)]
    assert worst_share(results, "c2st") == pytest.approx(0.1 / 0.3)
    assert worst_share(results, "corr") == pytest.approx(1.0)


def test_a_median_seed_that_gains_nothing_has_no_share():
    assert np.isnan(worst_share([result(0, 0.9), result(1, 0.95)], "c2st"))


def test_page_and_figure(tmp_path):
    found = {"some table": [result(0, 0.5), result(1, 0.7)]}
    text = stability.page(found, "the command", "image.svg")
    assert "held-out C2ST 0.67, corr 1.00" in text  # gains of 0.4 and 0.2: 0.2 of 0.3
    assert "| 1 | 0.700 | 0.900 | 0.050 | 0.250 | 0.010 | 0.200 | 0.200 |" in text
    stability.draw(found, tmp_path / "image.svg")
    assert "<svg" in (tmp_path / "image.svg").read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_table_from_the_command_line(tmp_path, monkeypatch):
    monkeypatch.setattr("agents.runs.training._budget", lambda *_: 1024)
    monkeypatch.setattr(stability, "DRAWS", 1)
    arguments = ["--tables", "diabetes", "--seeds", "0", "--docs", str(tmp_path)]
    assert stability.main(arguments) == 0
    page = (tmp_path / "stability.md").read_text(encoding="utf-8")
    assert "## diabetes" in page
    assert "python -m benchmarks.stability --tables diabetes" in page
    assert (tmp_path / "images" / "stability.svg").is_file()


def test_a_table_that_is_not_there_is_an_error(capsys):
    assert stability.main(["--tables", "heart-failure", "--data-dir", "nowhere"]) == 2
    assert "heart-failure" in capsys.readouterr().err
