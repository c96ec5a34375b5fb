"""Every algorithm with its default preset on two small tables, and the table of what came out.

    python benchmarks/algorithms.py --jobs 2 --out runs/algorithms --table docs/algorithms.md

Each cell is one run of the command line in a process of its own: an algorithm, a table, a seed.
Finished cells are kept in ``results.jsonl`` and skipped the next time. A cell that fails or takes
longer than ``--limit`` seconds is a result too.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tables import dependent_categories

from agents.registry import ALGORITHMS, get_algorithm
from rlsyn_env.files import write_text

ROOT = Path(__file__).resolve().parent.parent
Cell = tuple[str, str, int]


def table_options(name: str, out: Path) -> list[str]:
    """Command-line options that select a table; the made-up one is written beside the results."""
    if name != "categories":
        return ["--dataset", name]
    path = out / "categories.csv"
    if not path.exists():
        dependent_categories().to_csv(path, index=False)
    return ["--data", str(path)]


def distinct_share(table: pd.DataFrame) -> float:
    """Share of rows that remain when duplicates are dropped."""
    return len(table.drop_duplicates()) / len(table)


def run_cell(cell: Cell, out: Path, limit: float) -> dict[str, Any]:
    """Train, generate and judge; returns what is written to ``results.jsonl``."""
    algorithm, name, seed = cell
    folder = out / "runs" / f"{algorithm.lower()}-{name}-{seed}"
    command = [sys.executable, str(ROOT / "train.py"), "--algo", algorithm.lower(), "--no-progress"]
    command += [*table_options(name, out), "--seed", str(seed), "--out", str(folder), "--overwrite"]
    result: dict[str, Any] = {"algorithm": algorithm, "table": name, "seed": seed}
    start = time.perf_counter()
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)
    except subprocess.TimeoutExpired:
        return {**result, "error": f"longer than {limit:.0f} s"}
    result["seconds"] = time.perf_counter() - start
    if done.returncode != 0:
        return {**result, "error": done.stderr.strip().splitlines()[-1]}
    metrics = json.loads((folder / "metrics.json").read_text())["metrics"]
    trends, membership = metrics["pair_trends"], metrics["membership_excess"]
    return {
        **result,
        "before": trends["reference"]["independent"],
        "after": trends["value"],
        "real": trends["reference"]["real"],
        "shapes": metrics["column_shapes"]["value"],
        "c2st": metrics["c2st"]["value"],
        "membership_excess": membership["value"],
        "distinct": distinct_share(pd.read_csv(folder / "synthetic.csv")),
    }


def run_all(cells: Iterable[Cell], out: Path, jobs: int, limit: float) -> None:
    """Run the cells that have no result yet, ``jobs`` at a time."""
    file, lock = out / "results.jsonl", threading.Lock()
    finished = {(r["algorithm"], r["table"], r["seed"]) for r in read_results(file)}

    def work(cell: Cell) -> None:
        result = run_cell(cell, out, limit)
        with lock:
            with file.open("a") as stream:
                stream.write(json.dumps(result) + "\n")
            print(json.dumps(result), flush=True)

    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(work, [cell for cell in cells if cell not in finished]))


def read_results(file: Path) -> list[dict[str, Any]]:
    """Results so far."""
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def _spread(values: pd.Series, digits: int = 3) -> str:
    return f"{values.mean():.{digits}f} ± {values.std(ddof=1):.{digits}f}"


def markdown(results: list[dict[str, Any]]) -> str:
    """One Markdown table per data table: means over seeds with their standard deviation."""
    frame = pd.DataFrame(results)
    lines = []
    for name, group in frame.groupby("table", sort=False):
        lines += [
            f"## {name}",
            "",
            f"Real rows among themselves: pair trends {group['real'].mean():.3f}.",
            "",
            "| algorithm | pair trends before | after | closer in | column shapes | C2ST "
            "| membership excess | distinct | seconds |",
            "|---|---|---|---|---|---|---|---|---|",
        ]
        for algorithm in ALGORITHMS:
            rows = group[group["algorithm"] == algorithm]
            if not len(rows):
                continue
            good = rows.dropna(subset=["after"]) if "after" in rows else rows.iloc[:0]
            if not len(good):
                lines.append(f"| {algorithm} | no result: {list(rows.get('error', []))} |")
                continue
            closer = int((good["after"] < good["before"]).sum())
            lines.append(
                f"| {algorithm} | {_spread(good['before'])} | {_spread(good['after'])} "
                f"| {closer} of {len(rows)} | {_spread(good['shapes'])} "
                f"| {_spread(good['c2st'], 2)} | {_spread(good['membership_excess'])} "
                f"| {good['distinct'].mean():.2f} "
                f"| {np.round(good['seconds'].mean()):.0f} |"
            )
        lines.append("")
    return "\n".join(lines)


HEADER = """# The thirteen algorithms, each with its default preset

Made by `python benchmarks/algorithms.py --jobs 2 --out runs/algorithms --table docs/algorithms.md`.

Pair trends are the mean distance of pairwise associations from held-out rows (0 is the same);
*before* is that of independent columns, which is what every policy starts from, *after* is that of
the trained generator's table. *closer in* counts the seeds in which after is below before. Figures
are means over seeds with their standard deviation, on held-out rows; a seed fixes the split too.
Membership excess is the AUC of a distance attack above that of independent columns (0: no more
is revealed). *distinct* is the share of different records in a table of the training rows' size.
*seconds* is the whole command: start, training, generation and judging; `--jobs` of them ran at a
time, beside other work, so they are no more than an order of size. `categories` is a made-up table
of six categorical columns with strong dependence, where jitter cannot fake diversity. PPO, A2C and
TRPO play with the autoregressive policy.
"""


def algorithm_name(text: str) -> str:
    """Return the registry's name for ``text``, whatever its case: results are looked up by it."""
    return get_algorithm(text).name


def main() -> None:
    """Run what is missing and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("runs/algorithms"))
    parser.add_argument("--table", type=Path, help="Markdown file to write")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--tables", nargs="+", default=["diabetes", "categories"])
    parser.add_argument(
        "--algorithms",
        nargs="+",
        default=list(ALGORITHMS),
        type=algorithm_name,
    )
    parser.add_argument("--limit", type=float, default=600.0, help="seconds per cell")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for name in args.tables:
        table_options(name, args.out)
    cells = [(a, t, s) for s in args.seeds for t in args.tables for a in args.algorithms]
    run_all(cells, args.out, args.jobs, args.limit)
    text = HEADER + "\n" + markdown(read_results(args.out / "results.jsonl"))
    if args.table:
        write_text(args.table, text)
    else:
        print(text)


if __name__ == "__main__":
    main()
