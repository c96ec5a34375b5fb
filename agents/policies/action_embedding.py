"""How a critic sees the action it judges."""

from __future__ import annotations

from typing import cast

import torch
from stable_baselines3.common.policies import BaseModel
from torch import nn
from torch.nn import functional as F  # noqa: N812

from agents.policies.extractors import RecordExtractor


class ActionEmbedding(nn.Module):
    """Scales and shifts the hidden features by an embedding of (feature to emit, action).

    A plain critic appends the action as one number to its features; what that number means depends
    on the feature to emit, and a level of a category is an interval of it. Here each feature has
    ``knots`` embeddings along [-1, 1] with linear interpolation between neighbours, so the value
    has a useful slope in the action everywhere.

    Args:
        d: number of features.
        width: of the hidden features.
        knots: per feature.

    ``forward`` takes ``(B, width + d + 1)``, ``[hidden | one-hot position | action]``, and returns
    the same shape with the hidden part changed.
    """

    def __init__(self, d: int, width: int, knots: int = 16) -> None:
        super().__init__()
        self.d = d
        self.width = width
        self.knots = knots
        self.table = nn.Embedding(d * knots, 2 * width)
        nn.init.normal_(self.table.weight, std=0.1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Modulate the hidden features."""
        hidden, position, action = x.split([self.width, self.d, 1], dim=1)
        place = (action[:, 0].clamp(-1, 1) + 1) / 2 * (self.knots - 1)
        left = place.detach().floor().long().clamp(max=self.knots - 2)
        share = (place - left)[:, None]
        row = position.argmax(dim=1) * self.knots + left
        weight = self.table.weight
        embedded = F.embedding(row, weight) * (1 - share) + F.embedding(row + 1, weight) * share
        scale, shift = embedded.chunk(2, dim=1)
        return torch.cat([hidden * (1 + scale) + shift, position, action], dim=1)


def embed_actions(critic: BaseModel) -> None:
    """Put an :class:`ActionEmbedding` before every Q-network of ``critic``.

    Does nothing for another extractor than :class:`RecordExtractor` without noise columns.
    """
    extractor = critic.features_extractor
    if not isinstance(extractor, RecordExtractor) or extractor.use_noise:
        return
    networks = cast(list[nn.Module], critic.q_networks)
    for index, network in enumerate(networks):
        networks[index] = nn.Sequential(ActionEmbedding(extractor.d, extractor.width), network)
        critic.add_module(f"qf{index}", networks[index])
