"""The numbers of the PPO preset that the search changes, and the options that set them.

A rule of the preset keeps its form: ``10 * rows^0.5 within [20, 3000]`` is searched by its factor,
``linear from 8e-4 to 1e-4`` by its beginning, with the same ratio of the two ends.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from optuna.trial import Trial

from agents.registry import Preset
from rlsyn_env.adversary import AdversaryConfig

_RULE = re.compile(r"(\S+)( \* rows\^.+)")
_LINEAR = re.compile(r"linear from (\S+) to (\S+)(.*)")


@dataclass(frozen=True)
class Number:
    """One number of the preset.

    Attributes:
        name: section and key, dots as nesting: ``imitation.warm_up``.
        low: smallest value.
        high: largest value.
        whole: whole numbers only.
        log: drawn on a logarithmic scale.
        choices: the only values; empty: all between ``low`` and ``high``.
    """

    name: str
    low: float = 0.0
    high: float = 0.0
    whole: bool = False
    log: bool = False
    choices: tuple[int, ...] = ()

    def suggest(self, trial: Trial) -> float:
        """Return the trial's value, to three digits: what is printed is what was run."""
        if self.choices:
            return int(trial.suggest_categorical(self.name, self.choices))
        if self.whole:
            return trial.suggest_int(self.name, int(self.low), int(self.high), log=self.log)
        return float(f"{trial.suggest_float(self.name, self.low, self.high, log=self.log):.3g}")


SPACE: tuple[Number, ...] = (
    Number("imitation.warm_up", 2, 40, log=True),
    Number("imitation.warm_up_rate", 1e-3, 1e-2, log=True),
    Number("imitation.rate", 1e-4, 4e-3, log=True),
    Number("imitation.dropout", 3, 24, log=True),
    Number("imitation.forget", 3, 24, log=True),
    Number("imitation.smooth", 3, 30, log=True),
    Number("imitation.smooth_warm_up", 15, 300, log=True),
    Number("imitation.smooth_warm_up_rate", 3e-3, 3e-2, log=True),
    Number("averaging.decay", 0.8, 0.995),
    Number("adversary.feature_dropout", 0.0, 0.7),
    Number("adversary.steps_per_update", 4, 64, whole=True, log=True),
    Number("hyperparams.learning_rate", 2e-4, 2e-3, log=True),
    Number("hyperparams.n_epochs", 1, 4, whole=True),
    Number("hyperparams.policy_kwargs.bins", choices=(12, 16, 24, 32, 48)),
    Number("hyperparams.policy_kwargs.width", choices=(48, 64, 96, 128)),
)


def preset_value(preset: Preset, name: str) -> Any:
    """Return what the preset says; the adversary's own default where it says nothing."""
    section, *keys = name.split(".")
    value: Any = getattr(preset, section)
    if section == "adversary" and keys[0] not in value:
        return getattr(AdversaryConfig(), keys[0])
    for key in keys:
        value = value[key]
    return value


def number_in(value: Any) -> float:
    """Return the number of a value or rule that is searched."""
    if not isinstance(value, str):
        return value if isinstance(value, int) else float(value)
    match = _RULE.fullmatch(value) or _LINEAR.fullmatch(value)
    return float(match[1] if match else value)


def with_number(value: Any, number: float) -> str:
    """Return the value or rule with another number in it, as an option of the command line."""
    if isinstance(value, str) and (rule := _RULE.fullmatch(value)):
        return f"{number:g}{rule[2]}"
    if isinstance(value, str) and (linear := _LINEAR.fullmatch(value)):
        end = number * float(linear[2]) / float(linear[1])
        return f"linear from {number:g} to {end:.3g}{linear[3]}"
    return f"{number:g}"


def preset_point(preset: Preset) -> dict[str, float]:
    """Return the preset as a point of the search."""
    return {number.name: number_in(preset_value(preset, number.name)) for number in SPACE}


def train_options(preset: Preset, point: Mapping[str, float]) -> list[str]:
    """Return the options of ``rlsyn train --algo ppo`` that run a point."""
    hyperparams, settings = [], []
    for name, number in point.items():
        text = with_number(preset_value(preset, name), number)
        section, _, key = name.partition(".")
        if section == "hyperparams":
            hyperparams.append(f"{key}={text}")
        else:
            settings.append(f"{name}={text}")
    return ["--hyperparam", *hyperparams, "--set", *settings]


def rules(preset: Preset) -> str:
    """Return the form of everything that is searched, without its numbers, as one text."""
    return "; ".join(
        f"{number.name}={with_number(preset_value(preset, number.name), 1)}" for number in SPACE
    )
