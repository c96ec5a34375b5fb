"""Memorisation over training: held-out C2ST and membership against updates, past the chosen stop.

    python -m benchmarks.memorisation --data-dir DIR
    python -m benchmarks.memorisation --table breast_cancer --seeds 0 --measurements 6

PPO's default preset on a table of the field, given a budget several times its own rule's. At equal
distances the average of the weights generates tables that are judged on held-out rows: nothing here
chooses anything. The rule's own budget, where a run of ``train.py`` stops, is marked. Writes
docs/memorisation.md and its figure; runs go to a temporary folder.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from matplotlib import pyplot as plt
from rich.console import Console
from stable_baselines3.common.callbacks import BaseCallback

from agents.generation import generate_table
from agents.runs.training import Run, learn
from benchmarks.default_run import default_run
from benchmarks.field.cli import guarded
from benchmarks.field.code_figures import code_matrix, forest_two_sample_auc
from benchmarks.field.pareto import COLOURS, save
from benchmarks.field.peer_folders import PROJECT
from benchmarks.field.tables import FIELD_TABLES, FieldTable, choose_tables
from rlsyn_env.files import write_text
from rlsyn_env.metrics.judge_privacy import judge_privacy
from rlsyn_env.metrics.rows import judged_rows

DRAWS = 3  # tables that one measurement is the mean of
PANELS = {
    "c2st": ("held-out C2ST", 0.5),
    "membership_excess": ("membership excess", 0.0),
}


class Measure(BaseCallback):
    """Judges tables of the averaged weights on held-out rows at given numbers of records."""

    def __init__(self, run: Run, test: pd.DataFrame, at: Sequence[int]) -> None:
        super().__init__()
        self._run, self._test = run, test
        self._at = list(at)
        self.measured: list[dict[str, float]] = []

    def _on_step(self) -> bool:
        return True

    def _on_rollout_start(self) -> None:
        records = self.model.num_timesteps // self._run.encoder.n_features
        if self._at and records >= self._at[0]:
            self._at.pop(0)
            self._measure(records)

    def _on_training_end(self) -> None:
        self._measure(self.model.num_timesteps // self._run.encoder.n_features)

    def _measure(self, records: int) -> None:
        schema, train = self._run.encoder.schema, self._run.data.train
        figures = []
        for draw in range(DRAWS):
            table = generate_table(self.model, self._run.vec_env, len(train), seed=draw)
            rows, _ = judged_rows(train, self._test, table, schema, group=None, seed=draw)
            privacy = judge_privacy(rows, n_bootstrap=2)
            released, held_out = code_matrix(rows.synthetic), code_matrix(rows.test)
            figures.append(
                {
                    "c2st": forest_two_sample_auc(held_out, released, draw),
                    "membership_excess": privacy["membership_excess"].value,
                }
            )
        means = pd.DataFrame(figures).mean()
        self.measured.append({"records": records, **means.to_dict()})


def curve(
    table: FieldTable, data_dir: Path | None, seed: int, times: int, measurements: int
) -> tuple[pd.DataFrame, int]:
    """Train ``times`` the rule's budget; returns the measurements and the rule's own budget."""
    with default_run(table, data_dir, seed, times=times) as started:
        stop = started.budget
        at = np.linspace(0, times * stop, measurements, dtype=int)[1:-1].tolist()
        measure = Measure(started.run, started.test, at)
        learn(started.run, started.folder, extra_callbacks=(measure,))
    return pd.DataFrame(measure.measured).assign(seed=seed), stop


def draw(curves: pd.DataFrame, stop: int, path: Path) -> None:
    """Write the figure: a panel per figure, thin lines for seeds, a thick one for their mean."""
    figure, axes = plt.subplots(1, len(PANELS), figsize=(4.4 * len(PANELS), 3.4))
    for axis, (name, (label, ideal)), colour in zip(axes, PANELS.items(), COLOURS, strict=False):
        for _, one in curves.groupby("seed"):
            axis.plot(one["records"], one[name], color=colour, alpha=0.35, linewidth=1)
        mean = curves.groupby("records")[name].mean()
        axis.plot(mean.index, mean, color=colour, linewidth=2.2, marker="o", markersize=4)
        axis.axvline(stop, color="#555555", linestyle="--", linewidth=1)
        axis.axhline(ideal, color="#555555", linewidth=0.8)
        axis.text(stop, axis.get_ylim()[1], " stop", va="top", fontsize=8, color="#555555")
        axis.set_xlabel("records trained on")
        axis.set_ylabel(label)
    figure.tight_layout()
    save(figure, path)


def page(curves: pd.DataFrame, stop: int, table: str, command: str, image: str) -> str:
    """Return the Markdown page."""
    curves = curves.reset_index(drop=True)  # rows are found by label below
    grouped = curves.groupby("records")
    lines = [
        "# Memorisation over training",
        "",
        f"Made by `{command}`. PPO's default preset on {table}, trained past the budget of its "
        f"rule ({stop:,} records, dashed), {curves['seed'].nunique()} seeds. The learning rate "
        "falls over the longer budget, so the curve is only near that of a run which ends at the "
        f"dashed line. Every point is the mean of {DRAWS} tables as large as the training rows, "
        "judged on held-out rows, which choose nothing.",
        "",
        f"![held-out C2ST and membership excess against records trained on]({image})",
        "",
        "| records | C2ST | membership excess |",
        "|---|---|---|",
    ]
    for records, rows in grouped:
        cells = [
            f"{rows[name].mean():.3f} +- {rows[name].std(ddof=1) if len(rows) > 1 else 0:.3f}"
            for name in PANELS
        ]
        lines.append(f"| {records:,} | {' | '.join(cells)} |")
    best = curves.loc[curves.groupby("seed")["c2st"].idxmin()]
    near = curves.assign(distance=(curves["records"] - stop).abs())
    chosen = near.loc[near.groupby("seed")["distance"].idxmin()]
    above = float((chosen["c2st"].to_numpy() - best["c2st"].to_numpy()).mean())
    lines += [
        "",
        f"The measurement nearest to the stop is {above:.3f} above each seed's best C2ST on "
        f"average; its membership excess is {chosen['membership_excess'].mean():.3f}.",
    ]
    return "\n".join(lines) + "\n"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns 0, 2 for input that cannot be used, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--table", default="heart-failure", choices=list(FIELD_TABLES))
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--times", type=int, default=4, help="budget, in times the rule's (4)")
    parser.add_argument("--measurements", type=int, default=13)
    parser.add_argument("--docs", type=Path, default=PROJECT / "docs")
    return guarded(run, parser.parse_args(argv), goes_on=False)


def run(options: argparse.Namespace) -> int:
    """Run the seeds and write the page."""
    torch.set_num_threads(1)
    (table,) = choose_tables([options.table], options.data_dir)
    curves, stop = [], 0
    for seed in options.seeds:
        found, stop = curve(table, options.data_dir, seed, options.times, options.measurements)
        Console().print(found.round(3).to_string(index=False))
        curves.append(found)
    image = Path("images") / f"memorisation-{table.name}.svg"
    together = pd.concat(curves, ignore_index=True)
    draw(together, stop, options.docs / image)
    seeds = " ".join(map(str, options.seeds))
    command = f"python -m benchmarks.memorisation --table {table.name} --data-dir DIR"
    command += f" --seeds {seeds} --times {options.times}"
    text = page(together, stop, table.name, command, str(image))
    write_text(options.docs / "memorisation.md", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
