"""Synthetic records from a trained agent: batches on a core without adversary, so without data."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.policies import BasePolicy

from agents.constraint_screen import ConstraintScreen
from agents.devices import check_device
from agents.factory import make_model
from agents.lockstep import draw_bins, draws_bins, speed_up
from agents.policies.autoregressive import AutoregressivePolicy
from agents.registry import get_algorithm
from agents.runs.checkpoint import load_parameters
from agents.runs.config import load_yaml
from agents.runs.random_states import get_random_states, isolated, seed_all
from agents.runs.run_folder import RunFolder
from agents.vec_env import RecordVecEnv, make_vec_env
from rlsyn_env.core import RecordCore
from rlsyn_env.envs import make_core
from rlsyn_env.errors import ConfigError
from rlsyn_env.registration import ENV_MODES
from rlsyn_env.tables.encoder import RecordEncoder

BATCH = 1024  # records played side by side: few enough for the caches
MODEL_FORMAT = 3  # 1: embeddings that were not centred; 2: no count of rare values
_BATCHES_PER_CHUNK = 8


@dataclass(frozen=True)
class Generator:
    """A trained policy, the environment it plays in and the encoder of its table.

    ``env_options`` are ``bins`` and ``noise_dim`` where they are not the default ones.
    """

    policy: BasePolicy
    encoder: RecordEncoder
    env_id: str
    env_options: Mapping[str, Any] = field(default_factory=dict)


def load_generator(run: str | Path | RunFolder, device: str = "cpu") -> Generator:
    """Load what a run's folder needs to generate; the training table is not needed.

    The agent's networks are rebuilt from the run's configuration and their weights read without
    unpickling anything.

    Raises:
        ConfigError: when the folder holds no trained model, or one of another format; a device
            that is not there.
    """
    check_device(device)
    folder = run if isinstance(run, RunFolder) else RunFolder(run)
    if not folder.path.is_dir():
        what = "is a file, not a run's folder" if folder.path.exists() else "does not exist"
        raise ConfigError(f"{folder.path} {what}")
    if not folder.generator_file.is_file():
        raise ConfigError(
            f"{folder.path} holds no trained model; train it, or finish it with "
            f"'train.py --resume {folder.path}'"
        )
    spec = load_yaml(folder.generator_file)
    if spec.get("format") != MODEL_FORMAT:
        raise ConfigError(
            f"{folder.model} has format {spec.get('format', 1)}, this version reads {MODEL_FORMAT};"
            " train it anew, or use the version that wrote it"
        )
    lacking = [name for name in ("env_id", "n_envs", "algo", "hyperparams") if name not in spec]
    if lacking:
        raise ConfigError(f"{folder.generator_file} is damaged: it lacks {', '.join(lacking)}")
    encoder = RecordEncoder.load(folder.encoder_file)
    vec_env = make_vec_env(spec["env_id"], spec["n_envs"], encoder=encoder)
    states = get_random_states()
    with isolated(states):  # building a model seeds the global generators
        model = make_model(
            get_algorithm(spec["algo"]),
            vec_env,
            seed=0,
            device=device,
            hyperparams=spec["hyperparams"],
            rows=spec.get("rows"),
        )
    load_parameters(model, folder.agent_file)
    model.policy.set_training_mode(False)
    speed_up(model.policy)
    return Generator(model.policy, encoder, spec["env_id"])


def generate(
    generator: Generator | str | Path,
    n: int,
    *,
    seed: int = 0,
    fixed: Mapping[str, Any] | None = None,
    batch: int = BATCH,
    enforce: bool = False,
) -> Iterator[pd.DataFrame]:
    """Yield synthetic rows in chunks, with the columns and dtypes of the training table.

    Actions are sampled, never greedy. The same seed and batch give the same rows whatever happened
    before, and the first rows do not depend on ``n``. Memory does not grow with ``n``.

    Args:
        generator: a loaded one, or a run's folder.
        n: number of rows, at least 1.
        seed: of noise and sampling.
        fixed: values that columns are pinned to in every row. The other columns depend on them
            only where they come later in the order of emission; where not, a warning says so.
        batch: records played side by side; a chunk holds up to eight batches.
        enforce: leave out records that break a constraint of the schema and draw others, so that
            none of the rows breaks any. Without constraints every record is good.

    Raises:
        ConfigError: for ``n`` below 1, a seed outside 32 bits, or a folder without a trained model;
            while rows are drawn, when fewer than 1 % of several thousand records satisfy the
            constraints.
        RLSynError: for a fixed column that is not a feature, or a value it cannot take.
    """
    if n < 1:
        raise ConfigError(f"the number of records must be at least 1, got {n}")
    if not 0 <= seed < 2**32:
        raise ConfigError(f"the seed must be between 0 and 2^32 - 1, got {seed}")
    if not isinstance(generator, Generator):
        generator = load_generator(generator)
    core = make_core(generator.env_id, batch, encoder=generator.encoder, **generator.env_options)
    seeds = np.random.SeedSequence(seed).generate_state(batch, np.uint64)
    core.seed([int(s) for s in seeds])
    screen = ConstraintScreen(generator.encoder) if enforce else None
    return _chunks(generator, core, n, seed, dict(fixed or {}), screen)


def generate_table(
    model: BaseAlgorithm,
    vec_env: RecordVecEnv,
    n: int,
    *,
    seed: int = 0,
    enforce: bool = False,
) -> pd.DataFrame:
    """Return ``n`` synthetic rows from a model that was trained in this process.

    Args:
        model: any algorithm trained on ``vec_env``.
        vec_env: from :func:`agents.make_vec_env`; it is not stepped.
        n: number of rows, at least 1.
        seed: of noise and sampling.
        enforce: no row breaks a constraint, see :func:`generate`.

    Raises:
        ConfigError: for ``n`` below 1, or when hardly any record satisfies the constraints.
    """
    core = vec_env.core
    env_id = next(env_id for env_id, mode in ENV_MODES.items() if mode == core.mode)
    options = {"bins": core.bins, "noise_dim": core.noise_dim}
    generator = Generator(model.policy, core.encoder, env_id, options)
    return pd.concat(list(generate(generator, n, seed=seed, enforce=enforce)), ignore_index=True)


def _chunks(
    generator: Generator,
    core: RecordCore,
    n: int,
    seed: int,
    fixed: dict[str, Any],
    screen: ConstraintScreen | None,
) -> Iterator[pd.DataFrame]:
    states = get_random_states()
    with isolated(states):
        seed_all(seed)
    observations = core.reset(fixed=fixed or None)
    left = n
    while left > 0:
        batches = []
        with isolated(states), _generating(generator.policy):
            for _ in range(min(_BATCHES_PER_CHUNK, -(-left // core.n_envs))):
                records, observations = _episodes(generator.policy, core, observations)
                batches.append(records)
        records = np.concatenate(batches)
        if screen is not None:
            records = screen.good(records)
        if len(records):
            chunk = generator.encoder.decode(records[:left])
            left -= len(chunk)
            yield chunk


def _generating(policy: BasePolicy) -> AbstractContextManager[None]:
    """Within it an autoregressive policy plays the average of its weights."""
    if isinstance(policy, AutoregressivePolicy):
        return policy.generating()
    return nullcontext()


def _episodes(
    policy: BasePolicy, core: RecordCore, observations: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Play one episode in every environment; returns the records and the next observations."""
    masked = "action_masks" in inspect.signature(policy.predict).parameters
    state: Any = None
    starts = np.ones(core.n_envs, dtype=bool)
    for _ in range(core.episode_length):
        if draws_bins(policy):
            actions = draw_bins(policy, observations)
        else:
            extra = {"action_masks": core.action_masks()} if masked else {}
            actions, state = policy.predict(
                observations, state=state, episode_start=starts, deterministic=False, **extra
            )
        starts = np.zeros(core.n_envs, dtype=bool)
        result = core.step(actions)
        observations = result.observations
    assert result.records is not None  # the last step of an episode gives records
    return result.records, observations
