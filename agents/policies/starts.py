"""How an untrained actor emits the identity marginals: its last layer's first weights.

Independent uniform coordinates already have the right marginals (the encoding is a probability
integral transform), so learning is about dependence alone when a policy starts there. Every actor's
last layer sees the extractor's columns beside the output of ``net_arch`` (a skip connection), so
any ``net_arch`` keeps the start.
"""

from __future__ import annotations

from typing import Any

import torch
from stable_baselines3.common.torch_layers import MlpExtractor
from torch import nn

from agents.policies.extractors import OneShotExtractor, RecordExtractor

SMALL = 0.01  # factor of the last layer's random weights: small, but not 0, so that gradients flow


class Skip(nn.Module):
    """``x -> [inner(x) | x]``: what ``net_arch`` computes, and the extractor's own columns."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``(B, n)`` to ``(B, m + n)``."""
        return torch.cat([self.inner(x), x], dim=1)


class SkipMlpExtractor(MlpExtractor):
    """SB3's MLP of actor and critic, its actor with a :class:`Skip`."""

    def __init__(self, feature_dim: int, *args: Any, **kwargs: Any) -> None:
        super().__init__(feature_dim, *args, **kwargs)
        if len(self.policy_net) > 0:
            self.policy_net = nn.Sequential(Skip(self.policy_net))
            self.latent_dim_pi += feature_dim


def start_as_noise(layer: nn.Module, extractor: nn.Module, *, squashed: bool) -> None:
    """Make a linear actor emit nearly the observation's noise.

    Args:
        layer: the actor's last layer; its input ends in the extractor's columns.
        extractor: one of :mod:`agents.policies.extractors`; for any other the layer is left alone.
        squashed: whether a tanh follows.
    """
    if not isinstance(extractor, (RecordExtractor, OneShotExtractor)):
        return
    assert isinstance(layer, nn.Linear)
    columns = extractor.atanh_noise_columns if squashed else extractor.noise_columns
    offset = layer.in_features - extractor.features_dim
    with torch.no_grad():
        layer.weight.mul_(SMALL)
        layer.bias.zero_()
        for action, column in enumerate(columns):
            layer.weight[action, offset + column] = 1.0


def start_as_widths(layer: nn.Module, extractor: nn.Module) -> None:
    """Make a linear layer's logits nearly the log widths of the bins of the feature to emit.

    Args:
        layer: the actor's last layer ``(.., K)``; its input ends in the extractor's columns.
        extractor: a :class:`RecordExtractor` with bins; for any other the layer is left alone.
    """
    if not isinstance(extractor, RecordExtractor) or extractor.log_widths is None:
        return
    assert isinstance(layer, nn.Linear)
    offset = layer.in_features - extractor.features_dim
    columns = extractor.position_columns
    with torch.no_grad():
        layer.weight.mul_(SMALL)
        layer.bias.zero_()
        layer.weight[:, offset + columns.start : offset + columns.stop] = extractor.log_widths.t()


def start_near_zero(network: nn.Sequential) -> None:
    """Scale the last linear layer of a value network down, so that every value starts near 0."""
    layer = network[-1]
    assert isinstance(layer, nn.Linear)
    with torch.no_grad():
        layer.weight.mul_(SMALL)
        layer.bias.zero_()
