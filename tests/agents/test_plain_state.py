from __future__ import annotations

import io
import random
from collections import deque

import numpy as np
import pytest
import torch

from agents.runs.plain_state import from_plain, holds_tensor, to_plain


def round_trip(value):
    """Through a file that only weights_only loading reads."""
    file = io.BytesIO()
    torch.save(to_plain(value), file)
    file.seek(0)
    return from_plain(torch.load(file, weights_only=True))


@pytest.mark.parametrize(
    "value",
    [
        {"a": 1, "b": [2.5, None, "text", True]},
        (1, (2, 3)),
        random.Random(3).getstate(),
        deque([{"r": 1.0}], maxlen=5),
        np.random.default_rng(1).bit_generator.state,
        2**100,
    ],
)
def test_plain_values_come_back_equal(value) -> None:
    back = round_trip(value)
    assert back == value
    assert type(back) is type(value)


def test_a_deque_keeps_its_length_limit() -> None:
    assert round_trip(deque([1], maxlen=7)).maxlen == 7


@pytest.mark.parametrize("dtype", ["float32", "int64", "bool", "uint32", "uint8"])
def test_arrays_keep_shape_and_dtype(dtype: str) -> None:
    array = np.arange(6).reshape(2, 3).astype(dtype)
    back = round_trip({"x": array})["x"]
    np.testing.assert_array_equal(back, array)
    assert back.dtype == array.dtype


def test_numpy_scalars_become_python_scalars() -> None:
    assert round_trip(np.float32(1.5)) == 1.5
    assert type(to_plain(np.int64(3))) is int


def test_a_generator_goes_on_where_it_was() -> None:
    generator = np.random.default_rng(5)
    generator.random(10)
    back = round_trip(generator)
    np.testing.assert_array_equal(back.random(4), generator.random(4))


@pytest.mark.parametrize("value", [object(), lambda: 0, {"a": {1, 2}}, np.array(["x"])])
def test_what_is_not_plain_is_refused_by_type(value) -> None:
    with pytest.raises(TypeError, match="checkpoint"):
        to_plain(value)


def test_an_unknown_tag_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown kind"):
        from_plain({"__kind__": "pickle"})


def test_holds_tensor_looks_inside_containers() -> None:
    assert holds_tensor([1, {"a": (torch.zeros(1),)}])
    assert not holds_tensor([1, {"a": (2,)}])
    assert not holds_tensor(torch.zeros(1))
