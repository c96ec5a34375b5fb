"""Output layers: logits of every feature's bins, features of two bins in one matrix.

A wide table is mostly yes-or-no features. Each needs one number, so all of them together are one
``(features, width)`` matrix. The others are one tensor too, with as many outputs for each as the
one with the most bins has.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from agents.policies.extractors import log_bin_widths

IMPOSSIBLE = -1e9  # logit of a bin that a feature does not have: its probability is exactly 0

_PAIR_RATE = 2.0
"""Two logits that Adam moves apart part at twice the rate of one: so does the one that is kept."""


@dataclass(frozen=True)
class RecordLogits:
    """Logits of all features of B records.

    Attributes:
        pairs: ``(B, d2)`` logit of the second bin against the first, features of two bins.
        others: ``(B, d - d2, K)`` logits of the other features, padded with impossible bins.
    """

    pairs: torch.Tensor
    others: torch.Tensor


class BinHeads(nn.Module):
    """A linear map per feature from its hidden vector to its bins; 0 at first, on top of ``start``.

    Args:
        bin_edges: ``(d, K + 1)`` float32, padded with 1.
        width: of the hidden vectors.

    Attributes:
        start: ``(d, K)`` logits of the identity marginals, the log widths of the bins.
        pairs: ``(d2,)`` int64, the features of two bins; ``others`` ``(d - d2,)`` the rest.
        place: ``(d,)`` of a feature among those of two bins, or among the rest.
    """

    start: torch.Tensor
    pair_start: torch.Tensor
    other_start: torch.Tensor
    pairs: torch.Tensor
    others: torch.Tensor

    def __init__(self, bin_edges: np.ndarray, width: int) -> None:
        super().__init__()
        widths = np.diff(bin_edges, axis=1)
        start = np.where(widths > 0, log_bin_widths(bin_edges), IMPOSSIBLE).astype(np.float32)
        self.n_bins = (widths > 0).sum(axis=1)
        paired = self.n_bins == 2
        k = int(self.n_bins[~paired].max(initial=2))
        for name, values in {
            "start": start,
            "pair_start": start[paired, 1] - start[paired, 0],
            "other_start": start[~paired, :k],
            "pairs": np.flatnonzero(paired),
            "others": np.flatnonzero(~paired),
        }.items():
            self.register_buffer(name, torch.as_tensor(values), persistent=False)
        self.place = np.where(paired, np.cumsum(paired), np.cumsum(~paired)) - 1
        self.pair_weight = nn.Parameter(torch.zeros(int(paired.sum()), width))
        self.pair_bias = nn.Parameter(torch.zeros(int(paired.sum())))
        self.weight = nn.Parameter(torch.zeros(int((~paired).sum()), width, k))
        self.bias = nn.Parameter(torch.zeros(int((~paired).sum()), k))

    def forward(self, hidden: torch.Tensor) -> RecordLogits:
        """Return the logits for hidden vectors ``(B, d, width)``."""
        of_pairs, of_others = self._split(hidden)
        pairs = _PAIR_RATE * (
            torch.einsum("bdh,dh->bd", of_pairs, self.pair_weight) + self.pair_bias
        )
        others = torch.einsum("bdh,dhk->bdk", of_others, self.weight)
        return RecordLogits(pairs + self.pair_start, others + self.bias + self.other_start)

    def at(self, feature: int, hidden: torch.Tensor) -> torch.Tensor:
        """Return ``(n, K)`` logits of one feature for hidden vectors ``(n, width)``.

        K is 2 for a feature of two bins, and the most bins of any feature for the others.
        """
        place = self.place[feature]
        if self.n_bins[feature] == 2:
            second = _PAIR_RATE * (hidden @ self.pair_weight[place] + self.pair_bias[place])
            return torch.stack([torch.zeros_like(second), second], dim=1) + self.start[feature, :2]
        return torch.addmm(self.bias[place] + self.other_start[place], hidden, self.weight[place])

    def padded(self, logits: RecordLogits) -> torch.Tensor:
        """Return ``(B, d, K)`` logits of all features, with impossible bins where one has fewer."""
        d, k = self.start.shape
        out = logits.pairs.new_full((len(logits.pairs), d, k), IMPOSSIBLE)
        out[:, self.pairs, 0] = 0.0
        out[:, self.pairs, 1] = logits.pairs
        out[:, self.others, : logits.others.shape[2]] = logits.others
        return out

    def _split(self, hidden: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Hidden vectors of the features of two bins, and of the others; no copy if all are one."""
        if not len(self.pairs):
            return hidden[:, :0], hidden
        if not len(self.others):
            return hidden, hidden[:, :0]
        return hidden[:, self.pairs], hidden[:, self.others]
