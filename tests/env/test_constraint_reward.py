"""The reward term of the schema's constraints."""

from __future__ import annotations

import dataclasses

import gymnasium as gym
import numpy as np
import pandas as pd
import pytest

import rlsyn_env  # noqa: F401 - registers the ids
from rlsyn_env.adversary import Adversary
from rlsyn_env.constraint_reward import MOST_COUNTED, ConstraintReward
from rlsyn_env.core import RecordCore
from rlsyn_env.errors import ConfigError
from rlsyn_env.rewards import CONSTRAINT_WEIGHT, make_reward_terms
from rlsyn_env.tables.encoder import RecordEncoder
from rlsyn_env.tables.inference import infer_schema
from rlsyn_env.tables.schema import TableSchema

RULES = ("sex == 'F' or smoker", "age < 50", "died == 0", "lab < 3", "double <= 100")


@pytest.fixture(scope="module")
def table(mixed_table) -> pd.DataFrame:
    return mixed_table.assign(double=2 * mixed_table["age"])


@pytest.fixture(scope="module")
def schema(table) -> TableSchema:
    return dataclasses.replace(infer_schema(table, derive=True), constraints=RULES)


@pytest.fixture(scope="module")
def adversary(table, schema) -> Adversary:
    return Adversary(RecordEncoder.fit(table, schema), table, table.head(40), seed=0)


@pytest.fixture
def records(adversary) -> np.ndarray:
    return np.random.default_rng(0).random((200, adversary.encoder.n_features), dtype=np.float32)


LAST_COLUMNS = (("sex", "smoker"), ("age",), ("died",), ("lab",), ("age",))
"""What decides each rule: ``double`` is computed from ``age``."""


def expected_values(adversary, records) -> np.ndarray:
    decoded = adversary.encoder.decode(records)
    held = [decoded.eval(rule, engine="python").to_numpy(dtype=bool) for rule in RULES]
    return -(~np.stack(held)).sum(axis=0)


def test_minus_the_broken_rules(adversary, records) -> None:
    assert adversary.encoder.schema.column("double").derived is not None
    values = ConstraintReward(adversary.encoder)(records)
    assert values.dtype == np.float32
    assert values.tolist() == expected_values(adversary, records).tolist()
    assert set(values) > {0.0, -1.0, -2.0, -3.0}


def test_one_feature_that_breaks_many_rules_counts_as_three(table) -> None:
    many = (*(f"age < {limit}" for limit in range(20, 30)), "died == 0")
    schema = dataclasses.replace(infer_schema(table), constraints=many)
    encoder = RecordEncoder.fit(table, schema)
    records = encoder.encode(table.assign(age=60, died=1), np.random.default_rng(0))
    assert set(ConstraintReward(encoder)(records)) == {-MOST_COUNTED - 1.0}


def test_a_rule_is_paid_for_with_the_feature_that_settles_it(adversary, records) -> None:
    term = ConstraintReward(adversary.encoder)
    names = adversary.encoder.feature_names
    expected = {max(names.index(name) for name in columns) for columns in LAST_COLUMNS}
    assert term.settled_at == expected
    later = records.copy()
    for position in sorted(expected):
        later[:, position + 1 :] = 0.5  # not yet known
        assert term.part(later, position).tolist() == term.part(records, position).tolist()
        later = records.copy()
    parts = [term.part(records, position) for position in expected]
    assert np.sum(parts, axis=0).tolist() == term(records).tolist()


@pytest.mark.parametrize("env_id", ["RLSyn/Record-v0", "RLSyn/RecordDiscrete-v0"])
def test_an_episode_pays_what_the_record_is_worth(table, schema, env_id: str) -> None:
    env = gym.make(env_id, dataset=table, schema=schema, co_train=False)
    core = env.unwrapped.core
    env.reset(seed=1)
    env.action_space.seed(1)
    rewards, terminated = [], False
    while not terminated:
        _, reward, terminated, _, info = env.step(env.action_space.sample())
        rewards.append(reward)
    record = info["record"][None]
    total, values = core.score(record)
    assert sum(rewards) == pytest.approx(total[0], abs=1e-5)
    assert rewards[-1] == pytest.approx(core.last_rewards(record)[0], abs=1e-5)
    term = next(t for t in core.reward_terms if t.name == "constraints")
    paid = {at: term.weight * term.part(record, at)[0] for at in term.settled_at}
    paid[len(rewards) - 1] = rewards[-1]
    assert rewards == pytest.approx([paid.get(at, 0.0) for at in range(len(rewards))], abs=1e-5)
    assert values["constraints"][0] < 0  # else nothing was seen


def test_one_shot_records_pay_at_once(table, schema) -> None:
    env = gym.make("RLSyn/RecordOneShot-v0", dataset=table, schema=schema, co_train=False)
    env.reset(seed=0)
    env.action_space.seed(0)
    _, reward, terminated, _, info = env.step(env.action_space.sample())
    assert terminated
    assert reward == pytest.approx(env.unwrapped.core.score(info["record"][None])[0][0], abs=1e-5)


def test_a_term_without_parts_says_so(adversary) -> None:
    term = make_reward_terms(adversary)[0]
    assert not term.settled_at
    with pytest.raises(NotImplementedError, match="'adversarial' has no parts"):
        term.part(np.zeros((1, adversary.encoder.n_features), np.float32), 0)


def test_it_is_there_by_default_and_in_the_sum(adversary, records) -> None:
    core = RecordCore(4, "box", encoder=adversary.encoder, adversary=adversary)
    total, values = core.score(records)
    assert list(values) == ["adversarial", "constraints"]
    broken = expected_values(adversary, records)
    assert np.allclose(total, values["adversarial"] + CONSTRAINT_WEIGHT * broken, atol=1e-5)


def test_its_weight_can_be_changed_or_zero(adversary) -> None:
    def weights(extra):
        return {t.name: t.weight for t in make_reward_terms(adversary, extra=extra)}

    assert weights({}) == {"adversarial": 1.0, "constraints": CONSTRAINT_WEIGHT}
    assert weights({"constraints": 0.5}) == {"adversarial": 1.0, "constraints": 0.5}
    assert weights({"constraints": 0}) == {"adversarial": 1.0}
    mine = ConstraintReward(adversary.encoder)
    mine.weight = 7.0
    assert weights([mine]) == {"adversarial": 1.0, "constraints": 7.0}


@pytest.mark.parametrize("weight", [float("nan"), float("inf")])
def test_a_weight_is_a_number(adversary, weight: float) -> None:
    with pytest.raises(ConfigError, match="weight of the reward term 'constraints'"):
        make_reward_terms(adversary, extra={"constraints": weight})


def test_without_constraints_there_is_no_term(table) -> None:
    encoder = RecordEncoder.fit(table, infer_schema(table))
    plain = Adversary(encoder, table, table.head(40), seed=0)
    assert [term.name for term in make_reward_terms(plain)] == ["adversarial"]
    assert [t.name for t in make_reward_terms(plain, extra={"constraints": 0})] == ["adversarial"]
    with pytest.raises(ConfigError, match="the schema has none"):
        make_reward_terms(plain, extra={"constraints": 2.0})


def test_gym_make_takes_the_weight(table, schema) -> None:
    env = gym.make(
        "RLSyn/Record-v0", dataset=table, schema=schema, reward_terms={"constraints": 3.0}
    )
    core = env.unwrapped.core
    assert {term.name: term.weight for term in core.reward_terms}["constraints"] == 3.0
    env.reset(seed=0)
    total, terminated = 0.0, False
    while not terminated:
        _, reward, terminated, _, info = env.step(np.zeros(1, dtype=np.float32))
        total += reward
    terms = info["reward_terms"]
    assert total == pytest.approx(terms["adversarial"] + 3 * terms["constraints"], abs=1e-5)
