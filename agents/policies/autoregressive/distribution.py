"""The distribution of the next coordinate: a bin, and uniform inside it."""

from __future__ import annotations

from typing import Any

import torch
from torch.distributions import Categorical

from agents.policies.autoregressive.made_distribution import MadeDistribution
from rlsyn_env.actions import DIVERGED
from rlsyn_env.errors import RLSynError

_MARGIN = 2.0**-23  # keeps a coordinate in its bin through a = 2u - 1 and back in float32


class CellDistribution(MadeDistribution):
    """n bins' probabilities with their edges; SB3's face of a histogram density.

    Actions are ``a = 2u - 1`` in [-1, 1], ``(n,)`` or ``(n, 1)``, or bin numbers when ``discrete``.
    ``distribution`` is a torch ``Categorical`` over bins: the Kullback-Leibler divergence of two
    histograms with the same bins is that of their bins (TRPO).

    Args:
        logits: ``(n, K)``.
        edges: ``(n, K + 1)``, or ``(K + 1,)`` when all rows are of one feature.
        start: ``(n, K)`` or ``(K,)`` log widths of the bins.
        discrete: whether actions are bins.
    """

    def __init__(
        self, logits: torch.Tensor, edges: torch.Tensor, start: torch.Tensor, *, discrete: bool
    ) -> None:
        super().__init__()
        self.log_shares = logits.log_softmax(dim=-1)
        self.edges, self.start, self.discrete = edges, start, discrete

    @property
    def distribution(self) -> Categorical:
        """Over bins."""
        return Categorical(logits=self.log_shares, validate_args=False)

    @distribution.setter
    def distribution(self, _: Any) -> None:
        """SB3's constructor sets None."""

    def log_prob(self, actions: torch.Tensor) -> torch.Tensor:
        """Return ``(n,)``: log density with respect to a, or log share of the bin if discrete."""
        actions = actions.reshape(-1)
        if self.discrete:
            bins = actions.long() % self.n_bins
            return self.log_shares.gather(-1, bins[:, None]).squeeze(-1)
        bins = self._bins((actions + 1) / 2)
        start = self.start.expand_as(self.log_shares)
        log_density = self.log_shares - start
        return log_density.gather(-1, bins[:, None]).squeeze(-1) - LOG_TWO

    def entropy(self) -> torch.Tensor:
        """Return ``(n,)``: differential entropy of u, 0 for the identity marginals, else below."""
        shares = self.log_shares.exp()
        return -(shares * (self.log_shares - self.start)).sum(dim=-1)

    def sample(self) -> torch.Tensor:
        """Return ``(n,)`` actions."""
        return self.quantile(torch.rand(len(self.log_shares), device=self.log_shares.device))

    def mode(self) -> torch.Tensor:
        """Return ``(n,)``: the middle of the densest bin."""
        return self._action(
            (self.log_shares - self.start).argmax(dim=-1),
            torch.full_like(self.log_shares[:, 0], 0.5),
        )

    def quantile(self, levels: torch.Tensor) -> torch.Tensor:
        """Return ``(n,)`` actions at which the cumulated density reaches ``levels`` in [0, 1).

        One number a row draws the bin and the place inside it.
        """
        shares = self.log_shares.exp()
        cumulated = shares.cumsum(dim=-1)
        total = cumulated[:, -1:]
        if not bool(total.isfinite().all()):  # every comparison below would be False: bin 0
            raise RLSynError(DIVERGED)
        wanted = levels[:, None] * total
        # The first bin that reaches the total is the last one with a share, whatever rounds up.
        passed = (cumulated <= wanted) & (cumulated < total)
        bins = passed.sum(dim=-1, keepdim=True)
        share = shares.gather(-1, bins)
        place = (wanted - cumulated.gather(-1, bins) + share) / share.clamp(min=1e-12)
        return self._action(bins.squeeze(-1), place.squeeze(-1).clamp(0, 1))

    @property
    def n_bins(self) -> torch.Tensor:
        """Number of bins of each row's feature."""
        return (self.start > _NO_BIN).sum(dim=-1)

    def _bins(self, coordinates: torch.Tensor) -> torch.Tensor:
        # Not the 1s that pad the edges: a coordinate of 1 is in the last bin that exists.
        inner = self.edges[..., 1:-1]
        inner = inner.masked_fill(inner >= 1, torch.inf)
        if inner.dim() == 1:
            return torch.searchsorted(inner, coordinates.contiguous(), right=True)
        return torch.searchsorted(inner, coordinates[:, None].contiguous(), right=True).squeeze(-1)

    def _action(self, bins: torch.Tensor, place: torch.Tensor) -> torch.Tensor:
        if self.discrete:
            return bins
        if self.edges.dim() == 1:
            low, high = self.edges[bins], self.edges[bins + 1]
        else:
            low = self.edges.gather(-1, bins[:, None]).squeeze(-1)
            high = self.edges.gather(-1, bins[:, None] + 1).squeeze(-1)
        width = high - low
        margin = (width / 4).clamp(max=_MARGIN)
        coordinates = torch.maximum(torch.minimum(low + place * width, high - margin), low + margin)
        return 2 * coordinates - 1


LOG_TWO = 0.6931471805599453
_NO_BIN = -1e8
