"""Names, presets, a user's own class, and hyperparameters as text."""

from __future__ import annotations

import sys
import textwrap

import pytest
from stable_baselines3.common.utils import LinearSchedule

from agents import ALGORITHMS, get_algorithm, parse_hyperparams
from agents.hyperparameters import resolve
from agents.policies.generic import RecordSACPolicy
from rlsyn_env import ENV_IDS
from rlsyn_env.adversary import AdversaryConfig
from rlsyn_env.errors import ConfigError

BOX, DISCRETE, ONE_SHOT = ENV_IDS


def test_the_thirteen_are_there():
    assert set(ALGORITHMS) == {
        "PPO", "A2C", "DQN", "DDPG", "SAC", "TD3", "TRPO", "RecurrentPPO", "MaskablePPO", "QRDQN",
        "TQC", "CrossQ", "ARS",
    }  # fmt: skip


@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_preset_is_usable(name):
    algorithm = get_algorithm(name.lower())
    assert algorithm.name == name
    assert algorithm.default_env_id in algorithm.env_ids
    assert algorithm.preset.n_envs >= 1
    budget = resolve(algorithm.preset.total_records, 1, rows=1)
    assert budget >= algorithm.preset.n_envs
    AdversaryConfig.from_mapping(algorithm.preset.adversary)
    window = algorithm.preset.hyperparams.get("stats_window_size")
    assert window is None or window >= algorithm.preset.n_envs


def test_kinds_and_spaces():
    assert get_algorithm("ppo").on_policy
    assert get_algorithm("ppo").env_ids == ENV_IDS
    assert get_algorithm("DQN").kind == "off-policy"
    assert get_algorithm("dqn").env_ids == (DISCRETE,)
    assert get_algorithm("sac").env_ids == (BOX, ONE_SHOT)
    assert get_algorithm("ars").kind == "search"
    with pytest.raises(ConfigError, match=r"SAC takes Box actions.*use RLSyn/Record-v0"):
        get_algorithm("sac").check_env_id(DISCRETE)
    with pytest.raises(ConfigError, match="unknown environment"):
        get_algorithm("sac").check_env_id("CartPole-v1")


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ConfigError, match=r"unknown algorithm 'pp0'.*RecurrentPPO"):
        get_algorithm("pp0")


@pytest.fixture
def own_module(tmp_path, monkeypatch):
    (tmp_path / "own_algorithms.py").write_text(
        textwrap.dedent(
            """
            from sb3_contrib import ARS
            from stable_baselines3 import SAC
            from stable_baselines3.common.base_class import BaseAlgorithm

            from agents.random_search import RecordARS

            class Mine(SAC):
                pass

            class Stranger(BaseAlgorithm):
                pass

            class Search(ARS):
                pass

            class RecordSearch(RecordARS):
                pass

            number = 3
            """
        )
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("own_algorithms", None)


@pytest.mark.usefixtures("own_module")
def test_a_users_class_takes_the_preset_of_its_ancestor():
    algorithm = get_algorithm("own_algorithms:Mine")
    assert algorithm.name == "Mine"
    assert algorithm.cls.__name__ == "Mine"
    assert algorithm.policy is RecordSACPolicy
    assert algorithm.preset == get_algorithm("sac").preset
    assert get_algorithm("own_algorithms:RecordSearch").kind == "search"


@pytest.mark.usefixtures("own_module")
@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("no_such_module:Mine", "cannot import 'no_such_module'"),
        ("own_algorithms:Yours", "has no class 'Yours'"),
        ("own_algorithms:number", "is not a subclass"),
        ("own_algorithms:Stranger", "descends from none of"),
        ("own_algorithms:Search", r"descend from agents\.random_search\.RecordARS"),
    ],
)
def test_a_wrong_class_is_refused(path, message):
    with pytest.raises(ConfigError, match=message):
        get_algorithm(path)


def test_hyperparameters_are_parsed_as_yaml():
    parsed = parse_hyperparams(
        [
            "learning_rate=1e-3",
            "policy_kwargs.net_arch=[64, 64]",
            "use_sde=true",
            "n_steps=episode",
            "policy_kwargs.width=32",
            "clip_range=linear from 0.3 to 0.1",
            "target_kl=null",
        ]
    )
    assert parsed == {
        "learning_rate": 0.001,
        "policy_kwargs": {"net_arch": [64, 64], "width": 32},
        "use_sde": True,
        "n_steps": "episode",
        "clip_range": "linear from 0.3 to 0.1",
        "target_kl": None,
    }


@pytest.mark.parametrize("items", [["gamma"], ["=3"], ["a..b=1"], ["gamma=[1"], ["a=1", "a.b=2"]])
def test_malformed_hyperparameters_are_refused(items):
    with pytest.raises(ConfigError, match="hyperparameter"):
        parse_hyperparams(items)


def test_rules():
    resolved = resolve(
        {"n_steps": "episode", "batch_size": "128 records", "k": {"lr": "linear from 1e-3 to 0"}},
        11,
    )
    assert resolved["n_steps"] == 11
    assert resolved["batch_size"] == 128 * 11
    assert resolve("128 records or 5000 steps", 11) == 128 * 11
    assert resolve("128 records or 5000 steps", 100) == 50 * 100
    assert resolve("128 records or 5000 steps", 6000) == 6000
    schedule = resolved["k"]["lr"]
    assert isinstance(schedule, LinearSchedule)
    assert schedule(1.0) == pytest.approx(1e-3)
    assert schedule(0.0) == pytest.approx(0.0)
    assert resolve("auto_0.1", 11) == "auto_0.1"


@pytest.mark.parametrize(
    ("features", "rate"), [(390, 8e-4), (1485, 8e-4 * 33 / 128), (60_000, 8e-4 / 128)]
)
def test_a_schedule_falls_with_the_records_of_a_batch(features, rate):
    rule = "linear from 8e-4 to 1e-4 for 128 records or 50000 steps"
    schedule = resolve(rule, features)
    assert schedule(1.0) == pytest.approx(rate)
    assert schedule(0.0) == pytest.approx(rate / 8)
    assert resolve("128 records or 50000 steps", features) == pytest.approx(
        128 * rate / 8e-4 * features
    )


@pytest.mark.parametrize(
    ("rule", "rows", "value"),
    [
        ("10 * rows^0.5 within [100, 3000]", 400, 200),
        ("10 * rows^0.5 within [100, 3000]", 30, 100),
        ("10 * rows^0.5 within [100, 3000]", 10**7, 3000),
        ("10 * rows^0.5 within [100, 3000]", None, 100),
        ("12 * rows^-0.5 within [0.05, 0.7]", 400, 0.6),
        ("12 * rows^-0.5 within [0.05, 0.7]", 9, 0.7),
    ],
)
def test_rules_of_the_number_of_rows(rule, rows, value):
    resolved = resolve({"x": rule}, 11, rows)["x"]
    assert resolved == pytest.approx(value)
    assert isinstance(resolved, type(value))
