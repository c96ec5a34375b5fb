"""The players: Stable-Baselines3 algorithms for the record environments.

Names are imported when they are first used: the command line's help must not wait for torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agents.factory import load_model, make_model
    from agents.generation import generate, generate_table
    from agents.registry import ALGORITHMS, Algorithm, get_algorithm, parse_hyperparams
    from agents.vec_env import RecordVecEnv, make_vec_env

_MODULES = {
    "ALGORITHMS": "agents.registry",
    "Algorithm": "agents.registry",
    "RecordVecEnv": "agents.vec_env",
    "generate": "agents.generation",
    "generate_table": "agents.generation",
    "get_algorithm": "agents.registry",
    "load_model": "agents.factory",
    "make_model": "agents.factory",
    "make_vec_env": "agents.vec_env",
    "parse_hyperparams": "agents.registry",
}

__all__ = [
    "ALGORITHMS",
    "Algorithm",
    "RecordVecEnv",
    "generate",
    "generate_table",
    "get_algorithm",
    "load_model",
    "make_model",
    "make_vec_env",
    "parse_hyperparams",
]


def __getattr__(name: str) -> Any:
    """Import a public name from its module on first use (PEP 562)."""
    if name not in _MODULES:
        raise AttributeError(f"module 'agents' has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
