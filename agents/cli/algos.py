"""List the algorithms and the action spaces each takes."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agents.registry import Preset


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """It takes none."""


def run(arguments: argparse.Namespace) -> int:
    """Print a table of the registry."""
    from rich.table import Table

    from agents.cli.options import output_console
    from agents.registry import ALGORITHMS, get_algorithm

    table = Table("algorithm", "action spaces", "environment", "records", "environments")
    for name in ALGORITHMS:
        algorithm = get_algorithm(name)
        preset = algorithm.preset
        table.add_row(
            name,
            ", ".join(sorted(algorithm.action_spaces)),
            algorithm.default_env_id,
            _budget(preset),
            str(preset.n_envs),
        )
    output_console().print(table)
    return 0


def _budget(preset: Preset) -> str:
    """A number of records, or "from A" where a rule of the table's rows gives it."""
    from agents.hyperparameters import resolve

    if isinstance(preset.total_records, int):
        return f"{preset.total_records:,}"
    rules = [preset.total_records, preset.smooth_total_records]
    return f"from {min(resolve(rule, 1, rows=1) for rule in rules if rule is not None):,}"
