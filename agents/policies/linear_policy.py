"""The linear policy of augmented random search."""

from __future__ import annotations

import numpy as np
import torch
from gymnasium import spaces
from sb3_contrib.ars.policies import ARSPolicy
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.type_aliases import PyTorchObs
from torch import nn

from agents.policies.extractors import OneShotExtractor, PrefixExtractor, log_bin_widths


class RecordARSPolicy(ARSPolicy):
    """Linear in the prefix and the noise, with weights of its own for each feature to emit.

    Over ``Box`` the action is the tanh of a linear map of :class:`PrefixExtractor`'s columns, at
    first 1 on atanh(noise) and 0 on the rest: the noise itself. Over bins the linear map gives
    logits, beside the log widths of the bins, and the noise picks the bin by inverse-CDF sampling.
    Either way the action is a deterministic function of the observation, as random search wants it.

    Args:
        observation_space, action_space: of the environment.
        bin_edges, nominal: of a step-by-step environment, see the extractor.
        n_features: d of a one-shot environment; None for step-by-step ones.

    Raises:
        ValueError: when what the environment's form needs is missing.
    """

    log_widths: torch.Tensor

    def __init__(
        self,
        observation_space: spaces.Space,
        action_space: spaces.Space,
        *,
        bin_edges: np.ndarray | None = None,
        nominal: np.ndarray | None = None,
        n_features: int | None = None,
    ) -> None:
        if n_features is None and (bin_edges is None or nominal is None):
            raise ValueError("RecordARSPolicy needs bin_edges and nominal, or n_features")
        # The base class builds the extractor, so what it needs comes first.
        self.n_features = n_features
        self.bin_edges = bin_edges
        self.nominal = nominal
        self.over_bins = isinstance(action_space, spaces.Discrete)
        super().__init__(
            observation_space, action_space, net_arch=[], with_bias=False, squash_output=True
        )
        layer = self.action_net[0]
        assert isinstance(layer, nn.Linear)
        with torch.no_grad():
            layer.weight.zero_()
            extractor = self.features_extractor
            if isinstance(extractor, OneShotExtractor):
                for action, column in enumerate(extractor.atanh_noise_columns):
                    layer.weight[action, column] = 1.0
            elif isinstance(extractor, PrefixExtractor) and not self.over_bins:
                layer.weight[0, extractor.atanh_noise_columns] = 1.0
        if self.over_bins:
            assert bin_edges is not None  # one-shot actions are never bins
            widths = torch.as_tensor(log_bin_widths(bin_edges))
            self.register_buffer("log_widths", widths, persistent=False)

    def make_features_extractor(self) -> BaseFeaturesExtractor:
        """Build the extractor that fits the observations."""
        if self.n_features is not None:
            return OneShotExtractor(self.observation_space, self.n_features, width=0)
        assert self.bin_edges is not None  # checked above; for the type checker
        assert self.nominal is not None
        return PrefixExtractor(
            self.observation_space, self.bin_edges, self.nominal, use_noise=not self.over_bins
        )

    def forward(self, obs: PyTorchObs) -> torch.Tensor:
        """Map observations ``(B, obs_dim)`` to actions ``(B, action_dim)`` or ``(B,)``."""
        assert isinstance(obs, torch.Tensor)
        if not self.over_bins:
            return super().forward(obs)
        d = len(self.log_widths)
        features = self.extract_features(obs, self.features_extractor)
        logits = self.action_net(features) + obs[:, d : 2 * d] @ self.log_widths
        cumulative = logits.softmax(dim=1).cumsum(dim=1)
        drawn = (obs[:, -1:] + 1) / 2
        return (cumulative[:, :-1] < drawn).sum(dim=1)
