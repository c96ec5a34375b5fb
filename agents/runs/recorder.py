"""Keeps the figures of finished episodes that the callbacks show."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from stable_baselines3.common.vec_env.base_vec_env import VecEnvStepReturn

from agents.vec_env import RecordVecEnv
from rlsyn_env.core import RecordCore

RECENT_RECORDS = 2048


class EpisodeRecorder:
    """Counts finished records and keeps the latest ones.

    Attributes:
        total: records finished since the run began, resumptions included.
        last_reward: mean reward of the episodes that ended last; None before the first.
    """

    def __init__(self, total: int = 0) -> None:
        self.total = total
        self.last_reward: float | None = None
        self._records: list[npt.NDArray[np.float32]] = []
        self._rewards: list[npt.NDArray[np.float32]] = []
        self._terms: dict[str, list[float]] = {}

    def add(
        self,
        records: npt.NDArray[np.float32],
        rewards: npt.NDArray[np.float32],
        terms: dict[str, float],
    ) -> None:
        """Take in finished episodes.

        Args:
            records: ``(n, d)`` float32 in [0, 1].
            rewards: ``(n,)`` float32, their rewards.
            terms: mean value of each reward term over them.
        """
        self.total += len(records)
        self._records.append(records)
        while sum(map(len, self._records[1:])) >= RECENT_RECORDS:
            del self._records[0]
        self._rewards.append(np.asarray(rewards))
        self.last_reward = float(np.mean(rewards))
        for name, value in terms.items():
            self._terms.setdefault(name, []).append(value)

    def recent(self) -> npt.NDArray[np.float32]:
        """Up to the last 2,048 finished records ``(m, d)`` float32; ``(0, 0)`` before the first."""
        if not self._records:
            return np.zeros((0, 0), dtype=np.float32)
        return np.concatenate(self._records)[-RECENT_RECORDS:]

    def take_rewards(self) -> dict[str, float]:
        """``mean``, ``std`` and each term's mean since the last call; empty when none ended."""
        if not self._rewards:
            return {}
        rewards = np.concatenate(self._rewards)
        figures = {"mean": float(rewards.mean()), "std": float(rewards.std())}
        figures |= {name: float(np.mean(values)) for name, values in self._terms.items()}
        self._rewards.clear()
        self._terms.clear()
        return figures


def distinct_share(
    records: npt.NDArray[np.float32], bin_edges: Sequence[npt.NDArray[np.float32]]
) -> float:
    """Share of records that differ from every other one at the resolution of the bins.

    A generator that has collapsed repeats itself up to jitter, so records are compared by the bins
    that they fall into, not by their values.

    Args:
        records: ``(m, d)`` in [0, 1].
        bin_edges: d increasing arrays of edges, from 0 to 1.

    Returns:
        Number of different rows of bins over m, in (0, 1]; 0 for m = 0.
    """
    if len(records) == 0:
        return 0.0
    bins = [
        np.searchsorted(edges[1:-1], records[:, j], side="right")
        for j, edges in enumerate(bin_edges)
    ]
    return len(np.unique(np.stack(bins, axis=1), axis=0)) / len(records)


class RecordedVecEnv(RecordVecEnv):
    """A :class:`~agents.vec_env.RecordVecEnv` that shows finished episodes to a recorder.

    Every algorithm steps its environments, while not every one (ARS) tells callbacks what came of
    it, so this is where episodes are seen.
    """

    def __init__(self, core: RecordCore, recorder: EpisodeRecorder) -> None:
        super().__init__(core)
        self.recorder = recorder

    def step_wait(self) -> VecEnvStepReturn:
        """Take the step, see :meth:`agents.vec_env.RecordVecEnv.step_wait`."""
        observations, rewards, dones, infos = super().step_wait()
        if dones[0] and self.core.finished_records is not None:
            names = infos[0].get("reward_terms", {})
            terms = {
                name: float(np.mean([info["reward_terms"][name] for info in infos]))
                for name in names
            }
            returns = np.array([info["episode"]["r"] for info in infos], dtype=np.float32)
            self.recorder.add(self.core.finished_records, returns, terms)
        return observations, rewards, dones, infos
