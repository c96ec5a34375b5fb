"""Distributions over bins whose entropy is that of the coordinate, not of the bin's number."""

from __future__ import annotations

from typing import Any

import torch
from sb3_contrib.common.maskable.distributions import MaskableCategoricalDistribution
from stable_baselines3.common.distributions import CategoricalDistribution


class _WidthEntropy:
    """Mixin: differential entropy of u, uniform within its bin.

    ``-sum p log(p / width)`` is 0 for the bins' own widths, the identity marginals, and below 0 for
    anything else. So an algorithm's entropy bonus (``ent_coef``) pulls towards the marginals; the
    entropy of the bin's number would pull towards equal bins, which no column has.
    """

    distribution: Any
    #: ``(B, K)`` log widths of the bins of each row's feature; None: plain entropy.
    log_widths: torch.Tensor | None = None

    def entropy(self) -> torch.Tensor:
        """Return ``(B,)``."""
        entropy: torch.Tensor = super().entropy()  # type: ignore[misc]
        if self.log_widths is None:
            return entropy
        return entropy + (self.distribution.probs * self.log_widths).sum(dim=1)


class BinDistribution(_WidthEntropy, CategoricalDistribution):
    """Of PPO, A2C, TRPO and RecurrentPPO."""


class MaskableBinDistribution(_WidthEntropy, MaskableCategoricalDistribution):
    """Of MaskablePPO."""
