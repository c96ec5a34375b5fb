"""Gymnasium's and Stable-Baselines3's own checkers, on every id, with warnings as errors."""

from __future__ import annotations

import warnings

import gymnasium as gym
import pytest
from gymnasium.utils.env_checker import check_env as gymnasium_check
from stable_baselines3.common.env_checker import check_env as sb3_check

from rlsyn_env import ENV_IDS

# The published one-shot observation is a vector of standard normals, which has no bounds, and
# its action is a whole record; neither is a mistake.
ALLOWED = (
    "A Box observation space minimum value is -infinity",
    "A Box observation space maximum value is infinity",
)


@pytest.fixture(autouse=True)
def _warnings_are_errors():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for message in ALLOWED:
            warnings.filterwarnings("ignore", message=f".*{message}")
        yield


@pytest.mark.parametrize("env_id", ENV_IDS)
def test_gymnasium_check_env(env_id):
    with gym.make(env_id) as env:
        gymnasium_check(env.unwrapped)


@pytest.mark.parametrize("env_id", ENV_IDS)
def test_sb3_check_env(env_id):
    with gym.make(env_id) as env:
        sb3_check(env.unwrapped, warn=True)


@pytest.mark.parametrize("env_id", ENV_IDS)
def test_spec_serialises_and_makes_the_same_environment(env_id):
    with gym.make(env_id, dataset="diabetes") as env:
        again = gym.make(gym.envs.registration.EnvSpec.from_json(env.spec.to_json()))
        assert again.observation_space == env.observation_space
        assert again.action_space == env.action_space


@pytest.mark.parametrize("env_id", ENV_IDS)
def test_module_prefix_makes_it_too(env_id):
    with gym.make(f"rlsyn_env:{env_id}") as env:
        assert env.unwrapped.core.n_features == 31
