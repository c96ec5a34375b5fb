"""This project as a user runs it: ``train.py --algo ppo`` on the training rows, no test rows."""

import json
import shutil
import sys
from pathlib import Path

from agents.cli.main import main
from rlsyn_env.tables.derived.detection import derive_columns
from rlsyn_env.tables.reader import read_table
from rlsyn_env.tables.schema import TableSchema

folder, seed, options = Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
schema = TableSchema.load(folder / "schema.yaml")
train = read_table(folder / "train.csv", schema=schema)
# A schema that is passed is taken at its word: columns that the others determine are looked for
# here, as train.py does where it infers the schema itself.
derive_columns(schema, train).save(folder / "schema-derived.yaml")
command = ["train", "--algo", "ppo", "--data", "train.csv", "--schema", "schema-derived.yaml"]
command += ["--target", str(schema.target), "--test-size", "0", "--seed", seed, "--out", "run"]
command += ["--n-synthetic", str(len(train)), "--no-progress", *options]
code = main(command)
if code == 0:
    shutil.copyfile(folder / "run" / "synthetic.csv", folder / "synthetic.csv")
    notes = {"algorithm": "ppo", "options": " ".join(options)}
    (folder / "notes.json").write_text(json.dumps(notes) + "\n", encoding="utf-8")
sys.exit(code)
