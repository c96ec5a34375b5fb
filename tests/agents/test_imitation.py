"""Imitation: what it teaches a policy, from how much of a row, and at what pace."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch

from agents.callbacks import (
    ImitationCallback,
    ImitationConfig,
)
from agents.callbacks.smoothed_records import SmoothedRecords
from agents.generation import generate_table
from agents.policies.autoregressive.record_distribution import RecordDistribution
from rlsyn_env.errors import ConfigError
from rlsyn_env.tables.encoder import RecordEncoder
from rlsyn_env.tables.inference import infer_schema
from rlsyn_env.tables.schema import TableSchema
from tests.agents.learner_setup import AtRolloutStarts, dependent_table, model_on, steps


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return dependent_table()


def correlation(model, n: int = 600) -> float:
    drawn = generate_table(model, model.env, n)
    return float(drawn["x"].corr(drawn["y"]))


def test_imitation_teaches_dependences_before_the_first_reward(table) -> None:
    model = model_on(table, learning_rate=0.0)
    assert abs(correlation(model)) < 0.2
    config = ImitationConfig(warm_up=150, warm_up_rate=5e-3, steps=0, dropout=0.2)
    model.learn(steps(model, 1), callback=ImitationCallback(model.env.core.encoder, table, config))
    assert correlation(model) > 0.6


def test_features_that_constraints_need_are_never_forgotten() -> None:
    rng = np.random.default_rng(0)
    sex = rng.choice(["F", "M"], 600)
    table = pd.DataFrame({"sex": sex, "x": rng.normal(size=600)})
    table["code"] = ((sex == "F") & (rng.random(600) < 0.6)).astype(int)
    plain = infer_schema(table)

    def breaches(schema: TableSchema) -> float:
        model = model_on(table, schema, learning_rate=0.0)
        config = ImitationConfig(warm_up=150, warm_up_rate=5e-3, steps=0, dropout=0.05, forget=0.6)
        encoder = model.env.core.encoder
        model.learn(steps(model, 1), callback=ImitationCallback(encoder, table, config))
        drawn = generate_table(model, model.env, 2000)
        return float(((drawn["sex"] == "M") & (drawn["code"] == 1)).mean())

    forgetful = breaches(plain)
    ruled = dataclasses.replace(plain, constraints=("sex == 'F' or code == 0",))
    assert breaches(ruled) < forgetful / 2


def test_the_column_to_predict_is_learnt_from_more_of_a_row() -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.integers(0, 2, size=(600, 6)), columns=list("abcdef"))
    table["y"] = (table["a"] + table["b"] + table["c"] >= 2).astype(int)

    def told(target: str | None, **options) -> float:
        model = model_on(table, infer_schema(table, target=target), learning_rate=0.0)
        config = ImitationConfig(
            warm_up=150, warm_up_rate=5e-3, steps=0, dropout=0.05, forget=0.7, **options
        )
        encoder = model.env.core.encoder
        model.learn(steps(model, 1), callback=ImitationCallback(encoder, table, config))
        drawn = generate_table(model, model.env, 2000)
        return float(((drawn[["a", "b", "c"]].sum(axis=1) >= 2) == drawn["y"]).mean())

    assert told("y") > told("y", target_forgets=1.0) + 0.03
    assert told("y") > told(None) + 0.03


def losses_on_fresh_rows(rollouts: int, **config) -> dict[str, float]:
    """Nats a feature after imitating 150 rows, with validation rows ("watched") and without."""
    rng = np.random.default_rng(0)
    draws = rng.integers(0, 2, size=(1200, 12))
    draws[:, 1] = np.where(rng.random(1200) < 0.9, draws[:, 0], draws[:, 1])
    rows = pd.DataFrame(draws, columns=[f"c{i}" for i in range(12)])
    train, validation, fresh = rows[:150], rows[150:400], rows[400:]
    losses = {}
    for name, seen in (("watched", validation), ("blind", None)):
        model = model_on(train, learning_rate=0.0)
        encoder = model.env.core.encoder
        options = ImitationConfig(warm_up=500, warm_up_rate=5e-3, dropout=0.0, **config)
        callback = ImitationCallback(encoder, train, options, validation=seen)
        model.learn(steps(model, rollouts), callback=callback)
        actor = model.policy.actor
        records = torch.as_tensor(encoder.encode(fresh, np.random.default_rng(0)))
        bins = actor.bins(records)
        drawn = RecordDistribution(actor, actor.logits(records, bins), discrete=False)
        losses[name] = -float(drawn.log_shares(bins).mean().detach())
    return losses


@pytest.mark.slow
def test_the_warm_up_ends_where_validation_rows_get_no_likelier() -> None:
    losses, independent = losses_on_fresh_rows(rollouts=1, steps=0), np.log(2)
    assert losses["watched"] < independent - 0.02
    assert losses["blind"] > independent


@pytest.mark.slow
def test_later_imitation_goes_no_faster_than_what_helped_in_the_warm_up() -> None:
    losses, independent = losses_on_fresh_rows(rollouts=4, steps=20, rate=5e-3), np.log(2)
    assert losses["watched"] < independent - 0.005  # 0.726 at the rate as it is given
    assert losses["blind"] > independent


def test_the_reward_is_followed_at_the_pace_at_which_rows_could_be_imitated() -> None:
    draws = np.random.default_rng(0).integers(0, 2, size=(400, 12))
    rows = pd.DataFrame(draws, columns=[f"c{i}" for i in range(12)])
    config = ImitationConfig(warm_up=500, warm_up_rate=5e-3, rate=5e-3, dropout=0.0)

    def learnt(validation: pd.DataFrame | None, state: dict | None = None):
        model = model_on(rows[:150], learning_rate=1e-3)
        encoder = model.env.core.encoder
        callback = ImitationCallback(encoder, rows[:150], config, validation=validation)
        if state is not None:
            callback.load_state_dict(state)
        model.learn(steps(model, 1), callback=callback)
        return model, callback

    model, callback = learnt(rows[150:])  # independent columns: every step is one too many
    assert model.lr_schedule(1.0) < 0.5e-3
    resumed, _ = learnt(rows[150:], callback.state_dict())
    assert resumed.lr_schedule(1.0) == model.lr_schedule(1.0)
    blind, _ = learnt(None)
    assert blind.lr_schedule(1.0) == 1e-3


def test_where_no_step_of_the_warm_up_helps_the_later_ones_are_smaller_still(
    table, monkeypatch
) -> None:
    losses = iter(range(10))
    monkeypatch.setattr(ImitationCallback, "_mean_loss", lambda *_: float(next(losses)))
    model = model_on(table, learning_rate=1e-3)
    config = ImitationConfig(warm_up=500, warm_up_rate=1e-3, rate=1e-3)
    untrained = model.policy.actor.norm.bias.clone()
    callback = ImitationCallback(model.env.core.encoder, table, config, validation=table[:50])
    watch = AtRolloutStarts()
    model.learn(steps(model, 1), callback=[callback, watch])
    assert torch.equal(watch.weights[0], untrained)
    assert model.lr_schedule(1.0) == pytest.approx(1e-3 * 0.3**4)


def test_validation_rows_decide_whether_smoothed_records_are_imitated() -> None:
    rng = np.random.default_rng(0)
    angle, noise = rng.uniform(0, 2 * np.pi, 700), rng.normal(size=(700, 8))
    lines = pd.DataFrame(noise[:, :1] + 0.3 * noise).add_prefix("x")
    circle = pd.DataFrame({"x": np.cos(angle), "y": np.sin(angle)}) + 0.05 * noise[:, :2]
    config = ImitationConfig(
        warm_up=300,
        warm_up_rate=2e-2,
        rate=2e-2,
        dropout=0.3,
        forget=0.2,
        smooth=0.9,
        smooth_warm_up=150,
        components=1,
        steps=0,
    )

    def learnt(rows: pd.DataFrame, rollouts: int = 1, **options):
        model = model_on(rows[:-100], learning_rate=1e-3 if rollouts > 1 else 0.0)
        changed = dataclasses.replace(config, **options)
        encoder = model.env.core.encoder
        callback = ImitationCallback(encoder, rows[:-100], changed, validation=rows[-100:])
        assert callback.smooth_share == 0.9
        model.learn(steps(model, rollouts), callback=callback)
        return model, callback

    def off_the_circle(table: pd.DataFrame) -> float:
        return float(table.pow(2).sum(axis=1).std())

    model, callback = learnt(circle)
    assert callback.smooth_share == 0
    encoder = model.env.core.encoder
    smoothed = SmoothedRecords(encoder, circle[:-100], 1, rng)
    assert off_the_circle(generate_table(model, model.env, 600)) < 0.8 * off_the_circle(
        encoder.decode(smoothed.draw(600, rng))
    )

    # What was tried and not kept leaves no trace: here it cuts its rate, or takes hardly a step.
    one, callback = learnt(lines[550:], rollouts=3, steps=4)
    assert callback.smooth_share == 0.9
    other, callback = learnt(lines[550:], rollouts=3, steps=4, warm_up=1)
    assert callback.smooth_share == 0.9
    assert one.lr_schedule(1.0) == other.lr_schedule(1.0) == 1e-3
    for a, b in zip(one.policy.parameters(), other.policy.parameters(), strict=True):
        assert torch.equal(a, b)


def test_without_a_warm_up_there_is_nothing_for_validation_rows_to_compare(table) -> None:
    model = model_on(table[:200], learning_rate=0.0)
    config = ImitationConfig(smooth=0.9, smooth_warm_up=0, warm_up=100, components=1, steps=0)
    untaught = model.policy.actor.norm.bias.clone()
    callback = ImitationCallback(
        model.env.core.encoder, table[:200], config, validation=table[200:]
    )
    model.learn(steps(model, 1), callback=callback)
    assert callback.smooth_share == 0.9
    assert torch.equal(model.policy.actor.norm.bias, untaught)


def test_a_resumed_run_keeps_to_what_validation_rows_decided(table) -> None:
    encoder = RecordEncoder.fit(table)
    config = ImitationConfig(smooth=0.9, components=1)
    decided = ImitationCallback(encoder, table[:200], config, validation=table[200:])
    state = decided.state_dict() | {"smooth_share": 0.0, "rollouts": 1}
    resumed = ImitationCallback(encoder, table[:200], config, validation=table[200:])
    assert resumed.smooth_share == 0.9
    resumed.load_state_dict(state)
    assert resumed.smooth_share == 0
    assert resumed.state_dict()["smooth_share"] == 0


@pytest.mark.slow
def test_rare_codes_are_counted_although_features_are_forgotten() -> None:
    rng = np.random.default_rng(0)
    codes = np.zeros((1000, 100), dtype=int)
    for row in codes:
        row[rng.choice(100, 3, replace=False)] = 1
    table = pd.DataFrame(codes, columns=[f"code{i}" for i in range(100)])
    model = model_on(table, learning_rate=0.0)
    config = ImitationConfig(warm_up=300, warm_up_rate=5e-3, steps=0, dropout=0.05, forget=0.2)
    model.learn(steps(model, 1), callback=ImitationCallback(model.env.core.encoder, table, config))
    counts = generate_table(model, model.env, 500).sum(axis=1)
    # 0.48 where embeddings are not centred and hidden alike, 0.89 where no rare value is counted.
    assert (counts == 3).mean() > 0.95


def test_shares_that_are_certain_score_as_the_bins_do() -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {"x": rng.normal(size=60), "yes": rng.random(60) > 0.4, "n": rng.normal(size=60)}
    )
    network = model_on(table).policy.actor
    torch.nn.init.normal_(network.heads.weight)
    torch.nn.init.normal_(network.heads.pair_weight)
    records = torch.rand(7, 3)
    bins = network.bins(records)
    distribution = RecordDistribution(network, network.logits(records, bins), discrete=False)
    certain = torch.nn.functional.one_hot(bins, network.heads.start.shape[1]).float()
    torch.testing.assert_close(distribution.mean_log_shares(certain), distribution.log_shares(bins))
    other = certain.roll(1, 0)
    torch.testing.assert_close(
        distribution.mean_log_shares((3 * certain + other) / 4),
        (3 * distribution.log_shares(bins) + distribution.log_shares(bins.roll(1, 0))) / 4,
    )


def test_a_warm_up_of_smoothed_records_alone_reads_no_row_again(table, monkeypatch) -> None:
    model = model_on(table, learning_rate=0.0)
    config = ImitationConfig(smooth_warm_up=75, steps=0, smooth=1.0)
    callback = ImitationCallback(model.env.core.encoder, table, config)
    monkeypatch.setattr(RecordEncoder, "encode", lambda *_: pytest.fail("a real row was read"))
    model.learn(steps(model, 2), callback=callback)
    assert correlation(model) > 0.6


def test_smoothed_steps_have_a_rate_and_a_batch_of_their_own(table, monkeypatch) -> None:
    model = model_on(table, learning_rate=0.0)
    drawn: list[int] = []
    draw = SmoothedRecords.draw_with_shares

    def counting(self, n, rng, edges):
        drawn.append(n)
        return draw(self, n, rng, edges)

    monkeypatch.setattr(SmoothedRecords, "draw_with_shares", counting)
    for rate, moves in ((0.0, False), (1e-2, True)):
        before = [p.clone() for p in model.policy.actor.parameters()]
        config = ImitationConfig(
            smooth=1.0, smooth_warm_up=2, smooth_warm_up_rate=rate, smooth_batch_size=7, steps=0
        )
        callback = ImitationCallback(model.env.core.encoder, table, config)
        model.learn(steps(model, 1), callback=callback)
        pairs = zip(before, model.policy.actor.parameters(), strict=True)
        assert any(not torch.equal(a, b) for a, b in pairs) == moves
    assert drawn == [7, 7]


@pytest.mark.slow
def test_wide_records_are_imitated_in_smaller_batches_and_as_often(monkeypatch) -> None:
    codes = np.random.default_rng(0).integers(0, 2, size=(60, 500))
    wide = pd.DataFrame(codes, columns=[f"code{i}" for i in range(500)])
    model = model_on(wide, learning_rate=0.0)
    batches: list[int] = []
    loss = ImitationCallback._loss

    def counting(self, policy, records, *, hide):
        batches.append(len(records))
        return loss(self, policy, records, hide=hide)

    monkeypatch.setattr(ImitationCallback, "_loss", counting)
    config = ImitationConfig(warm_up=0, steps=4, batch_size=128)
    model.learn(steps(model, 2), callback=ImitationCallback(model.env.core.encoder, wide, config))
    assert batches == [100] * 5  # not 4 of 100: 50,000 conditionals are the most of a batch


@pytest.mark.parametrize(
    "option",
    [
        {"warm_up": -1}, {"warm_up_rate": -1e-3}, {"steps": 1.5}, {"rate": -1}, {"batch_size": 0},
        {"dropout": 0.99}, {"forget": -0.1}, {"target_forgets": 2}, {"smooth": 1.1},
        {"smooth_warm_up": -1}, {"smooth_warm_up_rate": -1}, {"smooth_batch_size": 0},
        {"components": 0}, {"max_grad_norm": -1},
    ],
    ids=lambda option: next(iter(option)),
)  # fmt: skip
def test_an_option_out_of_range_is_named(option) -> None:
    with pytest.raises(ConfigError, match=f"imitation.*{next(iter(option))}"):
        ImitationConfig(**option)


def test_imitation_fades_with_the_budget_and_can_be_none(table) -> None:
    model = model_on(table, learning_rate=0.0)
    before = [p.clone() for p in model.policy.actor.parameters()]
    config = ImitationConfig(warm_up=0, rate=0.0)
    model.learn(steps(model, 3), callback=ImitationCallback(model.env.core.encoder, table, config))
    assert all(
        torch.equal(a, b) for a, b in zip(before, model.policy.actor.parameters(), strict=True)
    )
