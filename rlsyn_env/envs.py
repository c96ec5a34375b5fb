"""The Gymnasium faces of the core: one environment, and n of them as a vector environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
import pandas as pd
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from rlsyn_env.adversary import Adversary, AdversaryConfig
from rlsyn_env.core import Mode, RecordCore
from rlsyn_env.errors import ConfigError, RLSynError
from rlsyn_env.registration import ENV_MODES
from rlsyn_env.rendering import record_text
from rlsyn_env.rewards import RewardTerm
from rlsyn_env.tables.encoder import RecordEncoder
from rlsyn_env.tables.schema import TableSchema


def build_core(
    n_envs: int,
    mode: Mode,
    *,
    dataset: str | PathLike[str] | pd.DataFrame = "breast_cancer",
    target: str | None = None,
    group: str | None = None,
    schema: TableSchema | str | PathLike[str] | None = None,
    drop: Sequence[str] = (),
    derive: bool = True,
    validation_size: float = 0.15,
    adversary: Adversary | None = None,
    encoder: RecordEncoder | None = None,
    adversary_seed: int = 0,
    adversary_config: AdversaryConfig | Mapping[str, Any] | None = None,
    device: str = "cpu",
    reward: str = "logit",
    reward_terms: Mapping[str, float] | Sequence[RewardTerm] = (),
    co_train: bool = True,
    bins: int = 24,
    noise_dim: int = 112,
    autoreset: bool = True,
) -> RecordCore:
    """Build the core that every face stands on; the keyword arguments are those of ``gym.make``.

    Args:
        n_envs: number of environments.
        mode: ``box``, ``discrete`` or ``oneshot``; the registered ids set it.
        dataset: embedded name, path of a CSV or Parquet file, or DataFrame. Ignored when an
            adversary or an encoder is given.
        target: column that splits are stratified by.
        group: column whose groups are never split.
        schema: of the table; inferred when None.
        drop: columns to leave out.
        derive: compute columns that are exact functions of others instead of generating them.
        validation_size: share of rows kept from the discriminator.
        adversary: shared with other environments; brings its own encoder and rows.
        encoder: without an adversary, records are generated and every reward is 0.
        adversary_seed: of the discriminator and its split, when one is built here.
        adversary_config: of the discriminator, when one is built here.
        device: of the discriminator, when one is built here.
        reward, reward_terms, co_train, bins, noise_dim, autoreset: see
            :class:`rlsyn_env.core.RecordCore`.

    Raises:
        RLSynError: with the remedy.
    """
    if adversary is None and encoder is None:
        adversary = Adversary.from_dataset(
            dataset,
            target=target,
            group=group,
            schema=schema,
            drop=drop,
            derive=derive,
            validation_size=validation_size,
            config=adversary_config,
            seed=adversary_seed,
            device=device,
        )
    if adversary is not None:
        if encoder is not None and encoder is not adversary.encoder:
            raise ConfigError("give adversary= or encoder=, not both: an adversary has its own")
        encoder = adversary.encoder
    assert encoder is not None  # one of the two branches set it; for the type checker
    return RecordCore(
        n_envs,
        mode,
        encoder=encoder,
        adversary=adversary,
        reward=reward,
        reward_terms=reward_terms,
        co_train=co_train,
        bins=bins,
        noise_dim=noise_dim,
        autoreset=autoreset,
    )


def make_core(env_id: str, n_envs: int, **kwargs: Any) -> RecordCore:
    """Build the core of a registered id, with the keyword arguments of :func:`build_core`.

    Raises:
        ConfigError: for an id that is not one of ``rlsyn_env.ENV_IDS``.
    """
    if env_id not in ENV_MODES:
        raise ConfigError(f"unknown environment '{env_id}'; choose one of {', '.join(ENV_MODES)}")
    return build_core(n_envs, ENV_MODES[env_id], **kwargs)  # type: ignore[arg-type]


def fixed_values(options: Mapping[str, Any] | None) -> Any:
    """Return what ``reset(options=...)`` pins features to; RLSynError for any other option."""
    options = dict(options or {})
    fixed = options.pop("fixed", None)
    if options:
        raise RLSynError(
            f"unknown reset option {', '.join(map(repr, options))}; the only one is 'fixed'"
        )
    return fixed


class RecordEnv(gym.Env[npt.NDArray[np.float32], Any]):
    """One record an episode, one feature a step.

    See :class:`rlsyn_env.core.RecordCore` for the spaces and :func:`build_core` for the arguments.
    The terminal ``info`` holds ``record``, the finished record ``(d,)`` float32 in [0, 1] (decode
    it with ``env.unwrapped.core.encoder``), and ``reward_terms``, a float each.

    ``reset(options={"fixed": {"sex": "F"}})`` pins features; ``render_mode="ansi"`` makes
    :meth:`render` describe the record so far. Any other render mode renders nothing: vectorisers
    ask for ``rgb_array`` unasked.
    """

    metadata = {"render_modes": ["ansi"], "render_fps": 1}  # noqa: RUF012 - Gymnasium's form

    def __init__(self, mode: Mode = "box", render_mode: str | None = None, **kwargs: Any) -> None:
        self.render_mode = render_mode
        self.core = build_core(1, mode, autoreset=False, **kwargs)
        self.observation_space = self.core.observation_space
        self.action_space = self.core.action_space
        self._np_random = self.core.streams[0]

    @property
    def adversary(self) -> Adversary | None:
        """The adversary it plays against."""
        return self.core.adversary

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[npt.NDArray[np.float32], dict[str, Any]]:
        """Start a record; the seed fixes its noise and never touches the adversary."""
        super().reset(seed=seed)
        fixed = fixed_values(options)
        if seed is not None:
            self.core.seed([seed])
            self._np_random = self.core.streams[0]
        return self.core.reset([fixed] if fixed else None)[0], {}

    def step(
        self, action: Any
    ) -> tuple[npt.NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Emit the next feature; the discriminator's reward comes with the last one."""
        result = self.core.step(np.asarray(action)[None])
        if not result.terminated:
            return result.observations[0], float(result.rewards[0]), False, False, {}
        assert result.final_observations is not None  # for the type checker
        assert result.records is not None
        terms = {name: float(v[0]) for name, v in (result.reward_terms or {}).items()}
        info = {"record": result.records[0], "reward_terms": terms}
        return result.final_observations[0], float(result.rewards[0]), True, False, info

    def render(self) -> str | None:
        """Describe the record so far when ``render_mode`` is ``ansi``."""
        return record_text(self.core) if self.render_mode == "ansi" else None

    def action_masks(self) -> npt.NDArray[np.bool_]:
        """``(K,)`` bool: valid bins of the feature to emit; discrete actions only."""
        return self.core.action_masks()[0]


class RecordVectorEnv(gym.vector.VectorEnv[npt.NDArray[np.float32], Any, npt.NDArray[Any]]):
    """n records at a time over one core; the native form behind ``gym.make_vec``.

    Episodes move in lockstep and restart in the step that ends them (SAME_STEP): ``infos`` then
    holds ``final_obs`` and ``final_info`` with ``record`` ``(n, d)`` and ``reward_terms``.
    """

    metadata = {  # noqa: RUF012 - Gymnasium's form
        "render_modes": ["ansi"],
        "render_fps": 1,
        "autoreset_mode": AutoresetMode.SAME_STEP,
    }

    def __init__(
        self,
        num_envs: int = 1,
        mode: Mode = "box",
        render_mode: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.num_envs = num_envs
        self.render_mode = render_mode
        self.core = build_core(num_envs, mode, **kwargs)
        self.single_observation_space = self.core.observation_space
        self.single_action_space = self.core.action_space
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)

    @property
    def adversary(self) -> Adversary | None:
        """The adversary it plays against."""
        return self.core.adversary

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[npt.NDArray[np.float32], dict[str, Any]]:
        """Start n records; an integer seed gives environment i the seed ``seed + i``."""
        super().reset(seed=seed if isinstance(seed, int) else None)
        fixed = fixed_values(options)
        if seed is not None:
            seeds = [seed + i for i in range(self.num_envs)] if isinstance(seed, int) else seed
            self.core.seed(seeds)
        return self.core.reset(fixed), {}

    def step(
        self, actions: Any
    ) -> tuple[
        npt.NDArray[np.float32],
        npt.NDArray[np.float64],
        npt.NDArray[np.bool_],
        npt.NDArray[np.bool_],
        dict[str, Any],
    ]:
        """Emit the next feature of every record."""
        result = self.core.step(actions)
        ended = np.full(self.num_envs, result.terminated)
        infos: dict[str, Any] = {}
        if result.terminated:
            assert result.final_observations is not None  # for the type checker
            final = np.empty(self.num_envs, dtype=object)
            final[:] = list(result.final_observations)
            present = {"_record": ended.copy(), "_reward_terms": ended.copy()}
            infos = {
                "final_obs": final,
                "_final_obs": ended.copy(),
                "final_info": {
                    "record": result.records,
                    "reward_terms": dict(result.reward_terms or {}),
                    **present,
                },
                "_final_info": ended.copy(),
            }
        return (
            result.observations,
            result.rewards.astype(np.float64),
            ended,
            np.zeros(self.num_envs, dtype=bool),
            infos,
        )

    def render(self) -> tuple[str, ...] | None:
        """Describe every record so far when ``render_mode`` is ``ansi``."""
        if self.render_mode != "ansi":
            return None
        return tuple(record_text(self.core, i) for i in range(self.num_envs))

    def action_masks(self) -> npt.NDArray[np.bool_]:
        """``(n, K)`` bool: valid bins of the feature to emit; discrete actions only."""
        return self.core.action_masks()
