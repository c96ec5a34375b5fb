"""The network: every conditional p(feature | features before it) of a record in one pass.

NADE (Larochelle and Murray 2011): the prefix enters as a running sum of embeddings, one for each
emitted feature, so a longer prefix costs O(width) more and whole records need one cumulative sum.
Residual blocks shared by all positions and a head per position follow.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from agents.policies.extractors import log_bin_widths

_IMPOSSIBLE = -1e9  # logit of a bin that a feature does not have: its probability is exactly 0


class Prefix:
    """Running sum of embeddings of n records that are written feature by feature.

    Attributes:
        records: ``(n, d)`` coordinates known so far.
        length: number of features that the sum holds.
        total: ``(n, width)``.
    """

    def __init__(self, n: int, d: int, width: int, device: torch.device) -> None:
        self.records = torch.zeros(n, d, device=device)
        self.length = 0
        self.total = torch.zeros(n, width, device=device)


class AutoregressiveNetwork(nn.Module):
    """Maps records to one output vector per feature that depends on earlier features only.

    Args:
        bin_edges: ``(d, K + 1)`` increasing along each row, padded with 1 (a level of a categorical
            feature is one bin).
        width: of the embeddings and hidden layers.
        blocks: residual blocks.
        values: False: logits ``(.., K)`` of bins that start at the log widths, the identity
            marginals; True: one number, a value function.
    """

    edges: torch.Tensor  # (d, K + 1)
    start: torch.Tensor  # (d, K) logits of the identity marginals
    scale: torch.Tensor  # (d,) keeps the variance of the running sum
    inner: torch.Tensor  # (d, K - 1) inner edges
    first: torch.Tensor  # (d,) row of a feature's first bin in the embeddings

    def __init__(
        self,
        bin_edges: np.ndarray,
        *,
        width: int = 96,
        blocks: int = 2,
        values: bool = False,
    ) -> None:
        super().__init__()
        edges = np.asarray(bin_edges, dtype=np.float32)
        self.d, self.n_bins = edges.shape[0], edges.shape[1] - 1
        self.width, self.values = width, values
        d, k = self.d, self.n_bins
        self.level = nn.Embedding(d * k, width)
        self.slope = nn.Embedding(d * k, width)
        self.position = nn.Parameter(torch.randn(d, width) * 0.3)
        nn.init.normal_(self.level.weight, std=0.3)
        nn.init.normal_(self.slope.weight, std=0.1)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.LayerNorm(width), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width)
            )
            for _ in range(blocks)
        )
        self.norm = nn.LayerNorm(width)
        outputs = 1 if values else k
        self.head = nn.Parameter(torch.zeros(1 if values else d, width, outputs))
        self.bias = nn.Parameter(torch.zeros(1 if values else d, outputs))
        widths = np.diff(edges, axis=1)
        start = np.where(widths > 0, log_bin_widths(edges), _IMPOSSIBLE).astype(np.float32)
        self._add("edges", torch.as_tensor(edges.copy()))
        self._add("inner", self.edges[:, 1:-1].contiguous())
        self._add("start", torch.as_tensor(start))
        self._add("first", torch.arange(d) * k)
        self._add("scale", (1 + torch.arange(d, dtype=torch.float32)).rsqrt())

    def freeze(self) -> None:
        """Turn parameters into buffers: saved with the policy, no optimiser's business."""
        for module in self.modules():
            for name, parameter in list(module.named_parameters(recurse=False)):
                delattr(module, name)
                module.register_buffer(name, parameter.detach())

    def _add(self, name: str, values: torch.Tensor) -> None:
        self.register_buffer(name, values, persistent=False)

    # ------------------------------------------------------------------ whole records

    def bins(self, records: torch.Tensor) -> torch.Tensor:
        """Return ``(B, d)`` int64: the bin of every coordinate ``(B, d)`` in [0, 1]."""
        return torch.searchsorted(self.inner, records.t().contiguous(), right=True).t()

    def forward(
        self, records: torch.Tensor, bins: torch.Tensor, dropout: float = 0.0, forget: float = 0.0
    ) -> torch.Tensor:
        """Return ``(B, d, K)`` logits, or ``(B, d)`` values.

        Args:
            records: ``(B, d)`` in [0, 1].
            bins: what :meth:`bins` gave for them.
            dropout: probability that a hidden unit is dropped; half of it for single units of the
                prefix. For likelihood steps only, as the next one: a rollout's densities must be
                those that were sampled from.
            forget: probability that a whole feature of the prefix is left out.
        """
        terms = self._terms(records, bins, self.first)
        if forget:
            keep = torch.rand(*terms.shape[:2], 1, device=terms.device) >= forget
            terms = terms * keep / (1 - forget)
        if dropout:
            terms = F.dropout(terms, dropout / 2)
        before = F.pad(terms.cumsum(dim=1)[:, :-1], (0, 0, 1, 0))
        hidden = self._hidden(before * self.scale[:, None] + self.position, dropout)
        if self.values:
            return (hidden @ self.head[0] + self.bias[0]).squeeze(-1)
        return torch.einsum("bdh,dhk->bdk", hidden, self.head) + self.bias + self.start

    def _terms(
        self, records: torch.Tensor, bins: torch.Tensor, first: torch.Tensor
    ) -> torch.Tensor:
        """Return what each feature adds to the sum: its bin, and where in the bin it lies."""
        rows = bins + first
        edges = self.edges.reshape(-1)
        # Row r of the (d, K) tables starts at edge r + (feature number) of the (d, K + 1) edges.
        low_at = rows + torch.div(first, self.n_bins, rounding_mode="floor")
        low, high = edges[low_at], edges[low_at + 1]
        place = (records - low) / (high - low).clamp(min=1e-6) - 0.5
        return self.level(rows) + self.slope(rows) * place[..., None]

    def _hidden(self, x: torch.Tensor, dropout: float = 0.0) -> torch.Tensor:
        for block in self.blocks:
            change = block(x)
            x = x + (F.dropout(change, dropout) if dropout else change)
        out: torch.Tensor = self.norm(x)
        return out

    # ------------------------------------------------------------------ feature by feature

    def prefix(self, n: int) -> Prefix:
        """Return the empty prefix of n records."""
        return Prefix(n, self.d, self.width, self.position.device)

    def extend(self, prefix: Prefix, coordinates: torch.Tensor) -> None:
        """Add the next feature's coordinates ``(n,)`` in [0, 1] to ``prefix``."""
        t = prefix.length
        prefix.records[:, t] = coordinates
        bins = torch.searchsorted(self.inner[t], coordinates.contiguous(), right=True)
        prefix.total += self._terms(coordinates, bins, self.first[t])
        prefix.length += 1

    def next(self, prefix: Prefix) -> torch.Tensor:
        """Return ``(n, K)`` logits, or ``(n,)`` values, of the feature that follows ``prefix``."""
        t = prefix.length
        hidden = self._hidden(prefix.total * self.scale[t] + self.position[t])
        if self.values:
            return (hidden @ self.head[0] + self.bias[0]).squeeze(-1)
        return torch.addmm(self.bias[t] + self.start[t], hidden, self.head[t])

    # ------------------------------------------------------------------ single transitions

    def at(self, records: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """Return ``(B, K)`` logits, or ``(B,)`` values, at one position of each record.

        Args:
            records: ``(B, d)``; coordinates from the position on are ignored.
            positions: ``(B,)`` int64 in [0, d).
        """
        terms = self._terms(records, self.bins(records), self.first)
        known = torch.arange(self.d, device=records.device) < positions[:, None]
        total = (terms * known[..., None]).sum(dim=1)
        x = total * self.scale[positions][:, None] + self.position[positions]
        hidden = self._hidden(x)
        if self.values:
            return (hidden @ self.head[0] + self.bias[0]).squeeze(-1)
        out = hidden.new_empty(len(records), self.n_bins)
        for t in positions.unique().tolist():
            rows = positions == t
            out[rows] = hidden[rows] @ self.head[t] + self.bias[t] + self.start[t]
        return out
