"""Hyperparameters as text and YAML: parsing, checking against signatures, and rules.

A value may be a *rule*, one of four forms of text:

- ``episode``: the steps of one episode (the number of features, 1 in the one-shot environment);
- ``N records`` or ``N episodes``: N times that, for batch and buffer sizes in transitions;
  ``N records or M steps``: as many whole records as make up M transitions where those are fewer;
- ``linear from X to Y``: a schedule over the training (``learning_rate``, ``clip_range``, ...);
  ``linear from X to Y for N records or M steps``: both times the share of the N records that M
  transitions hold, where that is below 1: a batch of fewer records takes a smaller step;
- ``A * rows^B within [LOW, HIGH]``: a power of the number of training rows (of groups, where rows
  have one: the rows of a group repeat one another), for budgets and what guards against memorising;
  a whole number where both limits are.

Everything else is passed to the algorithm as it is.
"""

from __future__ import annotations

import inspect
import math
import re
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any

import torch
import yaml
from stable_baselines3.common.utils import LinearSchedule

from rlsyn_env.errors import ConfigError

#: Arguments of an algorithm that the factory sets itself.
RESERVED = frozenset(
    {"self", "env", "seed", "device", "verbose", "tensorboard_log", "_init_setup_model"}
)
#: Where SB3 fails with less than 1 once it trains.
_COUNTS = frozenset(
    {"n_steps", "n_epochs", "batch_size", "train_freq", "buffer_size", "n_delta", "n_eval_episodes"}
)
_MAY_BE_INFINITE = frozenset({"max_grad_norm"})
_POLICY_RESERVED = frozenset({"self", "observation_space", "action_space", "lr_schedule"})
_NUMBER = r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)"
_COUNT = re.compile(r"(\d+) (?:records?|episodes?)(?: or (\d+) steps?)?")
_LINEAR = re.compile(rf"linear from {_NUMBER} to {_NUMBER}(?: for (\d+) records or (\d+) steps)?")
_POWER = re.compile(rf"{_NUMBER} \* rows\^{_NUMBER} within \[{_NUMBER}, ?{_NUMBER}\]")
#: Activation functions by name, for ``policy_kwargs.activation_fn=relu``.
ACTIVATIONS: dict[str, type[torch.nn.Module]] = {
    "tanh": torch.nn.Tanh,
    "relu": torch.nn.ReLU,
    "elu": torch.nn.ELU,
    "silu": torch.nn.SiLU,
    "gelu": torch.nn.GELU,
    "leaky_relu": torch.nn.LeakyReLU,
}


def parse_hyperparams(items: Iterable[str], what: str = "hyperparameter") -> dict[str, Any]:
    """Parse ``key=value`` texts, values as YAML, dots in a key as nesting.

    ``["learning_rate=1e-3", "policy_kwargs.net_arch=[64,64]"]`` gives
    ``{"learning_rate": 0.001, "policy_kwargs": {"net_arch": [64, 64]}}``.

    Args:
        items: the texts.
        what: names them in messages.

    Raises:
        ConfigError: for a text without ``=``, an empty key, a value that is no YAML, or a key that
            is both a value and a mapping.
    """
    parsed: dict[str, Any] = {}
    for item in items:
        key, equals, text = item.partition("=")
        parts = [part.strip() for part in key.split(".")]
        if not equals or not all(parts):
            raise ConfigError(f"{what} {item!r} must have the form key=value")
        try:
            value = _scalar(yaml.safe_load(text))
        except yaml.YAMLError as error:
            raise ConfigError(f"{what} {item!r}: the value is not valid YAML") from error
        place = parsed
        for part in parts[:-1]:
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                raise ConfigError(f"{what} {item!r}: {part!r} already has a plain value")
        place[parts[-1]] = value
    return parsed


def _scalar(value: Any) -> Any:
    """Read ``1e-3`` as a number: YAML 1.1 takes it for text without a decimal point."""
    if isinstance(value, str) and re.fullmatch(_NUMBER, value.strip()):
        return float(value)
    if isinstance(value, list):
        return [_scalar(entry) for entry in value]
    if isinstance(value, dict):
        return {key: _scalar(entry) for key, entry in value.items()}
    return value


def merge(base: Mapping[str, Any], override: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``base`` with ``override`` laid over it, nested mappings key by key."""
    merged = dict(base)
    for key, value in override.items():
        old = merged.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            merged[key] = merge(old, value)
        else:
            merged[key] = value
    return merged


def resolve(value: Any, episode_length: int, rows: int | None = None) -> Any:
    """Turn rules into numbers and schedules, through mappings and lists; see the module's text.

    Args:
        value: anything; what is no rule comes back as it is.
        episode_length: steps of one episode.
        rows: training rows, or groups; None where they are not known: rules of them give their
            lower limit.
    """
    if isinstance(value, Mapping):
        return {key: resolve(entry, episode_length, rows) for key, entry in value.items()}
    if isinstance(value, list):
        return [resolve(entry, episode_length, rows) for entry in value]
    if not isinstance(value, str):
        return value
    text = " ".join(value.split())
    if text == "episode":
        return episode_length
    if match := _COUNT.fullmatch(text):
        records = int(match[1])
        if match[2]:
            records = _whole_records(records, int(match[2]), episode_length)
        return records * episode_length
    if match := _LINEAR.fullmatch(text):
        share = 1.0
        if match[3]:
            records = int(match[3])
            share = _whole_records(records, int(match[4]), episode_length) / records
        return LinearSchedule(share * float(match[1]), share * float(match[2]), 1.0)
    if match := _POWER.fullmatch(text):
        return _power_of_rows(match, rows)
    return value


def _whole_records(records: int, steps: int, episode_length: int) -> int:
    """Return as many of the records as ``steps`` transitions hold, at least one."""
    return max(1, min(records, steps // episode_length))


def _power_of_rows(match: re.Match[str], rows: int | None) -> int | float:
    factor, exponent, low, high = (float(number) for number in match.groups())
    value = low if rows is None else min(max(factor * rows**exponent, low), high)
    whole = not any(mark in match[group] for group in (3, 4) for mark in ".eE")
    return round(value) if whole else value


def accepted_arguments(cls: type) -> dict[str, Any]:
    """Return the arguments of ``cls.__init__`` with their type hints, ``Any`` where unknown.

    ``**kwargs`` is followed to the classes it passes them on to (the rest of the MRO).
    """
    accepted: dict[str, Any] = {}
    for ancestor in cls.__mro__:
        init = ancestor.__dict__.get("__init__")
        if ancestor is object or not isinstance(init, types.FunctionType):
            continue
        parameters = inspect.signature(init).parameters.values()
        for parameter in parameters:
            if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
                accepted.setdefault(parameter.name, _hint(parameter.annotation, init))
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
            break
    return accepted


def _hint(annotation: Any, function: types.FunctionType) -> Any:
    """Evaluate one annotation in its function's module, one by one: a single one may not work."""
    if annotation is inspect.Parameter.empty:
        return Any
    holder = type("Holder", (), {"__annotations__": {"it": annotation}})
    try:
        return typing.get_type_hints(holder, globalns=function.__globals__)["it"]
    except NameError:
        # It names a type that is imported for type checkers alone.
        return Any


def check_algorithm_arguments(cls: type, hyperparams: Mapping[str, Any]) -> None:
    """Check names and types of an algorithm's hyperparameters (rules already resolved).

    Raises:
        ConfigError: for an unknown name, with the nearest ones, or a value of a wrong type.
    """
    accepted = {k: v for k, v in accepted_arguments(cls).items() if k not in RESERVED}
    _check(hyperparams, accepted, "hyperparameter", cls.__name__)
    for name, value in hyperparams.items():
        count = value[0] if name == "train_freq" and isinstance(value, list | tuple) else value
        if name in _COUNTS and isinstance(count, int) and count < 1:
            raise ConfigError(f"hyperparameter {name!r} must be at least 1, got {count}")
        if isinstance(value, float) and not math.isfinite(value) and name not in _MAY_BE_INFINITE:
            raise ConfigError(f"hyperparameter {name!r} must be a finite number, got {value}")


def check_policy_arguments(policy: type, kwargs: Mapping[str, Any]) -> None:
    """Check names and types of ``policy_kwargs`` and ``policy_kwargs.features_extractor_kwargs``.

    Raises:
        ConfigError: as :func:`check_algorithm_arguments`.
    """
    accepted = {k: v for k, v in accepted_arguments(policy).items() if k not in _POLICY_RESERVED}
    _check(kwargs, accepted, "policy_kwargs", policy.__name__)
    extractor = kwargs.get("features_extractor_class")
    if extractor is not None:
        accepted = {
            k: v for k, v in accepted_arguments(extractor).items() if k not in _POLICY_RESERVED
        }
        _check(
            kwargs.get("features_extractor_kwargs") or {},
            accepted,
            "policy_kwargs.features_extractor_kwargs",
            extractor.__name__,
        )


def _check(given: Mapping[str, Any], accepted: Mapping[str, Any], what: str, owner: str) -> None:
    for name, value in given.items():
        if name not in accepted:
            near = get_close_matches(name, accepted, n=3, cutoff=0.5)
            hint = f"did you mean {', '.join(near)}?" if near else f"it takes {', '.join(accepted)}"
            raise ConfigError(f"{owner} has no {what} {name!r}; {hint}")
        if not _fits(value, accepted[name]):
            takes = _describe(accepted[name])
            raise ConfigError(f"{what} {name!r} of {owner} cannot be {value!r}; it takes {takes}")


def _fits(value: Any, hint: Any) -> bool:
    """Whether ``value`` may be meant for an argument annotated ``hint``; lenient where unsure."""
    options = typing.get_args(hint) if _is_union(hint) else (hint,)
    return any(_fits_one(value, option) for option in options)


def _is_union(hint: Any) -> bool:
    return typing.get_origin(hint) in (typing.Union, types.UnionType)


def _fits_one(value: Any, hint: Any) -> bool:
    if hint is Any:
        return True
    if hint is None or hint is type(None):
        return value is None
    origin = typing.get_origin(hint) or hint
    if origin is Callable or origin is typing.get_origin(Callable[..., Any]):
        return callable(value)
    if origin is type:
        return isinstance(value, type)
    if not isinstance(origin, type):
        return True
    if isinstance(value, bool):
        return origin is bool
    if origin is float:
        return isinstance(value, (int, float))
    if origin is tuple:
        return isinstance(value, (list, tuple))
    return isinstance(value, origin)


def _describe(hint: Any) -> str:
    """Return what an argument takes, in words."""
    words = {
        int: "a whole number (or 'N records')",
        float: "a number",
        bool: "true or false",
        str: "a text",
        type(None): "null",
        list: "a list",
        dict: "a mapping",
        tuple: "a list",
        type: "a class",
    }
    names = []
    for option in typing.get_args(hint) if _is_union(hint) else (hint,):
        origin = typing.get_origin(option) or option
        if origin is typing.get_origin(Callable[..., Any]):
            names.append("a schedule 'linear from X to Y'")
        else:
            names.append(words.get(origin, getattr(origin, "__name__", str(origin))))
    return " or ".join(dict.fromkeys(names))
