"""TensorBoard scalars of the discriminator, the reward and the records."""

from __future__ import annotations

import time

from stable_baselines3.common.callbacks import BaseCallback

from agents.runs.recorder import EpisodeRecorder, distinct_share
from rlsyn_env.core import RecordCore

DIAGNOSTICS = (
    "loss",
    "accuracy_real",
    "accuracy_fake",
    "entropy",
    "logit_real",
    "logit_fake",
    "overfit_gap",
)
_BINS = 24


class ScalarsCallback(BaseCallback):
    """Logs ``discriminator/*``, ``reward/*`` and ``records/*``, and writes them out with SB3's own.

    SB3 writes its scalars every so many rollouts or episodes, which for 512 environments of short
    episodes is anything from too often to never. Here both are written together, once per so many
    records, for every kind of algorithm; ``learn`` must be given ``log_interval=None``.

    Args:
        recorder: of the finished episodes.
        core: of the environments.
        every_records: records between two writings.
    """

    def __init__(self, recorder: EpisodeRecorder, core: RecordCore, every_records: int) -> None:
        super().__init__()
        self._recorder = recorder
        self._core = core
        self._every = every_records
        self._bin_edges = [feature.bin_edges(_BINS) for feature in core.encoder.features]
        self._logged_at = 0
        self._clock = 0.0

    def _on_training_start(self) -> None:
        self._logged_at = self._recorder.total
        self._clock = time.monotonic()

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        if self._recorder.total - self._logged_at >= self._every:
            self._write()

    def _on_training_end(self) -> None:
        self._write()

    def _write(self) -> None:
        now = time.monotonic()
        finished = self._recorder.total - self._logged_at
        record = self.logger.record
        adversary = self._core.adversary
        if adversary is not None:
            record("discriminator/updates", adversary.updates)
            for name in DIAGNOSTICS:
                if name in adversary.diagnostics:
                    record(f"discriminator/{name}", adversary.diagnostics[name])
        for name, value in self._recorder.take_rewards().items():
            record(f"reward/{name}", value)
        record("records/total", self._recorder.total)
        if finished:
            record("records/per_second", finished / max(now - self._clock, 1e-9))
            recent = self._recorder.recent()
            record("records/distinct_share", distinct_share(recent, self._bin_edges))
        self._logged_at = self._recorder.total
        self._clock = now
        self.model.dump_logs()
