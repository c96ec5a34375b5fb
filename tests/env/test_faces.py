"""The single environment, the vector environment and the VecEnv are one and the same."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest

from agents.vec_env import make_vec_env
from rlsyn_env import ENV_IDS
from rlsyn_env.adversary import Adversary, AdversaryConfig

CONFIG = AdversaryConfig(hidden=(16,), steps_per_update=2, batch_size=32, co_train_every=3)


def adversary(seed: int = 0) -> Adversary:
    return Adversary.from_dataset("diabetes", config=CONFIG, seed=seed)


def sample_actions(env_id: str, n_steps: int, n_envs: int) -> list[np.ndarray]:
    rng = np.random.default_rng(7)
    if env_id == "RLSyn/RecordDiscrete-v0":
        return [rng.integers(0, 24, n_envs) for _ in range(n_steps)]
    width = 11 if env_id == "RLSyn/RecordOneShot-v0" else 1
    return [rng.uniform(-1.2, 1.2, (n_envs, width)).astype(np.float32) for _ in range(n_steps)]


def play_single(env_id, seeds, actions, **kwargs):
    envs = [gym.make(env_id, **kwargs).unwrapped for _ in seeds]
    observations = [np.stack([e.reset(seed=s)[0] for e, s in zip(envs, seeds, strict=True)])]
    rewards, finals = [], []
    for step in actions:
        rows, row_rewards, row_finals = [], [], []
        for i, env in enumerate(envs):
            obs, reward, terminated, truncated, _ = env.step(step[i])
            assert not truncated
            row_rewards.append(reward)
            if terminated:
                row_finals.append(obs)
                obs, _ = env.reset()
            rows.append(obs)
        observations.append(np.stack(rows))
        rewards.append(row_rewards)
        if row_finals:
            finals.append(np.stack(row_finals))
    return np.stack(observations), np.array(rewards, np.float32), np.stack(finals)


def play_vector(env_id, n_envs, seed, actions, **kwargs):
    env = gym.make_vec(env_id, num_envs=n_envs, **kwargs)
    observations, rewards, finals = [env.reset(seed=seed)[0]], [], []
    for step in actions:
        obs, reward, terminated, truncated, infos = env.step(step)
        assert not truncated.any()
        observations.append(obs)
        rewards.append(reward)
        if terminated.any():
            finals.append(np.stack(infos["final_obs"]))
    return np.stack(observations), np.array(rewards, np.float32), np.stack(finals)


def play_vec_env(env_id, n_envs, seed, actions, **kwargs):
    env = make_vec_env(env_id, n_envs, seed=seed, **kwargs)
    observations, rewards, finals = [env.reset()], [], []
    for step in actions:
        obs, reward, dones, infos = env.step(step)
        observations.append(obs)
        rewards.append(reward)
        if dones.any():
            finals.append(np.stack([info["terminal_observation"] for info in infos]))
    return np.stack(observations), np.array(rewards, np.float32), np.stack(finals)


def assert_same(a, b):
    for x, y in zip(a, b, strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("env_id", ENV_IDS)
def test_equal_for_one_environment_with_co_training(env_id):
    actions = sample_actions(env_id, 88, 1)
    first = adversary()
    single = play_single(env_id, [5], actions, adversary=first)
    assert first.updates > 0
    assert_same(single, play_vector(env_id, 1, 5, actions, adversary=adversary()))
    assert_same(single, play_vec_env(env_id, 1, 5, actions, adversary=adversary()))


@pytest.mark.parametrize("env_id", ENV_IDS)
def test_equal_for_many_environments_without_co_training(env_id):
    actions = sample_actions(env_id, 33, 4)
    kwargs = {"adversary": adversary(), "co_train": False}
    single = play_single(env_id, [5, 6, 7, 8], actions, **kwargs)
    assert np.abs(single[1]).max() > 0

    # Scoring a batch of 4 and 4 batches of 1 may round differently in the last bit.
    for other in (
        play_vector(env_id, 4, 5, actions, **kwargs),
        play_vec_env(env_id, 4, 5, actions, **kwargs),
    ):
        np.testing.assert_array_equal(single[0], other[0])
        np.testing.assert_allclose(single[1], other[1], rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(single[2], other[2])
    assert kwargs["adversary"].updates == 0


@pytest.mark.parametrize("env_id", ENV_IDS)
def test_same_seed_gives_the_same_records(env_id):
    actions = sample_actions(env_id, 66, 3)
    runs = [play_vector(env_id, 3, 1, actions, adversary=adversary()) for _ in range(2)]
    assert_same(*runs)
    other = play_vector(env_id, 3, 2, actions, adversary=adversary())
    assert not np.array_equal(runs[0][0], other[0])


@pytest.mark.parametrize("env_id", ENV_IDS)
def test_what_step_returns_is_not_changed_by_later_steps(env_id):
    env = make_vec_env(env_id, 2, adversary=adversary())
    first = env.reset()
    kept = first.copy()
    for step in sample_actions(env_id, 12, 2):
        env.step(step)
    np.testing.assert_array_equal(first, kept)


def test_environments_that_share_an_adversary_have_one_update_counter():
    shared = adversary()
    envs = [gym.make(ENV_IDS[0], adversary=shared).unwrapped for _ in range(3)]
    for env in envs:
        env.reset(seed=0)
        for _ in range(11):
            env.step(env.action_space.sample())
    assert shared.records_seen == 3
    assert shared.updates == 1
    assert all(env.adversary is shared for env in envs)
