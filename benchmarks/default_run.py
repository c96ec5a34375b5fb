"""PPO's default preset on one split of a field table, in a temporary folder."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from agents.hyperparameters import resolve
from agents.registry import get_algorithm
from agents.runs.config import TrainConfig
from agents.runs.run_data import load_run_data
from agents.runs.run_folder import RunFolder
from agents.runs.training import Run, build_run, start_run
from benchmarks.field.tables import FieldTable, prepare


@dataclass(frozen=True)
class DefaultRun:
    """A run that is built and started but has not learnt yet, and the rows that judge it."""

    run: Run
    folder: RunFolder
    test: pd.DataFrame


@contextmanager
def default_run(
    table: FieldTable, data_dir: Path | None, seed: int, *, times: int = 1
) -> Iterator[DefaultRun]:
    """Build a run on the training rows of split ``seed``; its folder is gone afterwards.

    Args:
        table: of the field.
        data_dir: the field's data, where the table is not embedded.
        seed: of the split and of the run.
        times: the budget, in times that of the preset's rule.

    Raises:
        TableError: the table is not there.
    """
    prepared = prepare(table, data_dir)
    train, test = prepared.split(seed)
    with tempfile.TemporaryDirectory() as path:
        where = Path(path)
        train.to_csv(where / "train.csv", index=False)
        prepared.schema.save(where / "schema.yaml")
        config = TrainConfig(
            algo="ppo",
            data=str(where / "train.csv"),
            schema=str(where / "schema.yaml"),
            target=prepared.target,
            test_size=0.0,
            seed=seed,
            total_records=times * budget(len(train)),
        )
        folder = RunFolder(where / "run")
        run = build_run(config, load_run_data(config))
        start_run(run, folder, "python -m benchmarks")
        yield DefaultRun(run, folder, test)


def budget(n_rows: int) -> int:
    """Return the records of the preset's rule for so many training rows."""
    return int(resolve(get_algorithm("ppo").preset.total_records, 1, n_rows))
