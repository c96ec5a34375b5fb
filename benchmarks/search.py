"""Search the numbers of the PPO preset, on validation rows only.

    pip install -e ".[search]"
    python -m benchmarks.search --trials 60 --jobs 2 [--data-dir DIR]
    python -m benchmarks.search --table-only            # docs/search.md again, and the best trial

A trial is one setting of the numbers in benchmarks/search_space.py; the first is the preset as it
is. On every table the training rows of a split of seed 100 or more are split again, 70 to 30: the
generator gets the larger part and is judged on the smaller one by the field's judge. What is
minimised is the mean over tables of

    |C2ST - 0.5| + max(0, 1 - S2R / R2R) + 2 max(0, membership excess)

Tables come in one order; a trial whose mean so far is worse than the median of the others at that
table is given up. The journal under benchmarks/results/ keeps everything: the same command goes on
until so many trials are there, and several commands may share the work. A study belongs to its
tables, splits and the preset's rules: with others a new one is begun in the same journal.
"""

from __future__ import annotations

import argparse
import hashlib
import shlex
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import optuna
import pandas as pd
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from agents.registry import Preset, get_algorithm
from benchmarks.ablation import BASE, variant_of
from benchmarks.field.accounting import stop_all
from benchmarks.field.cells import CellRun
from benchmarks.field.cli import RESULTS, add_matrix_options, guarded, settings_of
from benchmarks.field.environments import given_environment
from benchmarks.field.judging import Figures
from benchmarks.field.markdown import Section, to_markdown
from benchmarks.field.matrix import Settings
from benchmarks.field.peer_folders import PROJECT, load_peers
from benchmarks.field.results import OK, Cell
from benchmarks.field.tables import (
    FIELD_TABLES,
    TEST_SIZE,
    FieldTable,
    PreparedTable,
    choose_tables,
    prepare,
    prepare_rows,
)
from benchmarks.search_space import SPACE, preset_point, rules, train_options
from benchmarks.tables import dependent_categories, mixed_visits
from rlsyn_env.errors import ConfigError, RLSynError, TableError
from rlsyn_env.files import write_text
from rlsyn_env.tables.splits import split_rows

FIRST_SEED = 100
SHOWN_TRIALS = 10
MADE_UP = {
    "categories": (FieldTable("categories", "outcome"), lambda: dependent_categories(400)),
    "visits": (FieldTable("visits", "readmitted"), lambda: mixed_visits(1200)),
}
"""Tables that are generated here, so that the search runs anywhere."""
EVERYWHERE = ("categories", "diabetes", "breast_cancer", "visits")

INTRODUCTION = """\
# The search for the preset's numbers

Made by

    python -m benchmarks.search --trials 60 --jobs 2

and rewritten from its journal by `python -m benchmarks.search --table-only`. The loss is the mean
over tables of |C2ST - 0.5| + max(0, 1 - S2R / R2R) + 2 max(0, membership excess) on validation
rows: training rows of a split of seed 100 or more, split again. No test row takes part.
"""

Measure = Callable[[PreparedTable, int, str, Sequence[str]], Figures]
"""Figures of a table and seed, given the trial's name and options."""


class TrialFailedError(RLSynError):
    """A generator crashed, took too long or wrote no table that can be judged."""


@dataclass(frozen=True, eq=False)
class InnerTable(PreparedTable):
    """A table whose split holds the training rows of the outer split only."""

    def split(self, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return training and validation rows; ConfigError for a seed that others are judged on."""
        if seed < FIRST_SEED:
            raise ConfigError(f"the search takes splits of seed {FIRST_SEED} or more, got {seed}")
        rows, _ = super().split(seed)
        inner = split_rows(
            rows, test_size=TEST_SIZE, validation_size=0.0, seed=seed, target=self.target
        )
        return rows.iloc[inner.train], rows.iloc[inner.test]


def search_tables(names: list[str] | None, data_dir: Path | None) -> list[InnerTable]:
    """Return the named tables, or those that run anywhere and the usual ones of ``data_dir``."""
    if names is None:
        found = [table.name for table in choose_tables(None, data_dir)]
        names = [*EVERYWHERE, *(name for name in found if name not in EVERYWHERE)]
    tables = []
    for name in dict.fromkeys(names):
        if name in MADE_UP:
            described, rows = MADE_UP[name]
            prepared = prepare_rows(described, rows())
        else:
            if name not in FIELD_TABLES:
                known = ", ".join((*MADE_UP, *FIELD_TABLES))
                raise ConfigError(f"no table {name!r}; tables are {known}")
            (described,) = choose_tables([name], data_dir)
            prepared = prepare(described, data_dir)
        tables.append(InnerTable(**vars(prepared)))
    return tables


def loss(figures: Figures) -> float:
    """Return what is minimised, for one table; utility counts nothing where it is not defined."""
    fidelity, excess = figures["c2st"]["value"], figures["membership_excess"]["value"]
    if fidelity is None or excess is None:
        raise TableError("C2ST or membership excess of a table is undefined")
    ratio = figures.get("s2r_over_r2r", {}).get("value")
    utility = 0.0 if ratio is None else max(0.0, 1.0 - ratio)
    return abs(fidelity - 0.5) + utility + 2.0 * max(0.0, excess)


class Objective:
    """The mean loss over tables and splits; gives up a trial that falls behind the median.

    Args:
        preset: whose numbers are searched.
        tables: in the order in which a trial meets them.
        seeds: of the outer splits; all tables of a seed come before the next.
        measure: trains, generates and judges.
    """

    def __init__(
        self,
        preset: Preset,
        tables: Sequence[InnerTable],
        seeds: Sequence[int],
        measure: Measure,
    ) -> None:
        self._preset, self._measure = preset, measure
        self._cells = [(table, seed) for seed in seeds for table in tables]

    def __call__(self, trial: optuna.Trial) -> float:
        """Run one trial; a preset that cannot be run ends the search."""
        options = train_options(self._preset, {n.name: n.suggest(trial) for n in SPACE})
        losses: dict[str, float] = {}
        for step, (table, seed) in enumerate(self._cells):
            try:
                figures = self._measure(table, seed, f"trial-{trial.number}", options)
            except TrialFailedError as error:
                if "preset" in trial.user_attrs:
                    raise ConfigError(f"the preset itself cannot be measured: {error}") from error
                raise
            losses[f"{table.name} {seed}"] = loss(figures)
            trial.set_user_attr("losses", losses)
            mean = sum(losses.values()) / len(losses)
            trial.report(mean, step)
            if step + 1 < len(self._cells) and trial.should_prune():
                raise optuna.TrialPruned
        return mean


def measured_in(settings: Settings) -> Measure:
    """Return the measurement by the field's machinery: a process per run, the field's judge."""
    base = load_peers()[BASE]
    environment = given_environment(settings.python or Path(sys.executable), base)

    def measure(table: PreparedTable, seed: int, name: str, options: Sequence[str]) -> Figures:
        variant = variant_of(base, name, options)
        cell = Cell(name, table.name, seed)
        run = CellRun(cell, variant, table, settings.work, settings.limit, settings.threads)
        record = run.run(environment)
        if record["status"] != OK:
            raise TrialFailedError(
                f"{name} on {table.name}: {record['status']}: {record['reason']}"
            )
        shutil.rmtree(run.folder)
        figures: Figures = record["figures"]
        return figures

    return measure


def study_name(preset: Preset, tables: Sequence[InnerTable], seeds: Sequence[int]) -> str:
    """Return the name of the study of these tables, splits, ranges and rules."""
    what = repr((rules(preset), SPACE, [table.name for table in tables], list(seeds)))
    return f"ppo-{hashlib.sha256(what.encode()).hexdigest()[:8]}"


def open_study(journal: Path, name: str, seed: int) -> optuna.Study:
    """Return the study of a journal; both are made where they are not there yet."""
    journal.parent.mkdir(parents=True, exist_ok=True)
    return optuna.create_study(
        storage=JournalStorage(JournalFileBackend(str(journal))),
        study_name=name,
        sampler=optuna.samplers.TPESampler(seed=seed, multivariate=True),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=8),
        direction="minimize",
        load_if_exists=True,
    )


def search(
    study: optuna.Study, objective: Objective, preset: Preset, trials: int, jobs: int
) -> None:
    """Go on until ``trials`` have ended well or been given up; the preset is the first of them."""
    point = preset_point(preset)
    label = repr(point)
    known = [t for t in study.trials if t.user_attrs.get("preset") == label]
    if all(t.state == TrialState.FAIL for t in known):
        study.enqueue_trial(point, user_attrs={"preset": label})
    done = study.get_trials(states=(TrialState.COMPLETE, TrialState.PRUNED))
    left = max(0, trials - len(done))
    if left:
        study.optimize(objective, n_trials=left, n_jobs=jobs, catch=(TrialFailedError,))


def ranking(study: optuna.Study) -> list[FrozenTrial]:
    """Return the trials that met every table, best first.

    Raises:
        TableError: there are none.
    """
    trials = study.get_trials(states=(TrialState.COMPLETE,))
    if not trials:
        raise TableError(f"study {study.study_name} has no complete trial yet")
    return sorted(trials, key=lambda trial: trial.value or 0.0)


def point_of(trial: FrozenTrial) -> dict[str, float]:
    """Return a trial's numbers as they were run."""
    fixed = optuna.trial.FixedTrial(trial.params)
    return {number.name: number.suggest(fixed) for number in SPACE}  # type: ignore[arg-type]


def command(preset: Preset, trial: FrozenTrial) -> str:
    """Return how a trial's setting is run on a user's table."""
    options = train_options(preset, point_of(trial))
    return shlex.join(["rlsyn", "train", "--algo", "ppo", *options])


def page(study: optuna.Study, preset: Preset) -> str:
    """Return the Markdown page: the best trials, the preset beside them, how to run the best."""
    best = ranking(study)
    shown = best[:SHOWN_TRIALS] + [t for t in best[SHOWN_TRIALS:] if "preset" in t.user_attrs]
    measured = list(best[0].user_attrs["losses"])
    losses = [["trial", "loss", *measured]]
    numbers = [["number", *(_title(trial) for trial in shown)]]
    for trial in shown:
        own: Mapping[str, float] = trial.user_attrs["losses"]
        losses.append(
            [_title(trial), f"{trial.value:.4f}", *(f"{own[name]:.3f}" for name in measured)]
        )
    points = [point_of(trial) for trial in shown]
    numbers += [[n.name, *(f"{point[n.name]:g}" for point in points)] for n in SPACE]
    states = [trial.state for trial in study.trials]
    text = (
        f"Study {study.study_name}: {states.count(TrialState.COMPLETE)} complete trials, "
        f"{states.count(TrialState.PRUNED)} given up, {states.count(TrialState.FAIL)} failed. The "
        "columns are tables with the seed of the split."
    )
    run = f"    {command(preset, best[0])}"
    return to_markdown(
        [
            Section("Loss", text, losses),
            Section("Numbers", f"Of rules, the factor or the beginning: {rules(preset)}.", numbers),
            Section("The best", run, []),
        ],
        INTRODUCTION,
    )


def _title(trial: FrozenTrial) -> str:
    return f"{trial.number} (preset)" if "preset" in trial.user_attrs else str(trial.number)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.search", description=(__doc__ or "").splitlines()[0]
    )
    add_matrix_options(parser, work=PROJECT / ".field" / "search", seeds=[FIRST_SEED])
    add = parser.add_argument
    add("--trials", type=int, default=60, metavar="N", help="trials in all, earlier ones too (60)")
    add("--sampler-seed", type=int, default=0, metavar="N", help="of Optuna's sampler (0)")
    parser.set_defaults(retry=False, keep=False, python=Path(sys.executable))
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Search, write the page, print the best."""
    preset = get_algorithm("ppo").preset
    tables = search_tables(arguments.tables, arguments.data_dir)
    folder = (arguments.results or RESULTS).resolve()
    journal = folder / "search.journal"
    if arguments.table_only and not journal.is_file():
        raise TableError(f"{journal} does not exist: there are no trials yet")
    name = study_name(preset, tables, arguments.seeds)
    study = open_study(journal, name, arguments.sampler_seed)
    if not arguments.table_only:
        measure = measured_in(settings_of(arguments))
        objective = Objective(preset, tables, arguments.seeds, measure)
        try:
            search(study, objective, preset, arguments.trials, arguments.jobs)
        finally:
            stop_all()  # after Ctrl-C above all: leave no generator running
    best = ranking(study)[0]
    docs = PROJECT / "docs" if arguments.results is None else folder
    write_text(docs / "search.md", page(study, preset))
    print(f"best of study {name}: trial {_title(best)}, loss {best.value:.4f}")
    print(command(preset, best))
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    return guarded(run, build_parser().parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
