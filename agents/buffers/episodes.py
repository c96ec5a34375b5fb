"""A rollout buffer of whole records: memory O(d) a record, minibatches of whole episodes."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from scipy.signal import lfilter
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.type_aliases import RolloutBufferSamples

from rlsyn_env.errors import ConfigError


class EpisodeRolloutBuffer(RolloutBuffer):
    """For :class:`~agents.policies.autoregressive.AutoregressivePolicy` under PPO, A2C and TRPO.

    An observation of step t repeats the t values before it, so d of them are d times what one
    finished record says. Only the records are kept. ``get`` yields ``observations`` as finished
    records ``(B, d)`` with values in [-1, 1], and everything else flattened record by record,
    ``(B * d, ...)``; ``batch_size`` counts transitions, as in SB3.

    Raises:
        ConfigError: when ``buffer_size`` (an algorithm's ``n_steps``) is not a multiple of d, or a
            rollout does not start at the first feature.
    """

    def __init__(
        self,
        buffer_size: int,
        observation_space: spaces.Space,
        action_space: spaces.Space,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        shape = observation_space.shape
        if shape is None or len(shape) != 1 or shape[0] % 2 == 0:
            raise ConfigError(f"expected observations of 2d + 1 numbers, not of shape {shape}")
        self.d = (shape[0] - 1) // 2
        if buffer_size % self.d:
            raise ConfigError(
                f"n_steps is {buffer_size}, but whole episodes need a multiple of {self.d}, the "
                "number of features; use n_steps=episode"
            )
        super().__init__(buffer_size, observation_space, action_space, *args, **kwargs)

    def reset(self) -> None:
        """Empty the buffer."""
        steps = (self.buffer_size, self.n_envs)
        self.records = np.zeros((self.buffer_size // self.d, self.n_envs, self.d), np.float32)
        self.actions = np.zeros(
            (*steps, self.action_dim),
            np.float32 if isinstance(self.action_space, spaces.Box) else self.action_space.dtype,
        )
        for name in ("rewards", "returns", "values", "log_probs", "advantages", "episode_starts"):
            setattr(self, name, np.zeros(steps, dtype=np.float32))
        self.pos, self.full, self.generator_ready = 0, False, False

    def add(
        self,
        obs: np.ndarray,
        action: np.ndarray,
        reward: np.ndarray,
        episode_start: np.ndarray,
        value: torch.Tensor,
        log_prob: torch.Tensor,
    ) -> None:
        """Store one step of all environments; see SB3's ``RolloutBuffer.add``."""
        episode, t = divmod(self.pos, self.d)
        if obs[:, self.d + t].min() != 1:
            raise ConfigError(
                "a rollout must start at the first feature of an episode: the environments are "
                "elsewhere (reset them, or use n_steps=episode)"
            )
        if t > 0:
            self.records[episode, :, t - 1] = obs[:, t - 1]
        action = action.reshape(self.n_envs, self.action_dim)
        if t == self.d - 1 and isinstance(self.action_space, spaces.Box):
            # No stored observation shows the last value, and nothing later depends on it.
            self.records[episode, :, t] = np.clip(action[:, 0], -1, 1)
        self.actions[self.pos] = action
        self.rewards[self.pos] = reward
        self.episode_starts[self.pos] = episode_start
        self.values[self.pos] = value.detach().cpu().numpy().reshape(-1)
        self.log_probs[self.pos] = log_prob.detach().cpu().numpy().reshape(-1)
        self.pos += 1
        self.full = self.pos == self.buffer_size

    def compute_returns_and_advantage(self, last_values: torch.Tensor, dones: np.ndarray) -> None:
        """Generalised advantages (Schulman et al. 2016, eq. 16) of whole episodes in one sweep.

        They are of what the last feature is paid. A reward before it is a part that its feature
        settled (:attr:`rlsyn_env.rewards.RewardTerm.settled_at`): that feature alone is credited,
        and values do not foresee it. A rare large penalty would otherwise be shared with the
        ``1 / (1 - gae_lambda)`` features before it, most of which had no part in it.

        Args:
            last_values: not used: every episode of the buffer has ended.
            dones: ``(n_envs,)``, all true.
        """
        shape = (self.buffer_size // self.d, self.d, self.n_envs)
        values, settled = self.values.reshape(shape), self.rewards.reshape(shape).copy()
        deltas = np.concatenate([self.gamma * values[:, 1:], settled[:, -1:]], axis=1) - values
        settled[:, -1] = 0
        decay = [1.0, -self.gamma * self.gae_lambda]
        swept = lfilter([1.0], decay, deltas[:, ::-1], axis=1)[:, ::-1].astype(np.float32)
        self.returns = (swept + values).reshape(self.values.shape)
        self.advantages = (swept + settled).reshape(self.values.shape)

    def get(self, batch_size: int | None = None) -> Generator[RolloutBufferSamples, None, None]:
        """Yield minibatches of whole episodes in random order; see the class."""
        episodes = len(self.records) * self.n_envs
        records = self.records.reshape(episodes, self.d)
        columns = {
            name: self._by_record(getattr(self, name))
            for name in ("actions", "values", "log_probs", "advantages", "returns")
        }
        size = episodes if batch_size is None else max(1, batch_size // self.d)
        order = np.random.permutation(episodes)  # noqa: NPY002 - as SB3's buffers, saved with runs
        for begin in range(0, episodes, size):
            rows = order[begin : begin + size]
            part = {name: self._flat(values[rows]) for name, values in columns.items()}
            yield RolloutBufferSamples(
                observations=self.to_torch(records[rows]),
                actions=part["actions"].reshape(-1, self.action_dim),
                old_values=part["values"],
                old_log_prob=part["log_probs"],
                advantages=part["advantages"],
                returns=part["returns"],
            )

    def _by_record(self, steps: np.ndarray) -> np.ndarray:
        """``(episodes * d, n_envs, ...)`` to ``(episodes * n_envs, d, ...)``."""
        shape = (len(self.records), self.d, self.n_envs, *steps.shape[2:])
        return steps.reshape(shape).swapaxes(1, 2).reshape(-1, self.d, *steps.shape[2:])

    def _flat(self, values: np.ndarray) -> torch.Tensor:
        return self.to_torch(values.reshape(-1))
