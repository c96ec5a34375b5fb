"""From names to models, wrong hyperparameters, saving and loading."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest
import torch
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.callbacks import BaseCallback

from agents import ALGORITHMS, get_algorithm, load_model, make_model, make_vec_env
from rlsyn_env import ENV_IDS
from rlsyn_env.errors import ConfigError

BOX, DISCRETE, ONE_SHOT = ENV_IDS
CHEAP = {"steps_per_update": 2, "hidden": [16], "co_train_every": 16}
SMALL = {
    "batch_size": 64,
    "gradient_steps": 2,
    "buffer_size": "64 records",
    "n_delta": 2,
    "n_top": 2,
    "n_eval_episodes": 8,
    "policy_kwargs": {"features_extractor_kwargs": {"width": 16}},
}


def small_env(env_id, n_envs=8, **kwargs):
    return make_vec_env(
        env_id, n_envs, seed=0, dataset="diabetes", adversary_config=CHEAP, **kwargs
    )


def small_model(name, env):
    """A model with the preset's rules and small sizes."""
    preset = get_algorithm(name).preset.hyperparams
    hyperparams = {key: value for key, value in SMALL.items() if key in preset}
    if name == "ARS":
        hyperparams.pop("policy_kwargs", None)
    elif preset.get("policy") == "autoregressive" and env.core.mode != "oneshot":
        hyperparams["policy_kwargs"] = {"width": 16, "value_width": 16}
    else:
        hyperparams["policy_kwargs"] = SMALL["policy_kwargs"]
    return make_model(name, env, seed=0, device="cpu", hyperparams=hyperparams)


def sample(model, obs):
    torch.manual_seed(0)
    return model.policy.predict(obs, deterministic=False)[0]


@pytest.mark.slow
@pytest.mark.parametrize("name", ALGORITHMS)
def test_it_trains_saves_and_loads(name, tmp_path):
    algorithm = get_algorithm(name)
    env = small_env(algorithm.default_env_id)
    model = small_model(name, env)
    before = model.policy.parameters_to_vector() if name == "ARS" else None
    model.learn(8 * 11 * 4)
    assert env.core.adversary.updates > 0
    assert np.isfinite(env.core.finished_records).all()
    if name == "ARS":
        assert not np.array_equal(before, model.policy.parameters_to_vector())
    else:
        assert model._n_updates > 0
    if name not in ("DDPG",):  # SB3's DDPG has no such window, but records episodes all the same
        assert len(model.ep_info_buffer) >= 8
    path = tmp_path / "model.zip"
    model.save(path)
    other = small_env(algorithm.default_env_id)
    loaded = load_model(algorithm, path, other, device="cpu")
    obs = other.reset()
    np.testing.assert_array_equal(sample(model, obs), sample(loaded, obs))
    if algorithm.kind == "off-policy":
        assert loaded.replay_buffer.link.core is other.core
    loaded.learn(8 * 11)


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in ALGORITHMS if ONE_SHOT in get_algorithm(n).env_ids])
def test_it_trains_in_the_one_shot_environment(name):
    env = small_env(ONE_SHOT)
    hyperparams = {"ARS": {"n_delta": 2, "n_eval_episodes": 8}}.get(name, {})
    model = make_model(name, env, seed=0, device="cpu", hyperparams=hyperparams)
    model.learn(8 * 4)
    assert model._n_updates > 0
    assert env.core.adversary.updates > 0


def test_a_saved_model_holds_no_core(tmp_path):
    env = small_env(BOX)
    model = small_model("SAC", env)
    model.save(tmp_path / "model.zip")
    with zipfile.ZipFile(tmp_path / "model.zip") as archive:
        data = archive.read("data").decode()
    assert "CoreLink" in data
    assert "Adversary" not in data
    assert "RecordCore" not in data
    plain = SAC.load(tmp_path / "model.zip", device="cpu")  # for prediction alone
    assert plain.replay_buffer.link.core is None
    model.save(io.BytesIO())


def test_schedules_survive_saving(tmp_path):
    env = small_env(DISCRETE)
    model = make_model("ppo", env, hyperparams={"learning_rate": "linear from 1e-2 to 1e-3"})
    model.save(tmp_path / "model.zip")
    loaded = PPO.load(tmp_path / "model.zip", device="cpu")
    assert loaded.lr_schedule(1.0) == pytest.approx(1e-2)
    assert loaded.lr_schedule(0.5) == pytest.approx(5.5e-3)


def test_rules_follow_the_episode():
    model = make_model("ppo", small_env(DISCRETE), device="cpu")
    assert model.n_steps == 11
    assert model.gamma == 1.0
    one_shot = make_model("ppo", small_env(ONE_SHOT), device="cpu")
    assert one_shot.n_steps == 1


def test_presets_and_overrides():
    model = make_model(
        "td3",
        small_env(BOX),
        device="cpu",
        hyperparams={"policy_kwargs": {"net_arch": [8]}, "action_noise": 0.25, "batch_size": 32},
    )
    assert model.batch_size == 32
    assert model.policy.net_arch == [8]
    assert model.policy.entropy_weight > 0  # the rest of the preset's stays
    assert model.action_noise._sigma == pytest.approx(0.25)


def test_sb3s_own_policy_may_be_chosen():
    model = make_model("ppo", small_env(BOX), device="cpu", hyperparams={"policy": "MlpPolicy"})
    assert type(model.policy).__name__ == "ActorCriticPolicy"
    model.learn(8 * 11)


@pytest.mark.parametrize(
    ("name", "hyperparams", "message"),
    [
        ("ppo", {"learning_rat": 1}, "PPO has no hyperparameter 'learning_rat'.*learning_rate"),
        ("ppo", {"env": "x"}, "PPO has no hyperparameter 'env'"),
        ("ppo", {"batch_size": "many"}, "'batch_size' of PPO cannot be 'many'.*whole number"),
        ("ppo", {"n_epochs": 2.5}, "'n_epochs' of PPO cannot be 2.5"),
        ("ppo", {"normalize_advantage": 3}, "'normalize_advantage'.*true or false"),
        ("ppo", {"learning_rate": "fast"}, "linear from X to Y"),
        ("ppo", {"policy_kwargs": {"net_arc": []}}, "no policy_kwargs 'net_arc'"),
        ("ppo", {"policy_kwargs": 3}, "'policy_kwargs' must be a mapping"),
        ("ppo", {"policy_kwargs": {"activation_fn": "mish"}}, "unknown activation_fn 'mish'"),
        ("ppo", {"policy": "NoPolicy"}, "PPO cannot be built.*NoPolicy"),
        ("ppo", {"policy_kwargs": {"widht": 3}}, "'widht'.*width"),
        ("ppo", {"policy_kwargs": {"bins": 1}}, "'bins' must be a whole number"),
        ("ppo", {"policy_kwargs": {"net_arch": [8]}}, "no policy_kwargs 'net_arch'"),
        ("ppo", {"use_sde": True}, "use_sde does not go"),
        ("sac", {"policy": "autoregressive"}, "for PPO, A2C and TRPO"),
        ("trpo", {"sub_sampling_factor": 2}, "sub_sampling_factor must be 1"),
        ("sac", {"policy_kwargs": {"features_extractor_kwargs": {"wide": 3}}}, "'wide'.*width"),
        ("dqn", {"policy_kwargs": {"temperature": 0}}, "temperature must be above 0"),
        ("sac", {"ent_coef": "much"}, "SAC cannot be built"),
        ("ppo", {"n_steps": 0}, "'n_steps' must be at least 1, got 0"),
        ("trpo", {"n_steps": -4}, "'n_steps' must be at least 1"),
        ("ppo", {"n_epochs": 0}, "'n_epochs' must be at least 1"),
        ("a2c", {"n_steps": 0}, "'n_steps' must be at least 1"),
        ("sac", {"train_freq": 0}, "'train_freq' must be at least 1"),
        ("sac", {"train_freq": [0, "step"]}, "'train_freq' must be at least 1"),
        ("ars", {"n_delta": 0}, "'n_delta' must be at least 1"),
        ("ppo", {"gamma": float("nan")}, "'gamma' must be a finite number"),
        ("ppo", {"ent_coef": float("inf")}, "'ent_coef' must be a finite number"),
        ("ppo", {"policy": "MultiInputPolicy"}, "PPO cannot be built"),
        ("ppo", {"policy_kwargs": {"width": -3}}, "'width' must be a whole number from 1 on"),
        ("ppo", {"policy_kwargs": {"value_blocks": -1}}, "'value_blocks' must be a whole number"),
        ("td3", {"action_noise": -1.0}, "action_noise is a standard deviation from 0 on"),
        ("sac", {"n_steps": 2}, "use replay_buffer_kwargs.n_steps"),
        ("sac", {"policy_kwargs": {"share_features_extractor": True}}, "an extractor of its own"),
    ],
)
def test_wrong_hyperparameters_get_one_clear_error(name, hyperparams, message):
    env = small_env(get_algorithm(name).default_env_id, n_envs=2)
    with pytest.raises(ConfigError, match=message):
        make_model(name, env, hyperparams=hyperparams)


def test_bins_of_the_policy_are_those_of_discrete_actions():
    env = small_env(DISCRETE, n_envs=2, bins=12)
    with pytest.raises(ConfigError, match="actions of this environment are 12 bins"):
        make_model("ppo", env, hyperparams={"policy_kwargs": {"bins": 5}})
    assert make_model("ppo", env, hyperparams={"policy_kwargs": {"bins": 12}})


def test_the_advantage_of_one_transition_is_not_normalised():
    env = small_env(ONE_SHOT, n_envs=1)
    with pytest.raises(ConfigError, match="advantage of a single transition"):
        make_model("a2c", env, hyperparams={"n_steps": 1})
    assert make_model("a2c", env, hyperparams={"n_steps": 1, "normalize_advantage": False})


def test_an_action_space_that_does_not_fit_is_refused():
    with pytest.raises(ConfigError, match=r"DQN takes Discrete actions.*RecordDiscrete-v0"):
        make_model("dqn", small_env(BOX))


class Scores(BaseCallback):
    """Counts adversary updates seen while ARS evaluates candidates."""

    def __init__(self):
        super().__init__()
        self.updates = []

    def _on_step(self):
        self.updates.append(self.training_env.unwrapped.core.adversary.updates)
        return True


def test_ars_judges_all_candidates_by_one_discriminator_and_counts_steps_once():
    env = small_env(BOX)
    model = small_model("ARS", env)
    seen = Scores()
    model.learn(1, callback=seen)  # one iteration
    assert set(seen.updates) == {0}
    assert env.core.adversary.updates == 1
    assert env.core.adversary.records_seen == 2 * 2 * 8
    assert model.num_timesteps == 2 * 2 * 8 * 11
    assert env.core.co_train is True


def test_ars_candidates_of_a_direction_share_their_noise():
    env = small_env(BOX)
    model = small_model("ARS", env)
    model.delta_std_schedule = lambda _: (
        0.0
    )  # equal candidates: equal returns, direction by direction
    returns = []
    evaluate = model.evaluate_candidates
    model.evaluate_candidates = lambda *args: returns.append(evaluate(*args)) or returns[-1]
    model.learn(1)
    torch.testing.assert_close(returns[0][:2], returns[0][2:])
    assert returns[0][0] != returns[0][1]
