"""States of the process-wide random generators that SB3 and torch draw from.

Our own code draws from generators of its own; SB3's policies sample from torch's global
generator, and its buffers and exploration from NumPy's and Python's.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from agents.runs.plain_state import from_plain, to_plain


def get_random_states() -> dict[str, Any]:
    """Return the states of Python's, NumPy's and torch's generators, as plain values."""
    states = {
        "python": to_plain(random.getstate()),
        "numpy": to_plain(np.random.get_state()),  # noqa: NPY002 - SB3 draws from it
        "torch": torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state_all()
    return states


def set_random_states(states: dict[str, Any]) -> None:
    """Put back what :func:`get_random_states` returned; CUDA states only where there is CUDA."""
    random.setstate(from_plain(states["python"]))
    np.random.set_state(from_plain(states["numpy"]))  # noqa: NPY002
    torch.set_rng_state(states["torch"])
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(states["cuda"])


def seed_all(seed: int) -> None:
    """Seed Python's, NumPy's and torch's global generators."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002
    torch.manual_seed(seed)


@contextlib.contextmanager
def isolated(states: dict[str, Any]) -> Iterator[None]:
    """Run a block on ``states``, updated in place at its end; the caller's states come back."""
    outside = get_random_states()
    set_random_states(states)
    try:
        yield
    finally:
        states.update(get_random_states())
        set_random_states(outside)
