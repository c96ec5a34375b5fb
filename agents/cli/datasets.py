"""List the embedded tables, and the cohorts that can be built."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """It takes none."""


def run(arguments: argparse.Namespace) -> int:
    """Print a table of the embedded datasets and one of the cohorts."""
    from rich.table import Table

    from agents.cli.options import output_console
    from rlsyn_env.cohorts import COHORTS
    from rlsyn_env.tables.datasets import DATASETS, load_dataset

    table = Table("dataset", "rows", "columns", "target", "description")
    for name in DATASETS:
        dataset = load_dataset(name)
        rows, columns = dataset.table.shape
        table.add_row(name, str(rows), str(columns), str(dataset.target), dataset.description)
    cohorts = Table("cohort", "built with --dataset or by 'rlsyn cohort'")
    for name, kind in COHORTS.items():
        cohorts.add_row(name, kind.description)
    output_console().print(table)
    output_console().print(cohorts)
    return 0
