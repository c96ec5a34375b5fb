"""Adversarial random forests: arfpy with its defaults."""

import pandas as pd
from arfpy import arf
from decimals import rounded
from peer_table import Task

task = Task.from_arguments()
table = task.table.copy()
for name, levels in task.levels.items():
    table[name] = pd.Categorical(table[name], categories=levels)
model = arf.arf(x=table, verbose=False)
model.forde()
drawn = model.forge(n=len(table))
for name in task.levels:
    drawn[name] = drawn[name].astype(object)
task.write(rounded(task, drawn))
