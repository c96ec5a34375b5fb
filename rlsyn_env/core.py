"""The batched core: n records being written in lockstep, and the reward at their end.

The single ``gym.Env``, the ``gym.vector.VectorEnv`` and the Stable-Baselines3 ``VecEnv`` are thin
faces of this one class.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from rlsyn_env.actions import ActionCodec, BoxCodec, DiscreteCodec, RecordCodec, inside
from rlsyn_env.adversary import Adversary
from rlsyn_env.errors import RLSynError, short_repr
from rlsyn_env.rewards import RewardTerm, make_reward_terms, scored
from rlsyn_env.tables.encoder import RecordEncoder

Floats: TypeAlias = npt.NDArray[np.float32]
Mode: TypeAlias = Literal["box", "discrete", "oneshot"]
Fixed: TypeAlias = Mapping[str, Any] | Sequence[Mapping[str, Any] | None] | None


@dataclass(frozen=True)
class StepResult:
    """What one step of n environments gives.

    Attributes:
        observations: ``(n, obs_dim)`` float32; after the last step those of the next episodes
            (without autoreset the terminal ones).
        rewards: ``(n,)`` float32; before the last step 0, but for terms that a feature settles in
            part (:attr:`rlsyn_env.rewards.RewardTerm.settled_at`).
        terminated: whether the episodes (all n: they move in lockstep) have ended.
        final_observations: ``(n, obs_dim)`` float32 terminal observations, on the last step only.
        returns: ``(n,)`` float32 sums of the episodes' rewards, on the last step only.
        reward_terms: unweighted value ``(n,)`` of every term, on the last step only.
        records: ``(n, d)`` float32 finished records in [0, 1], on the last step only.
    """

    observations: Floats
    rewards: Floats
    terminated: bool
    final_observations: Floats | None = None
    returns: Floats | None = None
    reward_terms: dict[str, Floats] | None = None
    records: Floats | None = None


class RecordCore:
    """n episodes in lockstep; each emits one record, one feature a step (or all in one).

    Observation of ``box`` and ``discrete``, flat float32 in [-1, 1], width 2d + 1: the d values
    emitted so far as a = 2u - 1 (0 where none), a one-hot of the feature to emit next (all zero
    after the last), one fresh uniform noise number. Observation of ``oneshot``: ``noise_dim``
    standard normals.

    Noise and jitter of environment i come from its own stream, so a record does not depend on how
    many environments run beside it.

    Args:
        n_envs: number of environments.
        mode: action space, see :mod:`rlsyn_env.actions`.
        encoder: d features.
        adversary: scores finished records; without one every reward is 0 (generation).
        reward: form of the adversarial reward.
        reward_terms: further terms, see :func:`rlsyn_env.rewards.make_reward_terms`.
        co_train: whether finished records train the adversary and the other terms.
        bins: bins per feature in ``discrete``.
        noise_dim: width of the observation in ``oneshot``.
        autoreset: start the next episodes in the step that ends the last ones. The single
            ``gym.Env`` must not: its user resets it, and a second reset would skip noise.
    """

    def __init__(
        self,
        n_envs: int,
        mode: Mode,
        *,
        encoder: RecordEncoder,
        adversary: Adversary | None = None,
        reward: str = "logit",
        reward_terms: Mapping[str, float] | Sequence[RewardTerm] = (),
        co_train: bool = True,
        bins: int = 24,
        noise_dim: int = 112,
        autoreset: bool = True,
    ) -> None:
        if n_envs < 1:
            raise RLSynError(f"the number of environments must be at least 1, got {n_envs}")
        for name, value, low in (("bins", bins, 2), ("noise_dim", noise_dim, 1)):
            if not isinstance(value, Integral) or isinstance(value, bool) or value < low:
                raise RLSynError(
                    f"{name} must be a whole number from {low} on, not {short_repr(value)}"
                )
        if mode not in get_args(Mode):
            raise RLSynError(f"unknown mode '{mode}'; choose one of {', '.join(get_args(Mode))}")
        self.n_envs = n_envs
        self.mode: Mode = mode
        self.encoder = encoder
        self.adversary = adversary
        self.co_train = co_train
        self.n_features = d = encoder.n_features
        self.reward_terms = (
            () if adversary is None else make_reward_terms(adversary, reward, reward_terms)
        )
        self.bins = bins
        self.noise_dim = noise_dim
        self.autoreset = autoreset
        self.episode_length = 1 if mode == "oneshot" else d
        self.codec: ActionCodec
        if mode == "box":
            self.codec = BoxCodec()
        elif mode == "discrete":
            self.codec = DiscreteCodec(encoder, bins)
        else:
            self.codec = RecordCodec(d)
        self.action_space = self.codec.space
        if mode == "oneshot":
            self.observation_space = spaces.Box(-np.inf, np.inf, (noise_dim,), np.float32)
        else:
            self.observation_space = spaces.Box(-1.0, 1.0, (2 * d + 1,), np.float32)
        self.streams = [np.random.default_rng() for _ in range(n_envs)]
        self.finished_records: Floats | None = None
        self._obs = np.zeros((n_envs, *self.observation_space.shape), dtype=np.float32)
        self._noise = np.zeros((n_envs, self._noise_width), dtype=np.float32)
        self._t = -1  # no episode yet
        self._pins: tuple[Floats, Floats] | None = None

    # ------------------------------------------------------------------ episodes

    @property
    def step_index(self) -> int:
        """Features emitted so far in the running episode, -1 when none is running."""
        return self._t

    def seed(self, seeds: Sequence[int | None]) -> None:
        """Start the noise stream of environment i from ``seeds[i]``; None leaves it as it is."""
        if len(seeds) != self.n_envs:
            raise RLSynError(f"expected {self.n_envs} seeds, got {len(seeds)}")
        for i, seed in enumerate(seeds):
            if seed is not None:
                self.streams[i] = np.random.default_rng(seed)

    def reset(self, fixed: Fixed = None) -> Floats:
        """Start n new episodes and return their observations ``(n, obs_dim)`` float32.

        Args:
            fixed: values that features are pinned to, for all environments or one mapping each.
                The pinned steps are still taken and their action ignored. They hold for every
                following episode until the next call.

        Raises:
            RLSynError: for a column that is not a feature, or a value it cannot take.
        """
        self._pins = self._pin_intervals(fixed)
        return self._begin()

    def step(self, actions: npt.ArrayLike) -> StepResult:
        """Emit the next feature of every record; on the last one score them and start anew.

        Args:
            actions: n actions of ``action_space``.

        Raises:
            RLSynError: before the first reset, or for actions that do not fit.
        """
        if self._t < 0:
            raise RLSynError("no episode is running; call reset() first")
        if self.mode == "oneshot":
            records = self.codec.decode(actions, 0, self._noise[:, 0])
            records = self._pinned(records)
            final = self._draw_normals()
            return self._end(records, final)
        d, t = self.n_features, self._t
        u = self.codec.decode(actions, t, self._noise[:, d + 1 + t])
        if self._pins is not None:
            low, high = self._pins[0][:, t], self._pins[1][:, t]
            pinned = inside(low, high, self._noise[:, d + 1 + t])
            u = np.where(np.isnan(low), u, pinned)
        obs = self._obs
        obs[:, t] = 2 * u - 1
        obs[:, d + t] = 0
        obs[:, -1] = self._noise[:, t + 1]
        self._t += 1
        if self._t == d:
            records = np.minimum((obs[:, :d] + 1) / 2, 1)
            return self._end(records, obs.copy())
        obs[:, d + self._t] = 1
        return StepResult(obs.copy(), self._settled(t), terminated=False)

    def score(self, records: Floats) -> tuple[Floats, dict[str, Floats]]:
        """Weighted reward ``(m,)`` and the value ``(m,)`` of every term, with nothing learnt.

        Args:
            records: ``(m, d)`` float32 in [0, 1].
        """
        values = {term.name: scored(term, records) for term in self.reward_terms}
        total = np.zeros(len(records), dtype=np.float32)
        for term in self.reward_terms:
            total += np.float32(term.weight) * values[term.name]
        return total, values

    def last_rewards(self, records: Floats) -> Floats:
        """Rewards ``(m,)`` of the last step of finished records, with nothing learnt.

        They are the :meth:`score` less what features before the last have settled.

        Args:
            records: ``(m, d)`` float32 in [0, 1].
        """
        return self._without_settled(records, *self.score(records))

    def terminal_records(self, actions: npt.ArrayLike, next_observations: Floats) -> Floats:
        """Records ``(m, d)`` of m terminal transitions, as a replay buffer stores them.

        Args:
            actions: ``(m, action_dim)``; used by ``oneshot`` only.
            next_observations: ``(m, obs_dim)`` terminal observations.
        """
        if self.mode == "oneshot":
            array = np.asarray(actions, dtype=np.float32).reshape(-1, self.n_features)
            return self.codec.decode(array, 0, np.zeros(len(array), np.float32))
        records: Floats = np.clip((next_observations[:, : self.n_features] + 1) / 2, 0, 1)
        return records

    def action_masks(self) -> npt.NDArray[np.bool_]:
        """``(n, K)`` bool: bins that exist for the feature to emit.

        Raises:
            AttributeError: when actions are not discrete, as asking any object for a method it
                lacks does (wrappers rely on it).
        """
        if not isinstance(self.codec, DiscreteCodec):
            raise AttributeError(f"the {self.mode} action space has no action masks")
        mask = self.codec.masks[max(self._t, 0)]
        return np.repeat(mask[None, :], self.n_envs, axis=0)

    # ------------------------------------------------------------------ saving

    def state_dict(self) -> dict[str, Any]:
        """Noise streams, the running episodes and what reward terms have learnt."""
        low, high = self._pins if self._pins is not None else (None, None)
        return {
            "streams": json.dumps([s.bit_generator.state for s in self.streams]),
            "observations": self._obs.copy(),
            "noise": self._noise.copy(),
            "step_index": self._t,
            "pins_low": low,
            "pins_high": high,
            "reward_terms": {term.name: term.state_dict() for term in self.reward_terms},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what :meth:`state_dict` gave, into a core of the same shape and terms."""
        states = json.loads(state["streams"])
        if len(states) != self.n_envs:
            raise RLSynError(
                f"the saved state is of {len(states)} environments, this one has {self.n_envs}"
            )
        for stream, saved in zip(self.streams, states, strict=True):
            stream.bit_generator.state = saved
        self._obs[:] = state["observations"]
        self._noise[:] = state["noise"]
        self._t = int(state["step_index"])
        low, high = state["pins_low"], state["pins_high"]
        self._pins = None if low is None else (np.asarray(low), np.asarray(high))
        for term in self.reward_terms:
            term.load_state_dict(state["reward_terms"][term.name])

    def observations(self) -> Floats:
        """The current observations ``(n, obs_dim)`` float32, a fresh copy."""
        return self._obs.copy()

    # ------------------------------------------------------------------ inside

    @property
    def _noise_width(self) -> int:
        # One noise number per observation of the episode, the terminal one included, then one
        # jitter per feature.
        return self.n_features if self.mode == "oneshot" else 2 * self.n_features + 1

    def _begin(self) -> Floats:
        if self.mode == "oneshot":
            self._obs = self._draw_normals()
            self._draw_uniforms()
            self._t = 0
            return self._obs.copy()
        self._draw_uniforms()
        self._noise[:, : self.n_features + 1] *= 2
        self._noise[:, : self.n_features + 1] -= 1
        self._obs.fill(0)
        self._obs[:, self.n_features] = 1
        self._obs[:, -1] = self._noise[:, 0]
        self._t = 0
        return self._obs.copy()

    def _draw_uniforms(self) -> None:
        for row, stream in zip(self._noise, self.streams, strict=True):
            stream.random(out=row, dtype=np.float32)

    def _draw_normals(self) -> Floats:
        normals = np.empty((self.n_envs, self.noise_dim), dtype=np.float32)
        for row, stream in zip(normals, self.streams, strict=True):
            stream.standard_normal(out=row, dtype=np.float32)
        return normals

    def _end(self, records: Floats, final: Floats) -> StepResult:
        self.finished_records = records
        if self.co_train:
            for term in self.reward_terms:
                term.observe(records)
        returns, values = self.score(records)
        rewards = self._without_settled(records, returns, values)
        if self.autoreset:
            observations = self._begin()
        else:
            observations, self._t = final.copy(), -1
        return StepResult(observations, rewards, True, final, returns, values, records.copy())

    def _settled(self, position: int) -> Floats:
        """Weighted sum ``(n,)`` of what a feature settles in the running records."""
        total = np.zeros(self.n_envs, dtype=np.float32)
        speaking = [term for term in self.reward_terms if position in term.settled_at]
        if speaking:
            records = np.minimum((self._obs[:, : self.n_features] + 1) / 2, 1)
            for term in speaking:
                total += np.float32(term.weight) * term.part(records, position)
        return total

    def _without_settled(
        self, records: Floats, total: Floats, values: Mapping[str, Floats]
    ) -> Floats:
        """Return what the last step pays of a total ``(m,)``, given the terms' values."""
        if self.mode == "oneshot":
            return total
        last = self.n_features - 1
        for term in self.reward_terms:
            if term.settled_at:
                settled = values[term.name]
                if last in term.settled_at:
                    settled = settled - term.part(records, last)
                total = total - np.float32(term.weight) * settled
        return total

    def _pinned(self, records: Floats) -> Floats:
        if self._pins is None:
            return records
        low, high = self._pins
        return np.where(np.isnan(low), records, inside(low, high, self._noise))

    def _pin_intervals(self, fixed: Fixed) -> tuple[Floats, Floats] | None:
        if not fixed:
            return None
        rows = [fixed] * self.n_envs if isinstance(fixed, Mapping) else list(fixed)
        if not all(row is None or isinstance(row, Mapping) for row in rows):
            raise RLSynError(
                f"fixed values are mappings such as {{'age': 61}}, not {short_repr(fixed)}"
            )
        if len(rows) != self.n_envs:
            raise RLSynError(f"expected {self.n_envs} mappings of fixed values, got {len(rows)}")
        low = np.full((self.n_envs, self.n_features), np.nan, dtype=np.float32)
        high = low.copy()
        names = {name: j for j, name in enumerate(self.encoder.feature_names)}
        known: dict[tuple[str, Any], tuple[float, float]] = {}
        for i, row in enumerate(rows):
            for name, value in (row or {}).items():
                if name not in names:
                    if name in self.encoder.schema.compared_names:
                        self.encoder.feature(name)  # raises, with the formula
                    raise RLSynError(
                        f"cannot fix '{name}': it is not a feature; features are {', '.join(names)}"
                    )
                key = (name, repr(value))
                if key not in known:
                    known[key] = self.encoder.encode_value(name, value)
                low[i, names[name]], high[i, names[name]] = known[key]
        pinned = ~np.isnan(low)
        leading = np.cumprod(pinned, axis=1).sum(axis=1)
        if self.mode == "oneshot" or (leading < pinned.sum(axis=1)).any():
            warnings.warn(
                "the fixed features do not come first in the order of emission, so features "
                "before them do not depend on them: this pins values, it is not conditional "
                "generation",
                stacklevel=3,
            )
        return low, high
