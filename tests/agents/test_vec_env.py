"""The SB3 face: contract of a VecEnv, seeds, fixed values, masks."""

from __future__ import annotations

import numpy as np
import pytest

from agents import make_vec_env
from rlsyn_env import ENV_IDS
from rlsyn_env.errors import ConfigError, RLSynError
from rlsyn_env.tables.encoder import RecordEncoder
from tests.conftest import make_mixed_table

BOX, DISCRETE, ONE_SHOT = ENV_IDS


def random_actions(env, rng):
    if hasattr(env.action_space, "n"):
        return rng.integers(0, env.action_space.n, env.num_envs)
    return rng.uniform(-1, 1, (env.num_envs, *env.action_space.shape)).astype(np.float32)


def play(env, seed=0):
    """Play one episode: the observations, the last step's result, the number of steps."""
    rng = np.random.default_rng(seed)
    seen = [env.reset()]
    steps = 0
    while True:
        result = env.step(random_actions(env, rng))
        seen.append(result[0])
        steps += 1
        if result[2].any():
            return seen, result, steps


@pytest.mark.parametrize("env_id", ENV_IDS)
def test_an_episode_keeps_the_contract(env_id):
    env = make_vec_env(env_id, 5, seed=3, dataset="diabetes")
    _, (obs, rewards, dones, infos), steps = play(env)
    assert steps == env.core.episode_length
    assert dones.dtype == bool
    assert dones.tolist() == [True] * 5
    assert obs.dtype == np.float32
    assert rewards.shape == (5,)
    assert len({id(info) for info in infos}) == 5
    for index, info in enumerate(infos):
        assert env.observation_space.contains(info["terminal_observation"])
        assert info["episode"]["r"] == pytest.approx(float(rewards[index]))
        assert info["episode"]["l"] == steps
        assert info["reward_terms"]["adversarial"] == pytest.approx(float(rewards[index]))
    if env_id != ONE_SHOT:
        final = np.stack([info["terminal_observation"] for info in infos])
        np.testing.assert_allclose((final[:, :11] + 1) / 2, env.core.finished_records, atol=1e-6)
        assert not final[:, 11:22].any()


def test_steps_share_no_memory():
    env = make_vec_env(BOX, 4, seed=0, dataset="diabetes")
    seen, _, _ = play(env)
    copies = [array.copy() for array in seen]
    play(env)
    for array, copy in zip(seen, copies, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_a_seed_counts_from_the_next_reset_on():
    env = make_vec_env(BOX, 4, dataset="diabetes", co_train=False)
    env.seed(7)
    first = play(env)[0]
    other = play(env)[0]
    env.seed(7)
    again = play(env)[0]
    np.testing.assert_array_equal(np.stack(first), np.stack(again))
    assert not np.array_equal(np.stack(first), np.stack(other))


def test_fixed_values_are_in_every_record():
    encoder = RecordEncoder.fit(make_mixed_table())
    env = make_vec_env(DISCRETE, 6, seed=0, encoder=encoder)
    env.set_options({"fixed": {"sex": "F"}})
    play(env)
    assert set(encoder.decode(env.core.finished_records)["sex"]) == {"F"}
    env.set_options([{"fixed": {"sex": "M"}}] * 3 + [{"fixed": {"sex": "F"}}] * 3)
    play(env)
    decoded = encoder.decode(env.core.finished_records)["sex"].tolist()
    assert decoded == ["M"] * 3 + ["F"] * 3


def test_unknown_reset_options_are_refused():
    env = make_vec_env(ENV_IDS[0], 2, dataset="diabetes")
    env.set_options({"fixd": {"sex": 1}})
    with pytest.raises(RLSynError, match="unknown reset option 'fixd'"):
        env.reset()


def test_masks_are_a_list_of_rows_and_only_discrete_has_them():
    encoder = RecordEncoder.fit(make_mixed_table())
    env = make_vec_env(DISCRETE, 3, encoder=encoder)
    env.reset()
    masks = env.env_method("action_masks")
    assert len(masks) == 3
    assert masks[0].tolist() == [True, True] + [False] * (env.action_space.n - 2)
    assert env.has_attr("action_masks")
    box = make_vec_env(BOX, 3, encoder=encoder)
    assert not box.has_attr("action_masks")
    assert not box.has_attr("no_such_thing")
    with pytest.raises(AttributeError):
        box.get_attr("no_such_thing")


def test_attributes_are_those_of_the_one_core():
    env = make_vec_env(BOX, 3, dataset="diabetes")
    assert env.get_attr("episode_length") == [11, 11, 11]
    env.set_attr("co_train", False)
    assert env.core.co_train is False
    with pytest.raises(ValueError, match="share one core"):
        env.set_attr("co_train", True, indices=[0])
    assert env.env_is_wrapped(object) == [False] * 3


def test_ansi_rendering_shows_the_record_so_far():
    env = make_vec_env(BOX, 2, seed=0, dataset="diabetes", render_mode="ansi")
    env.reset()
    env.step(np.zeros((2, 1), np.float32))
    text = env.render()
    assert "age" in text
    assert text.count(" .") == 10
    assert len(env.env_method("render")) == 2
    assert list(env.get_images()) == [None, None]
    assert make_vec_env(BOX, 2, dataset="diabetes", render_mode="rgb_array").render() is None


def test_impossible_environments_are_refused():
    with pytest.raises(ConfigError, match="n_envs must be at least 1"):
        make_vec_env(BOX, 0, dataset="diabetes")
    with pytest.raises(ConfigError, match="unknown environment"):
        make_vec_env("RLSyn/Nothing-v0", 2, dataset="diabetes")
