"""PPO's default preset on one split of a field table, in a temporary folder."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from agents.runs.config import TrainConfig
from agents.runs.run_data import load_run_data
from agents.runs.run_folder import RunFolder
from agents.runs.training import Run, build_run, start_run, total_records
from benchmarks.field.tables import FieldTable, prepare
from rlsyn_env.tables.derived.detection import derive_columns


@dataclass(frozen=True)
class DefaultRun:
    """A run that is built and started but has not learnt yet, and the rows that judge it.

    Attributes:
        run: built and started.
        budget: records of the preset's rule.
        folder: of the run.
        test: held-out rows.
    """

    run: Run
    budget: int
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
        # A given schema is taken at its word: columns that others determine are looked for here.
        derive_columns(prepared.schema, train).save(where / "schema.yaml")
        config = TrainConfig(
            algo="ppo",
            data=str(where / "train.csv"),
            schema=str(where / "schema.yaml"),
            target=prepared.target,
            test_size=0.0,
            seed=seed,
        )
        folder = RunFolder(where / "run")
        data = load_run_data(config)
        run = build_run(config, data)
        budget = total_records(run)
        if times != 1:
            run = build_run(replace(config, total_records=times * budget), data)
        start_run(run, folder, "python -m benchmarks")
        yield DefaultRun(run, budget, folder, test)
