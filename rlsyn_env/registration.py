"""Registers the environment ids with Gymnasium.

Entry points are strings: a class object would break ``spec.to_json()``, and strings keep torch
out of ``import rlsyn_env``.
"""

from __future__ import annotations

import gymnasium as gym

#: Registered id -> mode of :class:`rlsyn_env.core.RecordCore`.
ENV_MODES = {
    "RLSyn/Record-v0": "box",
    "RLSyn/RecordDiscrete-v0": "discrete",
    "RLSyn/RecordOneShot-v0": "oneshot",
}
ENV_IDS = tuple(ENV_MODES)


def register_envs() -> None:
    """Register every id; calling it again changes nothing.

    No ``max_episode_steps``: the horizon is the number of features and the end is a termination,
    not a truncation.
    """
    for env_id, mode in ENV_MODES.items():
        if env_id not in gym.registry:
            gym.register(
                env_id,
                entry_point="rlsyn_env.envs:RecordEnv",
                vector_entry_point="rlsyn_env.envs:RecordVectorEnv",
                kwargs={"mode": mode},
            )
