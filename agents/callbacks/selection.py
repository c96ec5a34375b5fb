"""Snapshot choice: which weights a run ends with, and when training longer stops paying."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from stable_baselines3.common.callbacks import BaseCallback

from agents.callbacks.pace import PacedSchedule, paced_schedule
from agents.generation import generate_table
from agents.policies.autoregressive import AutoregressivePolicy
from agents.policies.weights import copy_of_weights
from agents.vec_env import RecordVecEnv
from rlsyn_env.errors import ConfigError
from rlsyn_env.metrics.rows import MAX_C2ST_ROWS, MIN_ROWS
from rlsyn_env.metrics.selection import SelectionScore, selection_score
from rlsyn_env.options import check_range
from rlsyn_env.tables.splits import first_of_groups

_PACE_CUT = 0.3  # as that of the warm-up's rate
_LOWEST_PACE = 0.02


@dataclass(frozen=True)
class SelectionConfig:
    """When snapshots are measured, how long to wait for a better one, what a worse one leads to.

    Attributes:
        measurements: how many parts the budget has; a snapshot is measured before each and at the
            end. Each costs a generated table and two forests, so their number must not grow with
            the budget.
        patience: measurements without a better one after which training stops; 0: never. A run that
            stopped and is resumed with a larger budget stops again at once.
        min_rows: validation rows below which nothing is chosen: C2ST against 30 rows has a standard
            error of 0.07, more than what snapshots differ by. The run then ends with its last
            average, and its budget is the rule of the preset.
        max_rows: most synthetic rows that are generated for one measurement.
        step_back: whether training goes on from the best snapshot, at 0.3 times the learning rate,
            where the last one is worse by more than a standard error. What a discriminator that
            tells hardly anything apart rewards is noise, which large steps of the policy follow.
    """

    measurements: int = 12
    patience: int = 0
    min_rows: int = 200
    max_rows: int = 3000
    step_back: bool = True

    def __post_init__(self) -> None:
        for name in ("measurements", "max_rows"):
            check_range(self, "selection", name, 1, whole=True)
        check_range(self, "selection", "min_rows", MIN_ROWS, whole=True)
        check_range(self, "selection", "patience", 0, whole=True)


class SelectionCallback(BaseCallback):
    """Keeps the weights that validation rows like best, and ends with them.

    They are those that records are generated with: the average where one is kept, the actor's where
    not.

    Where a later one is clearly worse, training goes on from the best, in smaller steps.

    The criterion is fidelity against validation rows with penalties for membership and broken
    constraints (:mod:`rlsyn_env.metrics.selection`): likelihood or fidelity to training rows would
    choose the snapshot that copies most.

    Args:
        train: rows the generator trains on.
        validation: rows that nothing trains on.
        config: when.
        seed: of the generation and the forests, the same at every measurement.

    Raises:
        ConfigError: when training starts with a policy or environments of another kind.
    """

    def __init__(
        self,
        train: pd.DataFrame,
        validation: pd.DataFrame,
        config: SelectionConfig | None = None,
        *,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.config = config or SelectionConfig()
        self._train, self._validation, self._seed = train, validation, seed
        self._due = 0
        self._waited = 0
        self._pace = 1.0  # at the start
        self._best: float | None = None
        self._weights: dict[str, torch.Tensor] = {}
        self._schedule: PacedSchedule

    def chooses(self, group: str | None) -> bool:
        """Whether there are rows enough to choose by, and of more than one group."""
        enough = len(self._validation) >= self.config.min_rows and len(self._train) >= MIN_ROWS
        return enough and int(first_of_groups(self._validation, group).sum()) > 1

    def may_end(self, group: str | None) -> bool:
        """Whether a run ends before its budget where it no longer gains."""
        return self.config.patience > 0 and self.chooses(group)

    def _init_callback(self) -> None:
        if not isinstance(self.model.policy, AutoregressivePolicy):
            raise ConfigError(
                f"{type(self.model.policy).__name__} keeps no snapshots; use AutoregressivePolicy"
            )
        if not isinstance(self.training_env, RecordVecEnv):
            raise ConfigError("snapshots are chosen on environments of agents.make_vec_env only")
        self._schedule = paced_schedule(self.model)
        self._schedule.pace = self._pace

    def _on_step(self) -> bool:
        return not self._gave_up

    def _on_training_start(self) -> None:
        # Counted in parts of the budget, which a resumed run may have another one of.
        self._due = min(self._due, self._passed + 1)

    def _on_rollout_start(self) -> None:
        if self._passed >= self._due:
            self._measure()
            self._due = self._passed + 1

    def _on_training_end(self) -> None:
        if not self._gave_up:  # the last measurement is of these weights otherwise
            self._measure()
        if self._weights:
            self._policy.generator.load_state_dict(self._weights)

    @property
    def _passed(self) -> int:
        """How many of the ``measurements`` parts of the budget have been taken."""
        return int(
            self.model.num_timesteps * self.config.measurements // self.model._total_timesteps
        )

    @property
    def _gave_up(self) -> bool:
        return 0 < self.config.patience <= self._waited

    @property
    def _policy(self) -> AutoregressivePolicy:
        policy = self.model.policy
        assert isinstance(policy, AutoregressivePolicy)  # refused in _init_callback otherwise
        return policy

    def _measure(self) -> None:
        if not self.chooses(self._vec_env.core.encoder.schema.group):
            return
        score = self._score()
        self.logger.record("selection/c2st", score.c2st)
        self.logger.record("selection/membership_excess", score.membership_excess)
        self.logger.record("selection/violations", score.violations)
        self.logger.record("selection/score", score.total)
        self._waited += 1
        if self._best is None or score.total < self._best:
            self._best, self._waited = score.total, 0
            self._weights = copy_of_weights(self._policy.generator)
        elif self.config.step_back and score.total > self._best + self._standard_error:
            self._step_back()
        self.logger.record("selection/best", self._best)
        self.logger.record("selection/pace", self._schedule.pace)

    @property
    def _standard_error(self) -> float:
        """Of the C2ST of a table that is as good as real rows."""
        rows = min(len(self._validation), self._n_synthetic, MAX_C2ST_ROWS)
        return float((6 * rows) ** -0.5)

    @property
    def _n_synthetic(self) -> int:
        return max(MIN_ROWS, min(self.config.max_rows, len(self._train)))

    def _step_back(self) -> None:
        for network in (self._policy.actor, self._policy.generator):
            network.load_state_dict(self._weights)
        self._schedule.pace = max(_LOWEST_PACE, _PACE_CUT * self._schedule.pace)

    @property
    def _vec_env(self) -> RecordVecEnv:
        vec_env = self.training_env
        assert isinstance(vec_env, RecordVecEnv)  # refused in _init_callback otherwise
        return vec_env

    def _score(self) -> SelectionScore:
        vec_env = self._vec_env
        synthetic = generate_table(self.model, vec_env, self._n_synthetic, seed=self._seed)
        schema = vec_env.core.encoder.schema
        return selection_score(self._train, self._validation, synthetic, schema, seed=self._seed)

    def state_dict(self) -> dict[str, Any]:
        """The best snapshot so far, its score and the counters."""
        return {
            "due": self._due,
            "waited": self._waited,
            "pace": self._schedule.pace,
            "best": self._best,
            "weights": self._weights,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put back what :meth:`state_dict` gave."""
        self._due, self._waited = int(state["due"]), int(state["waited"])
        self._pace = float(state["pace"])
        self._best, self._weights = state["best"], dict(state["weights"])
