"""Held-out figures of PPO's default preset, as the mean of several tables per seed.

    python -m benchmarks.held_out --data-dir DIR --jobs 2
    python -m benchmarks.held_out --tables breast_cancer --seeds 0 1 2

A small table is judged by few held-out rows, and one synthetic table of it by chance besides: the
field takes one per seed, as it must of every generator, this page four long ones. Models of
synthetic rows (S2R) learn from as many of them as there are training rows, as in the field, and
from all, as whoever has a generator can let them. Writes docs/held-out.md; runs go to a temporary
folder.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from rich.console import Console

from agents.generation import generate_table
from agents.runs.training import learn
from benchmarks.default_run import DefaultRun, default_run
from benchmarks.field.cli import guarded
from benchmarks.field.judging import Figures, context_of, judge, utility
from benchmarks.field.markdown import Section, spread_text, to_markdown
from benchmarks.field.peer_folders import PROJECT
from benchmarks.field.references import references
from benchmarks.field.summary import Spread
from benchmarks.field.tables import FieldTable, choose_tables
from rlsyn_env.files import write_text
from rlsyn_env.metrics.rows import judged_rows

DRAWS = 4  # tables that a seed's figures are the mean of
LEAST_ROWS = 1000  # of each; where there are more training rows, as many as those
FIGURES = {
    "c2st_codes": "C2ST",
    "s2r_over_r2r": "S2R / R2R",
    "s2r_over_r2r_all": "S2R / R2R, all rows",
    "corr": "corr",
    "membership_excess": "membership excess",
}

INTRODUCTION = """\
# Held-out figures of the default preset

Made by

    {command}

PPO's default preset on the field's tables, every seed a split of its own
([benchmarks/field](../benchmarks/field/README.md)). A seed's figures are the means of {draws}
tables of {rows:,} rows each, or of as many as the training rows where those are more. C2ST is a
random forest's on numeric codes against held-out rows (0.5 ideal), corr the mean absolute
difference of the correlation matrix from that of the training rows (0), membership excess the
membership AUC above that of independent columns (0). S2R / R2R (1) is the mean AUC on held-out rows
of a logistic regression and a random forest that learnt from synthetic rows, over that of two that
learnt from the training rows: from as many synthetic rows as those, or from all.

A C2ST against n held-out rows has a standard error of about 1 / sqrt(6 n), 0.04 for 90 rows, and an
AUC on 90 rows one of about as much: read the mean over the seeds. Independent columns stand below.
"""

SeedFigures = Mapping[str, float]
"""Figures by the names of :data:`FIGURES`, and those of independent columns by
``independent_NAME``; NaN where there is none."""


def seed_figures(table: FieldTable, data_dir: Path | None, seed: int) -> SeedFigures:
    """Train on split ``seed`` of a table and judge what comes out."""
    torch.set_num_threads(1)
    with default_run(table, data_dir, seed) as started:
        learn(started.run, started.folder)
        return _judged(started, seed)


def _judged(started: DefaultRun, seed: int) -> SeedFigures:
    run, train, test = started.run, started.run.data.train, started.test
    schema = run.encoder.schema
    beside = references(train, test, schema, seed)
    drawn = []
    for draw in range(DRAWS):
        n = max(LEAST_ROWS, len(train))
        synthetic = generate_table(run.model, run.vec_env, n, seed=draw)
        figures = judge(train, test, synthetic, schema, seed, beside)
        found = {name: _number(figures, name, "value") for name in FIGURES}
        of_all = utility_of_all(started, synthetic, seed, beside["r2r"]["value"])
        found["s2r_over_r2r_all"] = _number(of_all, "s2r_over_r2r", "value")
        drawn.append(found)
    means = {str(name): float(mean) for name, mean in pd.DataFrame(drawn).mean().items()}
    independent = {f"independent_{name}": _number(beside, name, "independent") for name in FIGURES}
    return {**means, **independent}


def _number(figures: Figures, name: str, part: str) -> float:
    value = figures.get(name, {}).get(part)
    return float("nan") if value is None else value


def utility_of_all(
    started: DefaultRun, synthetic: pd.DataFrame, seed: int, r2r: float | None
) -> Figures:
    """Return S2R and S2R / R2R of models that learn from every synthetic row."""
    schema, train = started.run.encoder.schema, started.run.data.train
    rows, _ = judged_rows(train, started.test, synthetic, schema, group=None, seed=seed)
    return utility(context_of(rows, schema, train), r2r, all_synthetic=True)


def _side_by_side(
    cells: Sequence[tuple[FieldTable, int]], data_dir: Path | None, jobs: int
) -> Iterator[SeedFigures]:
    if jobs < 2:
        yield from (seed_figures(table, data_dir, seed) for table, seed in cells)
        return
    spawn = multiprocessing.get_context("spawn")  # a fork would inherit torch's threads
    with ProcessPoolExecutor(jobs, mp_context=spawn) as pool:
        pending = [pool.submit(seed_figures, table, data_dir, seed) for table, seed in cells]
        try:
            yield from (figures.result() for figures in pending)
        finally:
            pool.shutdown(cancel_futures=True)  # an error is not to wait for all other runs


def page(found: Mapping[str, Mapping[int, SeedFigures]], command: str) -> str:
    """Return the Markdown page of the figures by table and seed."""
    introduction = INTRODUCTION.format(command=command, draws=DRAWS, rows=LEAST_ROWS)
    return to_markdown([_section(name, by_seed) for name, by_seed in found.items()], introduction)


def _section(table: str, by_seed: Mapping[int, SeedFigures]) -> Section:
    rows = [["seed", *FIGURES.values()]]
    for seed, figures in sorted(by_seed.items()):
        rows.append([str(seed), *(_text(figures[name]) for name in FIGURES)])
    for title, prefix in (("mean", ""), ("independent columns", "independent_")):
        values = [[one[f"{prefix}{name}"] for one in by_seed.values()] for name in FIGURES]
        rows.append([f"*{title}*", *(spread_text(Spread.of(column)) for column in values)])
    return Section(table, "", rows)


def _text(value: float) -> str:
    return f"{value:.3f}" if np.isfinite(value) else "-"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns 0, 2 for input that cannot be used, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.held_out", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--tables", nargs="+", metavar="NAME", help="tables of the field")
    parser.add_argument("--data-dir", type=Path, metavar="DIR")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(10)), metavar="N")
    parser.add_argument(
        "--jobs",
        type=int,
        default=1,
        metavar="N",
        help="runs side by side (1); a kill waits for those that have begun",
    )
    parser.add_argument("--docs", type=Path, default=PROJECT / "docs", metavar="FOLDER")
    return guarded(run, parser.parse_args(argv), goes_on=False)


def run(options: argparse.Namespace) -> int:
    """Run the seeds and write the page."""
    found: dict[str, dict[int, SeedFigures]] = {}
    tables = choose_tables(options.tables, options.data_dir)
    cells = [(table, seed) for table in tables for seed in options.seeds]
    for (table, seed), figures in zip(
        cells, _side_by_side(cells, options.data_dir, options.jobs), strict=True
    ):
        shown = ", ".join(f"{title} {_text(figures[n])}" for n, title in FIGURES.items())
        Console().print(f"{table.name} {seed}: {shown}")
        found.setdefault(table.name, {})[seed] = figures
    command = f"python -m benchmarks.held_out --tables {' '.join(found)} --data-dir DIR"
    command += f" --seeds {' '.join(map(str, options.seeds))}"
    write_text(options.docs / "held-out.md", page(found, command))
    return 0


if __name__ == "__main__":
    sys.exit(main())
