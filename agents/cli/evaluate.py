"""Judge a synthetic table on held-out rows: that of a run, or any generator's.

evaluate.py runs/NAME
evaluate.py --train train.csv --test test.csv --synthetic syn.csv --target y --out DIR
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rlsyn_env.metrics import Report

_TABLE_OPTIONS = ("train", "test", "synthetic", "target", "group", "schema", "drop")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("run_folder", nargs="?", metavar="RUN", help="a run's folder")
    add("--data", metavar="FILE", help="where the run's table is now, if it was moved")
    add("--train", metavar="FILE", help="rows the generator was trained on")
    add("--test", metavar="FILE", help="held-out rows (of a run: where they are now)")
    add("--synthetic", metavar="FILE", help="the table to judge")
    add("--target", metavar="COLUMN", help="column to predict")
    add("--group", metavar="COLUMN", help="column of groups of rows")
    add("--schema", metavar="FILE", help="schema of the tables")
    add("--drop", action="append", default=None, metavar="A,B", help="columns to leave out")
    add("--seed", type=int, default=None, help="of bootstraps and models (0, or the run's)")
    add("--out", type=Path, metavar="FOLDER", help="folder for metrics.json (of a run: its own)")
    add("--no-progress", action="store_true", help="no progress bar")


def run(arguments: argparse.Namespace) -> int:
    """Judge, write ``metrics.json`` and print the table."""

    from agents.cli.options import output_console, say

    if arguments.run_folder is not None:
        report, path = _judge_run(arguments)
    else:
        report, path = _judge_tables(arguments)
    path.parent.mkdir(parents=True, exist_ok=True)
    report.save(path)
    output_console().print(report.table())
    say(f"figures  {path}")
    return 0


def _judge_run(arguments: argparse.Namespace) -> tuple[Report, Path]:
    from dataclasses import replace

    from agents.cli.options import progress_console, step_bar
    from agents.runs.config import TrainConfig
    from agents.runs.outcome import judge
    from agents.runs.run_data import reload_run_data
    from agents.runs.run_folder import RunFolder
    from rlsyn_env.errors import ConfigError
    from rlsyn_env.tables.reader import read_table

    wrong = [n for n in _TABLE_OPTIONS if n not in ("test", "synthetic") and getattr(arguments, n)]
    if wrong:
        raise ConfigError(f"--{wrong[0]} does not go with a run's folder: the run knows it")
    folder = RunFolder(arguments.run_folder)
    if not folder.path.is_dir():
        raise ConfigError(f"{folder.path} does not exist")
    saved = folder.load_config()
    config = TrainConfig.from_dict(saved["options"])
    changes = {}
    if arguments.data is not None:
        if config.data is None:
            raise ConfigError("the run uses an embedded dataset: leave --data out")
        changes["data"] = arguments.data
    if arguments.test is not None:
        if config.test is None:
            raise ConfigError("the run held out rows of its own table: leave --test out")
        changes["test"] = arguments.test
    if arguments.seed is not None:
        changes["seed"] = arguments.seed
    config = replace(config, **changes)
    synthetic = arguments.synthetic or folder.existing_synthetic_file()
    data = reload_run_data(config, saved, folder)
    table = read_table(synthetic, schema=data.schema)
    with step_bar(progress_console(arguments)) as show:
        report = judge(data, table, config, show)
    if report is None:
        raise ConfigError(
            f"{folder.path} held out no rows (--test-size 0): there is nothing to judge on"
        )
    out = folder.metrics_file if arguments.out is None else arguments.out / "metrics.json"
    return report, out


def _judge_tables(arguments: argparse.Namespace) -> tuple[Report, Path]:
    from agents.cli.options import progress_console, split_names, step_bar
    from rlsyn_env.errors import ConfigError
    from rlsyn_env.metrics import evaluate
    from rlsyn_env.tables.datasets import load_dataset
    from rlsyn_env.tables.reader import read_table
    from rlsyn_env.tables.training_data import prepare_schema

    for name in ("train", "test", "synthetic", "out"):
        if getattr(arguments, name) is None:
            raise ConfigError(
                f"give a run's folder, or --train, --test, --synthetic and --out: "
                f"--{name} is missing"
            )
    if arguments.data is not None:
        raise ConfigError("--data goes with a run's folder only")
    train = load_dataset(Path(arguments.train))
    schema = prepare_schema(
        train,
        target=arguments.target,
        group=arguments.group,
        schema=arguments.schema,
        drop=split_names(arguments.drop or []),
    )
    test, synthetic = read_table(arguments.test), read_table(arguments.synthetic)
    with step_bar(progress_console(arguments)) as show:
        report = evaluate(
            train.table,
            test,
            synthetic,
            schema=schema,
            target=schema.target,
            group=schema.group,
            seed=arguments.seed or 0,
            progress=show,
        )
    return report, arguments.out / "metrics.json"
