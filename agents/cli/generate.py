"""Write synthetic records with a trained run; the training table is not needed."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("run_folder", metavar="RUN", help="a run's folder")
    add("-n", type=int, required=True, dest="n", metavar="N", help="number of records")
    add("--out", type=Path, required=True, metavar="FILE", help=".csv, .csv.gz or .parquet")
    add("--seed", type=int, default=0, help="the same seed gives the same file (0)")
    add(
        "--fixed", nargs="+", action="extend", default=[], metavar="COLUMN=VALUE",
        help="values that every record shall have",
    )  # fmt: skip
    add(
        "--enforce-constraints", action="store_true",
        help="write no record that breaks a constraint of the run's schema: such are drawn anew",
    )  # fmt: skip
    add("--device", default="cpu", help="torch device (cpu)")
    add("--threads", type=int, default=1, metavar="N", help="torch threads (1)")
    add("--overwrite", action="store_true", help="replace --out when it exists")
    add("--no-progress", action="store_true", help="no progress bar")


def run(arguments: argparse.Namespace) -> int:
    """Generate into the file, atomically and in constant memory."""
    import time

    import torch
    from rich.progress import Progress

    from agents.cli.options import (
        NO_CONSTRAINTS,
        check_out_file,
        note,
        parse_fixed,
        progress_console,
        say,
    )
    from agents.generation import load_generator
    from agents.runs.outcome import write_synthetic
    from rlsyn_env.errors import ConfigError

    out: Path = arguments.out
    check_out_file(out)
    if out.exists() and not arguments.overwrite:
        raise ConfigError(f"--out {out} exists; add --overwrite or choose another name")
    if arguments.n < 1:
        raise ConfigError(f"-n must be at least 1, got {arguments.n}")
    if arguments.seed < 0:
        raise ConfigError(f"--seed must not be negative, got {arguments.seed}")
    if arguments.threads < 1:
        raise ConfigError(f"--threads must be at least 1, got {arguments.threads}")
    torch.set_num_threads(arguments.threads)
    fixed = parse_fixed(arguments.fixed)
    generator = load_generator(arguments.run_folder, arguments.device)
    if arguments.enforce_constraints and not generator.encoder.schema.constraints:
        note(NO_CONSTRAINTS)
    started = time.monotonic()
    console = progress_console(arguments)
    with Progress(console=console, disable=console is None, transient=True) as bar:
        task = bar.add_task("generating", total=arguments.n)
        write_synthetic(
            generator,
            out,
            arguments.n,
            seed=arguments.seed,
            fixed=fixed,
            enforce=arguments.enforce_constraints,
            progress=lambda rows: bar.update(task, advance=rows),
        )
    speed = arguments.n / max(time.monotonic() - started, 1e-9)
    say(f"{arguments.n:,} records in {out} ({speed:,.0f} records/s)")
    return 0
