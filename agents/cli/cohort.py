"""Build a cohort from a raw release, or simulate one, and write it as a table with its schema.

rlsyn cohort mimic-iv --data-dir DIR --out mimic.parquet
rlsyn cohort ai-readi --data-dir DIR --cohort published --out days.csv.gz
rlsyn cohort simulated-ehr --rows 10000 --codes 300 --seed 1 --out ehr.parquet
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare one command per cohort, each with its own options."""
    from rlsyn_env.cohorts import COHORTS

    cohorts = parser.add_subparsers(dest="cohort_name", required=True, metavar="COHORT")
    for name, kind in COHORTS.items():
        command = cohorts.add_parser(
            name, help=kind.description, description=kind.description, allow_abbrev=False
        )
        add_cohort_options(command, kind.options, required=kind.needs_data)
        command.add_argument(
            "--seed", type=int, default=0, metavar="N", help="of what is drawn at random (0)"
        )
        command.add_argument(
            "--out", type=Path, required=True, metavar="FILE",
            help="CSV, CSV.gz or Parquet; its schema is written beside it as NAME.schema.yaml",
        )  # fmt: skip
        command.add_argument("--no-progress", action="store_true", help="no progress bar")


def add_cohort_options(
    parser: argparse._ActionsContainer, names: tuple[str, ...], *, required: bool = False
) -> None:
    """Declare options of :class:`CohortOptions`; those that are not given are absent."""
    absent: dict[str, Any] = {"default": argparse.SUPPRESS}
    details: dict[str, dict[str, Any]] = {
        "data_dir": {"metavar": "DIR", "help": "folder of your copy", "required": required},
        "phecode_map_dir": {
            "metavar": "DIR",
            "help": "folder of the two phecode maps; without it codes are grouped by ICD category",
        },
        "cohort": {"metavar": "WHICH", "help": "default, or published: the published choices"},
        "rows": {"type": int, "metavar": "N", "help": "rows to simulate"},
        "codes": {"type": int, "metavar": "N", "help": "code columns to simulate"},
    }
    for name in names:
        parser.add_argument(f"--{name.replace('_', '-')}", **absent, **details[name])


def run(arguments: argparse.Namespace) -> int:
    """Build, report what each rule dropped, write table and schema."""
    from rich.progress import Progress

    from agents.cli.options import progress_console, say
    from rlsyn_env.cohorts import COHORTS, CohortOptions, build_cohort
    from rlsyn_env.tables.training_data import infer_dataset_schema
    from rlsyn_env.tables.writer import write_table

    name: str = arguments.cohort_name
    schema_file = _check_out(arguments.out)
    given = {k: getattr(arguments, k) for k in COHORTS[name].options if hasattr(arguments, k)}
    console = progress_console(arguments)
    with Progress(console=console, disable=console is None, transient=True) as bar:
        task = bar.add_task(f"building {name}", total=1.0)
        cohort = build_cohort(
            name,
            CohortOptions(**given),
            seed=arguments.seed,
            progress=lambda share: bar.update(task, completed=share),
        )
    schema = infer_dataset_schema(cohort, derive=True)
    write_table(cohort.table, arguments.out)
    schema.save(schema_file)
    rows, columns = cohort.table.shape
    say(str(cohort.report))
    say(f"table   {arguments.out}  ({rows:,} x {columns:,})")
    say(f"schema  {schema_file}  (target {cohort.target!r}, group {cohort.group!r})")
    return 0


def _check_out(out: Path) -> Path:
    """Return where the schema goes; ConfigError before any work when a file cannot be written."""
    from importlib.util import find_spec

    from agents.cli.options import check_out_file
    from rlsyn_env.errors import ConfigError
    from rlsyn_env.tables.writer import TABLE_SUFFIXES

    check_out_file(out)
    suffix = next((s for s in TABLE_SUFFIXES if out.name.lower().endswith(s)), None)
    if suffix is None:
        raise ConfigError(f"--out {out}: the name must end in {', '.join(TABLE_SUFFIXES)}")
    if suffix in (".parquet", ".pq") and find_spec("pyarrow") is None:
        raise ConfigError(
            f"--out {out}: writing Parquet needs pyarrow: pip install 'rlsyn[parquet]', or write a "
            ".csv.gz"
        )
    schema_file = out.with_name(out.name[: -len(suffix)] + ".schema.yaml")
    for path in (out, schema_file):
        if path.exists():
            raise ConfigError(f"{path} exists; remove it or choose another name for --out")
    return schema_file
