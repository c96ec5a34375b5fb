"""The published one-shot policy as a Stable-Baselines3 policy.

Espinosa-Dice et al., RLSyn (arXiv 2512.21395): two hidden layers of 128 rectified units, shared by
the policy and the value; a tanh-Gaussian head with one free scale per number, a Bernoulli head for
the bits. Actions are a = 2u - 1 of the coordinates u in [0, 1]; a bit is -1 or 1.
"""

from __future__ import annotations

import math
from typing import Any

import numpy.typing as npt
import torch
from gymnasium import spaces
from stable_baselines3.common.distributions import DiagGaussianDistribution
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.type_aliases import Schedule
from torch import nn
from torch.distributions import Normal
from torch.nn import functional as F  # noqa: N812

HIDDEN = 128
EDGE = 1 - 2e-6  # numbers stay this far inside (-1, 1): u within 1e-6 of its ends, as published


class SharedLayers(BaseFeaturesExtractor):
    """Noise ``(n, noise_dim)`` to ``(n, 128)``: the two layers that policy and value share."""

    def __init__(self, observation_space: spaces.Box) -> None:
        super().__init__(observation_space, features_dim=HIDDEN)
        (noise_dim,) = observation_space.shape
        self.layers = nn.Sequential(
            nn.Linear(noise_dim, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, HIDDEN), nn.ReLU()
        )

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        """Return the activations of the second layer."""
        return self.layers(observations)


class TanhGaussianBernoulli(DiagGaussianDistribution):
    """Numbers by a squashed Gaussian, bits by a Bernoulli, all independent given the noise.

    It takes the parameters of SB3's diagonal Gaussian, one number per coordinate: those of bits are
    logits, and their log scale is not used.

    Stored numbers are clamped, so a mean far beyond the clamp cannot be told from them. Like the
    published code (torch's ``TanhTransform`` with a cache), the log density of a fresh sample uses
    its value before squashing. In the update a saturated row then has a ratio near 0 and no
    gradient; from clamped values on both sides it would have a huge one, and training ends in NaN.

    Args:
        is_bit: ``(d,)`` bool.
    """

    def __init__(self, is_bit: npt.NDArray[Any]) -> None:
        super().__init__(len(is_bit))
        self.is_bit = torch.as_tensor(is_bit, dtype=torch.bool)
        self.sampled: tuple[torch.Tensor, torch.Tensor] | None = None

    def proba_distribution(
        self, mean_actions: torch.Tensor, log_std: torch.Tensor
    ) -> TanhGaussianBernoulli:
        """Set the parameters: ``(n, d)`` means or logits and ``(d,)`` log scales."""
        self.logits = mean_actions[:, self.is_bit]
        self.normal = Normal(mean_actions[:, ~self.is_bit], log_std[~self.is_bit].exp())
        self.sampled = None
        return self

    def log_prob(self, actions: torch.Tensor) -> torch.Tensor:
        """Return ``(n,)`` log densities of ``(n, d)`` actions."""
        if self.sampled is not None and self.sampled[0] is actions:
            before = self.sampled[1]
        else:
            before = actions[:, ~self.is_bit].clamp(-EDGE, EDGE).atanh()
        log_slope = 2 * (math.log(2) - before - F.softplus(-2 * before))  # of tanh, exact far out
        numbers = self.normal.log_prob(before) - log_slope
        bits = (actions[:, self.is_bit] > 0).float()
        bit_losses = F.binary_cross_entropy_with_logits(self.logits, bits, reduction="none")
        return numbers.sum(dim=1) - bit_losses.sum(dim=1)

    def entropy(self) -> None:
        """Return None: SB3 then uses the mean of -log_prob, as the published code does."""

    def sample(self) -> torch.Tensor:
        """Return ``(n, d)`` actions."""
        bits = 2 * torch.bernoulli(self.logits.sigmoid()) - 1
        before = self.normal.sample()
        actions = self._join(before.tanh().clamp(-EDGE, EDGE), bits)
        self.sampled = (actions, before)
        return actions

    def mode(self) -> torch.Tensor:
        """Return ``(n, d)`` actions: the squashed mean, the likelier bit."""
        return self._join(self.normal.mean.tanh(), 2 * (self.logits > 0).float() - 1)

    def _join(self, numbers: torch.Tensor, bits: torch.Tensor) -> torch.Tensor:
        actions = numbers.new_empty(len(numbers), len(self.is_bit))
        actions[:, ~self.is_bit] = numbers
        actions[:, self.is_bit] = bits
        return actions


class PublishedPolicy(ActorCriticPolicy):
    """SB3's actor-critic with the published network, heads and initialisation.

    Args:
        is_bit: ``(d,)`` bool, coordinates of the action that are bits.
    """

    def __init__(
        self,
        observation_space: spaces.Space,
        action_space: spaces.Space,
        lr_schedule: Schedule,
        *,
        is_bit: npt.NDArray[Any],
        **kwargs: Any,
    ) -> None:
        self.is_bit = is_bit  # _build, which runs in super().__init__, needs it
        super().__init__(
            observation_space,
            action_space,
            lr_schedule,
            net_arch=[],
            ortho_init=False,
            features_extractor_class=SharedLayers,
            optimizer_kwargs={"eps": 1e-8},  # PyTorch's, not SB3's 1e-5
            **kwargs,
        )

    def _build(self, lr_schedule: Schedule) -> None:
        self.action_dist = TanhGaussianBernoulli(self.is_bit)
        super()._build(lr_schedule)
