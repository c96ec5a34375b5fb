"""The algorithms: classes, the action spaces they take, and their presets."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources
from typing import Any

import yaml
from sb3_contrib import ARS, QRDQN, TQC, TRPO, CrossQ, MaskablePPO, RecurrentPPO
from stable_baselines3 import A2C, DDPG, DQN, PPO, SAC, TD3
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.policies import BasePolicy

from agents.hyperparameters import parse_hyperparams
from agents.policies import generic as policies
from agents.policies.linear_policy import RecordARSPolicy
from agents.random_search import RecordARS
from rlsyn_env import ENV_IDS
from rlsyn_env.errors import ConfigError
from rlsyn_env.registration import ENV_MODES

__all__ = ["ALGORITHMS", "Algorithm", "Preset", "get_algorithm", "parse_hyperparams"]


@dataclass(frozen=True)
class Preset:
    """Defaults that fit short episodes with one reward at their end; read from YAML.

    Attributes:
        env: default environment id.
        n_envs: default number of environments.
        total_records: default budget, or a rule.
        smooth_total_records: budget in place of it where smoothed records are imitated and no
            validation rows are kept; None: the same.
        adversary: overrides of :class:`rlsyn_env.adversary.AdversaryConfig`.
        hyperparams: of the algorithm, ``policy_kwargs`` included; values may be rules
            (:mod:`agents.hyperparameters`).
        imitation: of :class:`agents.callbacks.ImitationCallback`; None: real records are not
            imitated.
        averaging: of :class:`agents.callbacks.AveragingCallback`; None: no average is kept.
        selection: of :class:`agents.callbacks.SelectionCallback`; None: the last weights are used.
    """

    env: str
    n_envs: int
    total_records: int | str
    smooth_total_records: int | str | None = None
    adversary: Mapping[str, Any] = field(default_factory=dict)
    hyperparams: Mapping[str, Any] = field(default_factory=dict)
    imitation: Mapping[str, Any] | None = None
    averaging: Mapping[str, Any] | None = None
    selection: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Algorithm:
    """An algorithm that can be asked for by name.

    Attributes:
        name: as printed, for instance ``RecurrentPPO``.
        cls: its SB3-compatible class.
        policy: our policy class, or None for a user's algorithm without a known ancestor's.
        action_spaces: subset of ``{"Box", "Discrete"}``.
        preset: its defaults.
    """

    name: str
    cls: type[BaseAlgorithm]
    policy: type[BasePolicy]
    action_spaces: frozenset[str]
    preset: Preset

    @property
    def default_env_id(self) -> str:
        """Environment id used when none is given."""
        return self.preset.env

    @property
    def kind(self) -> str:
        """``"off-policy"`` (it has a replay buffer), ``"search"`` (ARS) or ``"on-policy"``."""
        if issubclass(self.cls, OffPolicyAlgorithm):
            return "off-policy"
        return "search" if issubclass(self.cls, RecordARS) else "on-policy"

    @property
    def on_policy(self) -> bool:
        """Whether it learns from rollouts of its current policy only."""
        return self.kind == "on-policy"

    @property
    def env_ids(self) -> tuple[str, ...]:
        """Environment ids whose action space it takes."""
        return tuple(
            env_id
            for env_id in ENV_IDS
            if ("Discrete" if ENV_MODES[env_id] == "discrete" else "Box") in self.action_spaces
        )

    def check_env_id(self, env_id: str) -> None:
        """Check that the algorithm takes the actions of ``env_id``.

        Raises:
            ConfigError: for an unknown id or an action space that does not fit.
        """
        if env_id not in ENV_IDS:
            raise ConfigError(f"unknown environment {env_id!r}; choose one of {', '.join(ENV_IDS)}")
        if env_id not in self.env_ids:
            raise ConfigError(
                f"{self.name} takes {' and '.join(sorted(self.action_spaces))} actions, which "
                f"{env_id} does not have; use {' or '.join(self.env_ids)}"
            )


_BOX, _DISCRETE = frozenset({"Box"}), frozenset({"Discrete"})
_BOTH = _BOX | _DISCRETE
_CLASSES: dict[str, tuple[type[BaseAlgorithm], type[BasePolicy], frozenset[str]]] = {
    "PPO": (PPO, policies.RecordActorCriticPolicy, _BOTH),
    "A2C": (A2C, policies.RecordActorCriticPolicy, _BOTH),
    "DQN": (DQN, policies.RecordDQNPolicy, _DISCRETE),
    "DDPG": (DDPG, policies.RecordTD3Policy, _BOX),
    "SAC": (SAC, policies.RecordSACPolicy, _BOX),
    "TD3": (TD3, policies.RecordTD3Policy, _BOX),
    "TRPO": (TRPO, policies.RecordActorCriticPolicy, _BOTH),
    "RecurrentPPO": (RecurrentPPO, policies.RecordRecurrentPolicy, _BOTH),
    "MaskablePPO": (MaskablePPO, policies.RecordMaskablePolicy, _DISCRETE),
    "QRDQN": (QRDQN, policies.RecordQRDQNPolicy, _DISCRETE),
    "TQC": (TQC, policies.RecordTQCPolicy, _BOX),
    "CrossQ": (CrossQ, policies.RecordCrossQPolicy, _BOX),
    "ARS": (RecordARS, RecordARSPolicy, _BOTH),
}

#: Names of the algorithms that come with a preset.
ALGORITHMS: tuple[str, ...] = tuple(_CLASSES)


@cache
def _preset(name: str) -> Preset:
    """Read ``presets/<name>.yaml``."""
    file = resources.files("agents") / "presets" / f"{name.lower()}.yaml"
    return Preset(**yaml.safe_load(file.read_text(encoding="utf-8")))


def get_algorithm(name: str) -> Algorithm:
    """Return an algorithm by its name, case ignored, or by ``module:Class``.

    ``module:Class`` imports a user's own SB3-compatible class; it takes the policy, action spaces
    and preset of its nearest ancestor among :data:`ALGORITHMS`.

    Raises:
        ConfigError: for an unknown name (with the list), a module or class that cannot be imported,
            or a class that descends from none of the algorithms.
    """
    if ":" in name:
        return _user_algorithm(name)
    for known, (cls, policy, spaces) in _CLASSES.items():
        if known.lower() == name.lower():
            return Algorithm(known, cls, policy, spaces, _preset(known))
    raise ConfigError(
        f"unknown algorithm {name!r}; choose one of {', '.join(ALGORITHMS)}, or module:Class for "
        "your own"
    )


def _user_algorithm(path: str) -> Algorithm:
    module_name, _, class_name = path.partition(":")
    try:
        module = importlib.import_module(module_name)
    except (ImportError, ValueError, TypeError) as error:  # '' and '.name' are no modules
        raise ConfigError(
            f"cannot import {module_name!r} for algorithm {path!r}: {error}; is it on PYTHONPATH?"
        ) from error
    cls = getattr(module, class_name, None)
    if cls is None:
        raise ConfigError(f"module {module_name!r} has no class {class_name!r}")
    if not isinstance(cls, type) or not issubclass(cls, BaseAlgorithm):
        raise ConfigError(
            f"{path!r} is not a subclass of stable_baselines3.common.base_class.BaseAlgorithm"
        )
    if issubclass(cls, ARS) and not issubclass(cls, RecordARS):
        raise ConfigError(
            f"{path!r} descends from sb3_contrib's ARS, which counts every step once for each "
            "environment; let it descend from agents.random_search.RecordARS"
        )
    for ancestor in cls.__mro__:
        for known, (known_cls, *_) in _CLASSES.items():
            if ancestor is known_cls:
                return replace(get_algorithm(known), name=cls.__name__, cls=cls)
    raise ConfigError(
        f"{path!r} descends from none of {', '.join(ALGORITHMS)}: subclass the one it is nearest "
        "to, so that a policy and a preset are known"
    )
