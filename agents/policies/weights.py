"""Weights that are put aside, to come back to."""

from __future__ import annotations

import torch
from torch import nn


def copy_of_weights(module: nn.Module) -> dict[str, torch.Tensor]:
    """Return a copy of a module's state, which training on does not change."""
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}
