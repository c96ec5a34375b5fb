"""Bad input gives one clear error, exit code 2, and nothing is written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]


def write(tmp_path: Path, frame: pd.DataFrame) -> Path:
    path = tmp_path / "table.csv"
    frame.to_csv(path, index=False)
    return path


def refused(result, work: Path, *words: str) -> None:
    code, _, err = result
    assert code == 2, err
    last = err.strip().splitlines()[-1]
    assert last.startswith("error: ") or ": error: " in last
    assert "Traceback" not in err
    for word in words:
        assert word.lower() in err.lower(), (word, err)
    assert list(work.iterdir()) == []


def text_file(tmp_path: Path) -> Path:
    path = tmp_path / "table.csv"
    path.write_bytes(b"\x00\x01\x02\xff" * 50)
    return path


def empty_file(tmp_path: Path) -> Path:
    path = tmp_path / "table.csv"
    path.write_bytes(b"")
    return path


def duplicate_names(tmp_path: Path) -> Path:
    path = tmp_path / "table.csv"
    path.write_text("a,a,y\n" + "".join(f"{i},{i % 7},{i % 2}\n" for i in range(50)))
    return path


def make_table(case: str, mixed: pd.DataFrame, tmp_path: Path) -> Path:
    if case == "missing file":
        return tmp_path / "nowhere.csv"
    makers = {
        "empty file": empty_file,
        "not a table": text_file,
        "duplicate columns": duplicate_names,
    }
    if case in makers:
        return makers[case](tmp_path)
    if case == "one class":
        mixed = mixed.assign(died=1)
    elif case == "too few rows":
        mixed = mixed.head(20)
    elif case == "infinite value":
        mixed = mixed.assign(lab=mixed["lab"].where(mixed.index != 5, np.inf))
    return write(tmp_path, mixed)


CASES = {
    "missing file": ("died", ["nowhere.csv", "exist"]),
    "empty file": ("died", ["table.csv", "empty"]),
    "not a table": ("died", ["table.csv"]),
    "duplicate columns": ("y", ["column name 'a' 2 times"]),
    "unknown target": ("dead", ["dead", "died"]),
    "one class": ("died", ["died"]),
    "too few rows": ("died", ["30", "20"]),
    "identifier as target": ("patient_id", ["patient_id", "identifier"]),
    "constant as target": ("site", ["site"]),
    "all missing as target": ("note", ["note", "no values"]),
    "infinite value": ("died", ["lab", "inf"]),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_tables_are_refused(case: str, cli, work, mixed_table, tmp_path, tiny) -> None:
    target, words = CASES[case]
    table = make_table(case, mixed_table, tmp_path)
    refused(cli("train", "--data", table, "--target", target, *tiny), work, *words)


def test_what_could_not_be_judged_is_refused_before_it_is_trained(
    cli, work, tmp_path, mixed_table, tiny
) -> None:
    table = write(tmp_path, mixed_table.head(90))
    options = ["--data", table, "--target", "died"]
    result = cli("train", *options, "--test-size", "0.1", *tiny)
    refused(result, work, "10 test rows, got 9", "--test-size 0")
    result = cli("train", *options, "--test-size", "0.95", *tiny)
    refused(result, work, "10 training rows", "hold out fewer")
    grouped = mixed_table.assign(ward=[f"w{i % 3}" for i in range(len(mixed_table))])
    grouped.to_csv(tmp_path / "grouped.csv", index=False)
    options = ["--data", tmp_path / "grouped.csv", "--target", "died", "--group", "ward"]
    refused(cli("train", *options, *tiny), work, "single group of 'ward'", "--test-size 0")


def test_a_schema_that_does_not_match_is_refused(cli, work, tmp_path, mixed_csv, tiny) -> None:
    code, out, _ = cli("schema", mixed_csv, "--target", "died")
    assert code == 0
    schema = yaml.safe_load(out)
    (tmp_path / "schema.yaml").write_text(yaml.safe_dump(schema).replace("systolic", "pressure"))
    result = cli("train", "--data", mixed_csv, "--schema", tmp_path / "schema.yaml", *tiny)
    refused(result, work, "pressure")


OPTIONS = {
    "unknown algorithm": (["--algo", "pppo"], ["pppo", "PPO", "MaskablePPO", "CrossQ"]),
    "algorithm of another action space": (
        ["--algo", "sac", "--env", "RLSyn/RecordDiscrete-v0"],
        ["SAC", "Box", "RLSyn/Record-v0"],
    ),
    "unknown environment": (["--env", "CartPole-v1"], ["CartPole-v1", "RLSyn/Record-v0"]),
    "unknown dataset": (["--dataset", "iris"], ["iris", "breast_cancer", "diabetes"]),
    "unknown hyperparameter": (
        ["--hyperparam", "learning_rat=0.1"],
        ["learning_rat", "learning_rate"],
    ),
    "hyperparameter without a value": (["--hyperparam", "gamma"], ["gamma", "key=value"]),
    "hyperparameter of a wrong type": (["--hyperparam", "n_epochs=many"], ["n_epochs"]),
    "unknown reward": (["--reward", "hinge"], ["hinge", "logit"]),
    "test size of one": (["--test-size", "1"], ["--test-size"]),
    "no environments": (["--n-envs", "0"], ["--n-envs"]),
    "negative seed": (["--seed", "-1"], ["--seed"]),
    "two budgets": (["--total-timesteps", "10", "--total-records", "9"], ["not allowed"]),
    "two tables": (["--dataset", "diabetes", "--data", "x.csv"], ["not allowed"]),
    "no such device": (["--device", "warp"], ["warp"]),
    "settings of a wrong type": (["--set", "imitation.warm_up=10.5"], ["warm_up", "whole", "10.5"]),
    "settings that are no number": (
        ["--set", "selection.measurements=.nan"],
        ["measurements", "nan"],
    ),
    "rows that are no number": (["--set", "selection.min_rows=x"], ["min_rows", "x"]),
    "one width": (["--set", "adversary.hidden=128"], ["hidden", "[128,128]"]),
    "widths that are no numbers": (["--set", "adversary.hidden=[a]"], ["hidden"]),
    "half a record": (["--set", "adversary.batch_size=100.5"], ["batch_size", "whole"]),
    "unknown column to drop": (["--drop", "nothing"], ["nothing"]),
    "resume without a folder": (["--resume"], ["--resume"]),
    "resume of nothing": (["--resume", "runs/none"], ["runs/none"]),
    "overwrite without a folder": (["--overwrite"], ["--out"]),
    "no target's name": (["--target", ""], ["--target", "empty"]),
    "no group's name": (["--group", ""], ["--group", "empty"]),
    "nothing left to train on": (["--test-size", "0.999"], ["0.999", "hold out fewer"]),
    "a module without a name": (["--algo", ":"], ["':'"]),
    "a device that holds nothing": (["--device", "meta"], ["meta"]),
    "an option of a learner that is not there": (
        ["--algo", "sac", "--set", "imitation.steps=2"],
        ["--set imitation", "autoregressive"],
    ),
    "module that is missing": (["--algo", "no_such_module:Agent"], ["no_such_module"]),
}


@pytest.mark.parametrize("case", OPTIONS)
def test_bad_options_are_refused(case: str, cli, work) -> None:
    options, words = OPTIONS[case]
    refused(cli("train", *options), work, *words)


def test_bad_input_leaves_no_folder_where_out_was_given(cli, work) -> None:
    refused(cli("train", "--dataset", "iris", "--out", "runs/mine"), work, "iris")


@pytest.mark.parametrize(
    ("script", "arguments", "word"),
    [
        ("train.py", ["--algo", "nothing"], "nothing"),
        ("evaluate.py", ["runs/none"], "runs/none"),
    ],
)
def test_the_scripts_exit_with_two(
    script: str, arguments: list[str], word: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / script, *arguments], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.strip().splitlines()) == 1
    assert word in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["generate", "none", "-n", "10", "--out", "x.csv"], ["none", "exist"]),
        (["generate", ".", "-n", "10", "--out", "x.csv"], ["model"]),
        (["generate", ".", "-n", "0", "--out", "x.csv"], ["-n"]),
        (["evaluate", "."], ["config.yaml"]),
        (["evaluate", "--train", "a.csv"], ["--test"]),
        (["schema", "none.csv"], ["none.csv"]),
        (["datasets", "--nonsense"], ["--nonsense"]),
    ],
)
def test_other_commands_refuse_bad_input(arguments: list[str], words: list[str], cli, work) -> None:
    refused(cli(*arguments), work, *words)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["generate", "run", "-n", "10", "--out", "..", "--overwrite"], ["--out ..", "folder"]),
        (
            ["generate", "run", "-n", "10", "--out", "../a.csv/b/c.csv"],
            ["b/c.csv", "below ../a.csv"],
        ),
        (["evaluate", "run", "--out", "../a.csv/judged"], ["judged", "below ../a.csv"]),
        (["evaluate", "run", "--out", "../a.csv"], ["--out ../a.csv", "is a file"]),
        (["evaluate", "../a.csv"], ["../a.csv", "not a run's folder"]),
        (["schema", "diabetes", "--out", "../a.csv/s.yaml"], ["below ../a.csv"]),
        (["cohort", "simulated-ehr", "--out", "../a.csv/t.csv"], ["below ../a.csv"]),
    ],
)
def test_places_that_cannot_be_written_are_refused_at_once(
    arguments: list[str], words: list[str], cli, work
) -> None:
    (work.parent / "a.csv").write_text("a\n1\n")
    refused(cli(*arguments), work, *words)
