"""Forest-Flow: ForestDiffusion's flow matching with XGBoost."""

import os

import numpy as np
import pandas as pd
from decimals import rounded
from ForestDiffusion import ForestDiffusionModel
from peer_table import Task

MOST_CATEGORICAL = 10

task = Task.from_arguments()
label = task.target if task.target in task.levels else None
binary = [name for name, levels in task.levels.items() if len(levels) == 2 and name != label]
categorical = [name for name, levels in task.levels.items() if len(levels) > 2 and name != label]
# The package finds the dummies of categorical column i by looking for "i_" in names such as "1_0",
# which also finds those of column 11: they stay apart as long as all have numbers of one digit.
if len(categorical) > MOST_CATEGORICAL:
    raise ValueError(f"{len(categorical)} categorical columns; {MOST_CATEGORICAL} at most")
names = [*categorical, *binary, *task.numeric]
codes = {
    name: pd.Categorical(task.table[name], categories=levels).codes
    for name, levels in task.levels.items()
}
matrix = np.column_stack(
    [codes[name] if name in codes else task.table[name] for name in names]
).astype(np.float64)
model = ForestDiffusionModel(
    matrix,
    label_y=None if label is None else codes[label].astype(np.float64),
    n_t=20,
    model="xgboost",
    diffusion_type="flow",
    duplicate_K=20,
    cat_indexes=[names.index(name) for name in categorical],
    bin_indexes=[names.index(name) for name in binary],
    int_indexes=[names.index(name) for name in task.integers],
    n_batch=0,
    n_jobs=int(os.environ.get("FIELD_THREADS", "1")),
    seed=task.seed,
)
drawn = model.generate(batch_size=len(matrix))
if label is not None:
    names.append(label)
frame = pd.DataFrame(drawn, columns=names)
for name, levels in task.levels.items():
    frame[name] = np.array(levels, dtype=object)[frame[name].round().astype(int)]
task.write(rounded(task, frame), {"conditioned_on": label or "nothing"})
