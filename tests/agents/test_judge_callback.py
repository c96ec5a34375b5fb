"""The judge during training: tags, finite values, and a run that does not notice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from stable_baselines3 import A2C, PPO
from stable_baselines3.common.env_util import make_vec_env as sb3_make_vec_env
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import agents
import rlsyn_env  # noqa: F401 - registers the ids
from agents.callbacks import JudgeCallback
from agents.runs.config import TrainConfig
from agents.runs.random_states import get_random_states
from agents.runs.run_data import load_run_data
from agents.runs.training import build_run, learn
from rlsyn_env.errors import ConfigError
from rlsyn_env.metrics import fidelity, utility
from rlsyn_env.tables.datasets import load_dataset

LIGHT = {"sac": {"gradient_steps": 1, "batch_size": 32}}
FIGURES = ("column_shapes", "pair_trends", "c2st", "s2r", "s2r_over_r2r", "membership_auc")


@pytest.fixture(autouse=True)
def small_forests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fidelity, "N_TREES", 10)
    monkeypatch.setattr(utility, "N_TREES", 10)


def scalars(folder: Path, prefix: str) -> dict[str, tuple[list[int], list[float]]]:
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    events.Reload()
    return {
        tag: ([e.step for e in events.Scalars(tag)], [e.value for e in events.Scalars(tag)])
        for tag in events.Tags()["scalars"]
        if tag.startswith(prefix)
    }


@pytest.fixture
def rows():
    table = load_dataset("diabetes").table
    train = table.sample(frac=0.7, random_state=0)
    return train, table.drop(train.index)


@pytest.mark.slow
@pytest.mark.parametrize("algo", ["ppo", "sac", "ars"])
def test_a_run_with_it_ends_with_the_same_bits(algo: str, new_run) -> None:
    ends = {}
    for name, every in (("plain", None), ("judged", 300)):
        run, folder = new_run(
            name,
            algo=algo,
            n_envs=64,
            total_records=1000,
            judge_every=every,
            validation_size=0.15,
            hyperparams=LIGHT.get(algo, {}),
        )
        learn(run, folder)
        ends[name] = (run, folder, get_random_states())
    plain, judged = ends["plain"][0], ends["judged"][0]
    for (key, a), b in zip(
        plain.model.policy.state_dict().items(),
        judged.model.policy.state_dict().values(),
        strict=True,
    ):
        assert torch.equal(a, b), key
    recent = plain.vec_env.recorder.recent()
    np.testing.assert_array_equal(recent, judged.vec_env.recorder.recent())
    logits = [run.vec_env.core.adversary.logits(recent) for run in (plain, judged)]
    np.testing.assert_array_equal(*logits)
    assert repr(ends["plain"][2]) == repr(ends["judged"][2])

    found = scalars(ends["judged"][1].path, "validation/")
    assert set(found) >= {f"validation/{name}" for name in FIGURES}
    assert "validation/r2r" not in found
    for tag, (steps, values) in found.items():
        assert np.isfinite(values).all(), tag
        assert steps[0] == 0, tag
        assert steps == sorted(set(steps)), tag
    # An update of ARS takes all the records of this run: before it and after it.
    assert len(found["validation/c2st"][0]) >= (2 if algo == "ars" else 3)
    assert all(0 <= value <= 1 for value in found["validation/c2st"][1])
    assert scalars(ends["plain"][1].path, "validation/") == {}
    # What our own callbacks write is as it was.
    own = [scalars(ends[name][1].path, "fidelity/") for name in ("plain", "judged")]
    assert own[0] == own[1]


@pytest.mark.slow
def test_it_works_in_anybodys_learn(rows, tmp_path: Path) -> None:
    train, validation = rows
    env = agents.make_vec_env("RLSyn/Record-v0", n_envs=64, dataset=train, target="target", seed=0)
    d = env.core.episode_length
    model = PPO(
        "MlpPolicy", env, n_steps=d, batch_size=16 * d, gamma=1.0, seed=0, tensorboard_log=tmp_path
    )
    judge = JudgeCallback(train, validation, every_records=128, n_synthetic=100)
    model.learn(4 * 64 * d, callback=judge)
    found = scalars(tmp_path / "PPO_1", "validation/")
    assert found["validation/c2st"][0] == [0, 128 * d, 256 * d]
    assert np.isfinite([values for _, values in found.values()]).all()


def test_other_environments_and_few_rows_are_refused(rows) -> None:
    train, validation = rows
    with pytest.raises(ConfigError, match="10 validation rows, got 9"):
        JudgeCallback(train, validation.head(9), 100)
    with pytest.raises(ConfigError, match="10 training rows, got 3"):
        JudgeCallback(train.head(3), validation, 100)
    with pytest.raises(ConfigError, match="every_records"):
        JudgeCallback(train, validation, 0)
    env = sb3_make_vec_env("RLSyn/Record-v0", n_envs=2, env_kwargs={"dataset": "diabetes"})
    with pytest.raises(ConfigError, match="make_vec_env"):
        A2C("MlpPolicy", env).learn(10, callback=JudgeCallback(train, validation, 100))


def test_a_run_with_few_validation_rows_is_refused_before_it_starts(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    load_dataset("diabetes").table.head(60).to_csv(path, index=False)
    config = TrainConfig(data=str(path), target="target", judge_every=100)
    with pytest.raises(ConfigError, match="validation rows"):
        build_run(config, load_run_data(config))
    with pytest.raises(ConfigError, match="--judge-every"):
        TrainConfig(judge_every=0)
