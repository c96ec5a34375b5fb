"""What a trained run yields: its model, a synthetic table, and the judgement on held-out rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from agents.runs.config import TrainConfig, save_yaml
from agents.generation import Generator, generate
from agents.runs.run_data import RunData
from agents.runs.run_folder import RunFolder
from agents.runs.training import Run
from rlsyn_env.files import atomic_path
from rlsyn_env.metrics import Report, evaluate
from rlsyn_env.tables.writer import TableWriter


def export_model(run: Run, folder: RunFolder) -> None:
    """Write ``model/``: the agent, and what it takes to rebuild it without the table."""
    folder.model.mkdir(exist_ok=True)
    with atomic_path(folder.agent_file) as temporary:
        run.model.save(temporary, exclude=["_last_obs", "ep_info_buffer"])
    save_yaml(
        folder.generator_file,
        {
            "algo": run.config.algo,
            "env_id": run.config.env,
            "n_envs": run.config.n_envs,
            "hyperparams": run.config.hyperparams,
        },
    )


def write_synthetic(
    generator: Generator,
    path: Path,
    n: int,
    *,
    seed: int,
    fixed: dict[str, object] | None = None,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Generate ``n`` rows into a CSV or Parquet file, in constant memory and atomically.

    Args:
        generator: a trained one.
        path: its suffix gives the format.
        n: rows.
        seed: the same seed gives the same file.
        fixed: values that columns are pinned to.
        progress: called with the number of rows of each chunk written.

    Raises:
        RLSynError: for a suffix that is not known, or values that cannot be fixed.
        OSError: when the file cannot be written; an older file of that name stays as it was.
    """
    chunks = generate(generator, n, seed=seed, fixed=fixed)
    with TableWriter(path, generator.encoder.schema) as writer:
        for chunk in chunks:
            writer.write(chunk)
            if progress is not None:
                progress(len(chunk))


def judge(
    data: RunData,
    synthetic: pd.DataFrame,
    config: TrainConfig,
    progress: Callable[[str, float], None] | None = None,
) -> Report | None:
    """Judge a synthetic table on the run's held-out rows; None where there are none.

    Args:
        data: of the run.
        synthetic: rows with the columns of its table.
        config: of the run; its seed is used.
        progress: called with what comes next and the share that is done.
    """
    if data.test_table is None or len(data.test_table) == 0:
        return None
    return evaluate(
        data.train,
        data.test_table,
        synthetic,
        schema=data.schema,
        target=data.schema.target,
        group=data.schema.group,
        seed=config.seed,
        progress=progress,
    )
