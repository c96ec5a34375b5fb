"""Larger steps of an optimiser for some of its parameters."""

from __future__ import annotations

from typing import Any

import torch


def quicken(optimizer: torch.optim.Optimizer, group: int, factor: float) -> None:
    """Multiply the learning rate of one parameter group by ``factor`` within every step.

    SB3 sets one learning rate for all groups before each update.
    """

    def before(*_: Any) -> None:
        optimizer.param_groups[group]["lr"] *= factor

    def after(*_: Any) -> None:
        optimizer.param_groups[group]["lr"] /= factor

    optimizer.register_step_pre_hook(before)
    optimizer.register_step_post_hook(after)
