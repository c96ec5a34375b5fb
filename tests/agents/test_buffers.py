"""Replay buffers: n-step returns, relabelling, arrays, and what must never be pickled."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from agents import make_model, make_vec_env
from agents.buffers import CoreLink, RelabellingReplayBuffer
from rlsyn_env import ENV_IDS

BOX, DISCRETE, ONE_SHOT = ENV_IDS
CHEAP = {"steps_per_update": 4, "hidden": [16], "co_train_every": 200}


def filled(env_id=BOX, n_envs=4, episodes=3, buffer_episodes=3, extra_steps=0):
    """A buffer that has seen whole episodes of random actions, and its environment."""
    env = make_vec_env(env_id, n_envs, seed=0, dataset="diabetes", adversary_config=CHEAP)
    length = env.core.episode_length
    buffer = RelabellingReplayBuffer(
        buffer_episodes * length * n_envs,
        env.observation_space,
        env.action_space,
        device="cpu",
        n_envs=n_envs,
        n_steps=length,
        gamma=1.0,
        link=CoreLink(env.core),
    )
    rng = np.random.default_rng(0)
    obs = env.reset()
    for _ in range(episodes * length + extra_steps):
        if env_id == DISCRETE:
            actions = rng.integers(0, env.action_space.n, n_envs)
        else:
            actions = rng.uniform(-1, 1, (n_envs, *env.action_space.shape)).astype(np.float32)
        new, rewards, dones, infos = env.step(actions)
        following = new.copy()
        for index, info in enumerate(infos):
            following[index] = info.get("terminal_observation", new[index])
        buffer.add(obs, following, actions, rewards, dones, infos)
        obs = new
    return buffer, env


def move_on(env):
    """Train the discriminator once."""
    records = np.random.default_rng(0).random((256, env.core.n_features)).astype(np.float32)
    assert env.core.adversary.observe(records)


@pytest.mark.parametrize("env_id", ENV_IDS)
def test_every_return_is_the_current_score_of_its_record(env_id):
    buffer, env = filled(env_id)
    np.random.seed(0)  # noqa: NPY002 - SB3's buffers draw from the global generator
    before = buffer.sample(200)
    move_on(env)
    np.random.seed(0)  # noqa: NPY002
    after = buffer.sample(200)
    for batch in (before, after):
        assert (batch.dones == 1).all()
        assert (batch.discounts == 1).all()
    assert not np.allclose(before.rewards, after.rewards)
    records = env.core.terminal_records(after.actions.numpy(), after.next_observations.numpy())
    np.testing.assert_allclose(
        after.rewards.numpy()[:, 0], env.core.score(records)[0], rtol=1e-4, atol=1e-5
    )


def test_a_reward_is_scored_again_only_when_the_discriminator_moved(monkeypatch):
    buffer, env = filled()
    calls = []
    score = env.core.score
    monkeypatch.setattr(env.core, "score", lambda u: calls.append(len(u)) or score(u))
    buffer.sample(500)
    assert calls == []
    move_on(env)
    buffer.sample(500)
    assert calls == [12]  # every record once
    buffer.sample(500)
    assert calls == [12]


def test_an_unfinished_episode_bootstraps():
    buffer, _ = filled(episodes=1, extra_steps=4)
    batch = buffer.sample(2000)
    unfinished = batch.dones[:, 0] == 0
    assert unfinished.any()
    assert (batch.rewards[unfinished] == 0).all()
    # Their next observation is the newest one: four features out.
    assert (batch.next_observations[unfinished][:, 11 + 4] == 1).all()


def test_a_full_buffer_never_joins_two_episodes():
    buffer, _ = filled(episodes=5, extra_steps=3)
    assert buffer.full
    batch = buffer.sample(3000)
    finished = batch.dones[:, 0] == 1
    start, end = batch.observations[finished].numpy(), batch.next_observations[finished].numpy()
    position = start[:, 11:22].argmax(axis=1)
    for row_start, row_end, t in zip(start, end, position, strict=True):
        np.testing.assert_array_equal(row_start[:t], row_end[:t])


def test_a_pickled_buffer_leaves_the_core_behind():
    buffer, env = filled()
    twin = pickle.loads(pickle.dumps(buffer))
    assert twin.link.core is None
    assert buffer.link.core is env.core
    assert len(pickle.dumps(CoreLink(env.core))) < 200
    assert twin.sample(32).rewards.isfinite().all()


def test_sb3_trains_on_it_and_the_span_is_the_episode():
    env = make_vec_env(DISCRETE, 8, seed=0, dataset="diabetes", adversary_config=CHEAP)
    model = make_model("dqn", env, seed=0, device="cpu", hyperparams={"batch_size": 64})
    assert isinstance(model.replay_buffer, RelabellingReplayBuffer)
    assert model.replay_buffer.n_steps == 11
    assert model.replay_buffer.gamma == 1.0
    model.learn(8 * 11 * 2)
    assert model._n_updates > 0
