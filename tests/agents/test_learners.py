"""Imitation, averaging and snapshot choice: what they do to a policy, alone and in a run."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch
from stable_baselines3.common.callbacks import BaseCallback

from agents import make_model, make_vec_env
from agents.callbacks import (
    AveragingCallback,
    AveragingConfig,
    ImitationCallback,
    ImitationConfig,
    SelectionCallback,
    SelectionConfig,
)
from agents.callbacks.smoothed_records import SmoothedRecords
from agents.generation import generate_table
from agents.policies.autoregressive.record_distribution import RecordDistribution
from agents.runs.checkpoint import load_checkpoint
from agents.runs.training import learn
from rlsyn_env.errors import ConfigError
from rlsyn_env.metrics.selection import SelectionScore, selection_score
from rlsyn_env.tables.encoder import RecordEncoder
from rlsyn_env.tables.inference import infer_schema
from rlsyn_env.tables.schema import TableSchema

BOX = "RLSyn/Record-v0"
CHEAP = {"steps_per_update": 1, "hidden": [8], "co_train_every": 64}
NETWORK = {"width": 24, "value_width": 8}


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Two columns that depend on each other, one that does not."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=300)
    return pd.DataFrame({"x": x, "y": x + 0.3 * rng.normal(size=300), "z": rng.normal(size=300)})


def model_on(table: pd.DataFrame, schema: TableSchema | None = None, **hyper):
    data = {"dataset": table, "schema": schema}
    vec_env = make_vec_env(BOX, 64, seed=0, adversary_config=CHEAP, **data)
    hyper = {"policy": "autoregressive", "policy_kwargs": NETWORK, **hyper}
    return make_model("ppo", vec_env, seed=0, device="cpu", hyperparams=hyper)


def correlation(model, n: int = 600) -> float:
    drawn = generate_table(model, model.env, n)
    return float(drawn["x"].corr(drawn["y"]))


def steps(model, rollouts: int) -> int:
    return 64 * model.env.core.episode_length * rollouts


class AtRolloutStarts(BaseCallback):
    """Keeps some of the actor's weights, and the learning rate at the full budget's start."""

    def __init__(self) -> None:
        super().__init__()
        self.weights: list[torch.Tensor] = []
        self.rates: list[float] = []

    def _on_step(self) -> bool:
        return True

    def _on_rollout_start(self) -> None:
        self.weights.append(self.model.policy.actor.norm.bias.clone())
        self.rates.append(self.model.lr_schedule(1.0))


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


def test_other_policies_are_refused(table) -> None:
    vec_env = make_vec_env(BOX, 8, seed=0, dataset=table, adversary_config=CHEAP)
    model = make_model("ppo", vec_env, seed=0, device="cpu", hyperparams={"policy": "generic"})
    encoder = vec_env.core.encoder
    for callback, says in [
        (ImitationCallback(encoder, table), "cannot imitate"),
        (AveragingCallback(), "keeps no average"),
        (SelectionCallback(table, table), "keeps no snapshots"),
    ]:
        with pytest.raises(ConfigError, match=says):
            model.learn(24, callback=callback)


@pytest.mark.parametrize(
    ("cls", "options"),
    [
        (ImitationConfig, {"dropout": 1.0}),
        (ImitationConfig, {"warm_up": -1}),
        (ImitationConfig, {"batch_size": 0}),
        (ImitationConfig, {"smooth": 1.5}),
        (ImitationConfig, {"components": 0}),
        (AveragingConfig, {"decay": 1.5}),
        (SelectionConfig, {"measurements": 0}),
        (SelectionConfig, {"min_rows": 3}),
    ],
)
def test_impossible_options_are_refused(cls, options) -> None:
    with pytest.raises(ConfigError, match=next(iter(options))):
        cls(**options)


def test_the_average_is_a_mean_at_first_then_exponential(table) -> None:
    model = model_on(table)
    callback = AveragingCallback(AveragingConfig(decay=0.5))
    callback.init_callback(model)
    policy, seen = model.policy, []
    expected = None
    for value in (1.0, 3.0, 5.0):
        with torch.no_grad():
            policy.actor.norm.bias.fill_(value)
        callback.on_rollout_start()
        seen.append(float(policy.average.norm.bias.mean()))
        share = max(0.5, 1 / len(seen))
        expected = value if expected is None else expected + share * (value - expected)
        assert seen[-1] == pytest.approx(expected)
    assert seen[0] == 1.0  # nothing of the untrained weights is left


def test_selection_ends_with_the_best_snapshot_and_not_the_last(table, monkeypatch) -> None:
    model = model_on(table)
    callback = SelectionCallback(
        table[:200], table[200:], SelectionConfig(measurements=4, min_rows=50)
    )
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
    callback = SelectionCallback(
        table[:200], table[200:], SelectionConfig(measurements=3, min_rows=50)
    )
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


def test_selection_measures_as_often_on_a_long_budget(table, monkeypatch) -> None:
    model = model_on(table)
    measured = always_the_same_score(monkeypatch, model)
    callback = SelectionCallback(
        table[:200], table[200:], SelectionConfig(measurements=3, min_rows=50)
    )
    model.learn(steps(model, 12), callback=callback)
    assert measured == [steps(model, n) for n in (0, 4, 8, 12)]


def test_a_larger_budget_is_measured_all_along(table, monkeypatch) -> None:
    model = model_on(table)
    measured = always_the_same_score(monkeypatch, model)
    callback = SelectionCallback(
        table[:200], table[200:], SelectionConfig(measurements=4, min_rows=50)
    )
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


def test_a_resumed_run_with_all_three_ends_with_the_same_bits(new_run) -> None:
    settings = {
        "imitation": {"smooth_warm_up": 4, "smooth": 0.5},
        "selection": {"measurements": 6, "min_rows": 10, "max_rows": 60},
    }

    def start(name: str, **options):
        return new_run(name, settings=settings, **options)

    whole, folder = start("whole", total_records=32 * 6)
    learn(whole, folder)
    half, half_folder = start("half", total_records=32 * 6)

    class StopHalfway(AveragingCallback):
        def _on_rollout_start(self) -> None:
            if self._updates == 3:
                raise KeyboardInterrupt
            self._updates += 1

    with pytest.raises(KeyboardInterrupt):
        learn(half, half_folder, checkpoint_seconds=0.0, extra_callbacks=(StopHalfway(),))
    again, _ = start("again", total_records=32 * 6)
    learn(again, half_folder, load_checkpoint(half_folder.checkpoints))
    for name, value in whole.model.policy.state_dict().items():
        assert torch.equal(value, again.model.policy.state_dict()[name]), name
