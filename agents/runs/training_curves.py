"""The training curves of a run, read back from its TensorBoard events."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

#: Tags worth a reader's time, in the order they are shown; those that a run has not are left out.
CURVE_TAGS = (
    "reward/mean",
    "discriminator/accuracy_real",
    "discriminator/accuracy_fake",
    "discriminator/overfit_gap",
    "fidelity/column_shapes",
    "fidelity/pair_trends",
    "records/distinct_share",
    "imitation/loss",
    "train/entropy_loss",
    "train/approx_kl",
    "train/value_loss",
    "train/actor_loss",
    "train/critic_loss",
    "validation/c2st",
    "validation/s2r_over_r2r",
    "validation/membership_excess",
)
_MAX_POINTS = 1_000  # of a curve; TensorBoard draws them evenly from longer ones


def training_curves(
    folder: Path,
) -> dict[str, tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]]:
    """Read the scalars of :data:`CURVE_TAGS` that a run has logged.

    Args:
        folder: of the run; a resumed run has several event files, read as one.

    Returns:
        Increasing steps ``(n,)`` and values ``(n,)`` float64 by tag; empty for a folder without
        events. An event file that was cut off counts up to the cut.
    """
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    if not any(folder.glob("*tfevents*")):
        return {}
    events = EventAccumulator(str(folder), size_guidance={"scalars": _MAX_POINTS, "images": 1})
    events.Reload()
    logged = set(events.Tags()["scalars"])
    curves = {}
    for tag in CURVE_TAGS:
        if tag in logged:
            # The end of a run may be written twice, and so may steps that a resumed run repeats.
            latest = {point.step: point.value for point in events.Scalars(tag)}
            steps = np.array(sorted(latest), dtype=np.float64)
            curves[tag] = (steps, np.array([latest[step] for step in sorted(latest)]))
    return curves
