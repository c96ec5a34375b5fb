"""The autoregressive policy: densities, sampling, whole episodes, and SB3's algorithms on it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from agents import make_model, make_vec_env
from agents.buffers import EpisodeRolloutBuffer
from agents.policies.autoregressive import AutoregressiveNetwork, AutoregressivePolicy
from agents.policies.autoregressive.distribution import CellDistribution
from agents.policies.autoregressive.forgetting import Forgetting
from agents.policies.autoregressive.network import RunningSum
from rlsyn_env.errors import ConfigError, RLSynError

BOX, DISCRETE = "RLSyn/Record-v0", "RLSyn/RecordDiscrete-v0"


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Numbers, levels, missing values and a column that depends on another."""
    rng = np.random.default_rng(0)
    n = 160
    x = rng.normal(size=n)
    return pd.DataFrame(
        {
            "x": x,
            "near_x": x + 0.1 * rng.normal(size=n),
            "level": np.where(x + 0.3 * rng.normal(size=n) > 0, "high", "low"),
            "count": rng.poisson(2.0, n),
            "gappy": np.where(rng.random(n) < 0.2, np.nan, rng.gamma(2.0, size=n)),
        }
    )


def model_on(table: pd.DataFrame, env_id: str, algo: str = "ppo", n_envs: int = 64, **hyper):
    vec_env = make_vec_env(env_id, n_envs, seed=0, dataset=table)
    settings = {"policy": "autoregressive", "policy_kwargs": {"width": 16, "value_width": 16}}
    return make_model(algo, vec_env, seed=0, device="cpu", hyperparams={**settings, **hyper})


def trained(policy: AutoregressivePolicy) -> AutoregressivePolicy:
    """Weights far from the start, so that every conditional differs."""
    with torch.no_grad():
        for head in (policy.actor.heads, policy.value_network.head):
            for parameter in head.parameters():
                parameter.normal_(std=0.5)
    return policy


def transitions(model, n_episodes: int = 1):
    """Observations, actions, values and log-densities of a rollout, step by step."""
    env, policy = model.env, model.policy
    observations = env.reset()
    steps = []
    for _ in range(n_episodes * env.get_attr("episode_length")[0]):
        with torch.no_grad():
            actions, values, log_prob = policy(torch.as_tensor(observations))
        steps.append((observations, actions, values, log_prob))
        observations = env.step(actions.numpy())[0]
    return steps


@pytest.mark.parametrize("env_id", [BOX, DISCRETE])
def test_untrained_it_emits_uniform_coordinates(table, env_id) -> None:
    model = model_on(table, env_id, n_envs=1500)
    transitions(model)
    records = model.env.get_attr("finished_records")[0]
    assert np.abs(np.sort(records, axis=0).T - np.linspace(0, 1, 1500)).max() < 0.06
    assert np.abs(np.corrcoef(records.T) - np.eye(records.shape[1])).max() < 0.1


@pytest.mark.parametrize("env_id", [BOX, DISCRETE])
@pytest.mark.parametrize("n_codes", [0, 40])  # rare values are counted from 32 features on
def test_the_three_ways_to_evaluate_agree(table, env_id, n_codes) -> None:
    codes = np.random.default_rng(1).random((len(table), n_codes)) < 0.1
    codes = pd.DataFrame(codes.astype(int)).add_prefix("code_")
    model = model_on(pd.concat([table, codes], axis=1), env_id)
    policy = trained(model.policy)
    assert (policy.actor.count is not None) == (n_codes > 0)
    steps = transitions(model)
    records = 2 * torch.as_tensor(model.env.get_attr("finished_records")[0]) - 1
    actions = torch.stack([s[1].reshape(64) for s in steps], dim=1)
    whole_values, whole_log_prob, whole_entropy = policy.evaluate_actions(
        records, actions.reshape(-1, 1)
    )
    for t, (observations, step_actions, values, log_prob) in enumerate(steps):
        obs = torch.as_tensor(observations)
        single = policy.evaluate_actions(obs, step_actions)
        torch.testing.assert_close(single[0], values, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(single[1], log_prob, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(whole_values.reshape(64, -1)[:, t], values[:, 0])
        torch.testing.assert_close(
            whole_log_prob.reshape(64, -1)[:, t], log_prob, atol=1e-4, rtol=1e-4
        )
        torch.testing.assert_close(
            whole_entropy.reshape(64, -1)[:, t], single[2], atol=1e-4, rtol=1e-4
        )
        # Rows at different positions in one batch.
        mixed = torch.cat([obs[:3], torch.as_tensor(steps[0][0])[:3]])
        torch.testing.assert_close(
            policy.predict_values(mixed)[:3], values[:3], atol=1e-4, rtol=1e-4
        )


def test_a_feature_depends_on_earlier_ones_only(table) -> None:
    policy = trained(model_on(table, BOX).policy)
    records = torch.rand(8, policy.d)
    changed = records.clone()
    changed[:, 2] = 1 - changed[:, 2]
    with torch.no_grad():
        heads = policy.actor.heads
        first = heads.padded(policy.actor.logits(records, policy.actor.bins(records)))
        second = heads.padded(policy.actor.logits(changed, policy.actor.bins(changed)))
    same = (first - second).abs().amax(dim=(0, 2)) < 1e-5
    assert same.tolist() == [True, True, True, False, False]


def test_log_densities_integrate_to_one_and_match_sampling() -> None:
    edges = torch.tensor([0.0, 0.1, 0.5, 1.0, 1.0])
    start = torch.tensor([0.1, 0.4, 0.5, 0.0]).log().clamp(min=-1e9)
    logits = torch.tensor([[0.3, -1.0, 0.7, -1e9]])
    grid = torch.linspace(-1, 1, 20001)[:-1] + 5e-5
    one = CellDistribution(logits.expand(len(grid), -1), edges, start, discrete=False)
    assert float(one.log_prob(grid).exp().mean() * 2) == pytest.approx(1, abs=1e-3)
    many = CellDistribution(logits.expand(40000, -1), edges, start, discrete=False)
    torch.manual_seed(0)
    sampled = torch.bucketize((many.sample() + 1) / 2, edges[1:-1], right=True)
    shares = torch.bincount(sampled, minlength=4) / 40000
    torch.testing.assert_close(shares, logits.softmax(-1)[0], atol=0.01, rtol=0)
    assert float(many.quantile(torch.zeros(40000))[0]) == pytest.approx(-1, abs=1e-5)
    density_start = CellDistribution(start[None], edges, start, discrete=False)
    assert float(density_start.entropy()) == pytest.approx(0, abs=1e-6)
    assert float(one.entropy()[0]) < 0
    assert float(many.mode()[0]) == pytest.approx(2 * 0.05 - 1, abs=1e-6)


def test_sampled_coordinates_stay_in_their_bins_in_float32() -> None:
    edges = torch.linspace(0, 1, 98)
    k = torch.arange(97).repeat(500)
    logits = torch.full((len(k), 97), -1e9).scatter_(1, k[:, None], 0.0)
    start = (edges[1:] - edges[:-1]).log()
    distribution = CellDistribution(logits, edges, start, discrete=False)
    seen = ((distribution.sample() + 1) / 2).numpy().astype(np.float32)
    found = np.searchsorted(edges.numpy()[1:-1], seen, side="right")
    assert (found == k.numpy()).all()
    for level in (0.0, 1.0):
        seen = (distribution.quantile(torch.full((len(k),), level)) + 1) / 2
        found = np.searchsorted(edges.numpy()[1:-1], seen.numpy(), side="right")
        assert (found == k.numpy()).all()


@pytest.mark.parametrize("highest", [1.0, float(np.nextafter(np.float32(1), np.float32(0)))])
def test_actions_at_the_upper_end_are_in_the_last_bin_that_exists(table, highest) -> None:
    model = model_on(table, BOX)
    policy = trained(model.policy)
    d = policy.d
    values = {}
    for action in (highest, 0.9999):
        records = torch.full((1, d), action)
        steps = torch.zeros(d, 2 * d + 1)
        for t in range(d):
            steps[t, :t] = records[0, :t]
            steps[t, d + t] = 1
        with torch.no_grad():
            _, whole, _ = policy.evaluate_actions(steps, records.reshape(-1, 1))
            singly = [
                policy.evaluate_actions(steps[t : t + 1], records[:, t].reshape(-1, 1))[1]
                for t in range(d)
            ]
        assert whole.numpy() == pytest.approx(torch.cat(singly).numpy(), abs=1e-4)
        values[action] = whole.numpy()
    assert values[highest] == pytest.approx(values[0.9999], abs=0.1)


def test_weights_that_are_no_numbers_are_not_taken_for_the_first_bin(table) -> None:
    model = model_on(table, DISCRETE)
    with torch.no_grad():
        for weights in model.policy.actor.heads.parameters():
            weights.fill_(torch.nan)
    with pytest.raises(RLSynError, match="the policy has diverged"):
        model.policy.predict(model.env.reset())


@pytest.mark.filterwarnings("ignore:You have specified a mini-batch size")
def test_a_batch_may_be_one_transition(table) -> None:
    model = model_on(table[["x"]], BOX, n_envs=129, n_steps=1, batch_size=128)
    model.learn(2 * 129)
    assert model.num_timesteps == 2 * 129


def test_deterministic_prediction_generates_from_the_noise(table) -> None:
    model = model_on(table, BOX)
    observations = model.env.reset()
    first, _ = model.predict(observations, deterministic=True)
    again, _ = model.predict(observations, deterministic=True)
    assert (first == again).all()
    assert len(np.unique(first)) == 64


def test_an_impossible_bin_is_never_drawn(table) -> None:
    model = model_on(table, DISCRETE)
    n_bins = model.env.get_attr("codec")[0].n_bins
    for t, (_, actions, _, _) in enumerate(transitions(model)):
        assert int(actions.max()) < n_bins[t]


@pytest.mark.parametrize("env_id", [BOX, DISCRETE])
@pytest.mark.parametrize("algo", ["ppo", "a2c", "trpo"])
def test_algorithms_learn_a_dependence(table, algo, env_id, monkeypatch) -> None:
    vec_env = make_vec_env(env_id, 128, seed=0, dataset=table, co_train=False)
    # A known reward: the second feature should be near the first one.
    monkeypatch.setattr(
        vec_env.core, "score", lambda records: (-8 * np.abs(records[:, 0] - records[:, 1]), {})
    )
    rates = {"ppo": 1e-2, "a2c": 1e-2, "trpo": 3e-3}
    model = make_model(
        algo, vec_env, seed=0, device="cpu",
        hyperparams={
            "policy": "autoregressive", "policy_kwargs": {"width": 24, "value_width": 16},
            "learning_rate": rates[algo],
            **({"target_kl": 0.3} if algo == "trpo" else {"ent_coef": 0.0}),
        },
    )  # fmt: skip
    model.learn(128 * vec_env.core.episode_length * (20 if algo == "a2c" else 8))
    vec_env.seed(1)
    transitions(model)
    records = vec_env.core.finished_records
    assert np.abs(records[:, 0] - records[:, 1]).mean() < 0.2  # 1/3 untrained


def test_a_prefix_that_changed_is_read_again(table) -> None:
    model = model_on(table, BOX)
    policy = trained(model.policy)
    steps = transitions(model)
    obs = torch.as_tensor(steps[3][0])
    policy.predict_values(torch.as_tensor(steps[2][0]))  # leaves a prefix of length 2 behind
    other = obs.flip(0)
    torch.testing.assert_close(
        policy.predict_values(other), policy.predict_values(obs).flip(0), atol=1e-5, rtol=1e-5
    )


def test_new_weights_are_seen_in_the_middle_of_a_record(table) -> None:
    model = model_on(table, BOX)
    policy = trained(model.policy)
    obs = torch.as_tensor(transitions(model)[3][0])
    before = policy.predict_values(obs)
    with torch.no_grad():
        policy.value_network.level.weight.mul_(2.0)
    prefix_now = policy.predict_values(obs)
    singly = policy.value_network.values_at(*policy._split(obs))
    assert not torch.equal(before, prefix_now)
    torch.testing.assert_close(prefix_now[:, 0], singly, atol=1e-4, rtol=1e-4)


def test_predict_reads_every_feature_once(table, monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_on(table, BOX)
    extend, calls = RunningSum.extend, []
    monkeypatch.setattr(RunningSum, "extend", lambda *given: calls.append(1) or extend(*given))
    observations = model.env.reset()
    for _ in range(5):
        actions, _ = model.predict(observations)
        observations = model.env.step(actions)[0]
    assert len(calls) == 4


def test_the_average_generates_only_once_it_is_kept(table) -> None:
    policy = trained(model_on(table, BOX).policy)
    with policy.generating():
        assert policy._network is policy.actor
    policy.move_average(0.5)
    with policy.generating():
        assert policy._network is policy.average
    assert policy._network is policy.actor


def test_the_buffer_needs_whole_episodes(table) -> None:
    with pytest.raises(ConfigError, match="multiple of 5"):
        model_on(table, BOX, n_steps=7)
    model = model_on(table, BOX)
    model.env.reset()
    buffer: EpisodeRolloutBuffer = model.rollout_buffer
    observations = model.env.step(np.zeros((64, 1), np.float32))[0]
    with pytest.raises(ConfigError, match="first feature"):
        buffer.add(
            observations, np.zeros((64, 1)), np.zeros(64), np.zeros(64),
            torch.zeros(64), torch.zeros(64),
        )  # fmt: skip


def test_the_buffer_gives_sb3s_advantages_and_o_of_d_memory(table) -> None:
    from stable_baselines3.common.buffers import RolloutBuffer

    model = model_on(table, BOX, n_steps=10)
    d = model.policy.d
    ours: EpisodeRolloutBuffer = model.rollout_buffer
    theirs = RolloutBuffer(
        10, model.observation_space, model.action_space, gae_lambda=0.9, gamma=0.97, n_envs=64
    )
    ours.gamma, ours.gae_lambda = 0.97, 0.9
    rng = np.random.default_rng(0)
    for t, (observations, actions, values, log_prob) in enumerate(transitions(model, 2)):
        reward = rng.normal(size=64) * ((t + 1) % d == 0)
        start = np.full(64, t % d == 0)
        for buffer in (ours, theirs):
            buffer.add(observations, actions.numpy(), reward, start, values[:, 0], log_prob)
    for buffer in (ours, theirs):
        buffer.compute_returns_and_advantage(torch.zeros(64), np.ones(64, dtype=bool))
    np.testing.assert_allclose(ours.advantages, theirs.advantages, atol=1e-4)
    np.testing.assert_allclose(ours.returns, theirs.returns, atol=1e-4)
    last = model.env.get_attr("finished_records")[0]
    np.testing.assert_allclose((ours.records[1] + 1) / 2, last, atol=1e-6)
    batch = next(ours.get(3 * d))
    assert batch.observations.shape == (3, d)
    assert batch.actions.shape == (3 * d, 1)
    # Every transition is the one of its record: the action is the record's value there.
    np.testing.assert_allclose(batch.actions.reshape(3, d), batch.observations, atol=1e-6)
    assert sum(len(b.observations) for b in ours.get(7 * d)) == 128
    assert ours.records.size == 128 * d


def test_a_part_of_the_reward_is_credited_to_the_feature_that_settled_it(table) -> None:
    model = model_on(table, BOX)
    d = model.policy.d
    steps = list(transitions(model, 1))
    paid = np.zeros((d, 64), dtype=np.float32)
    paid[-1] = np.random.default_rng(0).normal(size=64)
    found = []
    for penalty in (0.0, -4.0):
        buffer = model.rollout_buffer
        buffer.reset()
        paid[2, :5] = penalty
        for t, (observations, actions, values, log_prob) in enumerate(steps):
            start = np.full(64, t == 0)
            buffer.add(observations, actions.numpy(), paid[t], start, values[:, 0], log_prob)
        buffer.compute_returns_and_advantage(torch.zeros(64), np.ones(64, dtype=bool))
        found.append((buffer.advantages.copy(), buffer.returns.copy()))
    (without, returns), (with_penalty, same_returns) = found
    expected = np.zeros((d, 64))
    expected[2, :5] = -4.0
    np.testing.assert_allclose(with_penalty - without, expected, atol=1e-5)
    np.testing.assert_array_equal(returns, same_returns)


def test_bins_must_fit_the_observations(table) -> None:
    model = model_on(table, BOX)
    with pytest.raises(ConfigError, match="do not fit"):
        AutoregressivePolicy(
            model.observation_space,
            model.action_space,
            lambda _: 1e-3,
            bin_edges=np.linspace(0, 1, 4)[None].repeat(3, axis=0),
        )


def test_a_saved_model_loads_with_its_average(table, tmp_path) -> None:
    model = model_on(table, BOX)
    trained(model.policy).move_average(1.0)
    model.save(tmp_path / "agent")
    loaded = type(model).load(tmp_path / "agent", env=model.env, device="cpu")
    assert bool(loaded.policy.averaged)
    for name, value in model.policy.state_dict().items():
        assert torch.equal(value, loaded.policy.state_dict()[name]), name


def network_and_records(d: int) -> tuple[AutoregressiveNetwork, torch.Tensor]:
    """A network of d features with five bins each, far from its start, and records for it."""
    network = AutoregressiveNetwork(np.linspace(0, 1, 6)[None].repeat(d, axis=0), width=16)
    torch.nn.init.normal_(network.heads.weight)
    return network, torch.rand(32, d)


def test_dropout_acts_only_where_it_is_asked_for() -> None:
    network, records = network_and_records(4)
    bins = network.bins(records)
    plain = network.logits(records, bins).others
    torch.testing.assert_close(plain, network.logits(records, bins).others)
    assert not torch.equal(network.logits(records, bins, dropout=0.5).others, plain)
    half = torch.full((network.d,), 0.5)
    nothing = Forgetting(0 * half)
    assert not torch.equal(network.logits(records, bins, forgetting=Forgetting(half)).others, plain)
    assert torch.equal(network.logits(records, bins, forgetting=nothing).others, plain)


def test_a_sharp_position_sees_what_others_see_and_more() -> None:
    network, records = network_and_records(5)
    bins = network.bins(records)
    plain = network.logits(records, bins).others
    shares = torch.full((network.d,), 0.7)
    seen = network.logits(records, bins, forgetting=Forgetting(shares, [0, 3], 0.0)).others
    same = [torch.allclose(seen[:, t], plain[:, t], atol=1e-5) for t in range(network.d)]
    assert same == [True, False, False, True, False]
    ones = torch.ones(4000, 5, 1)
    forgotten = Forgetting(shares, [4], 0.5).sums(ones)[:, :, 0]
    torch.testing.assert_close(forgotten.mean(dim=0), torch.arange(5.0), atol=0.2, rtol=0)
    assert forgotten[:, 4].var() < 0.4 * forgotten[:, 3].var()
