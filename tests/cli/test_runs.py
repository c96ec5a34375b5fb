"""The life of a run: train, judge, generate, resume."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from agents.callbacks.selection import SelectionCallback
from agents.runs.recorder import RecordedVecEnv
from rlsyn_env.metrics.selection import SelectionScore
from tests.cli.interrupting import interrupt_after

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_a_run_leaves_everything_it_should(csv_run: Path, mixed_table, cli) -> None:
    config = yaml.safe_load((csv_run / "config.yaml").read_text())
    assert config["table"]["rows"] == len(mixed_table)
    assert len(config["table"]["sha256"]) == 64
    assert config["options"]["n_envs"] == 16
    assert config["versions"]["torch"]
    split = json.loads((csv_run / "split.json").read_text())
    rows = [row for part in ("train", "validation", "test") for row in split[part]]
    assert sorted(rows) == list(range(len(mixed_table)))
    assert len(split["test"]) == round(0.3 * len(mixed_table))
    metrics = json.loads((csv_run / "metrics.json").read_text())
    assert metrics["schema_version"] == 1
    assert set(metrics["metrics"]["c2st"]["reference"]) == {"real", "independent", "copy"}
    assert len(pd.read_csv(csv_run / "synthetic.csv")) == len(split["train"])
    assert (csv_run / "command.txt").read_text().startswith("python ")
    for name in (
        "schema.yaml",
        "encoder.json",
        "model/agent.zip",
        "checkpoints/latest",
        "report.html",
    ):
        assert (csv_run / name).is_file(), name
    assert list(csv_run.glob("events.out.tfevents.*"))


@pytest.mark.slow
def test_bounds_come_from_training_rows(csv_run: Path, mixed_table) -> None:
    split = json.loads((csv_run / "split.json").read_text())
    schema = yaml.safe_load((csv_run / "schema.yaml").read_text())
    low, high = schema["columns"]["systolic"]["bounds"]
    train = mixed_table.iloc[split["train"]]["systolic"]
    assert train.min() <= low < high <= train.max()


@pytest.mark.slow
def test_judging_again_gives_the_same_figures(csv_run: Path, cli, work) -> None:
    before = (csv_run / "metrics.json").read_text()
    code, out, err = cli("evaluate", "runs/mine", "--out", "again")
    assert code == 0, err
    assert "membership_auc" in out
    assert json.loads((work / "again/metrics.json").read_text()) == json.loads(before)


@pytest.mark.slow
def test_a_changed_table_is_refused_and_a_moved_one_is_not(csv_run, cli, work) -> None:
    before = (csv_run / "metrics.json").read_bytes()
    (work / "table.csv").rename(work / "moved.csv")
    code, _, err = cli("evaluate", "runs/mine")
    assert code == 2
    assert "table.csv" in err
    assert "--data" in err
    assert cli("evaluate", "runs/mine", "--data", "moved.csv")[0] == 0
    content = (work / "moved.csv").read_text().splitlines()
    (work / "moved.csv").write_text("\n".join(content[:-1]) + "\n")
    code, _, err = cli("evaluate", "runs/mine", "--data", "moved.csv")
    assert code == 2
    assert "SHA-256" in err
    assert (csv_run / "metrics.json").read_bytes() == before


@pytest.mark.slow
def test_wrong_options_of_an_earlier_run_are_one_line(csv_run: Path, cli, work) -> None:
    code, _, err = cli("train", "--resume", csv_run, "--test", work / "table.csv")
    assert code == 2
    assert "leave --test out" in err
    code, _, err = cli("generate", csv_run, "-n", 5, "--out", "a.csv", "--device", "warp")
    assert code == 2
    assert "--device warp" in err
    code, _, err = cli("generate", csv_run, "-n", 5, "--out", "a.xlsx")
    assert code == 2
    assert ".parquet" in err
    assert not (work / "a.xlsx").exists()


def test_a_finished_run_is_resumed_only_further(csv_run: Path, cli) -> None:
    code, _, err = cli("train", "--resume", "runs/mine")
    assert code == 2
    assert "finished" in err
    code, _, err = cli("train", "--resume", "runs/mine", "--n-envs", "8")
    assert code == 2
    assert "--n-envs" in err
    code, out, err = cli("train", "--resume", "--out", "runs/mine", "--total-records", "96")
    assert code == 0, err
    assert "at 64 records" in out
    assert json.loads((csv_run / "status.json").read_text())["records"] == 96


@pytest.mark.slow
def test_a_run_going_further_counts_as_unfinished(csv_run: Path, cli, monkeypatch) -> None:
    with monkeypatch.context() as patch:
        interrupt_after(patch, RecordedVecEnv, "step_wait", 2)
        code, _, err = cli("train", "--resume", "runs/mine", "--total-records", "160")
    assert code == 130, err
    assert json.loads((csv_run / "status.json").read_text())["finished"] is False
    code, _, err = cli(
        "train", "--algo", "PPO", "--data", "table.csv", "--target", "died", "--resume",
        "--out", "runs/mine", "--test-size", "0.3",
    )  # fmt: skip
    assert code == 0, err
    assert json.loads((csv_run / "status.json").read_text())["records"] == 160
    assert len((csv_run / "command.txt").read_text().splitlines()) == 3


@pytest.mark.slow
def test_generate_is_repeatable_and_keeps_fixed_values(csv_run: Path, cli, work) -> None:
    (work / "table.csv").unlink()  # generation needs no data
    for name, seed in (("a.csv", 1), ("b.csv", 1), ("c.csv", 2)):
        assert cli("generate", "runs/mine", "-n", 100, "--out", name, "--seed", seed)[0] == 0
    assert (work / "a.csv").read_bytes() == (work / "b.csv").read_bytes()
    assert (work / "a.csv").read_bytes() != (work / "c.csv").read_bytes()
    code, _, err = cli("generate", "runs/mine", "-n", 10, "--out", "a.csv")
    assert code == 2
    assert "--overwrite" in err
    code, out, err = cli(
        "generate", "runs/mine", "-n", 100, "--out", "f.parquet", "--fixed", "age=61", "stage=high"
    )
    assert code == 0, err
    assert "100 records" in out
    assert "conditional generation" in err
    fixed = pd.read_parquet(work / "f.parquet")
    assert set(fixed["age"]) == {61}
    assert set(fixed["stage"]) == {"high"}
    code, _, err = cli("generate", "runs/mine", "-n", 9, "--out", "g.csv", "--fixed", "age=old")
    assert code == 2
    assert "age" in err
    assert not (work / "g.csv").exists()


@pytest.mark.slow
def test_a_test_file_and_a_group(cli, work, mixed_table, tiny) -> None:
    table = mixed_table.assign(clinic=[f"c{i % 40}" for i in range(len(mixed_table))])
    table.head(200).to_csv(work / "train.csv", index=False)
    table.tail(40).to_csv(work / "test.csv", index=False)
    code, out, err = cli(
        "train", "--data", "train.csv", "--test", "test.csv", "--target", "died",
        "--group", "clinic", "--drop", "lab,visit", "--out", "runs/g", *tiny,
    )  # fmt: skip
    assert code == 0, err
    assert "40 test rows" in out
    assert "clinic" in err
    split = json.loads((work / "runs/g/split.json").read_text())
    clinics = [set(table.iloc[split[part]]["clinic"]) for part in ("train", "validation")]
    assert not clinics[0] & clinics[1]
    assert not {"lab", "visit", "clinic"} & set(pd.read_csv(work / "runs/g/synthetic.csv").columns)
    (work / "test.csv").write_text((work / "train.csv").read_text())
    code, _, err = cli("evaluate", "runs/g")
    assert code == 2
    assert "test.csv" in err


@pytest.mark.slow
def test_a_target_alone_can_be_generated_and_judged(cli, work, mixed_table, tiny) -> None:
    mixed_table[["died"]].to_csv(work / "one.csv", index=False)
    code, _, err = cli("train", "--data", "one.csv", "--target", "died", "--out", "run", *tiny)
    assert code == 0, err
    report = json.loads((work / "run/metrics.json").read_text())
    assert report["metrics"]["s2r"]["value"] is None
    assert any("no column is left to predict" in notice for notice in report["notices"])
    code, _, err = cli("evaluate", "run", "--suite", "full", "--out", "full")
    assert code == 0, err


@pytest.mark.slow
def test_any_table_can_be_judged(cli, work, mixed_table) -> None:
    table = mixed_table.drop(columns="patient_id")
    table.head(120).to_csv(work / "train.csv", index=False)
    table.tail(120).to_csv(work / "test.csv", index=False)
    code, out, err = cli(
        "evaluate", "--train", "train.csv", "--test", "test.csv", "--synthetic", "train.csv",
        "--target", "died", "--out", "judged",
    )  # fmt: skip
    assert code == 0, err
    metrics = json.loads((work / "judged/metrics.json").read_text())["metrics"]
    assert metrics["membership_auc"]["value"] > 0.95
    assert "exact_copies" in out


@pytest.mark.slow
def test_a_users_own_algorithm(cli, work, monkeypatch: pytest.MonkeyPatch) -> None:
    (work / "my_agents.py").write_text(
        "from stable_baselines3 import PPO\n\n\nclass MyPPO(PPO):\n"
        "    def train(self):\n"
        "        self.my_updates = getattr(self, 'my_updates', 0) + 1\n"
        "        super().train()\n"
    )
    options = ["--dataset", "diabetes", "--n-envs", "16", "--total-records", "64"]
    code, _, err = cli("train", "--algo", "my_agents:MyPPO", *options, "--test-size", "0")
    assert code == 0, err
    run = work / "runs/myppo-diabetes-0"
    assert cli("generate", run, "-n", 20, "--out", "more.csv")[0] == 0
    code, _, err = cli("train", "--resume", run, "--total-records", "80")
    assert code == 0, err
    from agents.runs.checkpoint import load_checkpoint

    assert load_checkpoint(run / "checkpoints").state["agent"]["my_updates"] == 5
    for command in (["generate", run, "-n", "5", "--out", "5.csv"], ["train", "--resume", run]):
        done = subprocess.run(  # a process that has not imported the module yet
            [sys.executable, "-m", "agents.cli.main", *map(str, command)],
            cwd=work, env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"},
            capture_output=True, text=True,
        )  # fmt: skip
        assert "cannot import" not in done.stderr
        assert done.returncode == (0 if command[0] == "generate" else 2), done.stderr


@pytest.mark.slow
def test_training_that_brings_nothing_stops_and_says_so(
    csv_run: Path, cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SelectionCallback, "_score", lambda self: SelectionScore(0.9, 0.0))
    settings = ["selection.min_rows=10", "selection.patience=2", "selection.measurements=50"]
    code, out, err = cli(
        "train", "--data", csv_run.parents[1] / "table.csv", "--target", "died", "--out", "stops",
        "--n-envs", 16, "--total-records", 640, "--validation-size", 0.2, "--no-progress",
        "--set", "imitation.warm_up=2", *settings,
    )  # fmt: skip
    assert code == 0, err
    assert "training stopped after 32 of 640 records" in out
    status = json.loads(Path("stops/status.json").read_text())
    assert status["finished"]


def test_lists(cli) -> None:
    code, out, _ = cli("datasets")
    assert code == 0
    assert "breast_cancer" in out
    assert "diabetes" in out
    code, out, _ = cli("algos")
    assert code == 0
    for name in ("PPO", "RecurrentPPO", "CrossQ", "ARS"):
        assert name in out


def test_schema_round_trip(cli, work, mixed_table, tiny) -> None:
    mixed_table.to_csv(work / "table.csv", index=False)
    code, out, err = cli("schema", "table.csv", "--target", "died", "--drop", "lab")
    assert code == 0, err
    assert "patient_id" in err
    assert yaml.safe_load(out)["target"] == "died"
    assert "bounds" not in out.partition("columns:")[2]  # they are for training rows to tell
    assert cli("schema", "table.csv", "--target", "died", "--out", "schema.yaml")[0] == 0
    code, _, err = cli(
        "train", "--data", "table.csv", "--schema", "schema.yaml", "--test-size", "0",
        "--out", "runs/s", *tiny,
    )  # fmt: skip
    assert code == 0, err
    assert (work / "runs/s/synthetic.csv").is_file()
