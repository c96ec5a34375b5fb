"""How strictly a policy keeps to rules that tie a feature to one before it.

The running sum shows one feature of ninety to another through a blur, in which a child code is
drawn without its parent once in two thousand records: too rarely for a reward to unlearn each such
rule by trial. Here every rule knows which bins would break it, and only how much less likely these
are than the network says is learnt, from the reward and a little from imitation: one number for all
rules, which each breach of any of them teaches, and one of each rule's own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from agents.policies.autoregressive.heads import BinHeads, RecordLogits


@dataclass(frozen=True)
class PairRule:
    """A rule on two features.

    Attributes:
        earlier, later: their positions, earlier < later.
        broken: ``(K, K')`` bool, which bins of the later break it after which of the earlier.
    """

    earlier: int
    later: int
    broken: npt.NDArray[np.bool_]


class Caution(nn.Module):
    """What rules take off the logits of bins that would break them; nothing at first.

    Args:
        rules: on features of a network.
        heads: the network's, whose logits they take from.
    """

    earlier: torch.Tensor  # (m,)
    first: torch.Tensor  # (m,) row of a rule's first bin in its table
    to_pairs: torch.Tensor  # rules whose later feature has two bins
    to_others: torch.Tensor  # the rest
    pair_place: torch.Tensor  # of the later feature among those of two bins
    other_place: torch.Tensor  # and among the rest
    pair_table: torch.Tensor  # (rows,) 1: the second bin breaks the rule, -1: the first
    other_table: torch.Tensor  # (rows, k) 1: the bin breaks the rule

    def __init__(self, rules: Sequence[PairRule], heads: BinHeads) -> None:
        super().__init__()
        k, paired = heads.bias.shape[1], heads.n_bins == 2
        later = np.array([rule.later for rule in rules], dtype=np.int64)
        rows = np.array([len(rule.broken) for rule in rules], dtype=np.int64)
        to_pairs = paired[later]
        first = np.empty(len(rules), dtype=np.int64)
        for kind in (to_pairs, ~to_pairs):
            first[kind] = np.cumsum(rows[kind]) - rows[kind]
        tables = [rule.broken.astype(np.float32) for rule in rules]
        pair_table = [t[:, 1] - t[:, 0] for t, two in zip(tables, to_pairs, strict=True) if two]
        other_table = [
            np.pad(t, ((0, 0), (0, k - t.shape[1])))
            for t, two in zip(tables, to_pairs, strict=True)
            if not two
        ]
        for name, values in {
            "earlier": np.array([rule.earlier for rule in rules], dtype=np.int64),
            "first": first,
            "to_pairs": np.flatnonzero(to_pairs),
            "to_others": np.flatnonzero(~to_pairs),
            "pair_place": heads.place[later[to_pairs]],
            "other_place": heads.place[later[~to_pairs]],
            "pair_table": np.concatenate([np.zeros(0, np.float32), *pair_table]),
            "other_table": np.concatenate([np.zeros((0, k), np.float32), *other_table]),
        }.items():
            self.register_buffer(name, torch.as_tensor(values), persistent=False)
        self.shared = nn.Parameter(torch.zeros(1))
        self.own = nn.Parameter(torch.zeros(len(rules)))
        self._two_bins = paired
        self._into: dict[int, list[tuple[int, int]]] = {}
        for index, rule in enumerate(rules):
            self._into.setdefault(rule.later, []).append((index, rule.earlier))

    def forward(self, bins: torch.Tensor, logits: RecordLogits) -> RecordLogits:
        """Return the logits of all features of records of which ``bins`` ``(B, d)`` are known."""
        pairs, others, strictness = logits.pairs, logits.others, self.shared + self.own
        rows = bins[:, self.earlier] + self.first
        if len(self.to_pairs):
            broken = self.pair_table[rows[:, self.to_pairs]]
            pairs = pairs.index_add(1, self.pair_place, -strictness[self.to_pairs] * broken)
        if len(self.to_others):
            broken = self.other_table[rows[:, self.to_others]]
            lowered = -strictness[self.to_others][:, None] * broken
            others = others.index_add(1, self.other_place, lowered)
        return RecordLogits(pairs, others)

    def at(
        self, feature: int, bins_of: Callable[[int], torch.Tensor], logits: torch.Tensor
    ) -> torch.Tensor:
        """Return the logits ``(n, K)`` of one feature with what its rules take off.

        Args:
            feature: its position.
            bins_of: gives the bins ``(n,)`` of an earlier feature by its position.
            logits: ``(n, K)`` of the network.
        """
        for rule, earlier in self._into.get(feature, ()):
            rows = bins_of(earlier) + self.first[rule]
            strictness = self.shared + self.own[rule]
            if self._two_bins[feature]:
                lowered = strictness * self.pair_table[rows]
                logits = logits - torch.stack([torch.zeros_like(lowered), lowered], dim=1)
            else:
                logits = logits - strictness * self.other_table[rows]
        return logits
