from __future__ import annotations

from pathlib import Path

import numpy as np
from torch.utils.tensorboard import SummaryWriter

from agents.runs.training_curves import CURVE_TAGS, training_curves


def write(folder: Path, points: list[tuple[int, float]], tag: str = "reward/mean") -> None:
    with SummaryWriter(str(folder)) as writer:
        for step, value in points:
            writer.add_scalar(tag, value, step)


def test_a_step_that_was_written_twice_counts_once(tmp_path: Path) -> None:
    write(tmp_path, [(0, 1.0), (10, 2.0), (10, 3.0), (20, 4.0)])
    steps, values = training_curves(tmp_path)["reward/mean"]
    np.testing.assert_array_equal(steps, [0, 10, 20])
    np.testing.assert_array_equal(values, [1, 3, 4])


def test_only_chosen_tags_in_their_order(tmp_path: Path) -> None:
    for tag in ("time/fps", "fidelity/pair_trends", "reward/mean"):
        write(tmp_path, [(0, 1.0)], tag)
    assert list(training_curves(tmp_path)) == ["reward/mean", "fidelity/pair_trends"]
    assert len(set(CURVE_TAGS)) == len(CURVE_TAGS)


def test_a_folder_without_events_has_no_curves(tmp_path: Path) -> None:
    assert training_curves(tmp_path) == {}


def test_a_file_that_was_cut_off_counts_up_to_the_cut(tmp_path: Path) -> None:
    write(tmp_path, [(step, float(step)) for step in range(50)])
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-40])
    steps, _ = training_curves(tmp_path)["reward/mean"]
    assert 40 < len(steps) < 50


def test_a_file_of_something_else_has_no_curves(tmp_path: Path) -> None:
    (tmp_path / "events.out.tfevents.1.x.1.0").write_bytes(b"not an event file" * 30)
    assert training_curves(tmp_path) == {}
