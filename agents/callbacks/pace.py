"""The pace of the algorithm's steps: one factor of its learning rate that callbacks turn down."""

from __future__ import annotations

from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.type_aliases import Schedule


class PacedSchedule:
    """A learning rate's schedule times ``pace``."""

    def __init__(self, schedule: Schedule, pace: float = 1.0) -> None:
        self.schedule, self.pace = schedule, pace

    def __call__(self, progress_remaining: float) -> float:
        """Return the rate with the share ``progress_remaining`` of the training to come."""
        return self.pace * self.schedule(progress_remaining)


def paced_schedule(model: BaseAlgorithm) -> PacedSchedule:
    """Return the model's schedule, which every callback shares; made paced where it is not yet."""
    schedule = model.lr_schedule
    if not isinstance(schedule, PacedSchedule):
        schedule = model.lr_schedule = PacedSchedule(schedule)
    return schedule
