"""Turn training state into tensors and plain values, and back.

A checkpoint must load with ``torch.load(weights_only=True)``, so that resuming a run never
unpickles anything: arrays become tensors, tuples and deques become tagged dictionaries.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
import torch

_SCALARS = (bool, int, float, str, bytes, type(None))
_TAG = "__kind__"


def to_plain(value: Any) -> Any:
    """Return ``value`` made of tensors, plain scalars, lists and dictionaries only.

    Args:
        value: a scalar, tensor, array of numbers, ``np.random.Generator``, or a list, tuple, deque
            or dictionary (keys: plain scalars) of such values.

    Raises:
        TypeError: for anything else, with its type.
    """
    if type(value) in _SCALARS:
        return value
    if isinstance(value, torch.Tensor):
        return value.detach().cpu().clone()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        return {_TAG: "array", "tensor": torch.from_numpy(np.ascontiguousarray(value).copy())}
    if isinstance(value, np.random.Generator):
        return {_TAG: "generator", "state": to_plain(value.bit_generator.state)}
    if type(value) is list:
        return [to_plain(item) for item in value]
    if type(value) is tuple:
        return {_TAG: "tuple", "items": [to_plain(item) for item in value]}
    if type(value) is deque:
        return {_TAG: "deque", "items": [to_plain(v) for v in value], "maxlen": value.maxlen}
    if isinstance(value, dict) and all(type(key) in _SCALARS for key in value):
        return {key: to_plain(item) for key, item in value.items()}
    raise TypeError(f"cannot keep a value of type {type(value).__name__} in a checkpoint")


def from_plain(value: Any) -> Any:
    """Undo :func:`to_plain`; a generator comes back as a new one in the same state.

    Raises:
        ValueError: when a tag is not one of ours.
    """
    if isinstance(value, list):
        return [from_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    kind = value.get(_TAG)
    if kind is None:
        return {key: from_plain(item) for key, item in value.items()}
    if kind == "array":
        return value["tensor"].numpy().copy()
    if kind == "generator":
        state = from_plain(value["state"])
        generator = np.random.Generator(getattr(np.random, state["bit_generator"])())
        generator.bit_generator.state = state
        return generator
    items = [from_plain(item) for item in value.get("items", [])]
    if kind == "tuple":
        return tuple(items)
    if kind == "deque":
        return deque(items, maxlen=value["maxlen"])
    raise ValueError(f"unknown kind of saved value: {kind!r}")


def holds_tensor(value: Any) -> bool:
    """Whether a container (not a bare tensor) has a tensor somewhere inside."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple, deque)):
        return any(isinstance(item, torch.Tensor) or holds_tensor(item) for item in value)
    return False
