"""The distributions of all features of whole records, as one SB3 distribution."""

from __future__ import annotations

from typing import Any

import torch
from torch.distributions import Categorical
from torch.nn import functional as F  # noqa: N812

from agents.policies.autoregressive.distribution import LOG_TWO, CellDistribution
from agents.policies.autoregressive.heads import RecordLogits
from agents.policies.autoregressive.made_distribution import MadeDistribution
from agents.policies.autoregressive.network import AutoregressiveNetwork


class RecordDistribution(MadeDistribution):
    """B records' d conditional distributions; everything is ``(B * d,)``, record by record.

    Features of two bins are one logit each, so a thousand of them cost what they say and not what
    the feature of the most levels would.

    Args:
        network: gave the logits.
        logits: of B records.
        discrete: whether actions are bins.
    """

    def __init__(
        self, network: AutoregressiveNetwork, logits: RecordLogits, *, discrete: bool
    ) -> None:
        super().__init__()
        self._network, self._logits, self.discrete = network, logits, discrete
        self._log_shares = logits.others.log_softmax(dim=-1)

    @property
    def distribution(self) -> Categorical:
        """Over bins, all features padded to as many: what TRPO's divergence needs."""
        return self._cells().distribution

    @distribution.setter
    def distribution(self, _: Any) -> None:
        """SB3's constructor sets None."""

    def log_prob(self, actions: torch.Tensor) -> torch.Tensor:
        """Return log densities with respect to a, or log shares of bins if discrete."""
        heads = self._network.heads
        actions = actions.reshape(-1, self._network.d)
        if self.discrete:
            bins = actions.long() % torch.as_tensor(heads.n_bins, device=actions.device)
            return self.log_shares(bins).reshape(-1)
        bins = self._network.bins((actions + 1) / 2)
        widths = heads.start.expand(len(bins), -1, -1).gather(2, bins[..., None]).squeeze(-1)
        return (self.log_shares(bins) - widths - LOG_TWO).reshape(-1)

    def log_shares(self, bins: torch.Tensor) -> torch.Tensor:
        """Return ``(B, d)`` log probabilities of bins ``(B, d)``."""
        heads, logits = self._network.heads, self._logits
        others = self._log_shares.gather(2, bins[:, heads.others, None]).squeeze(-1)
        # Log sigmoid of the logit is the log share of the second bin, of its negative the first's.
        signs = 2.0 * bins[:, heads.pairs] - 1
        return self._in_order(F.logsigmoid(signs * logits.pairs), others)

    def mean_log_shares(self, shares: torch.Tensor) -> torch.Tensor:
        """Return ``(B, d)`` means of the log probabilities of bins that are drawn by ``shares``.

        Args:
            shares: ``(B, d, K)``, 0 for bins that a feature does not have.
        """
        heads, logits = self._network.heads, self._logits
        of_others = shares[:, heads.others, : self._log_shares.shape[2]]
        of_pairs = shares[:, heads.pairs]
        others = (of_others * self._log_shares).sum(dim=-1)
        first = of_pairs[..., 0] * F.logsigmoid(-logits.pairs)
        second = of_pairs[..., 1] * F.logsigmoid(logits.pairs)
        return self._in_order(first + second, others)

    def entropy(self) -> torch.Tensor:
        """Return differential entropies of u: 0 for the identity marginals, else below."""
        heads, logits = self._network.heads, self._logits
        others = -(self._log_shares.exp() * (self._log_shares - heads.other_start)).sum(dim=-1)
        first, second = F.logsigmoid(-logits.pairs), F.logsigmoid(logits.pairs)
        starts = heads.start[heads.pairs]
        pairs = -first.exp() * (first - starts[:, 0]) - second.exp() * (second - starts[:, 1])
        return self._in_order(pairs, others).reshape(-1)

    def sample(self) -> torch.Tensor:
        """Return actions, each given the features before it as they are, not as they are drawn."""
        return self._cells().sample()

    def mode(self) -> torch.Tensor:
        """Return the middle of the densest bin of each."""
        return self._cells().mode()

    def _in_order(self, pairs: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
        """Numbers of the features of two bins and of the others, one of each feature ``(B, d)``."""
        heads = self._network.heads
        out = torch.empty(len(pairs), self._network.d, device=pairs.device)
        return out.index_copy(1, heads.others, others).index_copy(1, heads.pairs, pairs)

    def _cells(self) -> CellDistribution:
        network = self._network
        padded = network.heads.padded(self._logits)
        n = len(padded)
        return CellDistribution(
            padded.reshape(n * network.d, -1),
            network.edges.repeat(n, 1),
            network.heads.start.repeat(n, 1),
            discrete=self.discrete,
        )
