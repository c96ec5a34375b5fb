"""Adam whose steps are a fraction of what its learning rate says."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch


class SlowAdam(torch.optim.Adam):
    """Adam with ``speed`` times the learning rate that others set on it.

    SB3 sets one learning rate on every optimiser of an algorithm before each round of training;
    this is how an actor can take smaller steps than its critic.

    Args:
        params: parameters to optimise.
        lr: learning rate, before the factor.
        speed: factor, above 0.
        **kwargs: as in ``torch.optim.Adam``.
    """

    def __init__(
        self, params: Iterable[torch.nn.Parameter], lr: float, *, speed: float, **kwargs: Any
    ) -> None:
        if not speed > 0:
            raise ValueError(f"the speed of an optimiser must be above 0, not {speed}")
        super().__init__(params, lr=lr, **kwargs)
        self.speed = speed

    def step(self, closure: Any = None) -> Any:
        """Take one step of ``speed * lr``; the parameter groups' ``lr`` stays what it was."""
        rates = [group["lr"] for group in self.param_groups]
        for group in self.param_groups:
            group["lr"] = group["lr"] * self.speed
        try:
            return super().step(closure)
        finally:
            for group, rate in zip(self.param_groups, rates, strict=True):
                group["lr"] = rate
