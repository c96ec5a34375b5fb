from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from agents.cli.main import main

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, and the current one."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def cli(work: Path, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Run a command in this process from ``work``; returns code, stdout and stderr."""

    def run(*arguments: object) -> tuple[int, str, str]:
        try:
            code = main([str(a) for a in arguments])
        except SystemExit as leave:
            code = int(leave.code or 0)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def tiny() -> tuple[str, ...]:
    """Options of a run that takes a second or two."""
    return ("--n-envs", "16", "--total-records", "64", "--no-progress")


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, mixed_table: pd.DataFrame) -> Path:
    """A folder with ``table.csv`` and a finished, judged run on it; trained once."""
    folder = tmp_path_factory.mktemp("finished")
    mixed_table.to_csv(folder / "table.csv", index=False)
    options = ["--data", folder / "table.csv", "--target", "died", "--out", folder / "runs/mine"]
    budget = ["--n-envs", "16", "--total-records", "64", "--no-progress"]
    assert main(["train", *map(str, options), *budget]) == 0
    return folder


@pytest.fixture
def csv_run(finished: Path, work: Path) -> Path:
    """A copy of the finished run that a test may change, its table beside it."""
    shutil.copytree(finished, work, dirs_exist_ok=True)
    config = work / "runs/mine/config.yaml"
    config.write_text(config.read_text().replace(str(finished), str(work)))
    return work / "runs/mine"
