"""The network: every conditional p(feature | features before it) of a record in one pass.

NADE (Larochelle and Murray 2011): the prefix enters as a running sum of embeddings, one for each
emitted feature, so a longer prefix costs O(width) more and whole records need one cumulative sum.
Embeddings are centred: a bin adds what sets it apart from the feature's average, so that a common
value (a code that a patient does not have) adds next to nothing and a rare one stays visible after
a thousand features. On records of many rare features their number so far is embedded too: a sum of
so many embeddings shows it too vaguely to stop at the three diagnoses that a record has room for.
Residual blocks shared by all positions and a head per position follow.
Parameters and work are proportional to the number of bins of all features together, but for the
heads of features of more than two bins, each as wide as the widest of them, and for the tables of
rules on two features (:mod:`agents.policies.autoregressive.caution`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from agents.policies.autoregressive.caution import Caution, PairRule
from agents.policies.autoregressive.forgetting import Forgetting, sums_before
from agents.policies.autoregressive.heads import BinHeads, RecordLogits
from agents.policies.extractors import inner_edges

_RARE = 0.25  # share below which one of a feature's two bins is counted
_FEWEST_COUNTED = 32  # features; fewer the running sum tells apart
_MOST_COUNTED = 127  # rare values of one record; more count as so many


@dataclass
class Prefix:
    """Running sum of embeddings of n records that are written feature by feature.

    Attributes:
        total: ``(n, width)``.
        count: ``(n,)`` int64, rare values so far.
        bins: ``(n,)`` int64 by position, of the features that are remembered one by one.
        levels: centred embeddings ``(bins, width)`` of the weights that the prefix began with.
        version: of those weights.
        length: number of features that the sum holds.
    """

    total: torch.Tensor
    count: torch.Tensor
    bins: dict[int, torch.Tensor]
    levels: torch.Tensor
    version: int
    length: int = 0


class RunningSum(nn.Module):
    """What every position sees of the features before it, as one hidden vector.

    Args:
        bin_edges: ``(d, K + 1)`` increasing along each row, padded with 1 (a level of a categorical
            feature is one bin).
        atoms: ``(d, K)`` bool, bins that mean one value: where in the bin a coordinate lies says
            nothing and is not looked at. None: no bin is one.
        width: of the embeddings and hidden layers.
        blocks: residual blocks.
    """

    edges: torch.Tensor  # (d, K + 1)
    variance: torch.Tensor  # (d,) of a feature's centred one-hot vector, 0 to 1: how much it tells
    scale: torch.Tensor  # (d,) keeps the variance of the running sum
    inner: torch.Tensor  # (d, K - 1) inner edges
    first: torch.Tensor  # (d,) row of a feature's first bin in the embeddings
    feature: torch.Tensor  # (rows of the embeddings,) the feature of a bin
    share: torch.Tensor  # (rows of the embeddings, 1) width of a bin: its probability in real rows
    graded: torch.Tensor  # features with a bin that is no atom
    graded_first: torch.Tensor  # (d,) row of a graded feature's first bin among the slopes
    graded_bins: torch.Tensor  # (rows of the slopes,) 0 for atoms
    rare: torch.Tensor  # (d,) the bin of a feature that is counted, -1: none is

    def __init__(
        self, bin_edges: np.ndarray, atoms: np.ndarray | None, *, width: int, blocks: int
    ) -> None:
        super().__init__()
        edges = np.asarray(bin_edges, dtype=np.float32)
        widths = np.diff(edges, axis=1)
        exists = widths > 0
        graded = exists if atoms is None else exists & ~np.asarray(atoms, dtype=bool)
        n_bins, is_graded = exists.sum(axis=1), graded.sum(axis=1) > 0
        graded_bins = np.where(is_graded, n_bins, 0)
        variances = 1 - (widths**2).sum(axis=1)
        counted = (n_bins == 2) & (np.minimum(widths[:, 0], 1 - widths[:, 0]) < _RARE)
        rare = np.where(counted, widths[:, 0] > 0.5, -1)
        self.d, self.width = len(edges), width
        self.is_graded = [bool(flag) for flag in is_graded]
        self.remembered: frozenset[int] = frozenset()  # features whose bins a prefix keeps
        for name, values in {
            "edges": edges.copy(),
            "inner": inner_edges(edges),
            "first": np.cumsum(n_bins) - n_bins,
            "feature": np.repeat(np.arange(self.d), n_bins),
            "share": widths[exists][:, None],
            "variance": variances,
            "scale": ((1 + np.cumsum(variances) - variances) ** -0.5).astype(np.float32),
            "graded": np.flatnonzero(is_graded),
            "graded_first": np.cumsum(graded_bins) - graded_bins,
            "graded_bins": graded[is_graded][exists[is_graded]].astype(np.float32),
            "rare": rare.astype(np.int64),
        }.items():
            self.register_buffer(name, torch.as_tensor(values), persistent=False)
        self.level = nn.Embedding(int(n_bins.sum()), width)
        self.slope = nn.Embedding(int(graded_bins.sum()), width)
        self.position = nn.Parameter(torch.randn(self.d, width) * 0.3)
        nn.init.normal_(self.level.weight, std=0.3)
        nn.init.normal_(self.slope.weight, std=0.1)
        self.count: nn.Embedding | None = None
        if counted.sum() >= _FEWEST_COUNTED:
            self.count = nn.Embedding(_MOST_COUNTED + 1, width)
            nn.init.normal_(self.count.weight, std=0.1)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.LayerNorm(width), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width)
            )
            for _ in range(blocks)
        )
        self.norm = nn.LayerNorm(width)

    # ------------------------------------------------------------------ whole records

    def bins(self, records: torch.Tensor) -> torch.Tensor:
        """Return ``(B, d)`` int64: the bin of every coordinate ``(B, d)`` in [0, 1]."""
        return torch.searchsorted(self.inner, records.t().contiguous(), right=True).t()

    def forward(
        self,
        records: torch.Tensor,
        bins: torch.Tensor,
        dropout: float = 0.0,
        forgetting: Forgetting | None = None,
    ) -> torch.Tensor:
        """Return ``(B, d, width)``; see :meth:`AutoregressiveNetwork.logits`."""
        terms = self._terms(records, bins)
        if dropout:
            terms = F.dropout(terms, dropout / 2)
        before = sums_before(terms) if forgetting is None else forgetting.sums(terms)
        counts = F.pad((bins == self.rare).cumsum(dim=1)[:, :-1], (1, 0))
        return self._hidden(before * self.scale[:, None] + self.position, counts, dropout)

    def _terms(self, records: torch.Tensor, bins: torch.Tensor) -> torch.Tensor:
        """Return what each feature adds to the sum: its bin, and where in the bin it lies."""
        terms = F.embedding(bins + self.first, self._levels())
        if len(self.graded):
            graded = self.graded
            places = self._places(records[:, graded], bins[:, graded], graded)
            terms = terms.index_add(1, graded, places)
        return terms

    def _levels(self) -> torch.Tensor:
        """Return the centred embeddings ``(bins, width)``: of mean 0 over a feature."""
        weight = self.level.weight
        means = weight.new_zeros(self.d, self.width)
        means = means.index_add(0, self.feature, weight * self.share)
        return weight - means[self.feature]

    def _places(
        self, coordinates: torch.Tensor, bins: torch.Tensor, features: torch.Tensor | int
    ) -> torch.Tensor:
        """Return the embedding of where in its bin each coordinate of graded features lies."""
        low, high = self.edges[features, bins], self.edges[features, bins + 1]
        rows = self.graded_first[features] + bins
        place = (coordinates - low) / (high - low).clamp(min=1e-6) - 0.5
        embedded: torch.Tensor = self.slope(rows)
        return embedded * (place * self.graded_bins[rows])[..., None]

    def _hidden(self, x: torch.Tensor, counts: torch.Tensor, dropout: float = 0.0) -> torch.Tensor:
        if self.count is not None:
            x = x + self.count(counts.clamp(max=_MOST_COUNTED))
        for block in self.blocks:
            change = block(x)
            x = x + (F.dropout(change, dropout) if dropout else change)
        out: torch.Tensor = self.norm(x)
        return out

    # ------------------------------------------------------------------ feature by feature

    @property
    def version(self) -> int:
        """A number that changes with the weights: a prefix of others is of no use."""
        return sum(weights._version for weights in (*self.parameters(), *self.buffers()))

    def prefix(self, n: int) -> Prefix:
        """Return the empty prefix of n records."""
        device = self.position.device
        total = torch.zeros(n, self.width, device=device)
        count = torch.zeros(n, dtype=torch.int64, device=device)
        return Prefix(total, count, {}, self._levels(), self.version)

    def extend(self, prefix: Prefix, coordinates: torch.Tensor) -> None:
        """Add the next feature's coordinates ``(n,)`` in [0, 1] to ``prefix``."""
        t = prefix.length
        bins = torch.searchsorted(self.inner[t], coordinates.contiguous(), right=True)
        prefix.total += prefix.levels[bins + self.first[t]]
        prefix.count += bins == self.rare[t]
        if t in self.remembered:
            prefix.bins[t] = bins
        if self.is_graded[t]:
            prefix.total += self._places(coordinates, bins, t)
        prefix.length += 1

    def next(self, prefix: Prefix) -> torch.Tensor:
        """Return ``(n, width)``: the hidden vectors of the feature that follows ``prefix``."""
        t = prefix.length
        return self._hidden(prefix.total * self.scale[t] + self.position[t], prefix.count)

    # ------------------------------------------------------------------ single transitions

    def at(self, records: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """Return ``(B, width)`` hidden vectors at one position of each record.

        Args:
            records: ``(B, d)``; coordinates from the position on are ignored.
            positions: ``(B,)`` int64 in [0, d).
        """
        bins = self.bins(records)
        known = torch.arange(self.d, device=records.device) < positions[:, None]
        total = (self._terms(records, bins) * known[..., None]).sum(dim=1)
        counts = ((bins == self.rare) & known).sum(dim=1)
        x = total * self.scale[positions][:, None] + self.position[positions]
        return self._hidden(x, counts)

    def freeze(self) -> None:
        """Turn parameters into buffers: saved with the policy, no optimiser's business."""
        for module in self.modules():
            for name, parameter in list(module.named_parameters(recurse=False)):
                delattr(module, name)
                module.register_buffer(name, parameter.detach())


class AutoregressiveNetwork(RunningSum):
    """Logits of every feature's bins that depend on earlier features only.

    They start at the log widths of the bins: untrained, it emits the identity marginals.
    Args:
        bin_edges, atoms, width, blocks: as for :class:`RunningSum`.
        rules: on two features each, which bins of the second would break.
    """

    def __init__(
        self,
        bin_edges: np.ndarray,
        atoms: np.ndarray | None = None,
        rules: Sequence[PairRule] = (),
        *,
        width: int = 96,
        blocks: int = 2,
    ) -> None:
        super().__init__(bin_edges, atoms, width=width, blocks=blocks)
        self.heads = BinHeads(np.asarray(bin_edges, dtype=np.float32), width)
        self.caution: Caution | None = None
        if len(rules):
            self.caution = Caution(rules, self.heads)
            self.remembered = frozenset(rule.earlier for rule in rules)

    def logits(
        self,
        records: torch.Tensor,
        bins: torch.Tensor,
        dropout: float = 0.0,
        forgetting: Forgetting | None = None,
    ) -> RecordLogits:
        """Return the logits of all features of whole records.

        Args:
            records: ``(B, d)`` in [0, 1].
            bins: what :meth:`bins` gave for them.
            dropout: probability that a hidden unit is dropped; half of it for single units of the
                prefix. For likelihood steps only, as the next one: a rollout's densities must be
                those that were sampled from.
            forgetting: which features of the prefix are left out.
        """
        logits: RecordLogits = self.heads(self(records, bins, dropout, forgetting))
        return logits if self.caution is None else self.caution(bins, logits)

    def next_logits(self, prefix: Prefix) -> torch.Tensor:
        """Return ``(n, K)`` logits of the feature that follows ``prefix``."""
        logits = self.heads.at(prefix.length, self.next(prefix))
        return self._cautious(prefix.length, prefix.bins.__getitem__, logits)

    def logits_at(self, records: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """Return ``(B, K)`` logits at one position of each record; see :meth:`at`."""
        hidden = self.at(records, positions)
        bins = self.bins(records)
        out = self.heads.start[positions].clone()
        for t in positions.unique().tolist():
            rows = positions == t
            emitted = bins[rows]
            logits = self._cautious(
                t, emitted.unbind(1).__getitem__, self.heads.at(t, hidden[rows])
            )
            out[rows, : logits.shape[1]] = logits
        return out

    def _cautious(
        self, feature: int, bins_of: Callable[[int], torch.Tensor], logits: torch.Tensor
    ) -> torch.Tensor:
        return logits if self.caution is None else self.caution.at(feature, bins_of, logits)


class ValueNetwork(RunningSum):
    """One number per position that depends on earlier features only.

    Arguments as for :class:`RunningSum`.
    """

    def __init__(
        self,
        bin_edges: np.ndarray,
        atoms: np.ndarray | None = None,
        *,
        width: int = 64,
        blocks: int = 1,
    ) -> None:
        super().__init__(bin_edges, atoms, width=width, blocks=blocks)
        self.head = nn.Linear(width, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def values(self, records: torch.Tensor, bins: torch.Tensor) -> torch.Tensor:
        """Return ``(B, d)`` values of whole records ``(B, d)``."""
        return self._value(self(records, bins))

    def next_value(self, prefix: Prefix) -> torch.Tensor:
        """Return ``(n,)`` values of ``prefix``."""
        return self._value(self.next(prefix))

    def values_at(self, records: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """Return ``(B,)`` values at one position of each record; see :meth:`at`."""
        return self._value(self.at(records, positions))

    def _value(self, hidden: torch.Tensor) -> torch.Tensor:
        value: torch.Tensor = self.head(hidden)
        return value.squeeze(-1)
