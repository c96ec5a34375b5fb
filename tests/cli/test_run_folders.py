"""A run's folder: taken, overwritten, set aside, shared, damaged, numbered."""

from __future__ import annotations

import json
import os
from pathlib import Path
from unittest.mock import Mock

import pytest
import yaml

from agents.runs.recorder import RecordedVecEnv
from agents.runs.run_folder import RunFolder
from rlsyn_env.errors import ConfigError
from tests.cli.interrupting import interrupt_after


@pytest.mark.slow
def test_a_taken_folder_is_refused_until_overwritten(csv_run: Path, cli, tiny) -> None:
    before = {p: p.read_bytes() for p in csv_run.rglob("*") if p.is_file()}
    data = ("--data", "table.csv", "--target", "died", "--out", "runs/mine")
    code, _, err = cli("train", *data, *tiny)
    assert code == 2
    assert "finished run" in err
    assert "--overwrite" in err
    bad = cli("train", *data, "--overwrite", "--hyperparam", "nonsense=1", *tiny)
    assert bad[0] == 2
    assert {p: p.read_bytes() for p in csv_run.rglob("*") if p.is_file()} == before
    (csv_run / "notes.txt").write_text("mine")
    code, _, err = cli("train", *data, "--overwrite", "--seed", "1", "--test-size", "0", *tiny)
    assert code == 0, err
    assert not (csv_run / "metrics.json").exists()
    assert not (csv_run / "report.html").exists()
    assert (csv_run / "notes.txt").read_text() == "mine"
    assert yaml.safe_load((csv_run / "config.yaml").read_text())["options"]["seed"] == 1
    assert len(list(csv_run.glob("events.out.tfevents.*"))) == 1


def test_a_run_that_fails_at_once_leaves_the_one_it_was_to_replace(
    csv_run: Path, cli, tiny, monkeypatch
) -> None:
    before = {p: p.read_bytes() for p in csv_run.rglob("*") if p.is_file()}
    command = (
        "train", "--data", "table.csv", "--target", "died", "--out", "runs/mine", "--overwrite",
        "--seed", "1", "--test-size", "0", *tiny,
    )  # fmt: skip
    with monkeypatch.context() as patch:
        full = OSError(28, "No space left on device")
        patch.setattr(RecordedVecEnv, "step_wait", Mock(side_effect=full))
        code, _, err = cli(*command)
    assert code == 1, err
    assert "No space left" in err
    assert {p: p.read_bytes() for p in csv_run.rglob("*") if p.is_file()} == before
    with monkeypatch.context() as patch:
        interrupt_after(patch, RecordedVecEnv, "step_wait", 2)
        assert cli(*command)[0] == 130
    assert json.loads((csv_run / "status.json").read_text())["finished"] is False
    assert [p.name for p in csv_run.iterdir() if p.name.startswith(".")] == [".lock"]
    assert cli("train", "--resume", "runs/mine")[0] == 0


def test_of_a_killed_replacement_the_run_with_a_checkpoint_counts(csv_run: Path) -> None:
    before = {p: p.read_bytes() for p in csv_run.rglob("*") if p.is_file()}
    folder, aside = RunFolder(csv_run), csv_run / ".replaced"
    files = list(csv_run.iterdir())
    aside.mkdir()
    for path in files:
        path.rename(aside / path.name)
    (csv_run / "config.yaml").write_text("half a run")
    with pytest.raises(RuntimeError), folder.replacing():
        raise RuntimeError
    assert {p: p.read_bytes() for p in csv_run.rglob("*") if p.is_file()} == before
    # Killed before the new run had written anything: the folder is taken all the same.
    aside.mkdir()
    for path in files:
        path.rename(aside / path.name)
    with pytest.raises(ConfigError, match="--overwrite"):
        folder.check_free(overwrite=False)
    folder.check_free(overwrite=True)
    with pytest.raises(RuntimeError), folder.replacing():
        raise RuntimeError
    assert {p: p.read_bytes() for p in csv_run.rglob("*") if p.is_file()} == before
    aside.mkdir()
    (aside / "config.yaml").write_text("an older run")
    with pytest.raises(RuntimeError), folder.replacing():
        raise RuntimeError
    assert {p: p.read_bytes() for p in csv_run.rglob("*") if p.is_file()} == before


def test_two_processes_do_not_train_in_one_folder(csv_run: Path, cli) -> None:
    files = {path: path.read_bytes() for path in csv_run.rglob("*") if path.is_file()}
    with RunFolder(csv_run).held():
        for command in (
            ("train", "--resume", "runs/mine", "--total-records", "96"),
            (
                "train",
                "--data",
                "table.csv",
                "--target",
                "died",
                "--out",
                "runs/mine",
                "--overwrite",
            ),
        ):
            code, _, err = cli(*command)
            assert code == 2
            assert "another process is training in" in err
    assert {path: path.read_bytes() for path in files} == files
    code, _, err = cli("train", "--resume", "runs/mine", "--total-records", "96", "--no-progress")
    assert code == 0, err


def test_a_damaged_checkpoint_leaves_a_finished_run_as_it_was(csv_run: Path, cli) -> None:
    files = [csv_run / name for name in ("status.json", "config.yaml")]
    before = [file.read_bytes() for file in files]
    agent = max(csv_run.glob("checkpoints/0*/agent.zip"))
    agent.write_bytes(agent.read_bytes()[:5000])
    code, _, err = cli("train", "--resume", "runs/mine", "--total-records", "96")
    assert code == 2
    assert "agent.zip" in err
    assert [file.read_bytes() for file in files] == before


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("config.yaml", "options: [1]\n"),
        ("config.yaml", "seed: 1\n"),
        ("model/generator.yaml", "format: 3\n"),
        ("split.json", '{"train": [0, 1, 1000000], "validation": [], "test": [2]}'),
        ("encoder.json", '{"format": "rlsyn-encoder", "version": 0}'),
    ],
)
def test_a_damaged_file_of_a_run_is_named(csv_run: Path, cli, file: str, content: str) -> None:
    (csv_run / file).write_text(content)
    commands = [
        ("generate", csv_run, "-n", 5, "--out", "a.csv", "--no-progress"),
        ("evaluate", csv_run, "--out", "again", "--no-progress"),
        ("train", "--resume", csv_run, "--total-records", "96"),
    ]
    results = [cli(*command) for command in commands]
    refusals = [err for code, _, err in results if code == 2]
    assert refusals
    assert all(code in (0, 2) for code, _, _ in results)
    assert all(Path(file).name in err and len(err.splitlines()) == 1 for err in refusals)


@pytest.mark.slow
def test_folders_are_numbered(cli, work, tiny) -> None:
    for _ in range(2):
        code, _, err = cli(
            "train", "--algo", "a2c", "--dataset", "diabetes", "--test-size", "0", *tiny
        )
        assert code == 0, err
    assert sorted(p.name for p in (work / "runs").iterdir()) == [
        "a2c-diabetes-0",
        "a2c-diabetes-0-2",
    ]


@pytest.mark.slow
def test_a_full_disk_is_one_line(cli, work, tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno

    import agents.runs.checkpoint

    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(agents.runs.checkpoint, "_flush", full)
    code, _, err = cli("train", "--dataset", "diabetes", "--out", "runs/x", *tiny)
    assert code == 1
    assert err.strip().splitlines()[-1] == "error: No space left on device"
