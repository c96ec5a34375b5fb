"""Snapshot choice: by which criterion, when, and what a run ends with."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch

from agents.callbacks import (
    AveragingCallback,
    SelectionCallback,
    SelectionConfig,
)
from rlsyn_env.metrics.selection import SelectionScore, selection_score
from rlsyn_env.tables.inference import infer_schema
from tests.agents.learner_setup import AtRolloutStarts, dependent_table, model_on, steps


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return dependent_table()


def test_selection_ends_with_the_best_snapshot_and_not_the_last(table, monkeypatch) -> None:
    model = model_on(table)
    callback = measuring(table, 4)
    scores = iter([0.5, 0.2, 0.4, 0.3, 0.6])
    kept = []

    def measured(self):
        kept.append(model.policy.average.norm.bias.clone())
        return SelectionScore(0.5 + next(scores), 0.0)

    monkeypatch.setattr(SelectionCallback, "_score", measured)
    model.learn(steps(model, 4), callback=[AveragingCallback(), callback])
    assert len(kept) == 5
    assert torch.equal(model.policy.average.norm.bias, kept[1])


@pytest.mark.parametrize(
    ("step_back", "forest_rows", "goes_back"),
    [(True, 2000, True), (False, 2000, False), (True, 10, False)],
)
def test_training_goes_on_from_the_best_snapshot_in_smaller_steps(
    table, monkeypatch, step_back, forest_rows, goes_back
) -> None:
    # Of 10 rows a forest's AUC has a standard error of 0.13: 0.3 is no worse than 0.2.
    monkeypatch.setattr("agents.callbacks.selection.MAX_C2ST_ROWS", forest_rows)
    model = model_on(table, learning_rate=1e-3)
    config = SelectionConfig(measurements=3, min_rows=50, step_back=step_back)
    callback = SelectionCallback(table[:200], table[200:], config)
    scores, seen, watch = iter([0.2, 0.21, 0.3, 0.1]), [], AtRolloutStarts()

    def measured(self):
        seen.append(model.policy.average.norm.bias.clone())
        return SelectionScore(0.5 + next(scores), 0.0)

    monkeypatch.setattr(SelectionCallback, "_score", measured)
    model.learn(steps(model, 3), callback=[AveragingCallback(), callback, watch])
    best, after_the_second, after_the_third = seen[0], *watch.weights[1:]
    assert not torch.equal(after_the_second, best)  # no worse than by chance: it goes on
    assert torch.equal(after_the_third, best) == goes_back
    assert watch.rates == pytest.approx([1e-3, 1e-3, 3e-4 if goes_back else 1e-3])


def test_selection_without_an_average_keeps_and_goes_back_to_what_it_measured(
    table, monkeypatch
) -> None:
    model = model_on(table, learning_rate=1e-3)
    callback = measuring(table, 3)
    scores, measured, watch = iter([0.4, 0.2, 0.6, 0.5]), [], AtRolloutStarts()

    def score(self):
        measured.append(model.policy.actor.norm.bias.clone())
        return SelectionScore(0.5 + next(scores), 0.0)

    monkeypatch.setattr(SelectionCallback, "_score", score)
    model.learn(steps(model, 3), callback=[callback, watch])
    assert not torch.equal(measured[1], measured[0])
    assert torch.equal(
        watch.weights[2], measured[1]
    )  # back to the best, which is not the untrained one
    assert torch.equal(model.policy.actor.norm.bias, measured[1])
    assert not model.policy.averaged


def always_the_same_score(monkeypatch, model) -> list[int]:
    """Stand in for the measurements of a model; returns the list of when they are made."""
    measured: list[int] = []

    def score(self):
        measured.append(model.num_timesteps)
        return SelectionScore(0.9, 0.0)

    monkeypatch.setattr(SelectionCallback, "_score", score)
    return measured


def measuring(table, measurements: int) -> SelectionCallback:
    config = SelectionConfig(measurements=measurements, min_rows=50)
    return SelectionCallback(table[:200], table[200:], config)


def test_selection_measures_as_often_on_a_long_budget(table, monkeypatch) -> None:
    model = model_on(table)
    measured = always_the_same_score(monkeypatch, model)
    callback = measuring(table, 3)
    model.learn(steps(model, 12), callback=callback)
    assert measured == [steps(model, n) for n in (0, 4, 8, 12)]


def test_a_larger_budget_is_measured_all_along(table, monkeypatch) -> None:
    model = model_on(table)
    measured = always_the_same_score(monkeypatch, model)
    callback = measuring(table, 4)
    model.learn(steps(model, 4), callback=callback)
    measured.clear()
    resumed = SelectionCallback(table[:200], table[200:], callback.config)
    resumed.load_state_dict(callback.state_dict())
    model.learn(steps(model, 4), callback=resumed, reset_num_timesteps=False)  # 8 together
    assert measured == [steps(model, n) for n in (6, 8)]


def test_selection_stops_when_nothing_improves(table, monkeypatch) -> None:
    model = model_on(table)
    measured = always_the_same_score(monkeypatch, model)
    callback = SelectionCallback(
        table[:200], table[200:], SelectionConfig(measurements=50, patience=2, min_rows=50)
    )
    model.learn(steps(model, 50), callback=callback)
    assert measured == [steps(model, n) for n in (0, 1, 2)]
    assert model.num_timesteps < steps(model, 3)


def test_too_few_validation_rows_choose_nothing(table) -> None:
    model = model_on(table)
    callback = SelectionCallback(table[:280], table[280:], SelectionConfig(measurements=2))
    model.learn(steps(model, 2), callback=[AveragingCallback(), callback])
    assert not callback.chooses(None)
    assert callback.state_dict()["best"] is None


def test_validation_rows_of_one_group_choose_nothing(table) -> None:
    grouped = table.assign(person=np.arange(len(table)) // 100)
    schema = infer_schema(grouped, group="person")
    for first, active in ((200, False), (100, True)):
        model = model_on(grouped, schema)
        callback = SelectionCallback(
            grouped[:first], grouped[first:], SelectionConfig(measurements=2, min_rows=50)
        )
        model.learn(steps(model, 2), callback=[AveragingCallback(), callback])
        assert callback.chooses("person") is active
        assert (callback.state_dict()["best"] is not None) is active


def test_the_criterion_prefers_fresh_rows_to_copies_and_noise(table) -> None:
    schema = infer_schema(table)
    train, validation, fresh = table[:100], table[100:200], table[200:]
    noise = pd.DataFrame({c: np.random.default_rng(1).permutation(table[c]) for c in table})
    totals = {
        name: selection_score(train, validation, rows, schema).total
        for name, rows in {"copy": train, "fresh": fresh, "noise": noise[:100]}.items()
    }
    assert totals["fresh"] < totals["noise"] < totals["copy"]
    copied = selection_score(train, validation, train, schema)
    assert copied.membership_excess > 0.4


def test_the_criterion_counts_broken_constraints(table) -> None:
    schema = dataclasses.replace(infer_schema(table), constraints=("x < 1",))
    train, validation, fresh = table[:100], table[100:200], table[200:]
    score = selection_score(train, validation, fresh, schema)
    shares = [float((rows["x"] >= 1).mean()) for rows in (fresh, validation)]
    assert score.violations == pytest.approx(shares[0] - shares[1])
    broken = fresh.assign(x=fresh["x"] + 5)
    assert selection_score(train, validation, broken, schema).violations == pytest.approx(
        1 - shares[1]
    )
    assert SelectionScore(0.5, 0.0, 0.3).total > SelectionScore(0.7, 0.0, -0.1).total
    assert SelectionScore(0.53, 0.0, 0.016).total < SelectionScore(0.52, 0.0, 0.023).total
    assert SelectionScore(0.53, 0.016).total == SelectionScore(0.53, 0.0, 0.016).total
