"""Held-out figures of the default preset: what is measured, the page, the command."""

import numpy as np
import pytest

from agents.runs.interrupts import TrainingStopped
from benchmarks import constraints, held_out, memorisation, stability
from benchmarks.default_run import default_run
from benchmarks.field.references import references
from benchmarks.field.tables import FIELD_TABLES
from rlsyn_env.metrics.predictive_task import PredictiveTask


def figures(c2st: float, utility: float = 0.98) -> dict[str, float]:
    own = dict(zip(held_out.FIGURES, (c2st, utility, 1.0, 0.03, 0.01), strict=True))
    independent = {f"independent_{name}": 0.9 for name in held_out.FIGURES}
    return {**own, **independent, "independent_s2r_over_r2r_all": float("nan")}


def test_the_page_has_every_seed_and_their_mean():
    found = {"pima": {1: figures(0.7), 0: figures(0.5)}, "diabetes": {0: figures(0.6, np.nan)}}
    text = held_out.page(found, "the command")
    assert "the command" in text
    assert "| 0 | 0.500 | 0.980 | 1.000 | 0.030 | 0.010 |\n| 1 | 0.700 |" in text
    assert "| *mean* | 0.600 ± 0.141 | 0.980 ± 0.000 |" in text
    assert "| *independent columns* | 0.900 ± 0.000 | 0.900 ± 0.000 | - |" in text
    assert "| 0 | 0.600 | - |" in text


def test_models_of_all_rows_learn_from_all_of_them(monkeypatch):
    learnt: list[int] = []
    score_rows = PredictiveTask.score_rows

    def counting(self, rows, targets, **options):
        learnt.append(len(rows))
        return score_rows(self, rows, targets, **options)

    with default_run(FIELD_TABLES["breast_cancer"], None, 0) as started:
        train, schema = started.run.data.train, started.run.encoder.schema
        r2r = references(train, started.test, schema, 0)["r2r"]["value"]
        monkeypatch.setattr(PredictiveTask, "score_rows", counting)
        same = held_out.utility_of_all(started, train, 0, r2r)
        assert round(same["s2r"]["value"], 5) == r2r
        rows = train.sample(2000, replace=True, random_state=0).reset_index(drop=True)
        more = held_out.utility_of_all(started, rows, 0, r2r)
        assert more["s2r_over_r2r"]["value"] == pytest.approx(1.0, abs=0.02)
    assert learnt == [len(train), 2000]


@pytest.mark.slow
def test_a_table_from_the_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(held_out, "DRAWS", 1)
    monkeypatch.setattr("agents.runs.training._budget", lambda *_: 1024)
    arguments = ["--tables", "breast_cancer", "--seeds", "0", "--docs", str(tmp_path)]
    assert held_out.main(arguments) == 0
    page = (tmp_path / "held-out.md").read_text(encoding="utf-8")
    assert "python -m benchmarks.held_out --tables breast_cancer" in page
    assert "## breast_cancer" in page
    assert "breast_cancer 0: C2ST 0." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("module", "options"),
    [
        (held_out, ["--tables", "breast_cancer"]),
        (stability, ["--tables", "breast_cancer"]),
        (memorisation, ["--table", "breast_cancer"]),
        (constraints, ["--rows", "300", "--codes", "10"]),
    ],
)
@pytest.mark.parametrize("reason", [TrainingStopped, KeyboardInterrupt])
def test_an_interrupted_command_leaves_the_page_alone(
    module, options, reason, tmp_path, monkeypatch, capsys
):
    def stopped(*_, **__):
        raise reason

    monkeypatch.setattr(module, "learn", stopped)
    assert module.main([*options, "--seeds", "0", "--docs", str(tmp_path)]) == 130
    assert capsys.readouterr().err == "interrupted; the same command begins anew\n"
    assert list(tmp_path.iterdir()) == []


def test_a_table_that_is_not_there_is_an_error(capsys):
    assert held_out.main(["--tables", "heart-failure", "--data-dir", "nowhere"]) == 2
    assert "heart-failure" in capsys.readouterr().err
