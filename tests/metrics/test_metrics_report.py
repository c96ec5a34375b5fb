from __future__ import annotations

import json

import numpy as np
import pytest

from rlsyn_env.errors import TableError
from rlsyn_env.metrics import Metric, Report
from rlsyn_env.metrics.verdict import number


def make_metric(family: str, value: float | None, **changes) -> Metric:
    fields = {
        "family": family,
        "value": value,
        "low": 0.4,
        "high": 0.6,
        "ideal": 0.5,
        "direction": "nearest to 0.5",
        "reference": {"real": 0.51, "independent": np.float64(0.7), "copy": float("nan")},
        "description": "A figure.",
    }
    return Metric(**(fields | changes))


@pytest.fixture
def report() -> Report:
    metrics = {
        "c2st": make_metric("fidelity", 0.55),
        "s2r": make_metric("utility", 0.5, note="one class"),
        "r2r": make_metric("utility", float("nan"), low=None, high=None),
        "membership_auc": make_metric("privacy", 0.52),
        "membership_excess": make_metric("privacy", 0.01, low=-0.02, high=0.04),
        "exact_copies": make_metric("privacy", 0.0),
    }
    return Report(
        metrics,
        {"train": 70, "test": 30, "synthetic": 1000},
        notices=("column [id] is left out",),
        settings={"seed": 0},
        details={"column_shapes": [{"column": "age", "value": 0.1}]},
    )


def test_json_is_strict_and_keeps_the_contract(report):
    data = json.loads(report.to_json(), parse_constant=lambda word: pytest.fail(word))
    assert data["schema_version"] == 1
    assert data["metrics"]["c2st"]["value"] == 0.55
    assert data["metrics"]["c2st"]["reference"] == {"real": 0.51, "independent": 0.7, "copy": None}
    assert data["metrics"]["r2r"]["value"] is None
    assert data["rows"]["synthetic"] == 1000


def test_save_and_load_round_trip(report, tmp_path):
    path = tmp_path / "run" / "metrics.json"
    report.save(path)
    assert Report.load(path) == report
    assert [p.name for p in path.parent.iterdir()] == ["metrics.json"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not a metrics report"),
        ("[]", "not a metrics report"),
        ('{"schema_version": 1}', "not a metrics report"),
        ('{"schema_version": 9, "metrics": {}}', "schema version 9"),
    ],
)
def test_other_files_are_refused(tmp_path, text, message):
    path = tmp_path / "metrics.json"
    path.write_text(text)
    with pytest.raises(TableError, match=message):
        Report.load(path)
    with pytest.raises(TableError, match="cannot be read"):
        Report.load(tmp_path / "none.json")


def test_text_shows_figures_references_and_notices(report):
    text = report.text()
    assert str(report) == text
    for part in ("c2st", "0.550", "0.400 to 0.600", "1,000 synthetic", "column [id] is left out"):
        assert part in text
    assert "\x1b" not in text
    assert report.table().row_count == len(report.metrics)


def test_verdict_without_a_scored_model_says_so(report):
    line = report.verdict()["utility"]
    assert line == "No model could be scored on the held-out rows; the notices say why."
    scored = Report(dict(report.metrics) | {"r2r": make_metric("utility", 0.8)}, report.rows)
    assert "models trained on real rows score 0.800" in scored.verdict()["utility"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(-0.0004, "0.000"), (-0.0006, "-0.001"), (0.0, "0.000"), (1234.5, "1,234"), (None, "-")],
)
def test_numbers_are_written_without_a_negative_zero(value, text):
    assert number(value) == text


def test_verdict_says_what_was_tried_and_promises_nothing(report):
    verdict = report.verdict()
    assert list(verdict) == ["fidelity", "utility", "privacy"]
    assert "was not seen to do better" in verdict["privacy"]
    words = " ".join(verdict.values()).lower()
    assert "private" not in words
    assert "safe" not in words
    worse = Report(
        dict(report.metrics) | {"membership_excess": make_metric("privacy", 0.2, low=0.1)},
        report.rows,
    )
    assert "which did better" in worse.verdict()["privacy"]
