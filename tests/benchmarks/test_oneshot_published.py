"""The published one-shot method: the same densities as the plain loop, the published encoding."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from gymnasium import spaces

PEERS = Path(__file__).resolve().parents[2] / "benchmarks" / "field" / "peers"
IS_BIT = np.array([False, True, False, True, True])


@pytest.fixture
def peer(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """The peer's modules, importable as its own program imports them."""
    names = ("published_policy", "unit_encoder", "one_shot", "plain_loop", "run")
    monkeypatch.syspath_prepend(str(PEERS / "shared"))
    monkeypatch.syspath_prepend(str(PEERS / "oneshot_published"))
    for name in names:
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield SimpleNamespace(**{name: import_module(name) for name in names})
    for name in names:
        monkeypatch.delitem(sys.modules, name, raising=False)


def test_policy_has_the_densities_and_values_of_the_plain_loop(peer: SimpleNamespace) -> None:
    torch.manual_seed(0)
    noise_space = spaces.Box(-np.inf, np.inf, (112,), np.float32)
    policy = peer.published_policy.PublishedPolicy(
        noise_space, spaces.Box(-1, 1, (5,), np.float32), lambda _: 2e-4, is_bit=IS_BIT
    )
    plain = peer.plain_loop.Policy(2, 3)
    bit = torch.as_tensor(IS_BIT)
    with torch.no_grad():
        plain.core.load_state_dict(policy.features_extractor.layers.state_dict())
        policy.log_std.copy_(torch.linspace(-1, 1, 5))
        for layer, rows in ((plain.mean, ~bit), (plain.logits, bit)):
            layer.weight.copy_(policy.action_net.weight[rows])
            layer.bias.copy_(policy.action_net.bias[rows])
        plain.log_scale.copy_(policy.log_std[~bit])
        plain.value.load_state_dict(policy.value_net.state_dict())
        noise = torch.randn(64, 112)
        actions, values, log_prob = policy(noise)
        records = (actions + 1) / 2
        rows = torch.cat([records[:, ~bit], records[:, bit]], dim=1)
        plain_log_prob, plain_values = plain.evaluate(noise, rows)
        evaluated_values, evaluated, entropy = policy.evaluate_actions(noise, actions)
    assert set(records[:, bit].unique().tolist()) == {0.0, 1.0}
    assert entropy is None
    torch.testing.assert_close(log_prob, plain_log_prob, atol=1e-3, rtol=1e-4)
    torch.testing.assert_close(evaluated, log_prob, atol=1e-3, rtol=1e-4)
    torch.testing.assert_close(values.squeeze(1), plain_values)
    torch.testing.assert_close(evaluated_values, values)


@pytest.mark.parametrize("mean", [-60.0, 60.0])
def test_saturated_numbers_have_an_exact_density_and_no_gradient(
    peer: SimpleNamespace, mean: float
) -> None:
    torch.manual_seed(0)
    numbers_only = np.array([False, False])
    distribution = peer.published_policy.TanhGaussianBernoulli(numbers_only)
    means = torch.full((64, 2), mean, requires_grad=True)
    distribution.proba_distribution(means, torch.zeros(2))
    actions = distribution.sample()
    before = distribution.sampled[1]
    # log N(x) - log(1 - tanh(x)^2), the latter 2 log 2 - 2 |x| this far out
    exact = -((before - mean) ** 2) / 2 - np.log(2 * np.pi) / 2 - 2 * np.log(2) + 2 * before.abs()
    old = distribution.log_prob(actions).detach()
    torch.testing.assert_close(old, exact.sum(dim=1), atol=1e-3, rtol=1e-5)
    stored = actions.clone()  # what the rollout buffer gives back
    ratio = (distribution.log_prob(stored) - old).exp()
    advantage = torch.linspace(-2, 2, 64)
    torch.minimum(ratio * advantage, ratio.clamp(0.9, 1.1) * advantage).mean().backward()
    assert means.grad is not None
    assert means.grad.abs().max() == 0


def test_adversary_sees_the_matrix_itself_and_learns_from_it(peer: SimpleNamespace) -> None:
    rng = np.random.default_rng(0)
    matrix = rng.random((200, 5), dtype=np.float32)
    matrix[:, IS_BIT] = matrix[:, IS_BIT] > 0.5
    adversary = peer.unit_encoder.published_adversary(matrix, IS_BIT, seed=0)
    encoder = adversary.encoder
    table = pd.DataFrame(matrix, columns=list(encoder.feature_names))
    np.testing.assert_array_equal(encoder.encode(table, rng), matrix)
    decoded = encoder.decode(matrix).to_numpy()
    np.testing.assert_array_equal(decoded.astype(np.float32), matrix)
    features = adversary.build_features()
    assert features.n_features == 5
    seen = torch.from_numpy(matrix)
    assert torch.equal(features(seen), seen)
    (group,) = adversary.build_optimizer(torch.nn.Linear(5, 1)).param_groups
    assert (group["lr"], group["betas"]) == (5e-5, (0.9, 0.999))
    fakes = np.zeros((384, 5), dtype=np.float32)
    for _ in range(100):
        assert adversary.observe(fakes)
    assert adversary.logits(matrix).mean() > adversary.logits(fakes).mean()


def test_settled_levels_have_one_bit_and_keep_what_was_decided(peer: SimpleNamespace) -> None:
    real = np.array([[1, 0, 0]] * 7 + [[0, 1, 0]] * 2 + [[0, 0, 1]], dtype=np.float32)
    records = SimpleNamespace(blocks=[("ward", 0, 3)], matrix=real)
    decided = np.eye(3, dtype=np.float32)
    undecided = np.zeros((4000, 3), dtype=np.float32)
    both = np.tile(np.array([0, 1, 1], dtype=np.float32), (3000, 1))
    rows = np.vstack([decided, undecided, both])
    settled = peer.run.settle_levels(rows, records, np.random.default_rng(0))
    assert (settled.sum(axis=1) == 1).all()
    np.testing.assert_array_equal(settled[:3], decided)
    np.testing.assert_allclose(settled[3:4003].mean(axis=0), [0.7, 0.2, 0.1], atol=0.03)
    np.testing.assert_allclose(settled[4003:].mean(axis=0), [0, 2 / 3, 1 / 3], atol=0.03)
