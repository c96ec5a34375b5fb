"""Dataclasses of options from mappings such as YAML gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from difflib import get_close_matches
from numbers import Integral, Real
from typing import Any, TypeVar

from rlsyn_env.errors import ConfigError

T = TypeVar("T")


def options_from(cls: type[T], mapping: Mapping[str, Any] | None, what: str) -> T:
    """Build ``cls``, a dataclass whose fields have defaults, from ``mapping``.

    Lists become tuples, because YAML has no tuples.

    Args:
        cls: the dataclass.
        mapping: values by field name; None: all defaults.
        what: names the options in messages, for instance ``adversary``.

    Raises:
        ConfigError: for an unknown name, with the nearest ones.
    """
    given = dict(mapping or {})
    names = [f.name for f in fields(cls)]  # type: ignore[arg-type]
    for name in given:
        if name not in names:
            near = get_close_matches(name, names, n=3) or names
            raise ConfigError(f"unknown {what} option '{name}'; did you mean {', '.join(near)}?")
    return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in given.items()})


def check_range(
    options: object,
    what: str,
    name: str,
    low: float,
    high: float | None = None,
    *,
    whole: bool = False,
) -> None:
    """Check that a field is a number with ``low <= value`` (and ``value <= high``).

    Args:
        options: the dataclass.
        what: names the options in messages.
        name: of the field.
        low: smallest value.
        high: largest value; None: none.
        whole: whether only whole numbers will do.

    Raises:
        ConfigError: naming the option, the range and the value.
    """
    value = getattr(options, name)
    number = isinstance(value, Integral if whole else Real) and not isinstance(value, bool)
    if not number or not low <= value or (high is not None and not value <= high):
        kind = "a whole number" if whole else "a number"
        range_ = f">= {low}" if high is None else f"from {low} to {high}"
        raise ConfigError(f"{what} option {name} must be {kind} {range_}, got {value!r}")
