"""The discriminator: a small network that tells real records from synthetic ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from rlsyn_env.tables.encoder import RecordEncoder

_NORMAL_SCORE_CLIP = 1e-3  # normal scores stay within +-3.1: tails must not dominate the input


class FeatureModule(nn.Module):
    """Base of what a discriminator may see of an encoded record.

    Attributes:
        n_features: width of what ``forward`` returns for records ``(n, d)`` in [0, 1].
        feature_of: ``(n_features,)`` int64, the feature of the record that each column shows.
    """

    n_features: int
    feature_of: torch.Tensor


class RecordFeatures(FeatureModule):
    """What the discriminator sees of an encoded record.

    Atoms (levels, point masses, integer values, missing) become one-hot columns, so the jitter
    inside an atom is invisible to it. Every ordered feature (numeric, datetime) adds its normal
    score and its linear value; inside an atom both are those of the atom's midpoint, for missing
    both are zero.

    Args:
        encoder: gives the cells of every feature, d features in all.

    ``forward`` takes ``(n, d)`` float32 in [0, 1] and returns ``(n, n_features)`` float32.
    ``feature_of`` ``(n_features,)`` int64 is the index of the feature that each column tells of.
    """

    offsets: torch.Tensor
    starts: torch.Tensor
    first_cell: torch.Tensor
    last_cell: torch.Tensor
    midpoints: torch.Tensor
    is_atom: torch.Tensor
    is_missing: torch.Tensor
    columns: torch.Tensor
    ordered: torch.Tensor
    feature_of: torch.Tensor

    def __init__(self, encoder: RecordEncoder) -> None:
        super().__init__()
        starts, midpoints, is_atom, is_missing, column = [], [], [], [], []
        n_atoms = 0
        for j, feature in enumerate(encoder.features):
            edges = np.asarray(feature.edges, dtype=np.float64)
            starts.append(edges[:-1] + j)
            midpoints.append((edges[1:] + edges[:-1]) / 2)
            atom = np.asarray(feature.is_atom, dtype=bool)
            is_atom.append(atom)
            missing = np.zeros(len(atom), dtype=bool)
            if feature.missing_cell is not None:
                missing[feature.missing_cell] = True
            is_missing.append(missing)
            number = np.cumsum(atom) - 1 + n_atoms
            column.append(np.where(atom, number, -1))
            n_atoms += int(atom.sum())
        ordered = np.array([f.ordered for f in encoder.features], dtype=bool)
        columns = np.concatenate(column)
        columns[columns < 0] = n_atoms  # continuous pieces share one column that is cut off
        self.n_atoms = n_atoms
        self.n_features = n_atoms + 2 * int(ordered.sum())
        self._add("offsets", np.arange(len(encoder.features), dtype=np.float64))
        self._add("starts", np.concatenate(starts))
        self._add("first_cell", np.cumsum([0] + [len(s) for s in starts[:-1]]))
        self._add("last_cell", np.cumsum([len(s) for s in starts]) - 1)
        self._add("midpoints", np.concatenate(midpoints).astype(np.float32))
        self._add("is_atom", np.concatenate(is_atom))
        self._add("is_missing", np.concatenate(is_missing))
        self._add("columns", columns)
        self._add("ordered", np.flatnonzero(ordered))
        atoms_of = [np.full(int(np.sum(f.is_atom)), j) for j, f in enumerate(encoder.features)]
        self._add("feature_of", np.concatenate([*atoms_of, *[np.flatnonzero(ordered)] * 2]))

    def _add(self, name: str, values: npt.NDArray[np.generic]) -> None:
        self.register_buffer(name, torch.as_tensor(values), persistent=False)

    def forward(self, records: torch.Tensor) -> torch.Tensor:
        """Map records ``(n, d)`` in [0, 1] to features ``(n, n_features)``."""
        n = len(records)
        # One sorted array for all features: feature j lives in [j, j + 1). float64 keeps the
        # float32 cell edges exact after the shift.
        shifted = (records.double() + self.offsets).contiguous()
        cells = torch.searchsorted(self.starts, shifted, right=True) - 1
        cells = torch.maximum(torch.minimum(cells, self.last_cell), self.first_cell)
        one_hot = records.new_zeros(n, self.n_atoms + 1)
        one_hot.scatter_(1, self.columns[cells], 1.0)
        ordered_cells = cells[:, self.ordered]
        position = torch.where(
            self.is_atom[ordered_cells], self.midpoints[ordered_cells], records[:, self.ordered]
        )
        position = torch.where(self.is_missing[ordered_cells], 0.5, position)
        score = torch.special.ndtri(position.clamp(_NORMAL_SCORE_CLIP, 1 - _NORMAL_SCORE_CLIP))
        return torch.cat([one_hot[:, : self.n_atoms], score, 2 * position - 1], dim=1)


class SeededDropout(nn.Module):
    """Dropout whose masks come from the adversary's own generator, not torch's global one.

    The adversary must not depend on what the agent draws, nor disturb it.
    """

    def __init__(self, p: float, generator: torch.Generator) -> None:
        super().__init__()
        self.p = p
        self.generator = generator

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Zero entries of ``x`` with probability p in training mode, rescale the others."""
        if not self.training or self.p == 0:
            return x
        mask = torch.empty_like(x).bernoulli_(1 - self.p, generator=self.generator)
        return x * mask / (1 - self.p)


class Discriminator(nn.Module):
    """An MLP from record features to one logit, positive for real.

    Args:
        n_features: width of the input.
        hidden: widths of the hidden layers.
        dropout: probability after every hidden layer, training mode only.
        generator: of the dropout masks; the initial weights are of torch's own.
    """

    def __init__(
        self, n_features: int, hidden: Sequence[int], dropout: float, generator: torch.Generator
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        width = n_features
        for size in hidden:
            layers += [
                nn.Linear(width, size),
                nn.LeakyReLU(0.2, inplace=False),
                SeededDropout(dropout, generator),
            ]
            width = size
        layers.append(nn.Linear(width, 1))
        self.network = nn.Sequential(*layers)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map features ``(n, n_features)`` to logits ``(n,)``."""
        return self.network(features).squeeze(-1)


def gradient_penalty(logits: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
    """R1: mean squared norm of d logits / d features on real rows (Mescheder et al. 2018, eq. 9).

    Args:
        logits: ``(n,)``, computed from ``features``.
        features: ``(n, n_features)`` with ``requires_grad``.
    """
    (gradient,) = torch.autograd.grad(logits.sum(), features, create_graph=True)
    return gradient.square().sum(dim=1).mean()
