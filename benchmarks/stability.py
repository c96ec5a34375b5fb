"""Stability over seeds: reward and discriminator curves, and what every seed gains.

    python -m benchmarks.stability --data-dir DIR
    python -m benchmarks.stability --tables breast_cancer --seeds 0 1

PPO's default preset on tables of the field. A seed's gain is what its table is better by than
independent columns on held-out rows. Where the worst seed gains less than half of what the median
seed does, training is said to collapse. Writes docs/stability.md and its figure; runs go to a
temporary folder.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from matplotlib import pyplot as plt
from matplotlib.ticker import MaxNLocator
from rich.console import Console

from agents.generation import generate_table
from agents.runs.training import learn
from agents.runs.training_curves import training_curves
from benchmarks.ablation import default_tables
from benchmarks.default_run import DefaultRun, default_run
from benchmarks.field.cli import guarded
from benchmarks.field.code_figures import (
    code_matrix,
    correlation_difference,
    forest_two_sample_auc,
)
from benchmarks.field.markdown import Section, spread_text, to_markdown
from benchmarks.field.pareto import COLOURS, save
from benchmarks.field.peer_folders import PROJECT
from benchmarks.field.summary import Spread
from rlsyn_env.files import write_text
from rlsyn_env.metrics.judge_privacy import judge_privacy
from rlsyn_env.metrics.rows import judged_rows

DRAWS = 4  # tables that a seed's figures are the mean of
CURVES = {
    "reward/mean": "reward",
    "discriminator/accuracy_real": "real rows told (share)",
    "discriminator/accuracy_fake": "generated rows told (share)",
}
GAINS = {"c2st": "held-out C2ST", "corr": "corr"}
LEAST_SHARE = 0.5  # of the median seed's gain; below it the worst seed has collapsed

INTRODUCTION = """\
# Stability over seeds

Made by

    {command}

PPO's default preset, every seed a split of its own. A table of independent columns and the
generated one, each as large as the training rows, are judged on held-out rows (C2ST of a random
forest, 0.5 ideal) and against the training rows (corr: mean absolute difference of the correlation
matrices, 0 ideal); figures are means of {draws} tables. A seed's gain is what the generated table
is better by; the worst seed over the median seed says whether any seed collapsed (goal: at least
{least}). A C2ST against n held-out rows has a standard error of about 1 / sqrt(6 n), 0.04 for 90
rows: a gain no larger than that tells nothing.

The discriminator's two panels show what share of real and of generated records it tells for what
they are; 0.5 is guessing.

![reward and discriminator accuracy against records trained on]({image})
"""


@dataclass(frozen=True)
class SeedResult:
    """What one seed ended with, and how it got there.

    Attributes:
        figures: ``c2st``, ``corr`` and ``membership_excess`` of the generated tables,
            ``independent_c2st`` and ``independent_corr`` of independent columns.
        curves: records ``(n,)`` and values ``(n,)`` by the tags of :data:`CURVES`.
    """

    seed: int
    figures: Mapping[str, float]
    curves: Mapping[str, tuple[np.ndarray, np.ndarray]]

    def gain(self, figure: str) -> float:
        """Return what the generated table is better by than independent columns."""
        return self.figures[f"independent_{figure}"] - self.figures[figure]


def follow(started: DefaultRun, seed: int) -> SeedResult:
    """Train to the budget, judge, and read the curves back."""
    learn(started.run, started.folder)
    d = started.run.encoder.n_features
    curves = {
        tag: (steps / d, values)
        for tag, (steps, values) in training_curves(started.folder.path).items()
        if tag in CURVES
    }
    return SeedResult(seed, _figures(started), curves)


def _figures(started: DefaultRun) -> dict[str, float]:
    run, train = started.run, started.run.data.train
    schema = run.encoder.schema
    drawn = []
    for draw_seed in range(DRAWS):
        table = generate_table(run.model, run.vec_env, len(train), seed=draw_seed)
        rows, _ = judged_rows(train, started.test, table, schema, group=None, seed=draw_seed)
        real, held_out = code_matrix(rows.train), code_matrix(rows.test)
        found = {"membership_excess": judge_privacy(rows, n_bootstrap=2)["membership_excess"].value}
        for prefix, codes in (
            ("", code_matrix(rows.synthetic)),
            ("independent_", code_matrix(rows.independent)),
        ):
            found[f"{prefix}c2st"] = forest_two_sample_auc(held_out, codes, draw_seed)
            found[f"{prefix}corr"] = correlation_difference(real, codes)
        drawn.append(found)
    return {str(name): float(mean) for name, mean in pd.DataFrame(drawn).mean().items()}


def worst_share(results: Sequence[SeedResult], figure: str) -> float:
    """Return the worst seed's gain over the median seed's; NaN where the median gains nothing."""
    gains = [result.gain(figure) for result in results]
    median = float(np.median(gains))
    return min(gains) / median if median > 0 else float("nan")


def draw(found: Mapping[str, Sequence[SeedResult]], path: Path) -> None:
    """Write the figure: a row of panels per table, a panel per curve, a line per seed."""
    figure, axes = plt.subplots(
        len(found), len(CURVES), figsize=(3.6 * len(CURVES), 2.7 * len(found)), squeeze=False
    )
    for row, (table, results) in zip(axes, found.items(), strict=True):
        for axis, (tag, title), colour in zip(row, CURVES.items(), COLOURS, strict=False):
            for result in results:
                if tag in result.curves:
                    axis.plot(*result.curves[tag], color=colour, alpha=0.55, linewidth=1)
            axis.set_title(table, fontsize=10)
            axis.set_xlabel("records trained on", fontsize=9)
            axis.set_ylabel(title, fontsize=9)
            axis.tick_params(labelsize=8)
            axis.xaxis.set_major_locator(MaxNLocator(4))
            if tag != "reward/mean":
                axis.axhline(0.5, color="0.7", linewidth=0.8, zorder=0)
                axis.set_ylim(0, 1)
    figure.tight_layout()
    save(figure, path)


def page(found: Mapping[str, Sequence[SeedResult]], command: str, image: str) -> str:
    """Return the Markdown page."""
    introduction = INTRODUCTION.format(command=command, draws=DRAWS, least=LEAST_SHARE, image=image)
    return to_markdown([_table(table, list(found[table])) for table in found], introduction)


def _table(table: str, results: list[SeedResult]) -> Section:
    columns = ["c2st", "independent_c2st", "corr", "independent_corr", "membership_excess"]
    titles = ["C2ST", "independent", "corr", "independent", "membership excess"]
    rows = [["seed", *titles, *(f"gain in {title}" for title in GAINS.values())]]
    for result in results:
        values = [*(result.figures[name] for name in columns), *map(result.gain, GAINS)]
        rows.append([str(result.seed), *(f"{value:.3f}" for value in values)])
    spreads = [Spread.of([result.figures[name] for result in results]) for name in columns]
    spreads += [Spread.of([result.gain(figure) for result in results]) for figure in GAINS]
    rows.append(["*mean*", *map(spread_text, spreads)])
    shares = [f"{title} {worst_share(results, name):.2f}" for name, title in GAINS.items()]
    return Section(table, f"Worst seed's gain over the median seed's: {', '.join(shares)}.", rows)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns 0, 2 for input that cannot be used, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.stability", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--tables", nargs="+", metavar="NAME", help="tables of the field")
    parser.add_argument("--data-dir", type=Path, metavar="DIR")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4], metavar="N")
    parser.add_argument("--docs", type=Path, default=PROJECT / "docs", metavar="FOLDER")
    return guarded(run, parser.parse_args(argv), goes_on=False)


def run(options: argparse.Namespace) -> int:
    """Run the seeds and write the page."""
    torch.set_num_threads(1)
    found: dict[str, list[SeedResult]] = {}
    for table in default_tables(options.tables, options.data_dir):
        for seed in options.seeds:
            with default_run(table, options.data_dir, seed) as started:
                result = follow(started, seed)
            figures = ", ".join(f"{k} {v:.3f}" for k, v in result.figures.items())
            Console().print(f"{table.name} {seed}: {figures}")
            found.setdefault(table.name, []).append(result)
    image = Path("images") / "stability.svg"
    (options.docs / image).parent.mkdir(parents=True, exist_ok=True)
    draw(found, options.docs / image)
    command = f"python -m benchmarks.stability --tables {' '.join(found)} --data-dir DIR"
    command += f" --seeds {' '.join(map(str, options.seeds))}"
    write_text(options.docs / "stability.md", page(found, command, str(image)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
