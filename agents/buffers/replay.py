"""A replay buffer whose rewards are always those of the current discriminator."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from stable_baselines3.common.buffers import NStepReplayBuffer
from stable_baselines3.common.type_aliases import ReplayBufferSamples
from stable_baselines3.common.vec_env import VecNormalize

from rlsyn_env.core import RecordCore


class CoreLink:
    """Carries a core to the replay buffer without ever being saved with it.

    SB3 pickles ``replay_buffer_kwargs`` with a model; the core holds the adversary and with it real
    rows. A pickled link is empty; a copied one shares the core.
    """

    def __init__(self, core: RecordCore | None = None) -> None:
        self.core = core

    def __reduce__(self) -> tuple[type[CoreLink], tuple[()]]:
        return CoreLink, ()

    def __deepcopy__(self, memo: dict[int, Any]) -> CoreLink:
        return self


class RelabellingReplayBuffer(NStepReplayBuffer):
    """n-step returns with terminal rewards scored again whenever the adversary has moved on.

    A terminal transition holds the whole record, so its reward can be computed anew at any time
    (``core.score``). Every stored reward carries the number of adversary updates it was computed
    at; sampling scores the out-of-date ones among those it needs, and keeps the result.

    Args:
        *args, **kwargs: as SB3's ``NStepReplayBuffer``; ``n_steps`` should be the episode's length
            and ``gamma`` 1, which makes every return the record's reward (SB3's own ``n_steps`` is
            ignored when a buffer class is given).
        link: where the core is. Without a core (a model loaded outside this package) rewards stay
            as they were stored.
    """

    def __init__(self, *args: Any, link: CoreLink | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.link = link or CoreLink()
        self.scored_at = np.zeros((self.buffer_size, self.n_envs), dtype=np.int64)

    def _updates(self) -> int:
        core = self.link.core
        return 0 if core is None or core.adversary is None else core.adversary.updates

    def add(self, *args: Any, **kwargs: Any) -> None:
        """Store one transition of every environment; its reward counts as up to date."""
        self.scored_at[self.pos] = self._updates()
        super().add(*args, **kwargs)

    def _get_samples(
        self, batch_inds: np.ndarray, env: VecNormalize | None = None
    ) -> ReplayBufferSamples:
        envs = np.random.randint(0, self.n_envs, size=batch_inds.shape)  # noqa: NPY002 - SB3's own
        length, ended = self._spans(batch_inds, envs)
        last = (batch_inds + length - 1) % self.buffer_size
        self._relabel(last[ended], envs[ended])
        steps = np.arange(self.n_steps)
        sequence = (batch_inds[:, None] + steps) % self.buffer_size
        rewards = self._normalize_reward(self.rewards[sequence, envs[:, None]], env)
        discounts = np.where(steps < length[:, None], self.gamma**steps, 0.0)
        returns = (rewards * discounts).sum(axis=1, keepdims=True)
        dones = (self.dones[last, envs] * (1 - self.timeouts[last, envs]))[:, None]
        return ReplayBufferSamples(
            observations=self._observations(self.observations[batch_inds, envs], env),
            actions=self.to_torch(self.actions[batch_inds, envs]),
            next_observations=self._observations(self.next_observations[last, envs], env),
            dones=self.to_torch(dones.astype(np.float32)),
            rewards=self.to_torch(returns.astype(np.float32)),
            discounts=self.to_torch((self.gamma ** length[:, None]).astype(np.float32)),
        )

    def _observations(self, observations: np.ndarray, env: VecNormalize | None) -> torch.Tensor:
        normalised = self._normalize_obs(observations, env)
        assert isinstance(normalised, np.ndarray)  # observations are flat, never a Dict
        return self.to_torch(normalised)

    def _spans(self, batch_inds: np.ndarray, envs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return each sample's number of steps ``(B,)`` and whether an episode ends there.

        A span stops at the end of its episode, after ``n_steps``, or at the newest transition,
        behind which older episodes lie.
        """
        steps = np.arange(self.n_steps)
        sequence = (batch_inds[:, None] + steps) % self.buffer_size
        stop = (self.dones[sequence, envs[:, None]] > 0) | (
            self.timeouts[sequence, envs[:, None]] > 0
        )
        stop |= sequence == (self.pos - 1) % self.buffer_size
        length = np.where(stop.any(axis=1), stop.argmax(axis=1) + 1, self.n_steps)
        last = (batch_inds + length - 1) % self.buffer_size
        return length, self.dones[last, envs] > 0

    def _relabel(self, positions: np.ndarray, envs: np.ndarray) -> None:
        """Score the terminal transitions given that were scored by an older discriminator."""
        updates = self._updates()
        old = self.scored_at[positions, envs] != updates
        core = self.link.core
        if core is None or core.adversary is None or not old.any():
            return
        cells = np.unique(positions[old] * self.n_envs + envs[old])
        positions, envs = np.divmod(cells, self.n_envs)
        records = core.terminal_records(
            self.actions[positions, envs], self.next_observations[positions, envs]
        )
        self.rewards[positions, envs] = core.last_rewards(records)
        self.scored_at[positions, envs] = updates
