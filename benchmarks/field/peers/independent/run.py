"""Independent marginals: uniform records through the untrained encoder."""

import sys
from pathlib import Path

import numpy as np

from rlsyn_env.tables.encoder import RecordEncoder
from rlsyn_env.tables.inference import load_schema
from rlsyn_env.tables.reader import read_table
from rlsyn_env.tables.schema import TableSchema

folder, seed = Path(sys.argv[1]), int(sys.argv[2])
train = read_table(folder / "train.csv", schema=TableSchema.load(folder / "schema.yaml"))
encoder = RecordEncoder.fit(train, load_schema(folder / "schema.yaml", train))
records = np.random.default_rng(seed).random((len(train), encoder.n_features), dtype=np.float32)
encoder.decode(records).to_csv(folder / "synthetic.csv", index=False)
