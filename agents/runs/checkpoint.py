"""Checkpoints: all that a run needs to go on as if it had never stopped.

A checkpoint is a folder ``checkpoints/NNNNNN`` of

- ``agent.zip``: the agent in SB3's own format, policy, optimisers and all;
- ``state.pt``: the agent's counters and last observation, the adversary (with its pool of
  synthetic records, never a real row), the environment's noise streams, what its reward terms
  have learnt, and every random state, as tensors and plain values, so that loading unpickles
  nothing;
- ``replay.npz``: the replay buffer's arrays, for algorithms that have one.

It is written under a temporary name, flushed and renamed, then ``checkpoints/latest`` is pointed
at it: a kill or a full disk at any moment leaves the previous checkpoint whole.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import numpy as np
import torch
from sb3_contrib.common.recurrent.type_aliases import RNNStates
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.save_util import load_from_zip_file, recursive_setattr

from agents.runs.plain_state import from_plain, holds_tensor, to_plain
from agents.runs.random_states import get_random_states, set_random_states
from rlsyn_env.core import RecordCore
from rlsyn_env.errors import ConfigError
from rlsyn_env.files import write_text

FORMAT = 6
KEEP = 2
AGENT, STATE, REPLAY, LATEST = "agent.zip", "state.pt", "replay.npz", "latest"
_PARTS_OF_STATE = frozenset(
    [
        "progress",
        "agent",
        "lstm",
        "action_space",
        "generators",
        "adversary",
        "core",
        "parts",
        "random",
    ]
)

#: Attributes that the configuration gives anew.
_BUILT_ANEW = ("policy_kwargs", "tensorboard_log", "verbose", "start_time", "seed")


@dataclass(frozen=True)
class Checkpoint:
    """One loaded checkpoint: its folder, and the content of ``state.pt``."""

    folder: Path
    state: dict[str, Any]

    @property
    def num_timesteps(self) -> int:
        """Environment steps taken when it was saved."""
        return int(self.state["agent"]["num_timesteps"])

    @property
    def progress(self) -> dict[str, Any]:
        """What the harness keeps beside the agent: records so far, seconds so far."""
        return dict(self.state["progress"])

    @property
    def agent_file(self) -> Path:
        """The agent's networks and optimisers."""
        return self.folder / AGENT


class Part(Protocol):
    """Anything else whose state a run needs to go on: a callback that learns or counts."""

    def state_dict(self) -> dict[str, Any]:
        """Tensors, arrays, generators and plain values."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put back what :meth:`state_dict` gave."""


def save_checkpoint(
    root: Path,
    model: BaseAlgorithm,
    core: RecordCore,
    progress: dict[str, Any],
    parts: Mapping[str, Part] | None = None,
) -> Path:
    """Write a checkpoint below ``root`` and return its folder; older ones but one are removed.

    Args:
        root: the run's ``checkpoints`` folder; made when missing.
        model: the agent, between two updates (``on_rollout_start`` is such a moment).
        core: of the environments that it plays in.
        progress: plain values of the harness.
        parts: whatever else has a state, by name.

    Raises:
        OSError: when it cannot be written; the previous checkpoint is still the latest one then.
    """
    root.mkdir(parents=True, exist_ok=True)
    for leftover in root.glob("*.tmp-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    folder = root / f"{max(_numbers(root), default=0) + 1:06d}"
    temporary = root / f"{folder.name}.tmp-{uuid4().hex[:8]}"
    temporary.mkdir()
    try:
        model.save(temporary / AGENT)
        state = _state(model, core, progress, parts or {})
        torch.save(state, temporary / STATE)
        replay = getattr(model, "replay_buffer", None)
        if replay is not None:
            np.savez(temporary / REPLAY, allow_pickle=False, **_replay_arrays(replay))
        for file in temporary.iterdir():
            _flush(file)
        _flush(temporary)
        temporary.rename(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    write_text(root / LATEST, folder.name + "\n")
    for number in sorted(_numbers(root))[:-KEEP]:
        shutil.rmtree(root / f"{number:06d}", ignore_errors=True)
    return folder


def load_checkpoint(root: Path) -> Checkpoint | None:
    """Read the latest checkpoint below ``root``; None when there is none yet.

    Raises:
        ConfigError: when a file of it is missing, damaged or of another format.
    """
    folder = _latest(root)
    if folder is None:
        return None
    try:
        state = torch.load(folder / STATE, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises anything from OSError to UnpicklingError here
        raise ConfigError(f"the checkpoint {folder} cannot be read: {error}") from error
    found = state.get("format") if isinstance(state, dict) else None
    if found != FORMAT:
        raise ConfigError(
            f"the checkpoint {folder} has format {found}, this version reads {FORMAT}"
        )
    lacking = sorted(_PARTS_OF_STATE - set(state))
    if lacking:
        raise ConfigError(f"the checkpoint {folder} is damaged: it lacks {', '.join(lacking)}")
    return Checkpoint(folder, state)


def restore(
    checkpoint: Checkpoint,
    model: BaseAlgorithm,
    core: RecordCore,
    parts: Mapping[str, Part] | None = None,
) -> None:
    """Put ``model``, ``core``, its adversary and all random states where they were.

    Args:
        checkpoint: what :func:`load_checkpoint` gave.
        model: built from the run's configuration, not trained.
        core: of the environments of ``model``, with the adversary of the same rows.
        parts: those that were saved, built anew.

    Raises:
        ConfigError: when they were built with other options than the saved ones.
    """
    state = checkpoint.state
    load_parameters(model, checkpoint.agent_file)
    for name, value in state["agent"].items():
        attribute = from_plain(value)
        if isinstance(attribute, torch.Tensor):  # ARS's weights, which live on its device
            attribute = attribute.to(model.device)
        setattr(model, name, attribute)
    if state["lstm"] is not None:
        pairs = [tuple(tensor.to(model.device) for tensor in pair) for pair in state["lstm"]]
        model._last_lstm_states = RNNStates(*pairs)  # type: ignore[attr-defined]
    model.action_space.np_random.bit_generator.state = from_plain(state["action_space"])
    replay = getattr(model, "replay_buffer", None)
    if replay is not None:
        _load_replay_arrays(replay, checkpoint.folder / REPLAY)
    for name, generators in state["generators"].items():
        for attribute, saved in generators.items():
            setattr(getattr(model, name), attribute, from_plain(saved))
    if core.adversary is not None:
        core.adversary.load_state_dict(from_plain(state["adversary"]))
    core.load_state_dict(from_plain(state["core"]))
    for name, part in (parts or {}).items():
        part.load_state_dict(from_plain(state["parts"][name]))
    set_random_states(state["random"])


def load_parameters(model: BaseAlgorithm, path: Path) -> None:
    """Load networks and optimisers from an SB3 zip into ``model``; nothing is unpickled.

    Raises:
        ConfigError: when the file is missing, damaged or of another architecture.
    """
    try:
        _, parameters, variables = load_from_zip_file(path, device=model.device, load_data=False)
        model.set_parameters(parameters, exact_match=True, device=model.device)
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise ConfigError(
            f"the agent in {path} cannot be loaded; if another version of rlsyn trained it, train "
            f"it anew: {str(error).splitlines()[0]}"
        ) from error
    for name, value in (variables or {}).items():
        if value is not None:
            # The data is set, not the attribute: an optimiser holds the variable itself.
            recursive_setattr(model, f"{name}.data", value.data)


def _state(
    model: BaseAlgorithm, core: RecordCore, progress: dict[str, Any], parts: Mapping[str, Part]
) -> dict[str, Any]:
    lstm = getattr(model, "_last_lstm_states", None)
    return {
        "format": FORMAT,
        "agent": _agent_attributes(model),
        "lstm": None if lstm is None else [[t.detach().cpu() for t in pair] for pair in lstm],
        "action_space": to_plain(model.action_space.np_random.bit_generator.state),
        "generators": {
            name: _generators(getattr(model, name))
            for name in ("rollout_buffer", "replay_buffer", "policy")
            if getattr(model, name, None) is not None
        },
        "adversary": to_plain(dict(core.adversary.state_dict())) if core.adversary else None,
        "core": to_plain(core.state_dict()),
        "parts": {name: to_plain(part.state_dict()) for name, part in parts.items()},
        "random": get_random_states(),
        "progress": to_plain(progress),
    }


def _agent_attributes(model: BaseAlgorithm) -> dict[str, Any]:
    """Counters, last observations and the like: every plain attribute of the agent.

    Modules, optimisers, schedules and spaces are no plain values; they come from ``agent.zip`` or
    are built anew. Lists of tensors are left out because SB3 keeps aliases of network buffers in
    such lists, which a copy would cut.
    """
    networks, variables = model._get_torch_save_params()
    skipped = {name.split(".")[0] for name in [*networks, *variables]} | set(_BUILT_ANEW)
    attributes = {}
    for name, value in vars(model).items():
        if name in skipped or holds_tensor(value):
            continue
        try:
            attributes[name] = to_plain(value)
        except TypeError:
            continue  # not state: an object that the configuration gives anew
    return attributes


def _generators(holder: object) -> dict[str, Any]:
    return {
        name: to_plain(value)
        for name, value in vars(holder).items()
        if isinstance(value, np.random.Generator)
    }


def _replay_arrays(replay: Any) -> dict[str, np.ndarray]:
    """Arrays of the buffer (only the filled rows), its write position and whether it is full."""
    filled = replay.buffer_size if replay.full else replay.pos
    arrays = {
        name: value[:filled] if len(value) == replay.buffer_size else value
        for name, value in vars(replay).items()
        if isinstance(value, np.ndarray) and value.ndim > 0
    }
    return {**arrays, "pos": np.int64(replay.pos), "full": np.bool_(replay.full)}


def _load_replay_arrays(replay: Any, path: Path) -> None:
    try:
        with np.load(path, allow_pickle=False) as saved:
            for name in saved.files:
                if name in ("pos", "full"):
                    setattr(replay, name, saved[name].item())
                else:
                    array = saved[name]
                    getattr(replay, name)[: len(array)] = array
    except (OSError, ValueError, AttributeError) as error:
        raise ConfigError(f"the replay buffer in {path} cannot be loaded: {error}") from error


def _numbers(root: Path) -> list[int]:
    return [int(p.name) for p in root.iterdir() if p.is_dir() and p.name.isdigit()]


def _latest(root: Path) -> Path | None:
    if not root.is_dir():
        return None
    pointer = root / LATEST
    if pointer.is_file():
        folder = root / pointer.read_text(encoding="utf-8", errors="replace").strip()
        if folder.is_dir():
            return folder
    # Killed between the rename and the pointer: a folder with its final name is whole.
    numbers = _numbers(root)
    return root / f"{max(numbers):06d}" if numbers else None


def _flush(path: Path) -> None:
    """Flush a file or, where the system can, a folder to the disk."""
    if path.is_dir() and os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
