"""The column to predict as a forest of rows tells it: when there is one, and what it teaches."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from agents.callbacks import ImitationCallback, ImitationConfig
from agents.callbacks.target_forest import TargetForest, fit_target_forest
from agents.generation import generate_table
from rlsyn_env.tables.encoder import RecordEncoder
from rlsyn_env.tables.inference import infer_schema
from tests.agents.learner_setup import model_on, steps


def bent_table(n: int = 300) -> pd.DataFrame:
    """Two columns and a class that follows the size of the first: no Gaussian knows that."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"x": rng.normal(size=n), "z": rng.normal(size=n)})
    table["y"] = np.where((table["x"].abs() > 0.7) ^ (rng.random(n) < 0.05), "yes", "no")
    return table


def forest_of(table: pd.DataFrame, target: str | None = "y", **schema) -> TargetForest | None:
    described = dataclasses.replace(infer_schema(table, target=target), **schema)
    encoder = RecordEncoder.fit(table, described)
    return fit_target_forest(encoder, table, 1, np.random.default_rng(0))


def test_a_dependence_that_a_mixture_misses_is_told_by_a_forest() -> None:
    assert forest_of(bent_table()) is not None


def test_a_dependence_that_a_gaussian_knows_needs_none() -> None:
    table = bent_table()
    noise = np.random.default_rng(1).normal(size=len(table))
    straight = table.assign(y=np.where(table["x"] + 0.5 * noise > 0, "yes", "no"))
    assert forest_of(straight) is None


def test_a_column_that_nothing_tells_needs_none() -> None:
    table = bent_table()
    assert forest_of(table.assign(y=np.random.default_rng(2).permutation(table["y"]))) is None


@pytest.mark.parametrize("case", ["no target", "numbers", "first", "few rows"])
def test_tables_without_a_column_that_a_forest_could_tell(case) -> None:
    table = bent_table()
    if case == "no target":
        assert forest_of(table, None) is None
    elif case == "numbers":
        assert forest_of(table.assign(y=table["x"] ** 2)) is None
    elif case == "first":
        assert forest_of(table[["y", "x", "z"]]) is None
    else:
        assert forest_of(table[:45]) is None


def test_rows_of_a_group_are_left_out_together() -> None:
    rng = np.random.default_rng(0)
    persons = pd.DataFrame({"x": rng.normal(size=80), "y": rng.choice(["yes", "no"], 80)})
    table = persons.loc[np.repeat(np.arange(80), 5)].reset_index(drop=True)
    table["z"] = rng.normal(size=400)
    table = table[["x", "z", "y"]]
    # A person's value tells the person's class, which says nothing of another person's.
    assert forest_of(table) is not None
    table["id"] = np.repeat(np.arange(80), 5)
    assert forest_of(table, group="id") is None


def test_shares_are_those_of_levels_and_of_what_lies_before_alone() -> None:
    table = bent_table()
    encoder = RecordEncoder.fit(table, infer_schema(table, target="y"))
    rng = np.random.default_rng(0)
    forest = TargetForest(encoder, table, 2, rng)
    records = encoder.encode(table, rng)
    levels = forest.level_shares(records)
    assert levels.shape == (300, 2)
    truth = encoder.features[2].cells_of(records[:, 2])
    assert levels[np.arange(300), truth].mean() > 0.8
    other = records.copy()
    other[:, 2] = 0.5
    assert (forest.level_shares(other) == levels).all()

    border = float(encoder.features[2].edges[1])
    edges = np.array([0, border / 2, border, 1, 1], dtype=np.float32)
    shares = forest.shares(records, edges).numpy()
    assert shares.dtype == np.float32
    np.testing.assert_allclose(shares[:, 0], levels[:, 0] / 2, atol=1e-5)
    np.testing.assert_allclose(shares[:, 2], levels[:, 1], atol=1e-5)
    assert (shares[:, 3] == 0).all()  # of no width
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-5)


@pytest.mark.slow
def test_what_the_forest_tells_is_imitated() -> None:
    table = bent_table()
    schema = infer_schema(table, target="y")

    def agreement(**options) -> float:
        model = model_on(table, schema, learning_rate=0.0)
        config = ImitationConfig(smooth=1.0, smooth_warm_up=300, steps=0, **options)
        encoder = model.env.core.encoder
        model.learn(steps(model, 1), callback=ImitationCallback(encoder, table, config))
        drawn = generate_table(model, model.env, 2000)
        return float(((drawn["x"].abs() > 0.7) == (drawn["y"] == "yes")).mean())

    smooth = agreement(components=1)
    assert agreement(components=1, target_rows=0.5) > smooth + 0.1
    assert agreement(components=1, target_rows=1.0) > smooth + 0.2


def test_later_steps_take_more_rows_where_there_is_a_forest(monkeypatch) -> None:
    table = bent_table()
    hidden: list[bool] = []
    loss = ImitationCallback._loss

    def counting(self, policy, records, *, hide):
        hidden.append(hide)
        return loss(self, policy, records, hide=hide)

    monkeypatch.setattr(ImitationCallback, "_loss", counting)
    for target, expected in (("y", 4), (None, 0)):
        model = model_on(table, infer_schema(table, target=target), learning_rate=0.0)
        config = ImitationConfig(smooth=1.0, smooth_warm_up=3, steps=4, target_rows=1.0)
        callback = ImitationCallback(model.env.core.encoder, table, config)
        model.learn(steps(model, 2), callback=callback)
        assert len(hidden) == expected  # none of the warm-up's
        hidden.clear()
