"""Train an algorithm on a table, write a synthetic one and judge it on held-out rows.

train.py --algo ppo
train.py --algo sac --data table.csv --target y --out runs/mine
train.py --dataset mimic-iv --data-dir DIR
train.py --resume runs/mine
"""

from __future__ import annotations

import argparse
import contextlib
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agents.cli.cohort import add_cohort_options
from agents.cli.options import column_name

if TYPE_CHECKING:
    from rich.console import Console

    from agents.runs.run_folder import RunFolder
    from agents.runs.training import Run

_NOT_CONFIG = ("command", "run", "out", "resume", "overwrite", "no_progress", "checkpoint_seconds")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options; those of the run's configuration are absent unless they are given."""
    add = parser.add_argument
    absent: dict[str, Any] = {"default": argparse.SUPPRESS}
    add("--algo", **absent, metavar="NAME", help="algorithm ('rlsyn algos'), or module:Class")
    table = parser.add_mutually_exclusive_group()
    table.add_argument(
        "--dataset", **absent, metavar="NAME", help="embedded table or cohort ('rlsyn datasets')"
    )
    table.add_argument("--data", **absent, metavar="FILE", help="CSV or Parquet file")
    add_cohort_options(
        parser.add_argument_group("options of a cohort"),
        ("data_dir", "phecode_map_dir", "cohort", "rows", "codes"),
    )
    add("--target", type=column_name, **absent, metavar="COLUMN", help="column to predict")
    add(
        "--group",
        type=column_name,
        **absent,
        metavar="COLUMN",
        help="its groups are never split, and left out",
    )
    add("--schema", **absent, metavar="FILE", help="schema to use ('rlsyn schema' makes one)")
    add("--drop", **absent, action="append", metavar="A,B", help="columns to leave out")
    add(
        "--no-derived", **absent, action="store_true",
        help="generate columns that are exact functions of others, instead of computing them",
    )  # fmt: skip
    test = parser.add_mutually_exclusive_group()
    test.add_argument(
        "--test-size", **absent, type=float, metavar="SHARE",
        help="rows held out to judge (0.3); 0: train on the whole file, judge nothing",
    )  # fmt: skip
    test.add_argument("--test", **absent, metavar="FILE", help="file of held-out rows")
    add(
        "--validation-size", **absent, type=float, metavar="SHARE",
        help="training rows kept to choose a snapshot by (0.15, or 0 where that is below 200 rows)",
    )  # fmt: skip
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument("--total-timesteps", **absent, type=int, metavar="N", help="steps to train")
    budget.add_argument("--total-records", **absent, type=int, metavar="N", help="records to train")
    add("--n-envs", **absent, type=int, metavar="N", help="environments stepped together")
    add("--seed", **absent, type=int, metavar="N", help="of everything, the split too (0)")
    add("--device", **absent, help="torch device (cpu)")
    add("--threads", **absent, type=int, metavar="N", help="torch threads (1)")
    add("--reward", **absent, help="logit (default), softplus, logsigmoid or sigmoid")
    add(
        "--reward-term", **absent, nargs="+", action="extend", metavar="NAME=WEIGHT",
        help="weights of further terms; the schema's constraints have 4 (constraints=0: off)",
    )  # fmt: skip
    add("--env", **absent, metavar="ID", help="environment id (the algorithm's own)")
    add(
        "--hyperparam", **absent, nargs="+", action="extend", metavar="KEY=VALUE",
        help="overrides of the algorithm's preset",
    )  # fmt: skip
    add(
        "--set", **absent, nargs="+", action="extend", dest="settings",
        metavar="SECTION.KEY=VALUE",
        help="overrides of adversary, imitation, averaging, selection (imitation=off)",
    )  # fmt: skip
    add(
        "--n-synthetic",
        **absent,
        type=int,
        metavar="N",
        help="rows to write (as many as trained on)",
    )
    add(
        "--enforce-constraints", **absent, action="store_true",
        help="write no row that breaks a constraint: such records are drawn anew",
    )  # fmt: skip
    add(
        "--judge-every", **absent, type=int, metavar="RECORDS",
        help="judge on validation rows every so many records, into TensorBoard (off: it takes "
        "seconds each time)",
    )  # fmt: skip
    add(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="the run's folder (runs/<algo>-<dataset>-<seed>; where it exists, with -2, -3, ...)",
    )
    add("--no-progress", action="store_true", help="no progress bar")
    add(
        "--resume", nargs="?", const=True, default=None, metavar="FOLDER",
        help="go on from the last checkpoint of this folder (or of --out)",
    )  # fmt: skip
    add("--overwrite", action="store_true", help="replace the run in --out")
    add("--checkpoint-seconds", type=float, default=60.0, metavar="S", help="between two (60)")


def run(arguments: argparse.Namespace) -> int:
    """Train; returns 0, or 130 when Ctrl-C stopped it after saving."""
    from agents.cli.options import command_line, progress_console, say
    from agents.runs.interrupts import TrainingStopped
    from agents.runs.training import learn, resume_run

    given = _given_options(arguments)
    folder = _named_folder(arguments)
    with contextlib.ExitStack() as held:
        if arguments.resume:
            from agents.runs.config import merge_resumed

            assert folder is not None  # --resume without a folder is refused
            held.enter_context(folder.held())
            built, checkpoint = resume_run(folder, lambda saved: merge_resumed(saved, given))
            with folder.command_file.open("a", encoding="utf-8") as file:
                file.write(command_line() + "\n")
            at = checkpoint.progress["records"] if checkpoint else 0
            say(f"resuming {folder.path} at {at:,} records")
        else:
            built, folder = _new_run(given, folder, held, overwrite=arguments.overwrite)
            checkpoint = None
        say(_summary(built))
        try:
            learn(
                built,
                folder,
                checkpoint,
                console=progress_console(arguments),
                checkpoint_seconds=arguments.checkpoint_seconds,
            )
        except TrainingStopped:
            where = shlex.quote(str(folder.path))
            print(
                f"stopped and saved; go on with: python train.py --resume {where}",
                file=sys.stderr,
                flush=True,
            )
            return 130
        chooses = built.algorithm.preset.selection is not None  # others have reasons of their own
        if chooses and built.model.num_timesteps < built.total_timesteps:
            say(_stopped_early(built))
        _finish(built, folder, progress_console(arguments))
    return 0


def _given_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Options of the configuration that the user wrote."""
    from agents.cli.options import parse_reward_terms, split_names
    from agents.hyperparameters import parse_hyperparams

    given = {k: v for k, v in vars(arguments).items() if k not in _NOT_CONFIG}
    for name in ("data", "test", "schema", "data_dir", "phecode_map_dir"):
        if name in given:  # absolute, so that the run can be gone on with from anywhere
            given[name] = str(Path(given[name]).resolve())
    if "drop" in given:
        given["drop"] = split_names(given["drop"])
    if "hyperparam" in given:
        given["hyperparams"] = parse_hyperparams(given.pop("hyperparam"))
    if "reward_term" in given:
        given["reward_terms"] = parse_reward_terms(given.pop("reward_term"))
    if "settings" in given:
        given["settings"] = parse_hyperparams(given["settings"], "--set")
    return given


def _named_folder(arguments: argparse.Namespace) -> RunFolder | None:
    """The folder that the user named; checked, nothing written."""
    from agents.runs.run_folder import RunFolder
    from rlsyn_env.errors import ConfigError

    out: Path | None = arguments.out
    if arguments.resume is not None:
        if arguments.overwrite:
            raise ConfigError("--resume and --overwrite exclude each other")
        if arguments.resume is not True:
            if out is not None and out.resolve() != Path(arguments.resume).resolve():
                raise ConfigError(f"--resume {arguments.resume} and --out {out} differ")
            out = Path(arguments.resume)
        if out is None:
            raise ConfigError("--resume needs a folder: --resume runs/NAME")
        if not out.is_dir():
            raise ConfigError(f"--resume {out}: there is no such run")
        return RunFolder(out)
    if out is None:
        if arguments.overwrite:
            raise ConfigError("--overwrite needs --out")
        return None
    folder = RunFolder(out)
    folder.check_free(overwrite=arguments.overwrite)
    return folder


def _new_run(
    given: dict[str, Any],
    folder: RunFolder | None,
    held: contextlib.ExitStack,
    *,
    overwrite: bool,
) -> tuple[Run, RunFolder]:
    """Check everything, then make the folder, which ``held`` keeps from other processes."""
    from agents.cli.options import NO_CONSTRAINTS, command_line, note, say
    from agents.runs.config import TrainConfig
    from agents.runs.run_data import load_run_data
    from agents.runs.run_folder import fresh_folder
    from agents.runs.training import build_run, start_run
    from rlsyn_env.errors import ConfigError
    from rlsyn_env.tables.constraints import unknown_levels

    config = TrainConfig(**given)
    if overwrite and folder is not None:
        for path in (config.data, config.test, config.schema, config.data_dir):
            if path is not None and folder.path.resolve() in Path(path).resolve().parents:
                raise ConfigError(f"{path} lies in {folder.path}, which --overwrite would clear")
    data = load_run_data(config)
    if data.report is not None:
        say(str(data.report))
    for notice in [*data.schema.notices(), *unknown_levels(data.schema)]:
        note(notice)
    if config.enforce_constraints and not data.schema.constraints:
        note(NO_CONSTRAINTS)
    built = build_run(config, data)
    if folder is None:
        folder = fresh_folder(built.algorithm.name.lower(), data.name, config.seed)
        held.enter_context(folder.held())
    else:
        held.enter_context(folder.held())
        folder.check_free(overwrite=overwrite)  # again: another run may have ended here meanwhile
        if overwrite:
            held.enter_context(folder.replacing())
    start_run(built, folder, command_line())
    return built, folder


def _summary(built: Run) -> str:
    from agents.runs.training import total_records

    rows = built.data.split
    rules = built.encoder.schema.constraints
    weight = next((t.weight for t in built.vec_env.core.reward_terms if t.name == "constraints"), 0)
    test = 0 if built.data.test_table is None else len(built.data.test_table)
    groups = f" ({built.data.n_independent:,} groups)" if built.data.schema.group else ""
    return (
        f"{built.algorithm.name} on {built.data.name}: {len(rows.train):,} training{groups}, "
        f"{len(rows.validation):,} validation and {test:,} test rows, "
        f"{built.encoder.n_features} features; {total_records(built):,} records in "
        f"{built.vec_env.num_envs} environments of {built.config.env}"
        + (f"; {len(rules):,} constraints, weight {weight:g} in the reward" if rules else "")
    )


def _stopped_early(built: Run) -> str:
    from agents.runs.training import total_records

    return (
        f"training stopped after {built.vec_env.recorder.total:,} of {total_records(built):,} "
        "records: the last snapshots were no better than the best one, which is kept (a run with "
        "--set selection.patience=0 trains on)"
    )


def _finish(built: Run, folder: RunFolder, console: Console | None) -> None:
    """Export the model, write and judge the synthetic table, print where all of it is."""

    from agents.cli.options import command_line, print_report, say, step_bar
    from agents.generation import load_generator
    from agents.judging import judge
    from agents.runs.outcome import (
        export_model,
        judged_tables,
        run_provenance,
        write_synthetic,
    )
    from agents.runs.training_curves import training_curves
    from rlsyn_env.tables.reader import read_table

    config = built.config
    export_model(built, folder)
    synthetic = folder.synthetic_file(config.data)
    generator = load_generator(folder, config.device)
    write_synthetic(
        generator,
        synthetic,
        config.n_synthetic or 1,
        seed=config.seed,
        enforce=config.enforce_constraints,
    )
    tables = judged_tables(built.data, read_table(synthetic, schema=built.data.schema))
    if tables is None:
        folder.metrics_file.unlink(missing_ok=True)
        folder.report_file.unlink(missing_ok=True)
        say("no rows were held out: nothing is judged")
    else:
        with step_bar(console) as show:
            report = judge(
                tables,
                folder.path,
                seed=config.seed,
                provenance={"command": command_line(), **run_provenance(folder)},
                curves=training_curves(folder.path),
                progress=show,
            )
        print_report(report)
    folder.set_status(finished=True, stage="finished", records=built.vec_env.recorder.total)
    say(f"synthetic table  {synthetic}")
    if tables is not None:
        say(f"figures          {folder.metrics_file}")
        say(f"report           {folder.report_file}")
    say(f"run's folder     {folder.path}  (tensorboard --logdir {folder.path.parent})")
