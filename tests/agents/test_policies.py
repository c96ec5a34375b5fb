"""Untrained policies emit the marginals; masks, temperature and extractors."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from gymnasium import spaces
from scipy.stats import kstest

from agents import ALGORITHMS, get_algorithm, make_model, make_vec_env
from agents.policies.action_embedding import ActionEmbedding
from agents.policies.extractors import (
    PrefixExtractor,
    RecordExtractor,
    extractor_kwargs,
    log_bin_widths,
)
from rlsyn_env import ENV_IDS
from rlsyn_env.tables.encoder import RecordEncoder
from tests.conftest import make_mixed_table

BOX, DISCRETE, ONE_SHOT = ENV_IDS
ENCODER = RecordEncoder.fit(make_mixed_table())


def emit(model, env, masked=False):
    """Sample one record from every environment, ``(n, d)``."""
    obs, state = env.reset(), None
    start = np.ones(env.num_envs, dtype=bool)
    for _ in range(env.core.episode_length):
        extra = {"action_masks": env.core.action_masks()} if masked else {}
        actions, state = model.policy.predict(
            obs, state=state, episode_start=start, deterministic=False, **extra
        )
        start = np.zeros(env.num_envs, dtype=bool)
        obs, _, dones, _ = env.step(actions)
    assert dones.all()
    return env.core.finished_records


def build(name, env_id, n_envs=1500, **hyperparams):
    env = make_vec_env(env_id, n_envs, seed=1, encoder=ENCODER)
    model = make_model(name, env, seed=0, device="cpu", hyperparams=hyperparams)
    return model, env


def worst_ks(records):
    return max(kstest(column, "uniform").statistic for column in records.T)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_an_untrained_model_emits_independent_marginals(name):
    model, env = build(name, get_algorithm(name).default_env_id)
    records = emit(model, env, masked=name == "MaskablePPO")
    # 1,500 uniform draws stay below 0.05 in each of ten columns; exploration noise adds a little.
    assert worst_ks(records) < 0.08
    correlation = np.corrcoef(records.T) - np.eye(records.shape[1])
    assert np.abs(correlation).max() < 0.12
    assert len(np.unique(records.round(6), axis=0)) == len(records)


@pytest.mark.parametrize(
    ("name", "env_id"),
    [("ppo", BOX), ("recurrentppo", BOX), ("ars", DISCRETE), ("td3", ONE_SHOT), ("ppo", ONE_SHOT),
     ("ars", ONE_SHOT)],
)  # fmt: skip
def test_so_do_they_in_the_other_environments(name, env_id):
    model, env = build(name, env_id)
    assert worst_ks(emit(model, env)) < 0.08


@pytest.mark.parametrize("name", ["recurrentppo", "sac", "td3", "crossq"])
def test_a_net_arch_of_the_users_keeps_the_start(name):
    env_id = get_algorithm(name).default_env_id
    model, env = build(name, env_id, policy_kwargs={"net_arch": [16, 16], "activation_fn": "relu"})
    assert worst_ks(emit(model, env)) < 0.08


def test_targets_start_equal_to_their_networks():
    model, _ = build("td3", BOX, n_envs=4)
    pairs = [
        (model.actor, model.actor_target),
        (model.critic, model.critic_target),
    ]
    for network, target in pairs:
        for a, b in zip(network.parameters(), target.parameters(), strict=True):
            assert torch.equal(a, b)


def test_ars_starts_from_the_policy_it_was_given():
    model, _ = build("ars", BOX, n_envs=4)
    assert model.weights.sum() == ENCODER.n_features
    np.testing.assert_array_equal(model.weights, model.policy.parameters_to_vector())


def test_masked_actions_are_never_drawn():
    model, env = build("maskableppo", DISCRETE, n_envs=64)
    obs = env.reset()
    for _ in range(env.core.episode_length):
        masks = env.core.action_masks()
        # Push the logits towards bins that do not exist: only the mask can keep them out.
        model.policy.action_net.bias.data.copy_(torch.where(torch.as_tensor(masks[0]), 0.0, 50.0))
        actions, _ = model.predict(obs, action_masks=masks)
        assert masks[np.arange(64), actions].all()
        obs, *_ = env.step(actions)


def test_value_learners_draw_by_width_times_exponential_of_q():
    model, env = build("dqn", DISCRETE, n_envs=4000, policy_kwargs={"temperature": 0.5})
    first = ENCODER.features[0]
    assert first.n_cells == 2
    q = torch.zeros(env.action_space.n)
    q[1] = 1.0
    layer = model.q_net.q_net[-1]
    layer.weight.data.zero_()
    layer.bias.data.copy_(q)
    actions, _ = model.policy.predict(env.reset(), deterministic=False)
    width = np.diff(first.edges)
    expected = width[1] * np.exp(2.0) / (width[0] + width[1] * np.exp(2.0))
    assert (actions == 1).mean() == pytest.approx(expected, abs=0.03)
    greedy, _ = model.policy.predict(env.reset(), deterministic=True)
    assert set(greedy) == {1}


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_copied_policy_acts_alike(name):
    env_id = get_algorithm(name).default_env_id
    model, env = build(name, env_id, n_envs=8)
    obs = env.reset()
    twin = copy.deepcopy(model.policy)
    actions = []
    for policy in (model.policy, twin):
        torch.manual_seed(0)
        actions.append(policy.predict(obs, deterministic=False)[0])
    np.testing.assert_array_equal(*actions)


def test_the_extractor_sees_what_was_emitted_and_nothing_else():
    env = make_vec_env(DISCRETE, 6, seed=0, encoder=ENCODER)
    d = env.core.n_features
    extractor = RecordExtractor(
        env.observation_space, bin_edges=env.core.codec.edges, use_noise=False
    )
    obs = torch.zeros(2, 2 * d + 1)
    obs[:, d + 2] = 1  # two features are out
    obs[1, -1] = 0.7  # another noise number
    obs[1, 4:d] = 0.3  # junk where nothing has been emitted changes only the linear part
    extractor.values.weight.data.zero_()
    features = extractor(obs)
    assert torch.equal(features[0], features[1])
    obs[1, 1] = 0.99
    assert not torch.equal(*extractor(obs))


def test_both_ways_to_sum_embeddings_agree():
    env = make_vec_env(DISCRETE, 6, seed=0, encoder=ENCODER)
    edges = env.core.codec.edges
    torch.manual_seed(0)
    bag = RecordExtractor(env.observation_space, bin_edges=edges)
    product = RecordExtractor(env.observation_space, bin_edges=edges, twice_differentiable=True)
    product.load_state_dict(bag.state_dict())
    obs = env.reset()
    for _ in range(env.core.episode_length):
        tensor = torch.as_tensor(obs)
        torch.testing.assert_close(bag(tensor), product(tensor))
        obs, *_ = env.step(np.full(6, 1))


def test_the_prefix_extractor_gates_by_position():
    env = make_vec_env(BOX, 3, seed=0, encoder=ENCODER)
    nominal = np.array([not feature.ordered for feature in ENCODER.features])
    extractor = PrefixExtractor(
        env.observation_space, extractor_kwargs(env.core)["bin_edges"], nominal
    )
    first = extractor(torch.as_tensor(env.reset()))
    assert (first != 0).sum(dim=1).tolist() == [2, 2, 2]  # the constant and the noise
    obs, *_ = env.step(np.zeros((3, 1), np.float32))
    second = extractor(torch.as_tensor(obs))
    # The first feature, sex, is nominal: its level, and its level times the noise.
    assert (second != 0).sum(dim=1).tolist() == [4, 4, 4]


def test_the_prefix_extractor_keeps_to_its_limit():
    env = make_vec_env(BOX, 3, seed=0, encoder=ENCODER)
    edges = extractor_kwargs(env.core)["bin_edges"]
    d = env.core.n_features
    ordered = np.zeros(d, dtype=bool)
    whole = PrefixExtractor(env.observation_space, edges, ordered)
    assert whole.features_dim == d * (d - 1) // 2 + 2 * d
    cut = PrefixExtractor(env.observation_space, edges, ordered, max_columns=2 * d)
    assert cut.features_dim == (d - 1) + (d - 2) + 2 * d  # the two features before each
    assert cut(torch.as_tensor(env.reset())).shape == (3, cut.features_dim)
    none = PrefixExtractor(env.observation_space, edges, ordered, max_columns=0)
    assert none.features_dim == 2 * d


@pytest.mark.parametrize("extractor", [RecordExtractor, PrefixExtractor])
def test_a_coordinate_of_one_is_in_the_last_bin_that_exists(extractor):
    edges = np.array([[0.0, 0.4, 1.0, 1.0], [0.0, 0.2, 0.6, 1.0], [0.0, 0.5, 1.0, 1.0]])
    space = spaces.Box(-1.0, 1.0, (7,), np.float32)
    nominal = {"nominal": np.array([True, True, False])} if extractor is PrefixExtractor else {}
    module = extractor(space, bin_edges=edges, **nominal)
    at_one = torch.tensor([[1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.3]])
    below = at_one.clone()
    below[:, :2] = 0.999
    np.testing.assert_allclose(module(at_one).detach(), module(below).detach(), rtol=0, atol=0.02)


def test_log_widths_are_those_of_the_bins():
    widths = log_bin_widths(np.array([[0, 0.25, 1, 1]], dtype=np.float32))
    np.testing.assert_allclose(widths[0, :2], np.log([0.25, 0.75]), rtol=1e-6)
    assert widths[0, 2] == -20


def test_the_entropy_term_pulls_an_actor_back_to_the_noise():
    env = make_vec_env(BOX, 256, seed=0, encoder=ENCODER)
    actor = make_model("td3", env, device="cpu").actor
    assert actor.entropy_weight > 0
    obs = torch.as_tensor(env.reset())
    layer = actor.mu[-2]
    column = actor.features_extractor.atanh_noise_columns[0]
    with torch.no_grad():
        layer.weight[0, column] = 0.3  # an actor that half ignores the noise
    quiet = actor(obs.clone())
    actor.train()
    heard = actor(obs.clone())
    torch.testing.assert_close(quiet, heard)  # the value is untouched
    (0 * heard).sum().backward()
    assert layer.weight.grad[0, column] < 0  # descent raises the slope
    actor.zero_grad()
    actor.eval()
    (0 * actor(obs)).sum().backward()
    assert layer.weight.grad[0, column] == 0


def test_the_entropy_gradient_is_that_of_log_slope():
    env = make_vec_env(BOX, 64, seed=0, encoder=ENCODER)
    actor = make_model("td3", env, device="cpu").actor.train()
    obs = torch.as_tensor(env.reset())
    obs[:, -1].clamp_(-0.9, 0.9)  # away from where atanh is cut off
    bias = actor.mu[-2].bias

    def entropy():
        step = 2e-3
        with torch.no_grad():
            up, down = obs.clone(), obs.clone()
            up[:, -1] += step
            down[:, -1] -= step
            slope = (actor(up) - actor(down)) / (2 * step)
            return (slope.abs() + 1e-3).log().mean().item()

    (0 * actor(obs)).sum().backward()
    with torch.no_grad():
        bias += 1e-2
        above = entropy()
        bias -= 2e-2
        below = entropy()
    expected = -actor.entropy_weight * (above - below) / 2e-2
    assert bias.grad.item() == pytest.approx(expected, rel=0.05, abs=2e-4)


def test_a_critic_values_actions_by_position():
    embedding = ActionEmbedding(d=3, width=4, knots=5)
    x = torch.zeros(4, 4 + 3 + 1)
    x[:, :4] = 1.0
    x[:, 4] = 1.0
    x[1, 4:6] = torch.tensor([0.0, 1.0])  # another feature, same action
    x[2, -1] = 0.5  # another action, on a knot
    x[3, -1] = 0.25  # halfway between the knots at 0 and 0.5
    out = embedding(x)
    assert torch.equal(out[:, 4:], x[:, 4:])
    assert not torch.allclose(out[0, :4], out[1, :4])
    torch.testing.assert_close(out[3, :4], (out[0, :4] + out[2, :4]) / 2)


def test_critics_do_not_see_the_noise():
    for name in ("td3", "sac", "tqc", "crossq"):
        model, env = build(name, BOX, n_envs=4)
        obs = torch.as_tensor(env.reset())
        other = obs.clone()
        other[:, -1] = -obs[:, -1]
        model.policy.set_training_mode(False)
        action = torch.zeros(4, 1)
        for a, b in zip(model.critic(obs, action), model.critic(other, action), strict=True):
            assert torch.equal(a, b)


@pytest.mark.parametrize("name", ["ppo", "maskableppo"])
def test_the_entropy_of_bins_is_highest_at_the_marginals(name):
    policy = {"policy": "generic"} if name == "ppo" else {}
    model, env = build(name, DISCRETE, n_envs=32, **policy)
    obs = torch.as_tensor(env.reset())
    actions = torch.zeros(32, dtype=torch.long)
    entropy = model.policy.evaluate_actions(obs, actions)[2]
    # The start is nearly the bins' own widths: a uniform density on [0, 1], of entropy 0.
    assert entropy.abs().max() < 0.01
    model.policy.action_net.bias.data[0] += 1.0
    assert (model.policy.evaluate_actions(obs, actions)[2] < -0.05).all()


def test_over_box_an_entropy_bonus_is_that_of_the_gaussian():
    model, env = build("ppo", BOX, n_envs=4, policy="generic", policy_kwargs={"log_std_init": -2.0})
    _, _, entropy = model.policy.evaluate_actions(torch.as_tensor(env.reset()), torch.zeros(4, 1))
    assert entropy[0].item() == pytest.approx(0.5 * np.log(2 * np.pi * np.e) - 2.0, abs=1e-4)
