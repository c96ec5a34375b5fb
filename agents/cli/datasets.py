"""List the embedded tables."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """It takes none."""


def run(arguments: argparse.Namespace) -> int:
    """Print a table of the embedded datasets."""
    from rich.table import Table

    from agents.cli.options import output_console
    from rlsyn_env.tables.datasets import DATASETS, load_dataset

    table = Table("dataset", "rows", "columns", "target", "description")
    for name in DATASETS:
        dataset = load_dataset(name)
        rows, columns = dataset.table.shape
        table.add_row(name, str(rows), str(columns), str(dataset.target), dataset.description)
    output_console().print(table)
    return 0
