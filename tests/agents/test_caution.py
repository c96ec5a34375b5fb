"""Rules on two features: which bins break them, and a policy that learns to keep to them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch

from agents import make_model, make_vec_env
from agents.factory import STRICTNESS_RATE
from agents.pair_rules import pair_rules
from agents.policies.autoregressive import AutoregressivePolicy
from rlsyn_env.actions import DiscreteCodec
from rlsyn_env.errors import ConfigError
from rlsyn_env.tables.constraints import schema_constraints
from rlsyn_env.tables.inference import infer_schema

BOX, DISCRETE = "RLSyn/Record-v0", "RLSyn/RecordDiscrete-v0"
RULES = (
    "sex == 'F' or pregnant == 0",
    "low < high",
    "stage != 'none' or spread == 0",
    "pregnant == 0 or stage == 'none' or high < 9",  # three columns: left to the network
)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    n = 400
    sex = rng.choice(["F", "M"], n)
    low = rng.normal(size=n)
    stage = rng.choice(["early", "late", "none"], n)
    return pd.DataFrame(
        {
            "sex": sex,
            "low": low,
            "stage": stage,
            "pregnant": (sex == "F") & (rng.random(n) < 0.4),
            "spread": (stage != "none") * rng.integers(0, 3, n),
            "high": low + rng.gamma(2.0, size=n),
        }
    ).astype({"pregnant": int})


def model_on(table: pd.DataFrame, env_id: str = BOX, algo: str = "ppo", *, pays: bool = True):
    schema = dataclasses.replace(infer_schema(table), constraints=RULES)
    vec_env = make_vec_env(
        env_id,
        64,
        seed=0,
        dataset=table,
        schema=schema,
        reward_terms={} if pays else {"constraints": 0.0},
    )
    small = {"policy": "autoregressive", "policy_kwargs": {"width": 16, "value_width": 16}}
    return make_model(algo, vec_env, seed=0, device="cpu", hyperparams=small)


def strictly(policy: AutoregressivePolicy, strictness: float) -> AutoregressivePolicy:
    with torch.no_grad():
        policy.actor.caution.shared.fill_(strictness)
    return policy


def broken_shares(model, n_episodes: int = 8) -> np.ndarray:
    """Shares ``(rules,)`` of records played by the policy that break each rule."""
    encoder = model.env.core.encoder
    constraints = schema_constraints(encoder.schema)
    broken = []
    for _ in range(n_episodes):
        observations = model.env.reset()
        for _ in range(encoder.n_features):
            with torch.no_grad():
                actions = model.policy(torch.as_tensor(observations))[0]
            observations = model.env.step(actions.numpy())[0]
        records = model.env.core.finished_records
        broken.append(constraints.broken(encoder.decode(records)))
    return np.concatenate(broken).mean(axis=0)


def test_bins_that_are_sure_to_break_a_rule(table, monkeypatch) -> None:
    encoder = model_on(table).env.core.encoder
    edges = DiscreteCodec(encoder, 24).edges
    rules = pair_rules(encoder, edges)
    names = [(encoder.feature_names[r.earlier], encoder.feature_names[r.later]) for r in rules]
    assert names == [("sex", "pregnant"), ("low", "high"), ("stage", "spread")]
    sex, order, stage = (rule.broken for rule in rules)
    assert sex.tolist() == [[False, False], [False, True]]  # F, M by not, pregnant
    assert stage.tolist() == [[False] * 3, [False] * 3, [False, True, True]]
    assert order[-1, 0]
    assert not order[0, -1]
    assert (np.diff(order.astype(int), axis=1) <= 0).all()  # whatever breaks it, less does too
    assert (np.diff(order.astype(int), axis=0) >= 0).all()
    monkeypatch.setattr("agents.pair_rules._MOST_NUMBERS", 100)  # bin by bin
    for rule, again in zip(rules, pair_rules(encoder, edges), strict=True):
        np.testing.assert_array_equal(rule.broken, again.broken)
    monkeypatch.setattr("agents.pair_rules._MOST_PAIRS", 20)
    assert [r.broken.shape for r in pair_rules(encoder, edges)] == [(2, 2), (3, 3)]


@pytest.mark.parametrize("env_id", [BOX, DISCRETE])
def test_strictness_keeps_to_rules_and_all_ways_to_evaluate_agree(table, env_id) -> None:
    model = model_on(table, env_id)
    policy = model.policy
    assert (broken_shares(model)[:3] > 0.05).all()
    strictly(policy, 30.0)
    with torch.no_grad():
        policy.actor.caution.own.uniform_(-1, 1)
    shares = broken_shares(model)
    assert shares[0] == shares[2] == 0
    assert shares[1] < 0.05  # bins that may or may not break it are the network's own business

    strictly(policy, 1.5)
    observations, steps = model.env.reset(), []
    for _ in range(policy.d):
        with torch.no_grad():
            actions, _, log_prob = policy(torch.as_tensor(observations))
        single = policy.evaluate_actions(torch.as_tensor(observations), actions)[1]
        torch.testing.assert_close(single, log_prob, atol=1e-5, rtol=1e-4)
        steps.append((actions.reshape(-1), log_prob))
        observations = model.env.step(actions.numpy())[0]
    records = 2 * torch.as_tensor(model.env.core.finished_records) - 1
    actions = torch.stack([a for a, _ in steps], dim=1).reshape(-1, 1)
    whole = policy.evaluate_actions(records, actions)[1].reshape(-1, policy.d)
    expected = torch.stack([log_prob for _, log_prob in steps], dim=1)
    torch.testing.assert_close(whole, expected, atol=1e-5, rtol=1e-4)


def test_untrained_rules_change_nothing_and_none_are_no_parameters(table) -> None:
    by_chance = (table["sex"] == "M").mean() * table["pregnant"].mean()
    assert broken_shares(model_on(table))[0] == pytest.approx(by_chance, abs=0.05)
    vec_env = make_vec_env(BOX, 4, seed=0, dataset=table)
    plain = make_model("ppo", vec_env, seed=0, device="cpu")
    assert plain.policy.actor.caution is None
    assert not [name for name in plain.policy.state_dict() if "caution" in name]


@pytest.mark.parametrize("algo", ["ppo", "a2c", "trpo"])
def test_a_reward_teaches_strictness(table, algo) -> None:
    model = model_on(table, algo=algo)
    before = broken_shares(model)
    model.learn(64 * model.policy.d * 12)
    after = broken_shares(model)
    caution = model.policy.actor.caution
    assert caution.shared.item() > 0
    if algo == "ppo":
        assert after[0] + after[2] < 0.1 * (before[0] + before[2])


def test_without_the_term_strictness_takes_no_larger_steps(table) -> None:
    assert model_on(table).policy.strictness_rate == STRICTNESS_RATE
    model = model_on(table, pays=False)
    model.learn(64 * model.policy.d * 4)
    assert abs(model.policy.actor.caution.shared.item()) < 0.05


@pytest.mark.parametrize("rate", [0.0, -1.0])
def test_a_rate_that_is_not_above_zero_is_refused(table, rate) -> None:
    vec_env = make_vec_env(BOX, 4, seed=0, dataset=table)
    wrong = {"policy": "autoregressive", "policy_kwargs": {"strictness_rate": rate}}
    with pytest.raises(ConfigError, match="strictness_rate must be above 0"):
        make_model("ppo", vec_env, hyperparams=wrong)


def test_it_is_saved_with_the_model(table, tmp_path) -> None:
    model = model_on(table)
    strictly(model.policy, 2.0)
    model.save(tmp_path / "model")
    loaded = type(model).load(tmp_path / "model", device="cpu").policy
    assert loaded.actor.caution.shared.item() == 2.0
    assert loaded.strictness_rate == STRICTNESS_RATE
    records = torch.rand(5, loaded.d) * 2 - 1
    with torch.no_grad():
        both = [p.get_distribution(records).log_prob(records) for p in (model.policy, loaded)]
    torch.testing.assert_close(*both)
