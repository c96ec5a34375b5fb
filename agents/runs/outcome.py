"""What a trained run yields: its model, a synthetic table, and the judgement on held-out rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from agents.generation import MODEL_FORMAT, Generator, generate
from agents.judging import JudgedTables
from agents.runs.config import save_yaml
from agents.runs.run_data import RunData
from agents.runs.run_folder import RunFolder
from agents.runs.training import Run
from rlsyn_env.files import atomic_path
from rlsyn_env.tables.writer import TableWriter


def export_model(run: Run, folder: RunFolder) -> None:
    """Write ``model/``: the agent, and what it takes to rebuild it without the table."""
    folder.model.mkdir(exist_ok=True)
    with atomic_path(folder.agent_file) as temporary:
        run.model.save(temporary, exclude=["_last_obs", "ep_info_buffer"])
    save_yaml(
        folder.generator_file,
        {
            "format": MODEL_FORMAT,
            "algo": run.config.algo,
            "env_id": run.config.env,
            "n_envs": run.config.n_envs,
            "hyperparams": run.config.hyperparams,
            "rows": run.data.n_independent,
        },
    )


def write_synthetic(
    generator: Generator,
    path: Path,
    n: int,
    *,
    seed: int,
    fixed: dict[str, object] | None = None,
    enforce: bool = False,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Generate ``n`` rows into a CSV or Parquet file, in constant memory and atomically.

    Args:
        generator: a trained one.
        path: its suffix gives the format.
        n: rows.
        seed: the same seed gives the same file.
        fixed: values that columns are pinned to.
        enforce: no row breaks a constraint, see :func:`agents.generation.generate`.
        progress: called with the number of rows of each chunk written.

    Raises:
        RLSynError: for a suffix that is not known, values that cannot be fixed, or constraints
            that hardly any record satisfies.
        OSError: when the file cannot be written; an older file of that name stays as it was.
    """
    chunks = generate(generator, n, seed=seed, fixed=fixed, enforce=enforce)
    with TableWriter(path, generator.encoder.schema) as writer:
        for chunk in chunks:
            writer.write(chunk)
            if progress is not None:
                progress(len(chunk))


def judged_tables(data: RunData, synthetic: pd.DataFrame) -> JudgedTables | None:
    """The tables that a run is judged on; None where no rows were held out.

    Args:
        data: of the run.
        synthetic: rows with the columns of its table.
    """
    if data.test_table is None or len(data.test_table) == 0:
        return None
    return JudgedTables(data.train, data.test_table, synthetic, data.schema)


def run_provenance(folder: RunFolder) -> dict[str, str]:
    """Where a run's synthetic table comes from, for the page: command, seed, versions, table."""
    saved = folder.load_config()
    options, table = saved["options"], saved["table"]
    commands = folder.command_file.read_text(encoding="utf-8").splitlines()
    return {
        "run": str(folder.path),
        "trained by": "; ".join(commands),
        "training seed": str(options["seed"]),
        "training started": str(saved["started"]),
        "training versions": ", ".join(f"{k} {v}" for k, v in saved["versions"].items()),
        "table": (
            f"{table['path'] or options['dataset']}, {table['rows']:,} rows, "
            f"SHA-256 {table['sha256']}"
        ),
    }
