"""The Stable-Baselines3 face of the record environment: one batched core behind a ``VecEnv``."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import Wrapper, spaces
from stable_baselines3.common.vec_env.base_vec_env import (
    VecEnv,
    VecEnvIndices,
    VecEnvObs,
    VecEnvStepReturn,
)

from rlsyn_env.core import RecordCore, StepResult
from rlsyn_env.envs import fixed_values, make_core
from rlsyn_env.errors import ConfigError
from rlsyn_env.rendering import record_text


class RecordVecEnv(VecEnv):
    """Step ``n`` record environments with the few NumPy operations of one :class:`RecordCore`.

    All episodes move in lockstep: they start together, end together after ``core.episode_length``
    steps and have been reset by the time ``step`` returns (SB3's convention). On that last step
    every info holds ``terminal_observation`` (float32), ``episode`` (``r``, ``l``, ``t`` as
    SB3's ``Monitor`` writes them, so ``rollout/ep_rew_mean`` needs no wrapper) and, when the core
    reports them, ``reward_terms`` (name -> float).

    Args:
        core: the batched environment; shared, never copied.
        render_mode: ``None`` or ``"ansi"``. Other modes are accepted and render nothing, because
            SB3's helpers ask for ``rgb_array`` by default.
    """

    def __init__(self, core: RecordCore, render_mode: str | None = None) -> None:
        self.core = core
        # VecEnv.__init__ reads it through get_attr, so it must exist before.
        self.render_mode = render_mode
        self._actions: np.ndarray | None = None
        self._started = time.perf_counter()
        super().__init__(core.n_envs, core.observation_space, core.action_space)

    def reset(self) -> VecEnvObs:
        """Start ``n`` episodes; stored seeds and options apply once.

        Returns:
            Observations ``(n, obs_dim)`` float32, a fresh array.
        """
        if any(seed is not None for seed in self._seeds):
            self.core.seed(list(self._seeds))
        fixed = [fixed_values(options) for options in self._options]
        given = any(fixed)
        observations = self.core.reset(fixed=fixed if given else None)
        self.reset_infos = [{} for _ in range(self.num_envs)]
        self._reset_seeds()
        self._reset_options()
        return observations

    def step_async(self, actions: np.ndarray) -> None:
        """Keep ``actions`` (``(n, *action_shape)``, or ``(n,)`` integers) for ``step_wait``."""
        self._actions = actions

    def step_wait(self) -> VecEnvStepReturn:
        """Take the step.

        Returns:
            Observations ``(n, obs_dim)`` float32, rewards ``(n,)`` float32, dones ``(n,)`` bool
            and a list of ``n`` dictionaries; all of them fresh.
        """
        if self._actions is None:
            raise RuntimeError("step_wait() needs a step_async() before it")
        actions, self._actions = self._actions, None
        result = self.core.step(actions)
        n = self.num_envs
        dones = np.full(n, result.terminated, dtype=bool)
        if not result.terminated:
            return result.observations, result.rewards, dones, [{} for _ in range(n)]
        return result.observations, result.rewards, dones, self._final_infos(result)

    def _final_infos(self, result: StepResult) -> list[dict[str, Any]]:
        """Return the ``n`` infos of a last step."""
        final, returns = result.final_observations, result.returns
        assert final is not None  # the core gives both on a last step; for the type checker
        assert returns is not None
        elapsed = round(time.perf_counter() - self._started, 6)
        length = self.core.episode_length
        infos: list[dict[str, Any]] = [
            {
                "terminal_observation": final[index],
                "episode": {"r": value, "l": length, "t": elapsed},
            }
            for index, value in enumerate(returns.tolist())
        ]
        if result.reward_terms:
            names = list(result.reward_terms)
            columns = zip(*(result.reward_terms[name].tolist() for name in names), strict=True)
            for info, row in zip(infos, columns, strict=True):
                info["reward_terms"] = dict(zip(names, row, strict=True))
        return infos

    def close(self) -> None:
        """Hold no resource: do nothing."""

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """Return an attribute of the environments, once per index; they all share the core's.

        Raises:
            AttributeError: when neither this class nor the core has it (``has_attr`` counts on
                that), and for ``action_masks`` where actions are not discrete.
        """
        value = self._attribute(attr_name)
        return [value for _ in self._get_indices(indices)]

    def _attribute(self, name: str) -> Any:
        if name == "action_masks" and not isinstance(self.core.action_space, spaces.Discrete):
            raise AttributeError(f"{name!r}: only a discrete action space has masks")
        if name == "render_mode":
            return self.render_mode
        return getattr(self.core, name)

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Set an attribute of all environments at once: they share one core.

        Raises:
            ValueError: when ``indices`` leaves some environment out.
        """
        if len(list(self._get_indices(indices))) != self.num_envs:
            raise ValueError(
                f"the {self.num_envs} environments share one core: {attr_name!r} can only be set "
                "for all of them (indices=None)"
            )
        setattr(self if attr_name == "render_mode" else self.core, attr_name, value)

    def env_method(
        self,
        method_name: str,
        *method_args: Any,
        indices: VecEnvIndices = None,
        **method_kwargs: Any,
    ) -> list[Any]:
        """Call a method of the environments.

        ``action_masks`` gives one row of the core's masks per index and ``render`` one text;
        any other name is called once on the core, and its result is given for every index.
        """
        chosen = list(self._get_indices(indices))
        if method_name == "action_masks":
            masks = self._attribute("action_masks")()
            return [masks[index] for index in chosen]
        if method_name == "render":
            return [self._text(index) for index in chosen]
        result = self._attribute(method_name)(*method_args, **method_kwargs)
        return [result for _ in chosen]

    def env_is_wrapped(
        self, wrapper_class: type[Wrapper], indices: VecEnvIndices = None
    ) -> list[bool]:
        """Return ``False`` for every index: there are no single environments to wrap."""
        return [False for _ in self._get_indices(indices)]

    def get_images(self) -> Sequence[np.ndarray | None]:
        """Return ``None`` for every environment: records have a text, not an image."""
        return [None] * self.num_envs

    def render(self, mode: str | None = None) -> Any:
        """Return the first environment's record so far as text when the mode is ``"ansi"``."""
        if (mode or self.render_mode) == "ansi":
            return self._text(0)
        return None

    def _text(self, index: int) -> str | None:
        if self.render_mode != "ansi":
            return None
        return record_text(self.core, index)


def make_vec_env(
    env_id: str,
    n_envs: int = 512,
    seed: int | None = None,
    *,
    render_mode: str | None = None,
    **env_kwargs: Any,
) -> RecordVecEnv:
    """Build ``n_envs`` record environments that any SB3 algorithm takes as its ``env``.

    Args:
        env_id: one of ``rlsyn_env.ENV_IDS``.
        n_envs: number of environments, at least 1.
        seed: seeds the noise streams (``seed + i`` for environment ``i``) at the first reset.
        render_mode: ``None`` or ``"ansi"``.
        **env_kwargs: what ``gym.make`` takes: ``dataset``, ``target``, ``adversary``, ...

    Returns:
        The environments; ``.core`` is the shared :class:`~rlsyn_env.core.RecordCore`.

    Raises:
        ConfigError: for ``n_envs < 1`` or an unknown ``env_id``.
    """
    if n_envs < 1:
        raise ConfigError(f"n_envs must be at least 1, not {n_envs}")
    vec_env = RecordVecEnv(make_core(env_id, n_envs, **env_kwargs), render_mode=render_mode)
    if seed is not None:
        vec_env.seed(seed)
    return vec_env
