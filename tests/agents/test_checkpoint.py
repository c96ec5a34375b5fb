from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from agents.registry import get_algorithm
from agents.runs import checkpoint as checkpoints
from agents.runs.checkpoint import load_checkpoint, restore, save_checkpoint
from agents.runs.training import learn
from rlsyn_env.errors import ConfigError

#: Options that spare algorithms most of their work.
LIGHT = {
    "sac": {"gradient_steps": 1, "batch_size": 32},
    "dqn": {"gradient_steps": 1, "batch_size": 32},
    "ars": {"n_delta": 1, "n_eval_episodes": 16},
}
PROGRESS = {"records": 64, "seconds": 1.5}


def parameters(model) -> dict[str, torch.Tensor]:
    return {k: v.clone() for k, v in model.policy.state_dict().items()}


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


@pytest.mark.slow
@pytest.mark.parametrize("algo", ["ppo", "recurrentppo", "sac", "dqn", "ars"])
def test_restoring_brings_everything_back(algo: str, new_run) -> None:
    options = {"algo": algo, "hyperparams": LIGHT.get(algo, {})}
    run, folder = new_run("trained", **options)
    learn(run, folder)
    other, _ = new_run("fresh", **options)
    saved = load_checkpoint(folder.checkpoints)
    restore(saved, other.model, other.vec_env.core)
    assert same(parameters(run.model), parameters(other.model))
    assert other.model.num_timesteps == run.model.num_timesteps > 0
    assert other.vec_env.core.adversary.records_seen == run.vec_env.core.adversary.records_seen
    for name in ("_last_obs", "weights", "exploration_rate", "_n_updates"):
        if hasattr(run.model, name) and getattr(run.model, name) is not None:
            np.testing.assert_array_equal(getattr(other.model, name), getattr(run.model, name))
    if hasattr(run.model, "replay_buffer"):
        ours, theirs = other.model.replay_buffer, run.model.replay_buffer
        assert (ours.pos, ours.full) == (theirs.pos, theirs.full)
        np.testing.assert_array_equal(ours.observations, theirs.observations)
        np.testing.assert_array_equal(ours.rewards, theirs.rewards)
    records = [s.random() for s in run.vec_env.core.streams]
    assert [s.random() for s in other.vec_env.core.streams] == records


def test_the_agent_is_an_sb3_zip(new_run) -> None:
    run, folder = new_run()
    saved = save_checkpoint(folder.checkpoints, run.model, run.vec_env.core, PROGRESS)
    loaded = get_algorithm("ppo").cls.load(saved / "agent.zip")
    assert same(parameters(run.model), {k: v.cpu() for k, v in loaded.policy.state_dict().items()})


def test_a_checkpoint_holds_no_real_rows(new_run) -> None:
    run, folder = new_run(algo="sac", hyperparams=LIGHT["sac"])
    learn(run, folder)
    saved = load_checkpoint(folder.checkpoints).folder
    content = b"".join(file.read_bytes() for file in saved.iterdir())
    real = run.vec_env.core.adversary._real.take(slice(5))
    assert all(row.tobytes() not in content for row in real)
    assert b"Adversary" not in content


def test_two_checkpoints_are_kept(new_run) -> None:
    run, folder = new_run()
    for _ in range(4):
        save_checkpoint(folder.checkpoints, run.model, run.vec_env.core, PROGRESS)
    names = sorted(p.name for p in folder.checkpoints.iterdir())
    assert names == ["000003", "000004", "latest"]
    assert load_checkpoint(folder.checkpoints).folder.name == "000004"


@pytest.mark.parametrize("where", ["_flush", "write_text", "_state"])
def test_a_full_disk_leaves_the_previous_checkpoint(
    where: str, new_run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, folder = new_run()
    save_checkpoint(folder.checkpoints, run.model, run.vec_env.core, PROGRESS)

    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, where, full)
        with pytest.raises(OSError, match="No space"):
            save_checkpoint(folder.checkpoints, run.model, run.vec_env.core, {"records": 99})
    assert load_checkpoint(folder.checkpoints).progress == PROGRESS
    assert not list(folder.checkpoints.glob("*.tmp-*"))


KILLED = """
import os, sys
from pathlib import Path
import agents.runs.checkpoint as checkpoints
from agents.runs.config import TrainConfig
from agents.runs.run_data import load_run_data
from agents.runs.training import build_run
config = TrainConfig(dataset="diabetes", n_envs=2)
run = build_run(config, load_run_data(config))
root = Path(sys.argv[1])
checkpoints.save_checkpoint(root, run.model, run.vec_env.core, {"records": 1})
checkpoints._flush = lambda path: os._exit(9)
checkpoints.save_checkpoint(root, run.model, run.vec_env.core, {"records": 2})
"""


@pytest.mark.slow
def test_a_kill_during_saving_leaves_the_previous_checkpoint(tmp_path: Path, new_run) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, tmp_path / "checkpoints"],
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
    )
    assert done.returncode == 9, done.stderr.decode()
    root = tmp_path / "checkpoints"
    assert list(root.glob("*.tmp-*")), "the kill came before the second checkpoint was begun"
    assert load_checkpoint(root).progress == {"records": 1}
    run, _ = new_run(n_envs=2)
    save_checkpoint(root, run.model, run.vec_env.core, {"records": 3})
    assert not list(root.glob("*.tmp-*"))


def test_no_checkpoint_yet(tmp_path: Path) -> None:
    assert load_checkpoint(tmp_path / "none") is None


def test_a_damaged_checkpoint_is_named(new_run) -> None:
    run, folder = new_run()
    saved = save_checkpoint(folder.checkpoints, run.model, run.vec_env.core, PROGRESS)
    (saved / "state.pt").write_bytes(b"damaged")
    with pytest.raises(ConfigError, match="000001"):
        load_checkpoint(folder.checkpoints)


def test_a_checkpoint_of_another_shape_is_refused(new_run) -> None:
    run, folder = new_run()
    save_checkpoint(folder.checkpoints, run.model, run.vec_env.core, PROGRESS)
    other, _ = new_run("other", hyperparams={"policy_kwargs": {"width": 8}})
    with pytest.raises(ConfigError, match="cannot be loaded"):
        restore(load_checkpoint(folder.checkpoints), other.model, other.vec_env.core)
