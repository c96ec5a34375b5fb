from __future__ import annotations

import os
import random
import signal
from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pytest
import torch
from stable_baselines3.common.callbacks import BaseCallback
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from agents.generation import generate, load_generator
from agents.registry import get_algorithm
from agents.runs.checkpoint import load_checkpoint
from agents.runs.config import TrainConfig
from agents.runs.interrupts import StopRequest, TrainingStopped
from agents.runs.outcome import export_model
from agents.runs.run_data import load_run_data, validation_share
from agents.runs.training import Run, build_run, learn, resume_run, total_records
from rlsyn_env import rewards
from rlsyn_env.adversary import Adversary
from rlsyn_env.errors import ConfigError, RLSynError
from rlsyn_env.rewards import RewardTerm

BUDGET = {"algo": "ppo", "n_envs": 128, "total_records": 1280}


class InterruptAt(BaseCallback):
    """Sends SIGINT to this process at one step."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self.step = step

    def _on_step(self) -> bool:
        if self.n_calls == self.step:
            os.kill(os.getpid(), signal.SIGINT)
        return True


def synthetic(run, folder):
    export_model(run, folder)
    return next(generate(load_generator(folder), 50, seed=3))


class Novelty(RewardTerm):
    """Distance from the mean of the records seen so far: a term that learns."""

    name = "novelty"

    def __init__(self, adversary: Adversary) -> None:
        self.seen, self.total = 0, np.zeros(adversary.encoder.n_features, np.float32)

    def observe(self, records):
        self.seen, self.total = self.seen + len(records), self.total + records.sum(axis=0)

    def __call__(self, records):
        return np.abs(records - self.total / max(self.seen, 1)).mean(axis=1)

    def state_dict(self):
        return {"seen": self.seen, "total": self.total}

    def load_state_dict(self, state):
        self.seen, self.total = state["seen"], state["total"]


@pytest.mark.slow
@pytest.mark.parametrize("terms", [{}, {"novelty": 2.0}], ids=["adversarial", "term that learns"])
def test_resumed_ppo_equals_uninterrupted_ppo_bit_for_bit(new_run, monkeypatch, terms) -> None:
    monkeypatch.setattr(rewards, "REWARD_TERMS", {"novelty": Novelty})
    whole, whole_folder = new_run("whole", **BUDGET, reward_terms=terms)
    learn(whole, whole_folder)

    first, folder = new_run("stopped", **BUDGET, reward_terms=terms)
    with pytest.raises(TrainingStopped):
        learn(first, folder, extra_callbacks=(InterruptAt(60),))
    assert 0 < first.model.num_timesteps < whole.model.num_timesteps
    assert first.vec_env.core.adversary.updates > 0

    random.random()  # whatever happens in between must not matter
    np.random.rand(5)  # noqa: NPY002
    torch.rand(5)
    second, checkpoint = resume_run(folder, lambda saved: saved)
    learn(second, folder, checkpoint)

    assert second.model.num_timesteps == whole.model.num_timesteps
    assert second.vec_env.recorder.total == whole.vec_env.recorder.total
    for name, value in whole.model.policy.state_dict().items():
        assert torch.equal(value, second.model.policy.state_dict()[name]), name
    ours, theirs = (r.model.policy.optimizer.state_dict()["state"] for r in (second, whole))
    assert all(torch.equal(ours[k]["exp_avg_sq"], theirs[k]["exp_avg_sq"]) for k in theirs)
    nets = [r.vec_env.core.adversary.state_dict()["network"] for r in (second, whole)]
    assert all(torch.equal(nets[0][k], nets[1][k]) for k in nets[1])
    assert synthetic(second, folder).equals(synthetic(whole, whole_folder))


@pytest.mark.slow
def test_a_periodic_checkpoint_changes_nothing(new_run) -> None:
    plain, plain_folder = new_run("plain", **BUDGET)
    learn(plain, plain_folder)
    saving, saving_folder = new_run("saving", **BUDGET)
    learn(saving, saving_folder, checkpoint_seconds=0.0)
    assert len(list(saving_folder.checkpoints.iterdir())) == 3
    for name, value in plain.model.policy.state_dict().items():
        assert torch.equal(value, saving.model.policy.state_dict()[name]), name


@pytest.mark.slow
def test_ars_resumes_with_the_progress_of_the_whole_run(new_run) -> None:
    options = {"algo": "ars", "n_envs": 8, "total_records": 1024}
    hyper = {"n_delta": 2, "n_eval_episodes": 8, "learning_rate": "linear from 0.1 to 0.0"}
    first, folder = new_run("ars", **options, hyperparams=hyper)
    with pytest.raises(TrainingStopped):
        learn(first, folder, extra_callbacks=(InterruptAt(100),))
    second, checkpoint = resume_run(folder, lambda saved: saved)
    seen = []

    class Watch(BaseCallback):
        def _on_step(self) -> bool:
            seen.append(self.model._current_progress_remaining)
            return True

    learn(second, folder, checkpoint, extra_callbacks=(Watch(),))
    assert 0 <= min(seen) < 0.2
    assert 0.5 < max(seen) < 1
    assert second.model.num_timesteps >= second.total_timesteps


def test_a_finished_run_goes_further_only_with_a_larger_budget(new_run) -> None:
    run, folder = new_run()
    learn(run, folder)
    folder.set_status(finished=True)
    with pytest.raises(ConfigError, match="larger"):
        resume_run(folder, lambda saved: saved)


@pytest.mark.parametrize(
    ("rows", "options", "share"),
    [
        (300, {}, 0.0),
        (300, {"settings": {"selection": {"min_rows": 40}}}, 0.15),
        (300, {"settings": {"selection": False}}, 0.0),
        (300, {"settings": {"adversary": {"gap_target": 0.2}}}, 0.15),
        (300, {"judge_every": 100}, 0.15),
        (300, {"validation_size": 0.3}, 0.3),
        (1333, {}, 0.0),
        (1334, {}, 0.15),
        (1334, {"validation_size": 0.0}, 0.0),
        (1334, {"settings": {"selection": False}}, 0.15),  # the warm-up looks at them
        (1334, {"settings": {"selection": False, "imitation": False}}, 0.0),
        (1334, {"algo": "sac"}, 0.0),
        (1334, {"hyperparams": {"policy": "generic"}}, 0.0),
        (1334, {"algo": "a2c", "hyperparams": {"policy": "autoregressive"}}, 0.15),
        (1334, {"env": "RLSyn/RecordOneShot-v0"}, 0.0),
        (1334, {"env": "RLSyn/RecordDiscrete-v0"}, 0.15),
        (1334, {"algo": "sac", "judge_every": 100}, 0.15),
    ],
)
def test_rows_are_kept_for_validation_where_they_can_choose(rows, options, share) -> None:
    assert validation_share(TrainConfig(**options), rows, rows) == share


def test_a_single_group_is_not_kept_for_validation() -> None:
    assert validation_share(TrainConfig(), 2000, groups=6) == 0.0
    assert validation_share(TrainConfig(), 2000, groups=7) == 0.15


def test_a_run_can_be_ended_where_it_was_stopped(new_run) -> None:
    options = {"settings": {"selection": {"min_rows": 40, "measurements": 50}}, **BUDGET}
    run, folder = new_run(**options)
    with pytest.raises(TrainingStopped):
        learn(run, folder, extra_callbacks=(InterruptAt(40),))
    records = load_checkpoint(folder.checkpoints).progress["records"]
    run, checkpoint = resume_run(folder, lambda saved: replace(saved, total_records=records))
    learn(run, folder, checkpoint)
    ended = load_checkpoint(folder.checkpoints)
    best = ended.state["parts"]["selection"]["weights"]
    average = run.model.policy.average.state_dict()
    assert best
    assert all(torch.equal(average[name], value) for name, value in best.items())
    assert ended.state["parts"]["imitation"]["optimizer"] is not None

    before = [path.stat().st_mtime_ns for path in sorted(folder.checkpoints.iterdir())]
    run, checkpoint = resume_run(folder, lambda saved: saved)  # stopped while it was judged
    learn(run, folder, checkpoint)
    assert [path.stat().st_mtime_ns for path in sorted(folder.checkpoints.iterdir())] == before


@pytest.mark.slow
def test_a_run_that_keeps_no_row_for_validation_still_draws_its_curves(new_run) -> None:
    run, folder = new_run("all", **BUDGET)
    assert len(run.data.validation) == 0
    learn(run, folder)
    events = EventAccumulator(str(folder.path))
    events.Reload()
    shapes = [event.value for event in events.Scalars("fidelity/column_shapes")]
    assert shapes
    assert np.isfinite(shapes).all()


def test_half_the_budget_where_records_are_smoothed_and_no_validation_rows_end_it() -> None:
    def budget(**options) -> int:
        config = TrainConfig(n_envs=16, **{"dataset": "diabetes", **options})
        run = build_run(config, load_run_data(config))
        assert total_records(run) == run.config.total_records
        return total_records(run)

    smoothed = budget()
    assert budget(settings={"imitation": {"smooth": 0}}) == pytest.approx(2 * smoothed, abs=1)
    # Validation rows too few to choose by end no run; enough of them do.
    assert budget(validation_size=0.2) < smoothed
    assert budget(judge_every=1000) < smoothed
    choosing = {"selection": {"min_rows": 40}}
    assert budget(settings=choosing) > smoothed
    assert budget(settings={"selection": {"min_rows": 40, "patience": 0}}) < smoothed
    assert budget(settings={"imitation": False}) == pytest.approx(2 * smoothed, abs=1)
    assert budget(algo="sac") == get_algorithm("sac").preset.total_records
    assert budget(total_records=640) == 640


@pytest.mark.parametrize("name", ["imitation", "averaging", "selection"])
@pytest.mark.parametrize(
    "options", [{"algo": "sac"}, {"hyperparams": {"policy": "generic"}}, {"algo": "dqn"}]
)
def test_options_of_a_learner_that_the_policy_cannot_have_are_refused(name, options) -> None:
    def built(value) -> Run:
        config = TrainConfig(dataset="diabetes", n_envs=16, settings={name: value}, **options)
        return build_run(config, load_run_data(config))

    key = {"imitation": "steps", "averaging": "decay", "selection": "patience"}[name]
    with pytest.raises(ConfigError, match=f"--set {name}: only the autoregressive policy"):
        built({key: 1})
    assert built(False).learners == {}


def test_a_rule_of_rows_in_the_policy_is_the_same_when_it_generates(new_run) -> None:
    width = "4 * rows^0.5 within [8, 96]"
    run, folder = new_run("rows", hyperparams={"policy_kwargs": {"width": width}}, **BUDGET)
    trained = run.model.policy.actor.norm.bias
    assert len(trained) > 8
    learn(run, folder)
    export_model(run, folder)
    assert torch.equal(load_generator(folder).policy.actor.norm.bias, trained)


def test_rules_of_rows_count_groups(tmp_path) -> None:
    rng = np.random.default_rng(0)
    people = np.repeat(np.arange(40), 100)
    table = pd.DataFrame({"person": people, "x": rng.normal(size=4000), "y": rng.normal(size=4000)})
    table.to_csv(tmp_path / "days.csv", index=False)

    def built(group: str | None) -> Run:
        drop = () if group else ("person",)
        config = TrainConfig(data=str(tmp_path / "days.csv"), group=group, drop=drop, n_envs=16)
        return build_run(config, load_run_data(config))

    grouped, alone = built("person"), built(None)
    assert len(grouped.data.train) > 2000
    assert grouped.data.n_independent == grouped.data.train["person"].nunique() < 40
    assert alone.data.n_independent == len(alone.data.train)
    assert grouped.config.total_records == 12_288  # the least
    assert alone.config.total_records > 30_000
    imitations = [run.learners["imitation"] for run in (grouped, alone)]
    dropout = [callback.config.dropout for callback in imitations]
    assert dropout[0] == 0.7  # the most
    assert dropout[1] < 0.3


def test_a_model_of_another_format_is_refused(new_run) -> None:
    run, folder = new_run("old", **BUDGET)
    export_model(run, folder)
    text = folder.generator_file.read_text()
    folder.generator_file.write_text(text.replace("format: 3", "format: 9"))
    with pytest.raises(ConfigError, match="format 9, this version reads 3"):
        load_generator(folder)


def test_a_checkout_that_was_never_installed_trains(new_run, monkeypatch) -> None:
    def version(package: str) -> str:
        if package == "rlsyn":
            raise PackageNotFoundError(package)
        return "1.0"

    monkeypatch.setattr("rlsyn_env.versions.version", version)
    _, folder = new_run("bare")
    assert folder.load_config()["versions"]["rlsyn"] == "(not installed as a package)"


def test_a_run_without_a_checkpoint_starts_anew(new_run) -> None:
    _, folder = new_run()
    again, checkpoint = resume_run(folder, lambda saved: saved)
    assert checkpoint is None
    learn(again, folder)
    assert load_checkpoint(folder.checkpoints).num_timesteps == again.model.num_timesteps


def test_the_second_signal_quits_at_once() -> None:
    before = signal.getsignal(signal.SIGINT)
    with StopRequest() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.requested
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("error", [None, ValueError("Expected parameter loc"), IndexError("1e9")])
@pytest.mark.parametrize("weight", [float("nan"), 1e20])
def test_training_that_diverges_is_said_to(new_run, monkeypatch, error, weight) -> None:
    run, folder = new_run()

    def diverge(*_, **__):
        with torch.no_grad():
            next(run.model.policy.parameters()).fill_(weight)
        if error is not None:
            raise error

    monkeypatch.setattr(run.model, "learn", diverge)
    with pytest.raises(RLSynError, match="training has diverged"):
        learn(run, folder)


def test_other_errors_of_training_stay_what_they_are(new_run, monkeypatch) -> None:
    run, folder = new_run()
    monkeypatch.setattr(run.model, "learn", Mock(side_effect=IndexError("a bug")))
    with pytest.raises(IndexError, match="a bug"):
        learn(run, folder)
