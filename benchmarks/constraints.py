"""What telling a run its constraints is worth: broken records with and without, and fidelity.

    python -m benchmarks.constraints
    python -m benchmarks.constraints --rows 3000 --codes 80 --seeds 0 1 2

Simulated patients with codes of one sex, children that need their parent, and pressures in order.
PPO's default preset is trained on them without rules, with rules and no reward term, and with rules
as it comes; the last one's records are drawn once more with rules enforced. Held-out rows are a
fresh draw of the same population. Writes docs/constraints.md.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
import torch
from rich.console import Console

from agents.generation import generate, load_generator
from agents.runs.config import TrainConfig
from agents.runs.outcome import export_model
from agents.runs.run_data import load_run_data
from agents.runs.run_folder import RunFolder
from agents.runs.training import build_run, learn, start_run
from benchmarks.field.cli import guarded
from benchmarks.field.markdown import Section, spread_text, to_markdown
from benchmarks.field.peer_folders import PROJECT
from benchmarks.field.summary import Spread
from rlsyn_env.datasets import simulate_ehr
from rlsyn_env.files import write_text
from rlsyn_env.metrics import evaluate
from rlsyn_env.tables.constraints import Constraints
from rlsyn_env.tables.datasets.simulate.ehr import SimulatedEhr, draw_patients
from rlsyn_env.tables.inference import infer_schema

COUNTED = 20_000  # records that the share of broken ones is taken of
HELD_OUT = 5_000
FIGURES = {
    "broken": "records that break a rule",
    "c2st": "C2ST",
    "pair_trends": "pair trends",
    "s2r_over_r2r": "S2R / R2R",
    "membership_excess": "membership excess",
}
NO_RULES, NO_TERM = "no rules in the schema", "rules, no reward term"
DEFAULT, ENFORCED = "rules (the default)", "rules, and enforced"
ARMS: dict[str, dict[str, float]] = {NO_RULES: {}, NO_TERM: {"constraints": 0.0}, DEFAULT: {}}

INTRODUCTION = """\
# Constraints: broken records with and without

Made by `{command}`. {rows:,} simulated patients x {columns} columns with {rules} rules. PPO's
default preset, trained on all of them and judged on {held_out:,} fresh patients, who break none.
The first line has a schema without rules, so its imitation may hide one side of a rule and its
reward knows none; the second's imitation and policy know them, and its reward does not; the third
is what a run does by default; the fourth draws the third's records anew where they break one.
Broken records are counted among {counted:,}. Means over seeds {seeds} with their standard
deviation.
"""


def judge(cohort: SimulatedEhr, synthetic: pd.DataFrame, seed: int) -> dict[str, float]:
    """Return the figures of a synthetic table; C2ST and the rest on as many rows as trained on."""
    broken = Constraints(cohort.constraints, cohort.table).broken(synthetic)
    fresh = draw_patients(cohort.population, HELD_OUT, seed=1000 + seed)
    report = evaluate(
        cohort.table,
        fresh,
        synthetic.head(len(cohort.table)),
        target=cohort.target,
        seed=seed,
        n_bootstrap=2,
    )
    figures = {name: report.metrics[name].value for name in FIGURES if name != "broken"}
    return {"broken": float(broken.any(axis=1).mean()), **figures}


def measure(
    rows: int, codes: int, seed: int, budget: int | None, counted: int
) -> list[dict[str, object]]:
    """Train every arm on one cohort; returns the figures of each."""
    cohort = simulate_ehr(rows, codes, seed=seed)
    plain = infer_schema(cohort.table, target=cohort.target)
    found: list[dict[str, object]] = []

    def draw(folder: RunFolder, enforce: bool) -> pd.DataFrame:
        n = max(counted, rows)
        return pd.concat(generate(load_generator(folder), n, seed=seed, enforce=enforce))

    with tempfile.TemporaryDirectory() as temporary:
        where = Path(temporary)
        cohort.table.to_csv(where / "train.csv", index=False)
        for arm, weights in ARMS.items():
            rules = () if arm == NO_RULES else cohort.constraints
            replace(plain, constraints=rules).save(where / "schema.yaml")
            config = TrainConfig(
                algo="ppo",
                data=str(where / "train.csv"),
                schema=str(where / "schema.yaml"),
                target=cohort.target,
                test_size=0.0,
                seed=seed,
                reward_terms=weights,
                total_records=budget,
            )
            folder = RunFolder(where / f"run-{len(found)}")
            run = build_run(config, load_run_data(config))
            start_run(run, folder, "benchmarks/constraints.py")
            learn(run, folder)
            export_model(run, folder)
            found.append({"arm": arm, "seed": seed, **judge(cohort, draw(folder, False), seed)})
        found.append({"arm": ENFORCED, "seed": seed, **judge(cohort, draw(folder, True), seed)})
    return found


def page(found: pd.DataFrame, **facts: object) -> str:
    """Return the Markdown page."""
    rows = [["run", *FIGURES.values()]]
    for arm, cells in found.groupby("arm", sort=False):
        spreads = (Spread.of(cells[name].tolist()) for name in FIGURES)
        texts = [spread_text(spread, 4 if k == 0 else 3) for k, spread in enumerate(spreads)]
        rows.append([str(arm), *texts])
    return to_markdown([Section("Figures", "", rows)], INTRODUCTION.format(**facts))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns 0, 2 for input that cannot be used, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.constraints", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--rows", type=int, default=3000)
    parser.add_argument("--codes", type=int, default=80)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--total-records", type=int, help="budget (the preset's)")
    parser.add_argument("--counted", type=int, default=COUNTED, help=f"records ({COUNTED:,})")
    parser.add_argument("--docs", type=Path, default=PROJECT / "docs")
    return guarded(run, parser.parse_args(argv), goes_on=False)


def run(options: argparse.Namespace) -> int:
    """Run the seeds and write the page."""
    torch.set_num_threads(1)
    found: list[dict[str, object]] = []
    for seed in options.seeds:
        found += measure(options.rows, options.codes, seed, options.total_records, options.counted)
        frame = pd.DataFrame(found)
        shown = frame[frame["seed"] == seed].round(4).to_string(index=False)
        Console().print(shown, soft_wrap=True)
    cohort = simulate_ehr(options.rows, options.codes, seed=options.seeds[0])
    seeds = " ".join(map(str, options.seeds))
    command = f"python -m benchmarks.constraints --rows {options.rows} --codes {options.codes}"
    text = page(
        pd.DataFrame(found),
        command=f"{command} --seeds {seeds}",
        rows=options.rows,
        columns=cohort.table.shape[1],
        rules=len(cohort.constraints),
        held_out=HELD_OUT,
        counted=max(options.counted, options.rows),
        seeds=seeds.replace(" ", ", "),
    )
    write_text(options.docs / "constraints.md", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
