"""Training runs: build one, start or resume its folder, learn. What comes after: `outcome.py`."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import pandas as pd
import torch
from rich.console import Console
from sb3_contrib import ARS
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback, CallbackList
from stable_baselines3.common.logger import Logger, TensorBoardOutputFormat

from agents.callbacks import (
    AveragingCallback,
    AveragingConfig,
    CheckpointCallback,
    FidelityCallback,
    ImitationCallback,
    ImitationConfig,
    JudgeCallback,
    ProgressCallback,
    ScalarsCallback,
    SelectionCallback,
    SelectionConfig,
)
from agents.callbacks.judge import check_judgeable
from agents.devices import check_device
from agents.factory import make_model
from agents.hyperparameters import resolve
from agents.policies.autoregressive import AutoregressivePolicy
from agents.registry import Algorithm, Preset, get_algorithm
from agents.runs.checkpoint import (
    Checkpoint,
    load_checkpoint,
    load_parameters,
    restore,
    save_checkpoint,
)
from agents.runs.config import TrainConfig
from agents.runs.interrupts import StopRequest, TrainingStopped
from agents.runs.recorder import EpisodeRecorder, RecordedVecEnv
from agents.runs.run_data import DEFAULT_DATASET, RunData, reload_run_data, save_split
from agents.runs.run_folder import RunFolder
from rlsyn_env.adversary import Adversary, AdversaryConfig
from rlsyn_env.envs import make_core
from rlsyn_env.errors import ConfigError, RLSynError
from rlsyn_env.options import options_from
from rlsyn_env.tables.encoder import RecordEncoder
from rlsyn_env.versions import package_versions

_PACKAGES = ("rlsyn", "gymnasium", "stable-baselines3", "sb3-contrib", "torch", "numpy", "pandas")


_LARGEST_WEIGHT = 1e12
_DIVERGED = "training has diverged: its weights are no numbers, or huge; lower the learning rate"

T = TypeVar("T")
Learner: TypeAlias = ImitationCallback | AveragingCallback | SelectionCallback


@dataclass
class Run:
    """Everything of a run in memory, before or while it learns.

    Attributes:
        config: resolved options: nothing that matters is None any more.
        algorithm: from the registry.
        data: rows and split.
        encoder: fitted on the training rows.
        vec_env: environments, with the adversary in their core.
        model: the agent.
        learners: callbacks that are part of how it learns, in the order they act.
        total_timesteps: the budget.
    """

    config: TrainConfig
    algorithm: Algorithm
    data: RunData
    encoder: RecordEncoder
    vec_env: RecordedVecEnv
    model: BaseAlgorithm
    learners: dict[str, Learner]
    total_timesteps: int


def build_run(config: TrainConfig, data: RunData, encoder: RecordEncoder | None = None) -> Run:
    """Build encoder, adversary, environments and agent; nothing is written.

    Args:
        config: options, resolved or not.
        data: rows and split.
        encoder: of an earlier run on the same rows; None: fitted on the training rows.

    Raises:
        RLSynError: for an algorithm, environment, hyperparameter or reward that does not exist or
            does not fit.
    """
    torch.set_num_threads(config.threads)
    check_device(config.device)
    if config.judge_every is not None:
        check_judgeable(data.train, data.validation, data.schema.group)
    algorithm = get_algorithm(config.algo)
    preset = algorithm.preset
    config = replace(
        config,
        dataset=config.dataset if config.data else config.dataset or DEFAULT_DATASET,
        target=data.schema.target,
        group=data.schema.group,
        env=config.env or algorithm.default_env_id,
        n_envs=config.n_envs or preset.n_envs,
        n_synthetic=config.n_synthetic or len(data.train),
    )
    assert config.env is not None  # for the type checker, as the next line
    assert config.n_envs is not None
    options = _learner_options(algorithm, config.settings, data.n_independent)
    encoder = encoder or data.fit_encoder()
    adversary = Adversary(
        encoder,
        data.train,
        data.validation,
        config=AdversaryConfig.from_mapping(
            _section(preset.adversary, config.settings.get("adversary"), data.n_independent)
        ),
        seed=config.seed,
        device=config.device,
    )
    core = make_core(
        config.env,
        config.n_envs,
        adversary=adversary,
        reward=config.reward,
        reward_terms=config.reward_terms,
    )
    vec_env = RecordedVecEnv(core, EpisodeRecorder())
    model = make_model(
        algorithm,
        vec_env,
        seed=config.seed,
        device=config.device,
        hyperparams=config.hyperparams,
    )
    learners: dict[str, Learner] = {}
    if isinstance(model.policy, AutoregressivePolicy):
        learners = _learners(options, data, encoder, config.seed)
    else:
        _refuse_learners(config.settings)
    if config.total_timesteps is None and config.total_records is None:
        budget = resolve(_budget(preset, data, learners), core.episode_length, data.n_independent)
        config = replace(config, total_records=budget)
    total = config.total_timesteps
    if total is None:
        assert config.total_records is not None  # set above; for the type checker
        total = config.total_records * core.episode_length
    return Run(config, algorithm, data, encoder, vec_env, model, learners, total)


def start_run(run: Run, folder: RunFolder, command: str) -> None:
    """Write everything about a new run that is known before it learns.

    Args:
        run: built and so validated.
        folder: free or cleared.
        command: the command line, kept so that the run can be repeated.
    """
    folder.path.mkdir(parents=True, exist_ok=True)
    folder.save_config(
        {
            "options": run.config.to_dict(),
            "total_timesteps": run.total_timesteps,
            **run.data.fingerprints,
            "features": list(run.encoder.feature_names),
            "versions": {"python": platform.python_version(), **package_versions(_PACKAGES)},
            "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        }
    )
    folder.command_file.write_text(command + "\n", encoding="utf-8")
    run.encoder.schema.save(folder.schema_file)
    run.encoder.save(folder.encoder_file)
    save_split(folder.split_file, run.data.split)
    folder.set_status(finished=False, stage="training", records=0)


def resume_run(
    folder: RunFolder, merge: Callable[[TrainConfig], TrainConfig]
) -> tuple[Run, Checkpoint | None]:
    """Build the run of a folder again, as it was at its last checkpoint.

    Args:
        folder: of a run that was stopped, or of a finished one that is to go further.
        merge: given the saved options, returns those to use.

    Returns:
        The run, and its checkpoint; None when it was stopped before its first one.

    Raises:
        RLSynError: when the table has changed, or nothing is left to do.
    """
    saved = folder.load_config()
    old = TrainConfig.from_dict(saved["options"])
    config = merge(old)
    data = reload_run_data(config, saved, folder)
    run = build_run(config, data, RecordEncoder.load(folder.encoder_file))
    if folder.finished and run.total_timesteps <= int(saved["total_timesteps"]):
        raise ConfigError(
            f"{folder.path} is finished; to train it further give a larger --total-records or "
            "--total-timesteps"
        )
    checkpoint = load_checkpoint(folder.checkpoints)
    if checkpoint is not None:  # before anything is written: a damaged one leaves the run as it was
        load_parameters(run.model, checkpoint.agent_file)
    folder.set_status(
        finished=False,
        stage="training",
        records=checkpoint.progress["records"] if checkpoint else 0,
    )
    if run.config != old:
        folder.save_config(
            {
                **saved,
                "options": run.config.to_dict(),
                "total_timesteps": run.total_timesteps,
                **_moved(run.data.fingerprints, run.config),
            }
        )
    return run, checkpoint


def learn(
    run: Run,
    folder: RunFolder,
    checkpoint: Checkpoint | None = None,
    *,
    console: Console | None = None,
    checkpoint_seconds: float = 60.0,
    extra_callbacks: tuple[BaseCallback, ...] = (),
) -> None:
    """Train to the budget in one ``learn()`` call, from the start or from a checkpoint.

    A resumed PPO run on the CPU ends with the same bits as one that was never stopped.

    Args:
        run: built from the run's configuration.
        folder: its folder; receives checkpoints and TensorBoard events.
        checkpoint: where to go on from.
        console: shows the progress bar; None: no bar.
        checkpoint_seconds: between two checkpoints.
        extra_callbacks: called after our own.

    Raises:
        TrainingStopped: after Ctrl-C, when the checkpoint is written.
        OSError: when a checkpoint cannot be written; the previous one is whole then.
    """
    model, core, recorder = run.model, run.vec_env.core, run.vec_env.recorder
    total, every = run.total_timesteps, _log_interval(run)
    seconds = 0.0
    if checkpoint is not None:
        recorder.total = int(checkpoint.progress["records"])
        seconds = float(checkpoint.progress["seconds"])
    started = time.monotonic()
    learners = run.learners

    def save(*, ended: bool = False) -> None:
        progress = {
            "records": recorder.total,
            "seconds": seconds + time.monotonic() - started,
            "ended": ended,
        }
        save_checkpoint(folder.checkpoints, model, core, progress, learners)

    logger = Logger(str(folder.path), [TensorBoardOutputFormat(str(folder.path))])
    model.set_logger(logger)
    bar: list[ProgressCallback] = []
    if console is not None:
        bar = [ProgressCallback(recorder, core, total, console)]
    with StopRequest() as stop:
        callbacks = [
            CheckpointCallback(save, stop, checkpoint_seconds),
            *learners.values(),
            FidelityCallback(
                recorder, run.encoder, _watched_rows(run.data), max(every, total_records(run) // 20)
            ),
            *_judge_callback(run),
            ScalarsCallback(recorder, core, every),
            *bar,
            *extra_callbacks,
        ]
        try:
            if checkpoint is not None:
                restore(checkpoint, model, core, learners)
            if checkpoint is None or model.num_timesteps < total:
                _learn(model, total, callbacks, resumed=checkpoint is not None)
                save(ended=True)
            elif not checkpoint.progress.get("ended", True):  # it is to end where it was stopped
                _end(model, learners.values())
                save(ended=True)
        finally:
            for callback in bar:
                callback.close()
            logger.close()
        if stop.requested:
            raise TrainingStopped
    folder.set_status(
        finished=False, stage="trained", records=recorder.total, timesteps=model.num_timesteps
    )


@dataclass(frozen=True)
class _LearnerOptions:
    """Options of the learners; None: that one is off."""

    imitation: ImitationConfig | None
    averaging: AveragingConfig | None
    selection: SelectionConfig | None


def _refuse_learners(settings: Mapping[str, Any]) -> None:
    """ConfigError where options are given of a learner that the policy cannot have."""
    for name in ("imitation", "averaging", "selection"):
        if settings.get(name):
            raise ConfigError(
                f"--set {name}: only the autoregressive policy of PPO, A2C and TRPO has it, in the "
                "step-by-step environments; leave it out here"
            )


def _learner_options(
    algorithm: Algorithm, settings: Mapping[str, Any], rows: int
) -> _LearnerOptions:
    """Return the preset's options with the user's laid over them; ConfigError for wrong ones."""

    def options(cls: type[T], name: str) -> T | None:
        section = _section(getattr(algorithm.preset, name), settings.get(name), rows)
        return None if section is None else options_from(cls, section, name)

    return _LearnerOptions(
        options(ImitationConfig, "imitation"),
        options(AveragingConfig, "averaging"),
        options(SelectionConfig, "selection"),
    )


def _section(preset: Mapping[str, Any] | None, given: Any, rows: int) -> dict[str, Any] | None:
    """A preset's section with what the user gave laid over it; None where it is off."""
    if given is False or (preset is None and given is None):
        return None
    merged = {**(preset or {}), **(given or {})}
    return {name: resolve(value, 1, rows) for name, value in merged.items()}


def _learners(
    options: _LearnerOptions, data: RunData, encoder: RecordEncoder, seed: int
) -> dict[str, Learner]:
    """Callbacks that are part of how an autoregressive policy learns, in the order they act."""
    learners: dict[str, Learner] = {}
    if options.imitation is not None:
        learners["imitation"] = ImitationCallback(
            encoder, data.train, options.imitation, validation=data.validation, seed=seed
        )
    if options.averaging is not None:
        learners["averaging"] = AveragingCallback(options.averaging)
    if options.selection is not None:
        learners["selection"] = SelectionCallback(
            data.train, data.validation, options.selection, seed=seed
        )
    return learners


def _budget(preset: Preset, data: RunData, learners: Mapping[str, Learner]) -> int | str:
    """Return the preset's rule of the budget for these rows and learners."""
    imitation, selection = learners.get("imitation"), learners.get("selection")
    smooths = isinstance(imitation, ImitationCallback) and imitation.smooth_share > 0
    # Selection ends a run where it no longer gains; without it the rule has to.
    ends = isinstance(selection, SelectionCallback) and selection.may_end(data.schema.group)
    if preset.smooth_total_records is None or not smooths or ends:
        return preset.total_records
    return preset.smooth_total_records


def total_records(run: Run) -> int:
    """Records in the budget."""
    return max(1, run.total_timesteps // run.vec_env.core.episode_length)


def _learn(
    model: BaseAlgorithm, total: int, callbacks: list[BaseCallback], *, resumed: bool
) -> None:
    """Call ``learn`` once, for what is left of the budget."""
    left = total - model.num_timesteps if resumed else total
    options: dict[str, Any] = {"log_interval": None, "reset_num_timesteps": not resumed}
    if resumed and isinstance(model, ARS):
        # ARS measures progress against the timesteps it is given, not those plus the earlier ones:
        # hand it the whole budget, and the count once it has been reset.
        done = model.num_timesteps
        callbacks = [_SetTimesteps(done), *callbacks]
        left, options["reset_num_timesteps"] = total, True
    try:
        model.learn(left, callback=CallbackList(callbacks), **options)
    except (ValueError, IndexError, RuntimeError) as error:
        if isinstance(error, RLSynError) or not _diverged(model):
            raise
        raise RLSynError(_DIVERGED) from error
    if _diverged(model):  # some algorithms go on choosing among values that are no numbers
        raise RLSynError(_DIVERGED)


def _diverged(model: BaseAlgorithm) -> bool:
    # Larger ones overflow in the next layer; a comparison with NaN is false.
    parameters = model.policy.parameters()
    return not all(bool((weights.abs() < _LARGEST_WEIGHT).all()) for weights in parameters)


def _end(model: BaseAlgorithm, learners: Iterable[Learner]) -> None:
    """Let the learners finish what ``learn`` would have left to them."""
    for learner in learners:
        learner.init_callback(model)
        learner.on_training_end()


class _SetTimesteps(BaseCallback):
    """Puts the count of timesteps back that ``learn`` has reset."""

    def __init__(self, num_timesteps: int) -> None:
        super().__init__()
        self._restored = num_timesteps

    def _on_training_start(self) -> None:
        self.model.num_timesteps = self._restored
        self.model._num_timesteps_at_start = self._restored

    def _on_step(self) -> bool:
        return True


def _watched_rows(data: RunData) -> pd.DataFrame:
    """Rows that the curves compare with: validation rows; training rows where none are kept."""
    return data.validation if len(data.validation) else data.train


def _judge_callback(run: Run) -> list[JudgeCallback]:
    """The judge on validation rows, where it is asked for."""
    every, data = run.config.judge_every, run.data
    if every is None:
        return []
    return [JudgeCallback(data.train, data.validation, every, seed=run.config.seed)]


def _log_interval(run: Run) -> int:
    """Records between two points in TensorBoard: 512, or 1 % of the budget, whichever is more."""
    return max(512, run.vec_env.num_envs, total_records(run) // 100)


def _moved(fingerprints: dict[str, Any], config: TrainConfig) -> dict[str, Any]:
    """Fingerprints with the places that the files have now."""
    places = {"table": config.data, "test_table": config.test}
    return {
        key: {**saved, "path": str(Path(places[key]).resolve()) if places[key] else None}  # type: ignore[arg-type]
        for key, saved in fingerprints.items()
    }
