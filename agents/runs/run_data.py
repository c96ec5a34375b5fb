"""The rows of a run: which table, which row plays which role, and proof that it is the same."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from agents.callbacks.judge import check_judgeable
from agents.callbacks.selection import SelectionConfig
from agents.factory import is_autoregressive
from agents.registry import get_algorithm
from agents.runs.config import TrainConfig
from agents.runs.run_folder import RunFolder
from rlsyn_env.cohorts import (
    COHORTS,
    CohortOptions,
    build_cohort,
    flag,
    given_options,
)
from rlsyn_env.errors import ConfigError, RLSynError, TableError
from rlsyn_env.files import write_text
from rlsyn_env.tables.datasets import Dataset, load_dataset
from rlsyn_env.tables.datasets.cohort_report import CohortReport
from rlsyn_env.tables.datasets.dataset import Cohort
from rlsyn_env.tables.encoder import RecordEncoder
from rlsyn_env.tables.reader import read_table
from rlsyn_env.tables.schema import TableSchema
from rlsyn_env.tables.splits import Split, first_of_groups, split_rows
from rlsyn_env.tables.training_data import prepare_schema, settle_schema

DEFAULT_DATASET = "breast_cancer"
VALIDATION_SHARE = 0.15


@dataclass(frozen=True)
class RunData:
    """A loaded table, its schema and its split.

    Attributes:
        name: of the dataset, or the file's stem.
        table: every row.
        schema: kinds and levels; bounds that are not stated come from the training rows.
        split: row numbers of ``table``; ``split.test`` is empty when the test rows are in a file.
        test_table: held-out rows; None when nothing is judged.
        fingerprints: path, rows and SHA-256 of the table and of the test table.
        report: of a cohort: the rows that each of its rules dropped.
    """

    name: str
    table: pd.DataFrame
    schema: TableSchema
    split: Split
    test_table: pd.DataFrame | None
    fingerprints: dict[str, Any]
    report: CohortReport | None = None

    @property
    def train(self) -> pd.DataFrame:
        """Rows that the discriminator takes for real; the encoder is fitted on them."""
        return self.table.iloc[self.split.train]

    @property
    def validation(self) -> pd.DataFrame:
        """Rows that nothing trains on, for choices during training."""
        return self.table.iloc[self.split.validation]

    @property
    def n_independent(self) -> int:
        """Groups among the training rows, or rows without: ``rows`` in a preset's rules."""
        return int(first_of_groups(self.train, self.schema.group).sum())

    def fit_encoder(self) -> RecordEncoder:
        """Fit the encoder on the training rows."""
        return RecordEncoder.fit(self.train, self.schema)


def validation_share(config: TrainConfig, rows: int, groups: int) -> float:
    """Share of the rows beside the test rows that are kept from training.

    A few hundred rows are worth more to the generator than to a choice that they are too few to
    make: below the fewest that snapshots are chosen by, none are kept, nor where they would be of
    one group or the policy imitates nothing and chooses nothing, unless the judge during
    training or the discriminator's gap target asks for some.

    Args:
        config: options; ``validation_size`` overrides the rule.
        rows: number of rows that are not test rows.
        groups: of these rows; their number where there are no groups.

    Raises:
        ConfigError: the algorithm or an option that the rule looks at does not exist.
    """
    if config.validation_size is not None:
        return config.validation_size
    algorithm = get_algorithm(config.algo)
    preset = algorithm.preset
    adversary = {**preset.adversary, **(config.settings.get("adversary") or {})}
    if config.judge_every is not None or adversary.get("gap_target") is not None:
        return VALIDATION_SHARE
    if not is_autoregressive(algorithm, config.env or algorithm.default_env_id, config.hyperparams):
        return 0.0
    given = {name: config.settings.get(name) for name in ("imitation", "selection")}
    used = any(
        value is not False and (value is not None or getattr(preset, name) is not None)
        for name, value in given.items()
    )
    selection = given["selection"] or {}
    fewest = SelectionConfig(min_rows=selection.get("min_rows", SelectionConfig.min_rows)).min_rows
    enough = VALIDATION_SHARE * rows >= fewest and math.ceil(VALIDATION_SHARE * groups) >= 2
    return VALIDATION_SHARE if used and enough else 0.0


def load_run_data(config: TrainConfig) -> RunData:
    """Read, check and split the table of a run; nothing is written.

    Raises:
        RLSynError: when the table, its target, its schema or its size cannot be used.
    """
    dataset = _load(config)
    schema = prepare_schema(
        dataset, target=config.target, group=config.group, schema=config.schema, drop=config.drop
    )
    test_size = 0.0 if config.test is not None else config.test_size
    groups = int(first_of_groups(dataset.table, schema.group).sum())
    rest = [round(number * (1 - test_size)) for number in (len(dataset.table), groups)]
    split = split_rows(
        dataset.table,
        test_size=test_size,
        validation_size=validation_share(config, *rest),
        seed=config.seed,
        target=schema.target,
        target_kind=None if schema.target is None else schema.column(schema.target).kind,
        group=schema.group,
    )
    schema = settle_schema(
        schema,
        dataset.table.iloc[split.train],
        derive=not config.no_derived,
        given=config.schema is not None,
    )
    fingerprints = {"table": fingerprint(dataset.table, config.data)}
    test_table: pd.DataFrame | None = None
    if config.test is not None:
        test_table = _read_test(config.test, dataset, schema)
        fingerprints["test_table"] = fingerprint(test_table, config.test)
    elif len(split.test):
        test_table = dataset.table.iloc[split.test]
    if test_table is not None:
        check_judgeable(
            dataset.table.iloc[split.train],
            test_table,
            schema.group,
            role="test",
            remedy="hold out more, or give --test-size 0 to judge nothing",
        )
    report = dataset.report if isinstance(dataset, Cohort) else None
    return RunData(dataset.name, dataset.table, schema, split, test_table, fingerprints, report)


def reload_run_data(config: TrainConfig, saved: dict[str, Any], folder: RunFolder) -> RunData:
    """Read the table of an earlier run and refuse it when it has changed.

    Args:
        config: options of the run; ``data`` and ``test`` may name moved files.
        saved: content of the run's ``config.yaml``.
        folder: of the run; its schema and split are read.

    Raises:
        RLSynError: when a table is missing or is not the one the run was made from.
    """
    for option, path in (("--data", config.data), ("--test", config.test)):
        if path is not None and not Path(path).is_file():
            raise ConfigError(
                f"{path}, a table of this run, does not exist; give its new place with {option}"
            )
    dataset = _load(config)
    option = "--data" if config.data_dir is None else "--data-dir"
    check_fingerprint(saved["table"], fingerprint(dataset.table, config.data), option)
    schema = TableSchema.load(folder.schema_file)
    split = load_split(folder.split_file)
    numbers = np.concatenate([split.train, split.validation, split.test])
    if len(numbers) and not 0 <= numbers.min() <= numbers.max() < len(dataset.table):
        raise ConfigError(f"{folder.split_file} is damaged: it names rows that the table lacks")
    test_table: pd.DataFrame | None = None
    if config.test is not None:
        test_table = _read_test(config.test, dataset, schema)
        check_fingerprint(saved["test_table"], fingerprint(test_table, config.test), "--test")
    elif len(split.test):
        test_table = dataset.table.iloc[split.test]
    prints: dict[str, Any] = {k: saved[k] for k in ("table", "test_table") if k in saved}
    return RunData(dataset.name, dataset.table, schema, split, test_table, prints)


def fingerprint(table: pd.DataFrame, path: str | None) -> dict[str, Any]:
    """``path`` (absolute; None for a table by name), ``rows`` and ``sha256``.

    The hash is of the file's bytes, or of the values of an embedded table or a cohort.
    """
    if path is not None:
        digest = hashlib.sha256()
        with Path(path).open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
        return {
            "path": str(Path(path).resolve()),
            "rows": len(table),
            "sha256": digest.hexdigest(),
        }
    values = pd.util.hash_pandas_object(table, index=False).to_numpy()
    names = "\n".join(map(str, table.columns)).encode()
    return {
        "path": None,
        "rows": len(table),
        "sha256": hashlib.sha256(names + values.astype("<u8").tobytes()).hexdigest(),
    }


def check_fingerprint(saved: dict[str, Any], now: dict[str, Any], option: str) -> None:
    """Raise ConfigError when the table is not the one that was saved."""
    if saved["sha256"] == now["sha256"]:
        return
    where = now["path"] or "the table of this name"
    raise ConfigError(
        f"{where} is not the table this run was made from ({now['rows']} rows now, "
        f"{saved['rows']} then; the SHA-256 differs); restore it, or give the original's new place "
        f"with {option}"
    )


def save_split(path: Path, split: Split) -> None:
    """Write row numbers, never rows."""
    roles = {
        role: np.asarray(getattr(split, role)).tolist() for role in ("train", "validation", "test")
    }
    write_text(path, json.dumps(roles) + "\n")


def load_split(path: Path) -> Split:
    """Undo :func:`save_split`.

    Raises:
        ConfigError: when the file is missing or damaged.
    """
    try:
        roles = json.loads(path.read_text(encoding="utf-8"))
        return Split(
            **{
                role: np.asarray(roles[role], dtype=np.int64)
                for role in ("train", "validation", "test")
            }
        )
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error


def _load(config: TrainConfig) -> Dataset:
    """Read the run's file, or make its dataset; a cohort is the same for every seed of a run."""
    name = config.dataset or DEFAULT_DATASET
    options = CohortOptions(
        **{field.name: getattr(config, field.name) for field in fields(CohortOptions)}
    )
    if config.data is None and name in COHORTS:
        return build_cohort(name, options)
    if given := given_options(options):
        names = [cohort for cohort, kind in COHORTS.items() if given[0] in kind.options]
        raise ConfigError(f"{flag(given[0])} goes with --dataset {' or '.join(names)} only")
    if config.data is not None and not Path(config.data).exists():
        raise TableError(f"{config.data} does not exist")
    return load_dataset(config.data or name)


def _read_test(path: str, dataset: Dataset, schema: TableSchema) -> pd.DataFrame:
    """Rows of ``path`` with the columns of the training table, in its order."""
    table = read_table(path)
    missing = [str(name) for name in dataset.table.columns if name not in table.columns]
    if missing:
        raise TableError(f"{path} lacks columns of the training table: {', '.join(missing)}")
    table = table[list(dataset.table.columns)]
    try:
        schema.check(table)
    except RLSynError as error:
        raise TableError(f"{path}: {error}") from error
    return table
