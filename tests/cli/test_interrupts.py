"""Ctrl-C and SIGTERM: what they leave, and that a run goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from stable_baselines3 import PPO, SAC

from agents.registry import get_algorithm
from agents.runs.recorder import RecordedVecEnv
from tests.cli.interrupting import interrupt_after

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process without a signal")
def test_sigterm_leaves_nothing_of_a_table(csv_run: Path, work: Path) -> None:
    before = sorted(work.iterdir())
    many = ["-n", "100000000", "--out", "big.csv"]
    process = subprocess.Popen(
        [sys.executable, "-m", "agents.cli.main", "generate", csv_run, *many],
        cwd=work, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 90
        while not list(work.glob(".*-big.csv")) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert list(work.glob(".*-big.csv"))
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 143, err
    assert err.strip().splitlines()[-1] == "terminated"
    assert "Traceback" not in err
    assert sorted(work.iterdir()) == before


SMALL = {
    "ppo": [],
    "sac": ["--hyperparam", "gradient_steps=1", "batch_size=32"],
    "ars": ["--hyperparam", "n_delta=1", "n_eval_episodes=16"],
}
TRAINING = {"ppo": (PPO, "train"), "sac": (SAC, "train"), "ars": (None, "load_from_vector")}


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["collection", "training"])
@pytest.mark.parametrize("algo", ["ppo", "sac", "ars"])
def test_ctrl_c_leaves_a_run_that_resume_finishes(
    algo: str, moment: str, cli, work, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ["--dataset", "diabetes", "--n-envs", "16", "--total-records", "128"]
    with monkeypatch.context() as patch:
        if moment == "collection":
            interrupt_after(patch, RecordedVecEnv, "step_wait", 15)
        else:
            owner, method = TRAINING[algo]
            interrupt_after(patch, owner or get_algorithm("ars").policy, method, 2)
        code, _, err = cli(
            "train", "--algo", algo, *options, "--test-size", "0", "--out", "runs/x", *SMALL[algo]
        )
    assert code == 130, err
    assert "stopping after this update" in err
    assert "train.py --resume runs/x" in err
    run = work / "runs/x"
    assert not (run / "synthetic.csv").exists()
    latest = run / "checkpoints" / (run / "checkpoints/latest").read_text().strip()
    loaded = get_algorithm(algo).cls.load(latest / "agent.zip")
    assert 0 < loaded.num_timesteps < 128 * 11
    code, out, err = cli("train", "--resume", "runs/x", "--dataset", "diabetes", "--algo", algo)
    assert code == 0, err
    assert "resuming runs/x" in out
    assert len(pd.read_csv(run / "synthetic.csv")) > 0
    status = json.loads((run / "status.json").read_text())
    assert status["finished"] is True
    assert status["records"] >= 128


@pytest.mark.slow
def test_ctrl_c_in_a_real_process(tmp_path: Path) -> None:
    command = [sys.executable, ROOT / "train.py"]
    options = ["--dataset", "diabetes", "--n-envs", "16", "--total-records", "1000000"]
    options += ["--test-size", "0"]
    process = subprocess.Popen(
        [*command, *options, "--out", "runs/x"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        events = tmp_path / "runs/x"
        deadline = time.monotonic() + 90
        while not list(events.glob("events.*")) and time.monotonic() < deadline:
            time.sleep(0.2)
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert "go on with: python train.py --resume runs/x" in err
    done = subprocess.run(
        [*command, "--resume", "runs/x", "--total-records", "100"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "runs/x/synthetic.csv").is_file()
