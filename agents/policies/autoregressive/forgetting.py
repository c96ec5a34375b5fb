"""What a likelihood step hides of the features before each position of a record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Forgetting:
    """Features left out of the prefix at random, against memorising.

    Attributes:
        shares: ``(d,)`` probabilities below 1 that a whole feature is left out.
        sharp: positions that see more of what is before them than others do.
        sharp_factor: in [0, 1], times ``shares`` are theirs; 0: they see everything.
    """

    shares: torch.Tensor
    sharp: Sequence[int] = ()
    sharp_factor: float = 1.0

    def sums(self, terms: torch.Tensor) -> torch.Tensor:
        """Return ``(B, d, width)``: the sums of the terms ``(B, d, width)`` before each position.

        What is seen is scaled up, so that a sum is on average that of everything. A sharp position
        sees what the others see, and more.
        """
        drawn = torch.rand(terms.shape[:2], device=terms.device)
        before = sums_before(terms * self._weights(drawn, self.shares))
        if self.sharp:
            weights = self._weights(drawn, self.sharp_factor * self.shares)
            for position in self.sharp:
                seen = terms[:, :position] * weights[:, :position]
                before[:, position] = seen.sum(dim=1)
        return before

    @staticmethod
    def _weights(drawn: torch.Tensor, shares: torch.Tensor) -> torch.Tensor:
        return ((drawn >= shares) / (1 - shares)).unsqueeze(2)


def sums_before(terms: torch.Tensor) -> torch.Tensor:
    """Return ``(B, d, width)``: at each position the sum of the terms before it."""
    return torch.nn.functional.pad(terms.cumsum(dim=1)[:, :-1], (0, 0, 1, 0))
