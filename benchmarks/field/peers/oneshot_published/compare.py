"""Hold the peer against the plain loop: same table, same budget, several seeds.

    cd benchmarks/field/peers/oneshot_published
    PYTHONPATH=../shared:../../../.. python compare.py FOLDER --iterations 1500 --seeds 3

FOLDER holds train.csv, schema.yaml and test.csv (held-out rows). Prints, for both, the mean over
the seeds and its standard error of a tree C2ST against the held-out rows, of the mean KS statistic
of the columns and of the mean absolute difference of the correlation matrix, both against training
rows; then the difference and its standard error. Categories count as numbers 0, 1, 2, ...
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from one_shot import run_one_shot
from peer_table import Task
from plain_loop import run_plain_loop
from run import bits_of, settle_levels
from scipy.stats import ks_2samp
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from unit_records import UnitRecords

FIGURES = ("c2st", "ks", "correlation")


def numbers(task: Task, table: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Return ``(n, columns)`` float64, levels as their position, whole numbers rounded."""
    columns = []
    for name in task.table.columns:
        if name in task.levels:
            columns.append(pd.Categorical(table[name], categories=task.levels[name]).codes)
        else:
            values = table[name].to_numpy(dtype=np.float64)
            columns.append(values.round() if name in task.integers else values)
    return np.column_stack(columns).astype(np.float64)


def measure(
    train: npt.NDArray[np.float64],
    test: npt.NDArray[np.float64],
    synthetic: npt.NDArray[np.float64],
    seed: int,
) -> list[float]:
    """Return the three figures in the order of ``FIGURES``."""
    rng = np.random.default_rng(seed)
    drawn = synthetic[rng.permutation(len(synthetic))[: len(test)]]
    mixed = np.vstack([test[: len(drawn)], drawn])
    labels = np.repeat([1, 0], len(drawn))
    forest = RandomForestClassifier(200, min_samples_leaf=2, random_state=seed)
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    scores = cross_val_predict(forest, mixed, labels, cv=folds, method="predict_proba")[:, 1]
    columns = zip(train.T, synthetic.T, strict=True)
    ks = [ks_2samp(real, fake, method="asymp").statistic for real, fake in columns]
    with np.errstate(invalid="ignore", divide="ignore"):  # a column that collapsed has no r
        difference = np.abs(np.corrcoef(train.T) - np.nan_to_num(np.corrcoef(synthetic.T)))
    off_diagonal = ~np.eye(train.shape[1], dtype=bool)
    c2st = float(roc_auc_score(labels, scores))
    return [c2st, float(np.mean(ks)), float(difference[off_diagonal].mean())]


def main() -> None:
    """Run both and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--iterations", type=int, default=1500)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    task = Task.read(options.folder, 0)
    records = UnitRecords(task)
    is_bit = bits_of(task, records)
    test = pd.read_csv(
        options.folder / "test.csv",
        dtype={name: object for name in task.levels if name in task.table},
    )
    train_numbers, test_numbers = numbers(task, task.table), numbers(task, test)
    figures: dict[str, list[list[float]]] = {"environment": [], "plain loop": []}
    for seed in range(options.seeds):
        for name, rows in figures.items():
            started = time.perf_counter()
            n, budget = len(records.matrix), {"seed": seed, "iterations": options.iterations}
            generate = run_one_shot if name == "environment" else run_plain_loop
            matrix = generate(records.matrix, is_bit, n, **budget)
            seconds = time.perf_counter() - started
            settled = settle_levels(matrix, records, np.random.default_rng(seed))
            synthetic = numbers(task, records.frame(settled))
            rows.append(measure(train_numbers, test_numbers, synthetic, seed))
            shown = "  ".join(f"{k} {v:.3f}" for k, v in zip(FIGURES, rows[-1], strict=True))
            print(f"seed {seed}  {name:<12} {shown}  {seconds:.0f} s", flush=True)
    ours, plain = (np.array(rows) for rows in figures.values())
    print(f"\n{'':<12} {'environment':>16} {'plain loop':>16} {'difference':>16}")
    for i, figure in enumerate(FIGURES):
        cells, variance = [], 0.0
        for measured in (ours, plain):
            error = measured[:, i].std(ddof=1) / np.sqrt(len(measured))
            variance += error**2
            cells.append(f"{measured[:, i].mean():.3f} +- {error:.3f}")
        difference = ours[:, i].mean() - plain[:, i].mean()
        cells.append(f"{difference:+.3f} +- {variance**0.5:.3f}")
        print(f"{figure:<12} " + " ".join(f"{cell:>16}" for cell in cells))


if __name__ == "__main__":
    main()
