"""TabularARGN of mostlyai-engine with its defaults and a limit on training time."""

import torch
from mostlyai import engine
from peer_table import Task

task = Task.from_arguments(fill_missing=False)
torch.manual_seed(task.seed)
table = task.table.copy()
for name in task.integers:
    table[name] = table[name].astype("Int64")
types = {
    name: "TABULAR_CATEGORICAL" if name in task.levels else "TABULAR_NUMERIC_AUTO"
    for name in table.columns
}
model = engine.TabularARGN(
    tgt_encoding_types=types,
    max_training_time=10,  # minutes
    device="cpu",
    random_state=task.seed,
)
model.fit(table)
# Rare levels are masked in training; the other choice would write "_RARE_", which is no level.
drawn = model.sample(n_samples=len(table), rare_category_replacement_method="SAMPLE")
for name in task.levels:
    drawn[name] = drawn[name].astype(object).where(drawn[name].notna(), None)
for name in task.numeric:
    drawn[name] = drawn[name].astype("float64")
task.write(drawn)
