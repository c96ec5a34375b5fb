"""Torch devices by name."""

from __future__ import annotations

import torch

from rlsyn_env.errors import ConfigError


def check_device(device: str) -> None:
    """Raise ConfigError unless tensors can be made on ``device``, of float64 too.

    The discriminator sees records as float64, which Apple's ``mps`` does not have.
    """
    try:
        torch.zeros(1, dtype=torch.float64, device=device).cpu()  # "meta" holds no numbers
    except (RuntimeError, AssertionError, TypeError) as error:
        first = str(error).splitlines()[0]
        raise ConfigError(f"--device {device} cannot be used here: {first}") from error
