"""Augmented random search whose candidates can be compared."""

from __future__ import annotations

import copy
import math
from collections import deque
from typing import Any

import numpy as np
import torch
from sb3_contrib import ARS
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.policies import BasePolicy

from agents.vec_env import RecordVecEnv


class RecordARS(ARS):
    """ARS (Mania et al. 2018, arXiv 1803.07055) for a reward that learns and many environments.

    - Within one iteration the adversary is frozen, so that no candidate is judged by a later
      discriminator than another; it is shown all of the iteration's records at the end.
    - The two candidates of one direction play on the same noise (common random numbers), so that
      their difference is the direction's and not the luck of the draw.
    - Every environment step counts once; ARS counts ``n_envs`` steps for each of ``n_envs``
      environments. ``n_eval_episodes`` is rounded up to a multiple of ``n_envs``.

    On an environment that is not a :class:`~agents.vec_env.RecordVecEnv` it is plain ARS.
    """

    def evaluate_candidates(
        self, candidate_weights: torch.Tensor, callback: BaseCallback, async_eval: Any
    ) -> torch.Tensor:
        """Return the mean return of every candidate, ``(2 * n_delta,)``."""
        assert self.env is not None  # learn() checks; for the type checker
        venv = self.env.unwrapped
        if async_eval is not None or not isinstance(venv, RecordVecEnv):
            return super().evaluate_candidates(candidate_weights, callback, async_eval)
        core = venv.core
        returns = torch.zeros(self.pop_size, device=self.device)
        policy = copy.deepcopy(self.policy)
        # As in ARS: the logs show the mean over one iteration.
        self.ep_info_buffer = deque(maxlen=self.pop_size * self.n_eval_episodes)
        callback.on_rollout_start()
        records: list[np.ndarray] = []
        co_train, core.co_train = core.co_train, False
        try:
            for direction in range(self.n_delta):
                noise = [stream.bit_generator.state for stream in core.streams]
                for index in (direction, direction + self.n_delta):
                    for stream, state in zip(core.streams, noise, strict=True):
                        stream.bit_generator.state = state
                    policy.load_from_vector(candidate_weights[index].cpu().numpy())
                    rewards = self._play(policy, callback, core, records)
                    returns[index] = float(rewards.mean()) + (
                        self.alive_bonus_offset * core.episode_length
                    )
                    lengths = np.full(len(rewards), core.episode_length)
                    self._mimic_monitor_wrapper(rewards, lengths)
        finally:
            core.co_train = co_train
        if co_train:
            finished = np.concatenate(records)
            with torch.enable_grad():  # ARS evaluates without; the adversary trains with
                for term in core.reward_terms:
                    term.observe(finished)
        callback.on_rollout_end()
        return returns

    def _play(
        self, policy: BasePolicy, callback: BaseCallback, core: Any, records: list[np.ndarray]
    ) -> np.ndarray:
        """Play whole episodes with one candidate; return their rewards, keep their records."""
        assert self.env is not None
        rewards = []
        observations = self.env.reset()
        for _ in range(math.ceil(self.n_eval_episodes / core.n_envs)):
            returns = np.zeros(core.n_envs, dtype=np.float32)
            for _ in range(core.episode_length):
                actions, _ = policy.predict(observations, deterministic=True)  # type: ignore[arg-type]
                observations, reward, _, _ = self.env.step(actions)
                returns += reward
                self.num_timesteps += core.n_envs
                callback.on_step()
            rewards.append(returns)
            records.append(core.finished_records)
        return np.concatenate(rewards)
