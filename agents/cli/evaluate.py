"""Judge a synthetic table on held-out rows: that of a run, or any generator's.

evaluate.py runs/NAME
evaluate.py --train train.csv --test test.csv --synthetic syn.csv --target y --out DIR
evaluate.py runs/NAME --suite paper
evaluate.py runs/NAME --suite full --subgroups sex,age --n-jobs 2
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agents.cli.options import column_name

if TYPE_CHECKING:
    from agents.judging import JudgedTables
    from rlsyn_env.metrics.html_report.curve_plots import Curves

_TABLE_OPTIONS = ("train", "test", "synthetic", "target", "group", "schema", "drop")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("run_folder", nargs="?", metavar="RUN", help="a run's folder")
    add("--data", metavar="FILE", help="where the run's table is now, if it was moved")
    add("--data-dir", metavar="DIR", help="where the release of the run's cohort is now")
    add("--train", metavar="FILE", help="rows the generator was trained on")
    add("--test", metavar="FILE", help="held-out rows (of a run: where they are now)")
    add("--synthetic", metavar="FILE", help="the table to judge")
    add("--target", type=column_name, metavar="COLUMN", help="column to predict")
    add("--group", type=column_name, metavar="COLUMN", help="column of groups of rows")
    add("--schema", metavar="FILE", help="schema of the tables")
    add("--drop", action="append", default=None, metavar="A,B", help="columns to leave out")
    add(
        "--suite", choices=("quick", "paper", "full"), default="quick",
        help="quick: seconds (default); paper: minutes, the published evaluation of RLSyn; full: "
        "minutes, every figure and attack",
    )  # fmt: skip
    add(
        "--subgroups", action="append", default=[], metavar="A,B",
        help="columns whose levels or bands are scored apart (full suite)",
    )  # fmt: skip
    add(
        "--quasi-identifiers", action="append", default=[], metavar="A,B",
        help="columns that others may know of a person (full suite)",
    )  # fmt: skip
    add("--n-jobs", type=int, default=1, metavar="N", help="threads for forests (1)")
    add("--seed", type=int, default=None, help="of bootstraps and models (0, or the run's)")
    add(
        "--out", type=Path, metavar="FOLDER",
        help="folder for metrics.json and report.html (of a run: its own)",
    )  # fmt: skip
    add("--no-html", action="store_true", help="no report.html (an older one is removed)")
    add("--no-progress", action="store_true", help="no progress bar")


@dataclass(frozen=True)
class _Task:
    """What is to be judged, and where the files go."""

    tables: JudgedTables
    folder: Path
    seed: int
    provenance: dict[str, str]
    curves: Curves | None = None


def run(arguments: argparse.Namespace) -> int:
    """Judge, write ``metrics.json`` and ``report.html``, print the table."""
    from agents.cli.options import (
        check_out_folder,
        command_line,
        note,
        print_report,
        progress_console,
        say,
        split_names,
        step_bar,
    )
    from agents.judging import METRICS_FILE, REPORT_FILE, SuiteOptions, judge
    from rlsyn_env.errors import ConfigError

    options = SuiteOptions(
        arguments.suite,
        split_names(arguments.subgroups),
        split_names(arguments.quasi_identifiers),
        arguments.n_jobs,
    )
    if options.suite != "full" and (options.subgroups or options.quasi_identifiers):
        raise ConfigError("--subgroups and --quasi-identifiers need --suite full")
    if options.n_jobs < 1:
        raise ConfigError(f"--n-jobs must be at least 1, got {options.n_jobs}")
    if arguments.seed is not None and arguments.seed < 0:
        raise ConfigError(f"--seed must not be negative, got {arguments.seed}")
    if arguments.out is not None:
        check_out_folder(arguments.out)
    task = _run_task(arguments) if arguments.run_folder is not None else _table_task(arguments)
    with step_bar(progress_console(arguments)) as show:
        report = judge(
            task.tables,
            task.folder,
            seed=task.seed,
            options=options,
            html=not arguments.no_html,
            provenance={"command": command_line(), **task.provenance},
            curves=task.curves,
            progress=show,
        )
    for notice in report.notices:
        note(notice)
    print_report(report)
    say(f"figures  {task.folder / METRICS_FILE}")
    if not arguments.no_html:
        say(f"report   {task.folder / REPORT_FILE}")
    return 0


def _run_task(arguments: argparse.Namespace) -> _Task:
    from dataclasses import replace

    from agents.runs.config import TrainConfig
    from agents.runs.outcome import judged_tables, run_provenance
    from agents.runs.run_data import reload_run_data
    from agents.runs.run_folder import RunFolder
    from agents.runs.training_curves import training_curves
    from rlsyn_env.errors import ConfigError
    from rlsyn_env.tables.reader import read_table

    wrong = [n for n in _TABLE_OPTIONS if n not in ("test", "synthetic") and getattr(arguments, n)]
    if wrong:
        raise ConfigError(f"--{wrong[0]} does not go with a run's folder: the run knows it")
    folder = RunFolder(arguments.run_folder)
    if folder.path.is_file():
        raise ConfigError(
            f"{folder.path} is a file, not a run's folder; a table is judged with --train, --test, "
            "--synthetic and --out"
        )
    if not folder.path.is_dir():
        raise ConfigError(f"{folder.path} does not exist")
    saved = folder.load_config()
    config = TrainConfig.from_dict(saved["options"])
    changes = {}
    if arguments.data is not None:
        if config.data is None:
            raise ConfigError("the run uses a dataset by name: leave --data out")
        changes["data"] = arguments.data
    if arguments.data_dir is not None:
        if config.data_dir is None:
            raise ConfigError("the run uses no release: leave --data-dir out")
        changes["data_dir"] = arguments.data_dir
    if arguments.test is not None:
        if config.test is None:
            raise ConfigError("the run held out rows of its own table: leave --test out")
        changes["test"] = arguments.test
    if arguments.seed is not None:
        changes["seed"] = arguments.seed
    config = replace(config, **changes)
    synthetic = arguments.synthetic or folder.existing_synthetic_file()
    data = reload_run_data(config, saved, folder)
    tables = judged_tables(data, read_table(synthetic, schema=data.schema))
    if tables is None:
        raise ConfigError(
            f"{folder.path} held out no rows (--test-size 0): there is nothing to judge on"
        )
    return _Task(
        tables,
        arguments.out or folder.path,
        config.seed,
        run_provenance(folder) | {"synthetic table": str(synthetic)},
        training_curves(folder.path),
    )


def _table_task(arguments: argparse.Namespace) -> _Task:
    from agents.cli.options import split_names
    from agents.judging import JudgedTables
    from rlsyn_env.errors import ConfigError
    from rlsyn_env.tables.datasets import load_dataset
    from rlsyn_env.tables.reader import read_table
    from rlsyn_env.tables.training_data import prepare_schema

    for name in ("train", "test", "synthetic", "out"):
        if getattr(arguments, name) is None:
            raise ConfigError(
                f"give a run's folder, or --train, --test, --synthetic and --out: "
                f"--{name} is missing"
            )
    for name in ("data", "data_dir"):
        if getattr(arguments, name) is not None:
            raise ConfigError(f"--{name.replace('_', '-')} goes with a run's folder only")
    train = load_dataset(Path(arguments.train))
    schema = prepare_schema(
        train,
        target=arguments.target,
        group=arguments.group,
        schema=arguments.schema,
        drop=split_names(arguments.drop or []),
    )
    test, synthetic = read_table(arguments.test), read_table(arguments.synthetic)
    files = {name: getattr(arguments, name) for name in ("train", "test", "synthetic")}
    return _Task(
        JudgedTables(train.table, test, synthetic, schema),
        arguments.out,
        arguments.seed or 0,
        {f"{name} table": str(Path(file).resolve()) for name, file in files.items()},
    )
