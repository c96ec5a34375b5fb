"""Features of the flat observations: what the policies' networks see.

A step-by-step observation is ``[d values | one-hot of the feature to emit | one noise number]``;
a one-shot observation is standard normal noise. Both extractors end in columns that pass the noise
through untouched, so that a policy's last layer can start as the identity (see
:mod:`agents.policies`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import nn
from torch.nn import functional as F  # noqa: N812

from rlsyn_env.actions import DiscreteCodec
from rlsyn_env.core import RecordCore

_EDGE = 1e-4  # how near to -1 and 1 a number may be before its atanh is cut off (|atanh| < 4.96)
_EMPTY_BIN_LOGIT = -20.0  # logit of a bin that a feature does not have: never drawn in practice


def atanh(x: torch.Tensor) -> torch.Tensor:
    """Inverse of tanh with ``x`` kept inside (-1, 1): finite, and exact but for the last 0.01 %."""
    return torch.atanh(x.clamp(-1 + _EDGE, 1 - _EDGE))


def inner_edges(bin_edges: np.ndarray) -> np.ndarray:
    """Edges between the bins, to search by: a coordinate of 1 is in the last bin that exists.

    Args:
        bin_edges: ``(d, K + 1)`` increasing along each row, padded with 1 at its end.

    Returns:
        ``(d, K - 1)`` float32, padded with infinity.
    """
    inner = np.asarray(bin_edges, dtype=np.float32)[:, 1:-1].copy()
    inner[inner >= 1] = np.inf
    return inner


def log_bin_widths(bin_edges: np.ndarray) -> np.ndarray:
    """Logits of the identity marginals: log widths of each feature's bins.

    Args:
        bin_edges: ``(d, K + 1)`` increasing along each row, padded with 1 at its end.

    Returns:
        ``(d, K)`` float32; bins of no width get -20.
    """
    widths = np.diff(np.asarray(bin_edges, dtype=np.float64), axis=1)
    logits = np.full(widths.shape, _EMPTY_BIN_LOGIT)
    np.log(widths, out=logits, where=widths > 0)
    return logits.astype(np.float32)


def _n_features(observation_space: spaces.Space) -> int:
    """Return d of a step-by-step observation space ``Box((2d + 1,))``."""
    shape = observation_space.shape
    if shape is None or len(shape) != 1 or shape[0] % 2 == 0:
        raise ValueError(f"expected flat observations of 2d + 1 numbers, not of shape {shape}")
    return (shape[0] - 1) // 2


class RecordExtractor(BaseFeaturesExtractor):
    """Features of a step-by-step observation ``(B, 2d + 1)``.

    The prefix enters as a sum of embeddings, one for each emitted feature's bin (levels of a
    categorical feature are one bin each), beside a linear map of the values (NADE's running sum;
    Larochelle and Murray 2011). The feature to emit scales and shifts the second layer (FiLM; Perez
    et al. 2018).

    Output: ``[hidden | one-hot position | noise | atanh(noise)]``, ``(B, width + d + 2)``; without
    noise ``[hidden | one-hot position]``, ``(B, width + d)``. The terminal observation, whose
    one-hot is all zero, is accepted.

    Args:
        observation_space: ``Box`` of shape ``(2d + 1,)``.
        bin_edges: ``(d, K + 1)`` as ``RecordCore.bin_edges``; None leaves the embeddings out.
        width: of the hidden layers.
        use_noise: whether the noise is seen. Deterministic and Gaussian actors need it; policies
            over bins and value functions do without, because no return depends on it.
        twice_differentiable: sum the embeddings by a matrix product with one-hot rows, which TRPO
            can differentiate twice; slower than the default.
    """

    log_widths: torch.Tensor | None  # (d, K) log widths of the bins
    edges: torch.Tensor  # (d, K - 1) inner edges of the bins
    first_row: torch.Tensor  # (d, 1) row of a feature's first bin in the embedding

    def __init__(
        self,
        observation_space: spaces.Space,
        bin_edges: np.ndarray | None = None,
        width: int = 128,
        use_noise: bool = True,
        twice_differentiable: bool = False,
    ) -> None:
        d = _n_features(observation_space)
        super().__init__(observation_space, width + d + (2 if use_noise else 0))
        self.d = d
        self.width = width
        self.use_noise = use_noise
        self.twice_differentiable = twice_differentiable
        self.values = nn.Linear(d, width)
        self.position = nn.Linear(d, width, bias=False)
        self.noise = nn.Linear(2, width, bias=False) if use_noise else None
        self.hidden = nn.Linear(width, width)
        self.scale = nn.Linear(d, width, bias=False)
        self.shift = nn.Linear(d, width, bias=False)
        self.embedding: nn.EmbeddingBag | None = None
        self.n_bins = 0
        self.register_buffer(
            "log_widths",
            None if bin_edges is None else torch.as_tensor(log_bin_widths(bin_edges)),
            persistent=False,
        )
        if bin_edges is not None:
            inner = inner_edges(bin_edges)
            self.n_bins = inner.shape[1] + 1
            # Row d * n_bins stands for a feature that has no value yet.
            self.embedding = nn.EmbeddingBag(
                d * self.n_bins + 1, width, mode="sum", padding_idx=d * self.n_bins
            )
            nn.init.normal_(self.embedding.weight, std=0.3 / np.sqrt(d))
            with torch.no_grad():
                self.embedding.weight[-1].zero_()
            self.register_buffer("edges", torch.as_tensor(inner), persistent=False)
            self.register_buffer(
                "first_row", torch.arange(d).unsqueeze(1) * self.n_bins, persistent=False
            )

    @property
    def position_columns(self) -> slice:
        """Columns of the one-hot position."""
        return slice(self.width, self.width + self.d)

    @property
    def noise_columns(self) -> list[int]:
        """The column of the noise, uniform in [-1, 1)."""
        return [self.width + self.d]

    @property
    def atanh_noise_columns(self) -> list[int]:
        """The column of atanh(noise)."""
        return [self.width + self.d + 1]

    def split(self, observations: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return values ``(B, d)``, one-hot position ``(B, d)`` and noise ``(B, 1)``."""
        d = self.d
        return observations[:, :d], observations[:, d : 2 * d], observations[:, 2 * d :]

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        """Map observations ``(B, 2d + 1)`` to features."""
        values, position, noise = self.split(observations)
        noise_pair = torch.cat([noise, atanh(noise)], dim=1)
        total = self.values(values) + self.position(position)
        if self.noise is not None:
            total = total + self.noise(noise_pair)
        if self.embedding is not None:
            total = total + self._embedded(self.embedding, self._rows(values, position))
        hidden = F.silu(total)
        gate = 1 + self.scale(position)
        hidden = hidden + F.silu(self.hidden(hidden) * gate + self.shift(position))
        columns = [hidden, position, noise_pair] if self.use_noise else [hidden, position]
        return torch.cat(columns, dim=1)

    def _embedded(self, embedding: nn.EmbeddingBag, rows: torch.Tensor) -> torch.Tensor:
        """Return the sums ``(B, width)`` of the embeddings of ``rows`` ``(B, d)``."""
        if not self.twice_differentiable:
            total: torch.Tensor = embedding(rows)
            return total
        chosen = rows.new_zeros(len(rows), embedding.num_embeddings, dtype=embedding.weight.dtype)
        chosen.scatter_(1, rows, 1.0)
        return chosen[:, :-1] @ embedding.weight[:-1]

    def _rows(self, values: torch.Tensor, position: torch.Tensor) -> torch.Tensor:
        """Return ``(B, d)`` embedding rows: the bin of an emitted feature, else the empty row."""
        fractions = ((values.t() + 1) / 2).contiguous()
        bins = torch.searchsorted(self.edges, fractions, right=True) + self.first_row
        # A feature is emitted when the one-hot stands behind it (or is gone, after the last one).
        emitted = position.cumsum(dim=1) < 0.5
        return torch.where(emitted, bins.t(), self.d * self.n_bins)


class OneShotExtractor(BaseFeaturesExtractor):
    """Features of a one-shot observation ``(B, noise_dim)`` of standard normals.

    Output ``(B, width + 2m)``: ``[hidden | uniform noise | atanh of it]`` with
    ``uniform = 2 Phi(z) - 1`` of the first ``m = min(d, noise_dim)`` numbers, d the number of
    features of the record.

    Args:
        observation_space: ``Box`` of shape ``(noise_dim,)``.
        n_features: d.
        width: of the hidden layers; 0 leaves them out.
    """

    def __init__(self, observation_space: spaces.Space, n_features: int, width: int = 128) -> None:
        shape = observation_space.shape
        if shape is None or len(shape) != 1:
            raise ValueError(f"OneShotExtractor needs flat observations, not {shape}")
        self.m = min(n_features, shape[0])
        super().__init__(observation_space, width + 2 * self.m)
        self.width = width
        self.network = nn.Sequential()
        if width:
            self.network = nn.Sequential(
                nn.Linear(shape[0], width), nn.SiLU(), nn.Linear(width, width), nn.SiLU()
            )

    @property
    def noise_columns(self) -> list[int]:
        """Columns of the uniform noise, one for each of the first m features."""
        return list(range(self.width, self.width + self.m))

    @property
    def atanh_noise_columns(self) -> list[int]:
        """Columns of its atanh."""
        return list(range(self.width + self.m, self.width + 2 * self.m))

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        """Map observations ``(B, noise_dim)`` to features."""
        uniform = 2 * torch.special.ndtr(observations[:, : self.m]) - 1
        columns = [uniform, atanh(uniform)]
        if self.width:
            columns.insert(0, self.network(observations))
        return torch.cat(columns, dim=1)


class PrefixExtractor(BaseFeaturesExtractor):
    """Features for a linear policy: the prefix and the noise, gated by the feature to emit.

    With ``n = atanh(noise)``, feature t of a record gets columns of its own: ``1``, for each
    earlier ordered feature its ``z = atanh(value)``, for each earlier nominal feature a one-hot of
    its level, and, with noise, ``n`` and ``n`` times each of those one-hots. All columns of the
    other features are zero. A linear policy squashed by tanh is then an autoregressive model on the
    logistic scale: ordered features shift a later one, levels shift and stretch it.

    Args:
        observation_space: ``Box`` of shape ``(2d + 1,)``.
        bin_edges: ``(d, K + 1)``, the bins of nominal features being their levels.
        nominal: ``(d,)`` bool, features whose levels have no order.
        use_noise: whether there are noise columns.
        max_columns: most columns that earlier features may get; in a wide table each feature sees
            only as many of the features just before it as fit.
    """

    edges: torch.Tensor
    ordered_source: torch.Tensor
    ordered_target: torch.Tensor
    level_source: torch.Tensor
    level_number: torch.Tensor
    level_target: torch.Tensor

    def __init__(
        self,
        observation_space: spaces.Space,
        bin_edges: np.ndarray,
        nominal: np.ndarray,
        use_noise: bool = True,
        max_columns: int = 8192,
    ) -> None:
        d = _n_features(observation_space)
        target, source = np.tril_indices(d, k=-1)
        n_levels = (np.diff(bin_edges, axis=1) > 0).sum(axis=1)
        n_per_source = np.where(nominal, n_levels * (2 if use_noise else 1), 1)
        per_distance = np.bincount(target - source, n_per_source[source], minlength=2)
        reach = np.flatnonzero(per_distance.cumsum() <= max_columns).max()
        near = target - source <= reach
        target, source = target[near], source[near]
        ordered = ~np.asarray(nominal, dtype=bool)[source]
        repeats = n_levels[source[~ordered]]
        level_source = np.repeat(source[~ordered], repeats)
        level_number = np.concatenate([np.arange(n) for n in repeats] or [np.zeros(0, np.int64)])
        n_columns = d + int(ordered.sum()) + len(level_source)
        if use_noise:
            n_columns += d + len(level_source)
        super().__init__(observation_space, n_columns)
        self.d = d
        self.use_noise = use_noise
        # The noise's own columns, one for each feature to emit, come last.
        self.atanh_noise_columns = list(range(n_columns - d, n_columns)) if use_noise else []
        arrays = {
            "edges": inner_edges(bin_edges),
            "ordered_source": source[ordered],
            "ordered_target": target[ordered],
            "level_source": level_source,
            "level_number": level_number,
            "level_target": np.repeat(target[~ordered], repeats),
        }
        for name, array in arrays.items():
            self.register_buffer(name, torch.as_tensor(array), persistent=False)

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        """Map observations ``(B, 2d + 1)`` to features."""
        d = self.d
        values, position = observations[:, :d], observations[:, d : 2 * d]
        bins = torch.searchsorted(self.edges, ((values.t() + 1) / 2).contiguous(), right=True).t()
        levels = (bins[:, self.level_source] == self.level_number) * position[:, self.level_target]
        ordered = atanh(values)[:, self.ordered_source] * position[:, self.ordered_target]
        columns = [position, ordered, levels]
        if self.use_noise:
            n = atanh(observations[:, 2 * d :])
            columns += [n * levels, n * position]
        return torch.cat(columns, dim=1)


def extractor_kwargs(core: RecordCore, bins: int = 24) -> dict[str, Any]:
    """Return the keyword arguments that make the environment's extractor fit ``core``.

    Args:
        core: of any mode.
        bins: bins per feature that the prefix is embedded by where actions are not bins.
    """
    if core.mode == "oneshot":
        return {"n_features": core.n_features}
    codec = core.codec
    if not isinstance(codec, DiscreteCodec):
        codec = DiscreteCodec(core.encoder, bins)
    return {"bin_edges": codec.edges}


def nominal_features(core: RecordCore) -> np.ndarray:
    """Return ``(d,)`` bool: features whose cells have no order."""
    return np.array([not feature.ordered for feature in core.encoder.features])
