"""From an algorithm's name and an environment to an SB3 model, and back from a file."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.noise import NormalActionNoise
from stable_baselines3.common.policies import BasePolicy

from agents.buffers import CoreLink, EpisodeRolloutBuffer, RelabellingReplayBuffer
from agents.hyperparameters import (
    ACTIVATIONS,
    accepted_arguments,
    check_algorithm_arguments,
    check_policy_arguments,
    merge,
    resolve,
)
from agents.pair_rules import pair_rules
from agents.policies.autoregressive import AutoregressivePolicy
from agents.policies.extractors import (
    OneShotExtractor,
    RecordExtractor,
    extractor_kwargs,
    nominal_features,
)
from agents.policies.generic import RecordActorCriticPolicy
from agents.policies.linear_policy import RecordARSPolicy
from agents.registry import Algorithm, get_algorithm
from agents.vec_env import RecordVecEnv
from rlsyn_env.actions import DiscreteCodec
from rlsyn_env.constraint_reward import ConstraintReward
from rlsyn_env.core import RecordCore
from rlsyn_env.errors import ConfigError
from rlsyn_env.registration import ENV_MODES

AUTOREGRESSIVE, GENERIC = "autoregressive", "generic"
#: Times the learning rate is that of how strictly rules are kept to: a run takes a few hundred
#: steps, and one number must move as far as a logit can.
STRICTNESS_RATE = 1000.0
#: Bins per feature of the autoregressive policy where actions are not bins themselves.
DEFAULT_BINS = 24


def make_model(
    algorithm: str | Algorithm,
    vec_env: RecordVecEnv,
    *,
    seed: int | None = None,
    device: str = "auto",
    hyperparams: Mapping[str, Any] | None = None,
    tensorboard_log: str | None = None,
    verbose: int = 0,
    rows: int | None = None,
) -> BaseAlgorithm:
    """Build a model: the algorithm's preset with ``hyperparams`` laid over it.

    Args:
        algorithm: a name that :func:`agents.registry.get_algorithm` knows, or what it returned.
        vec_env: from :func:`agents.vec_env.make_vec_env`.
        seed: of the model, its action space and the environments' noise streams.
        device: torch device.
        hyperparams: overrides, nested as SB3 nests them (``policy_kwargs``); rules allowed
            (:mod:`agents.hyperparameters`). ``policy`` may be ``autoregressive`` (PPO, A2C and
            TRPO, step by step), ``generic`` (this package's policy for any algorithm) or a policy
            of the algorithm itself, for instance ``MlpPolicy``; given, the preset's
            ``policy_kwargs`` are left out.
        tensorboard_log: folder for SB3's logger.
        verbose: as in SB3.
        rows: training rows (or groups) for the rules of them; default: the discriminator's.

    Returns:
        A model that has not been trained; untrained it already emits nearly the right marginals.

    Raises:
        ConfigError: when the action space does not fit, or a hyperparameter is unknown or has a
            value that it cannot take.
    """
    if isinstance(algorithm, str):
        algorithm = get_algorithm(algorithm)
    core = vec_env.core
    algorithm.check_env_id(_env_id(core))
    overrides = dict(hyperparams or {})
    policy = overrides.pop("policy", None)
    preset = _preset_for(core, algorithm)
    default_policy = preset.pop("policy", None)
    chosen = default_policy if policy is None else policy
    _check_for_environment(algorithm, core, overrides)
    if policy == AUTOREGRESSIVE:
        _check_autoregressive(algorithm, core)
    elif chosen == AUTOREGRESSIVE and core.mode == "oneshot":
        chosen = None  # a preset's default is for the step-by-step environments
    if chosen != default_policy:
        preset.pop("policy_kwargs", None)
    if rows is None and core.adversary is not None:
        rows = core.adversary.n_independent
    arguments = resolve(merge(preset, overrides), core.episode_length, rows)
    policy_kwargs = _mapping(arguments.pop("policy_kwargs", None), "policy_kwargs")
    if isinstance(policy_kwargs.get("activation_fn"), str):
        policy_kwargs["activation_fn"] = _activation(policy_kwargs["activation_fn"])
    policy_class: str | type[BasePolicy]
    if chosen == AUTOREGRESSIVE:
        policy_class = AutoregressivePolicy
        policy_kwargs = _with_bins(policy_kwargs, core)
        check_policy_arguments(policy_class, policy_kwargs)
        arguments.setdefault("rollout_buffer_class", EpisodeRolloutBuffer)
        if arguments.get("sub_sampling_factor", 1) != 1:
            raise ConfigError(
                "sub_sampling_factor must be 1 for the autoregressive policy: it looks at whole "
                "episodes"
            )
    elif chosen in (None, GENERIC):
        policy_class = algorithm.policy
        policy_kwargs = _with_extractor(policy_class, policy_kwargs, core)
        check_policy_arguments(policy_class, policy_kwargs)
    else:
        policy_class = chosen
    if isinstance(arguments.get("train_freq"), list):
        arguments["train_freq"] = tuple(arguments["train_freq"])
    noise = arguments.get("action_noise")
    if isinstance(noise, (int, float)) and not isinstance(noise, bool):
        arguments["action_noise"] = _action_noise(float(noise), core)
    check_algorithm_arguments(algorithm.cls, arguments)
    if arguments.get("normalize_advantage") and core.n_envs * arguments.get("n_steps", 2) == 1:
        raise ConfigError(
            "the advantage of a single transition cannot be normalised; use more environments or "
            "normalize_advantage=false"
        )
    if algorithm.on_policy and "batch_size" not in overrides:
        _divide_rollout(arguments, core)
    if algorithm.kind == "off-policy":
        arguments.setdefault("replay_buffer_class", RelabellingReplayBuffer)
        if issubclass(arguments["replay_buffer_class"], RelabellingReplayBuffer):
            arguments["replay_buffer_kwargs"] = {
                **_buffer_kwargs(core, arguments.get("gamma", 1.0)),
                **_mapping(arguments.get("replay_buffer_kwargs"), "replay_buffer_kwargs"),
            }
    try:
        return algorithm.cls(
            policy_class,
            vec_env,
            policy_kwargs=policy_kwargs,
            seed=seed,
            device=device,
            verbose=verbose,
            tensorboard_log=tensorboard_log,
            **arguments,
        )
    except (TypeError, ValueError, AssertionError, AttributeError, RuntimeError) as error:
        raise ConfigError(
            f"{algorithm.name} cannot be built with these hyperparameters: {error}"
        ) from error


def load_model(
    algorithm: str | Algorithm,
    path: str | os.PathLike[str],
    vec_env: RecordVecEnv,
    *,
    device: str = "auto",
    force_reset: bool = True,
) -> BaseAlgorithm:
    """Load a model saved with ``model.save(path)``, onto ``vec_env``.

    ``cls.load(path, env=vec_env)`` alone works too, but a replay buffer built by it has no core and
    keeps rewards as stored; here it is bound to ``vec_env.core``. The buffer is empty (a run's
    checkpoint brings its own back). As SB3's ``load``, this unpickles: open only files you trust.

    Args:
        algorithm: the algorithm that was saved.
        path: of the zip file.
        vec_env: environments with the spaces of the saved ones.
        device: torch device.
        force_reset: whether the next ``learn`` starts with a reset; False goes on from the saved
            last observations.
    """
    if isinstance(algorithm, str):
        algorithm = get_algorithm(algorithm)
    model = algorithm.cls.load(
        os.fspath(path),
        env=vec_env,
        device=device,
        force_reset=force_reset,
    )
    buffer = getattr(model, "replay_buffer", None)
    if isinstance(buffer, RelabellingReplayBuffer):
        link = CoreLink(vec_env.core)
        buffer.link = link
        model.replay_buffer_kwargs["link"] = link  # type: ignore[attr-defined]
    return model


def is_autoregressive(
    algorithm: Algorithm, env_id: str, hyperparams: Mapping[str, Any] | None = None
) -> bool:
    """Whether :func:`make_model` would give the autoregressive policy."""
    policy = (hyperparams or {}).get("policy") or algorithm.preset.hyperparams.get("policy")
    return policy == AUTOREGRESSIVE and ENV_MODES.get(env_id) != "oneshot"


def _check_for_environment(
    algorithm: Algorithm, core: RecordCore, overrides: Mapping[str, Any]
) -> None:
    """Refuse hyperparameters that would have no effect, or that what is made here cannot take."""
    policy_kwargs = overrides.get("policy_kwargs")
    given = dict(policy_kwargs) if isinstance(policy_kwargs, Mapping) else {}
    if core.mode == "discrete" and given.get("bins", core.bins) != core.bins:
        raise ConfigError(
            f"policy_kwargs 'bins' is {given['bins']!r}, but the actions of this environment are "
            f"{core.bins} bins; leave it out"
        )
    if algorithm.kind != "off-policy":
        return
    if "n_steps" in overrides and "replay_buffer_class" not in overrides:
        raise ConfigError(
            "n_steps does not reach the replay buffer, which looks ahead to the end of a record; "
            "use replay_buffer_kwargs.n_steps"
        )
    if given.get("share_features_extractor") and overrides.get("policy") in (None, GENERIC):
        raise ConfigError(
            "share_features_extractor: the critic does not see the actor's noise here, so each has "
            "an extractor of its own; leave it out"
        )


def _check_autoregressive(algorithm: Algorithm, core: RecordCore) -> None:
    """Refuse the autoregressive policy where it cannot play."""
    if algorithm.policy is not RecordActorCriticPolicy or core.mode == "oneshot":
        raise ConfigError(
            "policy=autoregressive is for PPO, A2C and TRPO in the step-by-step environments; "
            "leave it out here"
        )


def _with_bins(kwargs: dict[str, Any], core: RecordCore) -> dict[str, Any]:
    """Replace the number of ``bins`` by the features' bins: their edges, and which are atoms."""
    codec = core.codec
    bins = kwargs.pop("bins", DEFAULT_BINS)
    if isinstance(bins, bool) or not isinstance(bins, int) or bins < 2:
        raise ConfigError(f"policy_kwargs 'bins' must be a whole number from 2 on, not {bins!r}")
    if not isinstance(codec, DiscreteCodec):
        codec = DiscreteCodec(core.encoder, bins)
    for name, low in (("width", 1), ("value_width", 1), ("blocks", 0), ("value_blocks", 0)):
        value = kwargs.get(name, low)
        if isinstance(value, bool) or not isinstance(value, int) or value < low:
            raise ConfigError(
                f"policy_kwargs '{name}' must be a whole number from {low} on, not {value!r}"
            )
    fitted: dict[str, Any] = {
        "bin_edges": codec.edges,
        "atoms": codec.is_atom,
        "rules": pair_rules(core.encoder, codec.edges),
    }
    if any(term.name == ConstraintReward.name for term in core.reward_terms):
        # Only then: where nothing is paid for it, such steps would follow noise.
        fitted["strictness_rate"] = STRICTNESS_RATE
    return {**fitted, **kwargs}


def _preset_for(core: RecordCore, algorithm: Algorithm) -> dict[str, Any]:
    """Return the preset's hyperparameters, less what only step-by-step observations have."""
    preset = dict(algorithm.preset.hyperparams)
    policy_kwargs = dict(preset.get("policy_kwargs", {}))
    if core.mode == "oneshot" and "features_extractor_kwargs" in policy_kwargs:
        accepted = accepted_arguments(OneShotExtractor)
        kwargs = policy_kwargs["features_extractor_kwargs"]
        policy_kwargs["features_extractor_kwargs"] = {
            name: value for name, value in kwargs.items() if name in accepted
        }
        preset["policy_kwargs"] = policy_kwargs
    return preset


def _divide_rollout(arguments: dict[str, Any], core: RecordCore) -> None:
    """Lower a preset's batch to one that divides a rollout of whole episodes into equal parts.

    Presets are written for their own number of environments. Where no divisor is near, the batch
    stays and SB3 warns.
    """
    batch, steps = arguments.get("batch_size"), arguments.get("n_steps")
    if not isinstance(batch, int) or not isinstance(steps, int):
        return
    records, wanted = core.n_envs * steps // core.episode_length, batch // core.episode_length
    if steps % core.episode_length or wanted < 1:
        return
    divisor = max(n for n in range(1, min(wanted, records) + 1) if records % n == 0)
    if divisor > wanted // 2 or divisor == records:
        arguments["batch_size"] = divisor * core.episode_length


def _env_id(core: RecordCore) -> str:
    return next(env_id for env_id, mode in ENV_MODES.items() if mode == core.mode)


def _mapping(value: Any, name: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ConfigError(
            f"hyperparameter {name!r} must be a mapping, for instance {name}.key=value"
        )
    return dict(value)


def _activation(name: str) -> type:
    if name.lower() not in ACTIVATIONS:
        raise ConfigError(f"unknown activation_fn {name!r}; choose one of {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name.lower()]


def _with_extractor(
    policy: type[BasePolicy], kwargs: dict[str, Any], core: RecordCore
) -> dict[str, Any]:
    """Add what ties a policy to ``core``'s observations, unless the user chose an extractor."""
    fitted = extractor_kwargs(core)
    if issubclass(policy, RecordARSPolicy):
        if core.mode != "oneshot":
            fitted["nominal"] = nominal_features(core)
        return {**fitted, **kwargs}
    extractor = OneShotExtractor if core.mode == "oneshot" else RecordExtractor
    if kwargs.setdefault("features_extractor_class", extractor) is extractor:
        own = _mapping(kwargs.get("features_extractor_kwargs"), "features_extractor_kwargs")
        kwargs["features_extractor_kwargs"] = {**fitted, **own}
    return kwargs


def _action_noise(sigma: float, core: RecordCore) -> NormalActionNoise:
    if not 0 <= sigma < math.inf:
        raise ConfigError(f"action_noise is a standard deviation from 0 on, not {sigma:g}")
    size = core.action_space.shape or (1,)
    return NormalActionNoise(np.zeros(size), np.full(size, sigma))


def _buffer_kwargs(core: RecordCore, gamma: float) -> dict[str, Any]:
    return {"n_steps": core.episode_length, "gamma": gamma, "link": CoreLink(core)}
