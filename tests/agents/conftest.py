from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agents.runs.config import TrainConfig
from agents.runs.run_data import load_run_data
from agents.runs.run_folder import RunFolder
from agents.runs.training import Run, build_run, start_run


@pytest.fixture
def new_run(tmp_path: Path) -> Callable[..., tuple[Run, RunFolder]]:
    """Build and start a small run on the diabetes table (11 features)."""

    def build(name: str = "run", **options) -> tuple[Run, RunFolder]:
        options = {"dataset": "diabetes", "n_envs": 16, "total_records": 64, **options}
        config = TrainConfig(**options)
        run = build_run(config, load_run_data(config))
        folder = RunFolder(tmp_path / name)
        start_run(run, folder, "train.py")
        return run, folder

    return build
