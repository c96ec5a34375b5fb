"""Torch devices by name."""

from __future__ import annotations

import torch

from rlsyn_env.errors import ConfigError


def check_device(device: str) -> None:
    """Raise ConfigError unless tensors can be made on ``device``."""
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        first = str(error).splitlines()[0]
        raise ConfigError(f"--device {device} cannot be used here: {first}") from error
