"""CART: python-synthpop's CARTMethod on level codes and numbers."""

from __future__ import annotations

import pandas as pd
from peer_table import Task
from synthpop import CARTMethod


def run(*, seeded: bool) -> None:
    """Fit one tree per column, draw, write.

    Args:
        seeded: hand the seed to the method. Its bootstrap of the rows that trees are fitted on and
            of the rows that it starts from are then one and the same draw. Otherwise both come
            from NumPy's global generator, which the task has seeded.
    """
    task = Task.from_arguments()
    codes = pd.DataFrame(
        {
            name: task.table[name].map({level: k for k, level in enumerate(task.levels[name])})
            if name in task.levels
            else task.table[name]
            for name in task.table.columns
        }
    )
    kinds = {name: "categorical" if name in task.levels else "numerical" for name in codes.columns}
    random_state = task.seed if seeded else None
    method = CARTMethod(kinds, proper=True, minibucket=5, random_state=random_state)
    method.fit(codes)
    if len(method.models) < codes.shape[1]:  # it logs a failure and goes on without the column
        raise RuntimeError(f"no tree for {sorted(set(codes.columns) - set(method.models))}")
    drawn = method.sample(len(codes))
    for name, levels in task.levels.items():
        drawn[name] = [levels[int(code)] for code in drawn[name]]
    task.write(drawn)
