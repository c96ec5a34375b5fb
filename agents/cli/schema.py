"""Infer the schema of a table and print it as YAML, to correct and pass back with --schema.

Kinds, levels and formulas are those of all rows. Bounds are left to the training rows of a run;
"bounds: [low, high]" under a column states them.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from agents.cli.options import column_name


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("table", help="CSV or Parquet file, or the name of an embedded table")
    parser.add_argument("--target", type=column_name, help="column to predict")
    parser.add_argument("--group", type=column_name, help="column whose groups are never split")
    parser.add_argument(
        "--drop", action="append", default=[], metavar="A,B", help="columns to drop"
    )
    parser.add_argument(
        "--no-derived", action="store_true", help="seek no columns that others determine"
    )
    parser.add_argument("--out", type=Path, help="write here instead of printing")


def run(arguments: argparse.Namespace) -> int:
    """Print or write the schema; notices go to standard error."""
    from agents.cli.options import check_out_file, split_names
    from rlsyn_env.errors import ConfigError
    from rlsyn_env.tables.datasets import load_dataset
    from rlsyn_env.tables.training_data import infer_dataset_schema

    if arguments.out is not None:
        check_out_file(arguments.out)
        if arguments.out.exists():
            raise ConfigError(f"--out {arguments.out} exists; remove it or choose another name")
    dataset = load_dataset(arguments.table)
    schema = infer_dataset_schema(
        dataset,
        target=arguments.target,
        group=arguments.group,
        drop=split_names(arguments.drop),
        derive=not arguments.no_derived,
    )
    for notice in schema.notices():
        print(f"note: {notice}", file=sys.stderr)
    if arguments.out is None:
        print(schema.to_yaml(), end="")
    else:
        schema.save(arguments.out)
    return 0
