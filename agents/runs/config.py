"""The options of a training run: what the command line asks for, and what ``config.yaml`` keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import yaml

from rlsyn_env.errors import ConfigError
from rlsyn_env.files import write_text

#: Sections of a preset that ``settings`` may override.
SECTIONS = ("adversary", "imitation", "averaging", "selection")


@dataclass(frozen=True)
class TrainConfig:
    """Options of a run; None stands for "not given" until they are resolved.

    Attributes:
        algo: class name of an algorithm, case ignored, or ``module:Class``.
        dataset: an embedded table or a cohort; None with ``data``.
        data: path of a CSV or Parquet file.
        data_dir: of a cohort: folder of the user's copy of the release it is built from.
        phecode_map_dir: of the cohort mimic-iv: folder of the phecode maps.
        cohort: of a cohort: ``default`` or ``published``.
        rows: of a simulated cohort: its rows.
        codes: of a simulated cohort: its code columns.
        target: column to predict; splits are stratified by it.
        group: column whose groups (a patient's rows) are never split.
        schema: path of a schema; None: inferred.
        drop: columns to leave out.
        no_derived: generate columns that are exact functions of others instead of computing them.
        test_size: share of rows held out to judge; 0: none, and nothing is judged.
        test: path of a table of held-out rows, in place of ``test_size``.
        validation_size: share of the training rows that neither agent nor discriminator trains on;
            None: 0.15 where that is rows enough to choose a snapshot by and the algorithm does, or
            something else asks for them (:func:`agents.runs.run_data.validation_share`); 0 where
            they could only be wasted.
        total_timesteps: training budget in environment steps.
        total_records: training budget in records; in place of ``total_timesteps``.
        n_envs: environments that are stepped together.
        seed: of the split, the agent, the environments, the discriminator and the generation.
        device: torch device of the agent and the discriminator.
        threads: torch threads.
        reward: form of the adversarial reward.
        reward_terms: weights of further terms by name; 0 turns one off.
        env: environment id; None: the one the algorithm is preset for.
        hyperparams: overrides of the algorithm's preset.
        settings: overrides of the preset's other sections, by section: ``adversary``,
            ``imitation``, ``averaging`` and ``selection`` (False turns one of these three off).
        n_synthetic: rows of ``synthetic.*``; None: as many as training rows.
        enforce_constraints: no row of ``synthetic.*`` breaks a constraint.
        judge_every: records between two measurements of the judge on validation rows; None: none.
    """

    algo: str = "ppo"
    dataset: str | None = None
    data: str | None = None
    data_dir: str | None = None
    phecode_map_dir: str | None = None
    cohort: str | None = None
    rows: int | None = None
    codes: int | None = None
    target: str | None = None
    group: str | None = None
    schema: str | None = None
    drop: tuple[str, ...] = ()
    no_derived: bool = False
    test_size: float = 0.3
    test: str | None = None
    validation_size: float | None = None
    total_timesteps: int | None = None
    total_records: int | None = None
    n_envs: int | None = None
    seed: int = 0
    device: str = "cpu"
    threads: int = 1
    reward: str = "logit"
    reward_terms: dict[str, float] = field(default_factory=dict)
    env: str | None = None
    hyperparams: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    n_synthetic: int | None = None
    enforce_constraints: bool = False
    judge_every: int | None = None

    def __post_init__(self) -> None:
        if self.dataset is not None and self.data is not None:
            raise ConfigError("give either --dataset or --data, not both")
        if self.total_timesteps is not None and self.total_records is not None:
            raise ConfigError("give either --total-timesteps or --total-records, not both")
        if not 0 <= self.test_size < 1:
            raise ConfigError(f"--test-size must be in [0, 1), got {self.test_size}")
        if self.validation_size is not None and not 0 <= self.validation_size < 1:
            raise ConfigError(f"--validation-size must be in [0, 1), got {self.validation_size}")
        counts = ("total_timesteps", "total_records", "n_envs", "n_synthetic", "threads")
        for name in (*counts, "judge_every"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"--{name.replace('_', '-')} must be at least 1, got {value}")
        for section, value in self.settings.items():
            if section not in SECTIONS:
                raise ConfigError(f"--set {section}: no such section; use {', '.join(SECTIONS)}")
            if not isinstance(value, Mapping) and (value is not False or section == "adversary"):
                raise ConfigError(f"--set {section} needs the form {section}.KEY=VALUE")
        if not 0 <= self.seed < 2**32:
            raise ConfigError(f"--seed must be between 0 and 2^32 - 1, got {self.seed}")

    def to_dict(self) -> dict[str, Any]:
        """Plain values for YAML."""
        return {**asdict(self), "drop": list(self.drop)}

    @classmethod
    def from_dict(cls, options: Mapping[str, Any]) -> TrainConfig:
        """Undo :meth:`to_dict`.

        Raises:
            ConfigError: for an option that this version does not know, or a value of a wrong kind.
        """
        known = {f.name for f in fields(cls)}
        unknown = sorted(set(options) - known)
        if unknown:
            raise ConfigError(f"unknown option in the configuration: {', '.join(unknown)}")
        try:
            return cls(**{**options, "drop": tuple(options.get("drop") or ())})
        except (TypeError, AttributeError) as error:
            raise ConfigError(
                f"an option in the configuration has no such value: {error}"
            ) from error


#: Options that a resumed run may change: where files are now, how it is run and watched, how far
#: it goes.
CHANGEABLE = (
    "data",
    "data_dir",
    "phecode_map_dir",
    "test",
    "device",
    "threads",
    "total_timesteps",
    "total_records",
    "judge_every",
    "enforce_constraints",
)


def merge_resumed(saved: TrainConfig, given: Mapping[str, Any]) -> TrainConfig:
    """Options of a resumed run: the saved ones, with what may change taken from the command line.

    Args:
        saved: from the run's ``config.yaml``.
        given: options that the user wrote this time.

    Raises:
        ConfigError: when an option given now contradicts the saved one.
    """
    for name, value in given.items():
        kept = getattr(saved, name)
        same = value.lower() == kept.lower() if name == "algo" else value == kept
        if name not in CHANGEABLE and not same:
            raise ConfigError(
                f"--{name.replace('_', '-')} {value} contradicts the run being resumed, which has "
                f"{kept}; leave the option out, or start a new run"
            )
    changes = {name: given[name] for name in CHANGEABLE if name in given}
    if "data" in changes and saved.data is None:
        raise ConfigError("the run being resumed uses a dataset by name: leave --data out")
    if "test" in changes and saved.test is None:
        raise ConfigError(
            "the run being resumed holds out rows of its own table, or none: leave --test out"
        )
    if "total_timesteps" in changes:
        changes["total_records"] = None
    elif "total_records" in changes:
        changes["total_timesteps"] = None
    return replace(saved, **changes)


def save_yaml(path: Path, content: Mapping[str, Any]) -> None:
    """Write a mapping as YAML, in its own order, atomically."""
    write_text(path, yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True))


def load_yaml(path: Path) -> dict[str, Any]:
    """Read a mapping from a YAML file.

    Raises:
        ConfigError: when the file is missing or is not a YAML mapping.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"{path} does not exist") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read as YAML: {error}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path} does not hold a YAML mapping")
    return content
