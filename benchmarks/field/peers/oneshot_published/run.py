"""The published one-shot RLSyn (Espinosa-Dice et al., arXiv 2512.21395) as a peer.

Settings are those of the paper's AI-READI runs (github.com/natalia-espinosadice/RLSyn): policy and
discriminator 2 x 128, noise 112, batch 384, Adam 2e-4 and 5e-5, three PPO epochs over the whole
batch, five discriminator steps per iteration, R1 5, clip 0.1, value weight 0.5, entropy weight
1e-3, reward sigmoid(D), 30,000 iterations. Numbers min-max scaled, tanh-Gaussian; levels as
independent Bernoulli bits.

The published code also adds a penalty on the batch means to the policy's loss; it is computed from
sampled rows and so has no gradient: it is left out.

Ours: what several bits of one column mean together, when none or more than one is on (see
``settle_levels``); and the number of iterations, where peer.yaml asks for fewer.
"""

from __future__ import annotations

import argparse
import os
import time

import numpy as np
import numpy.typing as npt
import torch
from one_shot import ITERATIONS, run_one_shot
from peer_table import Task
from unit_records import UnitRecords


def bits_of(task: Task, records: UnitRecords) -> npt.NDArray[np.bool_]:
    """Return ``(d,)`` bool: which coordinates of the matrix are levels."""
    is_bit = np.zeros(records.matrix.shape[1], dtype=bool)
    for name, start, stop in records.blocks:
        is_bit[start:stop] = name in task.levels
    return is_bit


def settle_levels(
    matrix: npt.NDArray[np.float32], records: UnitRecords, rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Leave one bit on in every column of more than two levels.

    Among the bits that are on (among all of them when none is) one is drawn in proportion to the
    level's training share.

    Args:
        matrix: ``(n, d)`` synthetic records with bits 0 or 1.
        records: whose blocks say which coordinates belong together.
        rng: draws the levels.
    """
    settled = matrix.copy()
    for _, start, stop in records.blocks:
        if stop - start < 2:
            continue
        bits = matrix[:, start:stop] > 0.5
        candidates = np.where(bits.any(axis=1, keepdims=True), bits, True)
        odds = np.cumsum(candidates * records.matrix[:, start:stop].mean(axis=0), axis=1)
        drawn = rng.random((len(matrix), 1)) * odds[:, -1:]
        settled[:, start:stop] = np.eye(stop - start)[(odds[:, :-1] <= drawn).sum(axis=1)]
    return settled


def parse(options: list[str]) -> argparse.Namespace:
    """Read the further arguments of the command line."""
    parser = argparse.ArgumentParser(description="published one-shot RLSyn")
    parser.add_argument("--iterations", type=int, default=ITERATIONS, help="of 384 records")
    return parser.parse_args(options)


def main() -> None:
    """Train on FOLDER/train.csv and write FOLDER/synthetic.csv."""
    task = Task.from_arguments()
    options = parse(task.options)
    torch.set_num_threads(int(os.environ.get("FIELD_THREADS", "1")))
    records = UnitRecords(task)
    started = time.perf_counter()
    matrix = run_one_shot(
        records.matrix,
        bits_of(task, records),
        len(records.matrix),
        seed=task.seed,
        iterations=options.iterations,
    )
    seconds = time.perf_counter() - started
    settled = settle_levels(matrix, records, np.random.default_rng(task.seed))
    task.write(
        records.frame(settled),
        notes={"iterations": options.iterations, "training_seconds": round(seconds, 1)},
    )


if __name__ == "__main__":
    main()
