from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from agents.callbacks.fidelity import marginals_figure
from agents.runs.recorder import EpisodeRecorder, distinct_share
from agents.runs.training import learn

#: Options that spare an off-policy algorithm most of its gradient steps.
LIGHT = {"sac": {"gradient_steps": 1, "batch_size": 32}}

DISCRIMINATOR = (
    "loss",
    "accuracy_real",
    "accuracy_fake",
    "entropy",
    "logit_real",
    "logit_fake",
    "overfit_gap",
    "updates",
)
TAGS = {
    *(f"discriminator/{name}" for name in DISCRIMINATOR),
    *(f"reward/{name}" for name in ("mean", "std", "adversarial")),
    *(f"records/{name}" for name in ("total", "per_second", "distinct_share")),
    *(f"fidelity/{name}" for name in ("column_shapes", "pair_trends")),
}


@pytest.mark.slow
@pytest.mark.parametrize("algo", ["ppo", "sac", "ars"])
def test_every_tag_and_the_image_are_in_the_event_files(algo: str, new_run) -> None:
    hyperparams = LIGHT.get(algo, {})
    run, folder = new_run(algo=algo, n_envs=128, total_records=1100, hyperparams=hyperparams)
    learn(run, folder)
    events = EventAccumulator(str(folder.path), size_guidance={"images": 0, "scalars": 0})
    events.Reload()
    scalars = set(events.Tags()["scalars"])
    assert scalars >= TAGS
    assert "fidelity/marginals" in events.Tags()["images"]
    assert "rollout/ep_rew_mean" in scalars
    assert any(tag.startswith("train/") for tag in scalars)
    totals = [event.value for event in events.Scalars("records/total")]
    assert totals == sorted(totals)
    assert totals[-1] == run.vec_env.recorder.total >= 1100
    for tag, low, high in [
        ("discriminator/accuracy_real", 0, 1),
        ("records/distinct_share", 0.5, 1),
        ("fidelity/column_shapes", 0, 0.5),
        ("fidelity/pair_trends", 0, 1),
    ]:
        values = [event.value for event in events.Scalars(tag)]
        assert all(low <= value <= high for value in values), (tag, values)
    assert events.Scalars("records/per_second")[-1].value > 0


@pytest.mark.slow
def test_off_policy_scalars_are_written_once_per_so_many_records(new_run) -> None:
    run, folder = new_run(algo="sac", n_envs=64, total_records=2048, hyperparams=LIGHT["sac"])
    learn(run, folder)
    events = EventAccumulator(str(folder.path), size_guidance={"scalars": 0})
    events.Reload()
    assert 3 <= len(events.Scalars("records/total")) <= 6


def test_the_recorder_keeps_the_latest_records() -> None:
    recorder = EpisodeRecorder()
    assert recorder.recent().shape == (0, 0)
    assert recorder.take_rewards() == {}
    for k in range(10):
        batch = np.full((500, 3), k / 10, dtype=np.float32)
        recorder.add(batch, np.full(500, k, dtype=np.float32), {"adversarial": float(k)})
    assert recorder.total == 5000
    assert recorder.recent().shape == (2048, 3)
    assert recorder.recent().min() >= 0.5
    figures = recorder.take_rewards()
    assert figures["mean"] == figures["adversarial"] == 4.5
    assert figures["std"] == pytest.approx(np.std(np.arange(10)))
    assert recorder.last_reward == 9
    assert recorder.take_rewards() == {}


def test_distinct_share_sees_a_collapse_under_jitter() -> None:
    rng = np.random.default_rng(0)
    edges = np.tile(np.linspace(0, 1, 25, dtype=np.float32), (4, 1))
    varied = rng.random((1000, 4), dtype=np.float32)
    collapsed = np.full((1000, 4), 0.5, np.float32) + 0.04 * rng.random((1000, 4), dtype=np.float32)
    assert distinct_share(varied, edges) > 0.99
    assert distinct_share(collapsed, edges) < 0.05
    assert distinct_share(varied[:0], edges) == 0


def test_marginals_are_drawn_for_every_kind_of_column(mixed_table: pd.DataFrame) -> None:
    table = mixed_table.drop(columns=["patient_id", "note"])
    figure = marginals_figure(table.head(100), table.tail(140))
    assert [axes.get_title() for axes in figure.axes] == [str(c) for c in table.columns]
    for axes in figure.axes:
        assert len(axes.patches) == 2  # real and synthetic
        for bars in axes.patches:
            heights = bars.get_data().values
            assert 0 < heights[::2].max() <= 1
            assert heights[1::2].sum() == 0  # gaps between bars


def test_marginals_of_dates_that_nobody_has_or_in_a_time_zone_are_drawn() -> None:
    stamps = pd.Series(pd.date_range("2020-01-01", periods=40, freq="D"))
    table = pd.DataFrame(
        {
            "died": stamps.where(stamps.index == 39),
            "seen": stamps.dt.tz_localize("UTC"),
            "day": stamps.dt.date,
            "score": pd.Series([np.nan] * 20 + list(range(20)), dtype=float),
        }
    )
    figure = marginals_figure(table.head(20), table.tail(20))
    died, seen, _, score = figure.axes
    assert [label.get_text() for label in died.get_xticklabels()] == ["missing"]
    assert [label.get_text() for label in score.get_xticklabels()] == ["missing"]
    assert seen.get_xticklabels()[0].get_text() == "2020-01-01"
    assert figure.axes[2].get_xticklabels()[0].get_text() == "2020-01-01"


def test_the_progress_bar_shows_what_matters(new_run) -> None:
    run, folder = new_run(n_envs=128, total_records=1024)
    terminal = Console(file=io.StringIO(), force_terminal=True, width=80)
    learn(run, folder, console=terminal)
    shown = terminal.file.getvalue()
    for part in ("records", "/s", "reward", "discriminator"):
        assert part in shown
    quiet = Console(file=io.StringIO(), force_terminal=False)
    run, folder = new_run("quiet")
    learn(run, folder, console=quiet)
    assert quiet.file.getvalue() == ""
