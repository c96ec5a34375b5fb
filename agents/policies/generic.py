"""Policies that start from the marginals, one for every algorithm family.

Independent uniform coordinates already have the right marginals (the encoding is a probability
integral transform), so an untrained policy here emits nearly those, and learning is about
dependence alone:

- over bins, the initial logits are the log widths of the feature's bins;
- over ``Box``, the initial action is the noise number of the observation (plus the algorithm's own
  small exploration noise): inverse-CDF sampling with the identity as its first guess;
- for value learners, the behaviour is bin widths times the exponential of Q / temperature, with Q
  near 0 at first.

Every actor's last layer sees the extractor's columns beside the output of ``net_arch`` (a skip
connection), so any ``net_arch`` keeps the start. ``net_arch`` is empty by default: the extractor
has two hidden layers of its own.
"""

from __future__ import annotations

from typing import Any

import torch
from gymnasium import spaces
from sb3_contrib.common.maskable.policies import MaskableActorCriticPolicy
from sb3_contrib.common.recurrent.policies import RecurrentActorCriticPolicy
from sb3_contrib.crossq.policies import CrossQPolicy
from sb3_contrib.qrdqn.policies import QRDQNPolicy, QuantileNetwork
from sb3_contrib.tqc.policies import TQCPolicy
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor, MlpExtractor
from stable_baselines3.common.type_aliases import PyTorchObs, Schedule
from stable_baselines3.dqn.policies import DQNPolicy, QNetwork
from stable_baselines3.sac.policies import SACPolicy
from stable_baselines3.td3.policies import TD3Policy
from torch import nn

from agents.policies.action_embedding import embed_actions
from agents.policies.bin_distributions import BinDistribution, MaskableBinDistribution
from agents.policies.extractors import RecordExtractor, log_bin_widths
from agents.policies.noise_actor import NoiseDrivenActor
from agents.policies.starts import (
    SMALL,
    Skip,
    SkipMlpExtractor,
    start_as_noise,
    start_as_widths,
    start_near_zero,
)


def _default(kwargs: dict[str, Any], action_space: spaces.Space) -> dict[str, Any]:
    """Fill in what every policy here has by default, for whatever ``kwargs`` leaves open."""
    kwargs.setdefault("net_arch", [])
    if kwargs.setdefault("features_extractor_class", RecordExtractor) is RecordExtractor:
        extractor = dict(kwargs.get("features_extractor_kwargs") or {})
        extractor.setdefault("use_noise", isinstance(action_space, spaces.Box))
        kwargs["features_extractor_kwargs"] = extractor
    return kwargs


class _ActorCritic:
    """Mixin of the three actor-critic policies: the skip connection, the start, the entropy."""

    bin_distribution: type[BinDistribution | MaskableBinDistribution] = BinDistribution

    action_space: spaces.Space
    action_dist: Any
    action_net: nn.Module
    pi_features_extractor: BaseFeaturesExtractor
    mlp_extractor: MlpExtractor
    features_dim: int
    net_arch: Any
    activation_fn: type[nn.Module]
    device: torch.device

    def __init__(
        self,
        observation_space: spaces.Space,
        action_space: spaces.Space,
        lr_schedule: Schedule,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("ortho_init", False)
        if isinstance(action_space, spaces.Box):
            # SB3's own 0 puts a third of the first values on the bounds.
            kwargs.setdefault("log_std_init", -2.0)
        kwargs.setdefault("share_features_extractor", False)
        _default(kwargs, action_space)
        super().__init__(observation_space, action_space, lr_schedule, **kwargs)  # type: ignore[call-arg]

    def _build_mlp_extractor(self) -> None:
        self.mlp_extractor = SkipMlpExtractor(
            self.features_dim, self.net_arch, self.activation_fn, self.device
        )

    def _build(self, lr_schedule: Schedule) -> None:
        if isinstance(self.action_space, spaces.Discrete):
            self.action_dist = self.bin_distribution(int(self.action_space.n))
        super()._build(lr_schedule)  # type: ignore[misc]
        if isinstance(self.action_space, spaces.Discrete):
            start_as_widths(self.action_net, self.pi_features_extractor)
        elif isinstance(self.action_space, spaces.Box) and isinstance(self.action_net, nn.Linear):
            start_as_noise(self.action_net, self.pi_features_extractor, squashed=False)

    def _get_action_dist_from_latent(self, latent_pi: torch.Tensor) -> Any:
        distribution = super()._get_action_dist_from_latent(latent_pi)  # type: ignore[misc]
        extractor = self.pi_features_extractor
        over_bins = isinstance(self.action_space, spaces.Discrete)
        if over_bins and isinstance(extractor, RecordExtractor):
            own = latent_pi[:, latent_pi.shape[1] - extractor.features_dim :]
            position, widths = own[:, extractor.position_columns], extractor.log_widths
            distribution.log_widths = None if widths is None else position @ widths
        return distribution


class RecordActorCriticPolicy(_ActorCritic, ActorCriticPolicy):
    """Of PPO, A2C and TRPO; over bins or ``Box``."""


class RecordMaskablePolicy(_ActorCritic, MaskableActorCriticPolicy):
    """Of MaskablePPO; over bins."""

    bin_distribution = MaskableBinDistribution


class RecordRecurrentPolicy(_ActorCritic, RecurrentActorCriticPolicy):
    """Of RecurrentPPO; the features go round the LSTM as well as through it.

    Raises:
        ValueError: for ``enable_critic_lstm=False`` without ``shared_lstm=True``: the critic's
            input would miss the LSTM's columns.
    """

    def __init__(
        self,
        observation_space: spaces.Space,
        action_space: spaces.Space,
        lr_schedule: Schedule,
        **kwargs: Any,
    ) -> None:
        if not kwargs.get("enable_critic_lstm", True) and not kwargs.get("shared_lstm", False):
            raise ValueError("enable_critic_lstm=False needs shared_lstm=True")
        super().__init__(observation_space, action_space, lr_schedule, **kwargs)

    def _build_mlp_extractor(self) -> None:
        self.mlp_extractor = SkipMlpExtractor(
            self.lstm_output_dim + self.features_dim,
            self.net_arch,
            self.activation_fn,
            self.device,
        )

    @staticmethod
    def _process_sequence(
        features: torch.Tensor,
        lstm_states: tuple[torch.Tensor, torch.Tensor],
        episode_starts: torch.Tensor,
        lstm: nn.LSTM,
    ) -> tuple[torch.Tensor, Any]:
        output, states = RecurrentActorCriticPolicy._process_sequence(
            features, lstm_states, episode_starts, lstm
        )
        return torch.cat([output, features], dim=1), states


class _SoftValuePolicy:
    """Mixin of DQN's and QR-DQN's policies: draw from ``width * exp(Q / temperature)``.

    A greedy policy ignores the observation's noise and gives a handful of distinct records. This
    one is the optimum of "expected score minus temperature times the divergence from the
    marginals" for the Q it has; the temperature is the weight of the marginals.

    Args:
        temperature: above 0.
        **kwargs: as in the SB3 policy.
    """

    log_widths: torch.Tensor

    def __init__(
        self,
        observation_space: spaces.Space,
        action_space: spaces.Discrete,
        lr_schedule: Schedule,
        *,
        temperature: float = 1.0,
        **kwargs: Any,
    ) -> None:
        if not temperature > 0:
            raise ValueError(f"temperature must be above 0, not {temperature}")
        _default(kwargs, action_space)
        super().__init__(observation_space, action_space, lr_schedule, **kwargs)  # type: ignore[call-arg]
        self.temperature = float(temperature)
        bin_edges = kwargs["features_extractor_kwargs"]["bin_edges"]
        widths = torch.as_tensor(log_bin_widths(bin_edges))
        self.register_buffer("log_widths", widths, persistent=False)  # type: ignore[attr-defined]

    def _draw(
        self, q_values: torch.Tensor, observation: PyTorchObs, deterministic: bool
    ) -> torch.Tensor:
        """Return actions ``(B,)`` for ``q_values`` ``(B, K)``."""
        assert isinstance(observation, torch.Tensor)
        d = len(self.log_widths)
        logits = q_values / self.temperature + observation[:, d : 2 * d] @ self.log_widths
        if deterministic:
            return logits.argmax(dim=1)
        return torch.distributions.Categorical(logits=logits).sample()


class RecordDQNPolicy(_SoftValuePolicy, DQNPolicy):
    """Of DQN; ``temperature`` as in :class:`_SoftValuePolicy`."""

    def make_q_net(self) -> QNetwork:
        """Build a Q-network whose values are near 0."""
        network = super().make_q_net()
        start_near_zero(network.q_net)
        return network

    def _predict(self, obs: PyTorchObs, deterministic: bool = True) -> torch.Tensor:
        return self._draw(self.q_net(obs), obs, deterministic)


class RecordQRDQNPolicy(_SoftValuePolicy, QRDQNPolicy):
    """Of QR-DQN: Q is the mean of the quantiles; ``temperature`` as in its base."""

    def make_quantile_net(self) -> QuantileNetwork:
        """Build a quantile network whose values are near 0."""
        network = super().make_quantile_net()
        start_near_zero(network.quantile_net)
        return network

    def _predict(self, obs: PyTorchObs, deterministic: bool = True) -> torch.Tensor:
        return self._draw(self.quantile_net(obs).mean(dim=1), obs, deterministic)


class _BoxActorCritic:
    """Mixin of the off-policy actor-critics over ``Box``.

    The critic's own extractor does not see the noise, on which no return depends, and the action
    reaches it through an :class:`~agents.policies.action_embedding.ActionEmbedding`.
    """

    features_extractor_kwargs: dict[str, Any]
    device: torch.device

    def __init__(
        self,
        observation_space: spaces.Space,
        action_space: spaces.Box,
        lr_schedule: Schedule,
        **kwargs: Any,
    ) -> None:
        _default(kwargs, action_space)
        super().__init__(observation_space, action_space, lr_schedule, **kwargs)  # type: ignore[call-arg]

    def make_critic(self, features_extractor: BaseFeaturesExtractor | None = None) -> Any:
        """Build a critic, with an extractor without noise unless one is given to share."""
        kwargs = self.features_extractor_kwargs
        if features_extractor is None and "use_noise" in kwargs:
            self.features_extractor_kwargs = {**kwargs, "use_noise": False}
        try:
            critic = super().make_critic(features_extractor)  # type: ignore[misc]
        finally:
            self.features_extractor_kwargs = kwargs
        embed_actions(critic)
        return critic.to(self.device)


class RecordTD3Policy(_BoxActorCritic, TD3Policy):
    """Of TD3 and DDPG.

    Args:
        entropy_weight: see :class:`~agents.policies.noise_actor.NoiseDrivenActor`.
        **kwargs: as in SB3's policy.
    """

    def __init__(
        self,
        observation_space: spaces.Space,
        action_space: spaces.Box,
        lr_schedule: Schedule,
        *,
        entropy_weight: float = 0.0,
        **kwargs: Any,
    ) -> None:
        self.entropy_weight = entropy_weight
        super().__init__(observation_space, action_space, lr_schedule, **kwargs)

    def make_actor(
        self, features_extractor: BaseFeaturesExtractor | None = None
    ) -> NoiseDrivenActor:
        """Build an actor whose action is nearly the noise."""
        kwargs = self._update_features_extractor(self.actor_kwargs, features_extractor)
        actor = NoiseDrivenActor(**kwargs, entropy_weight=self.entropy_weight)
        *inner, last, tanh = actor.mu
        assert isinstance(last, nn.Linear)
        if inner:
            last = nn.Linear(last.in_features + actor.features_dim, last.out_features)
            actor.mu = nn.Sequential(Skip(nn.Sequential(*inner)), last, tanh)
        start_as_noise(last, actor.features_extractor, squashed=True)
        return actor.to(self.device)


class _SquashedGaussian(_BoxActorCritic):
    """Mixin of SAC's, TQC's and CrossQ's policies: a mean that starts as the noise."""

    def make_actor(self, features_extractor: BaseFeaturesExtractor | None = None) -> Any:
        """Build an actor: mean nearly atanh(noise), standard deviation ``exp(log_std_init)``."""
        actor = super().make_actor(features_extractor)  # type: ignore[misc]
        if actor.use_sde:
            return actor  # its exploration matrix belongs to its own layers
        if len(actor.latent_pi) > 0:
            width = actor.mu.in_features + actor.features_dim
            actor.latent_pi = nn.Sequential(Skip(actor.latent_pi))
            actor.mu = nn.Linear(width, actor.mu.out_features)
            actor.log_std = nn.Linear(width, actor.log_std.out_features)
        start_as_noise(actor.mu, actor.features_extractor, squashed=True)
        with torch.no_grad():
            actor.log_std.weight.mul_(SMALL)
            actor.log_std.bias.fill_(actor.log_std_init)
        return actor.to(self.device)


class RecordSACPolicy(_SquashedGaussian, SACPolicy):
    """Of SAC."""


class RecordTQCPolicy(_SquashedGaussian, TQCPolicy):
    """Of TQC."""


class RecordCrossQPolicy(_SquashedGaussian, CrossQPolicy):
    """Of CrossQ."""
