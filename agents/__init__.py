"""The players: Stable-Baselines3 algorithms for the record environments."""

from agents.factory import load_model, make_model
from agents.generation import generate, generate_table
from agents.registry import ALGORITHMS, Algorithm, get_algorithm, parse_hyperparams
from agents.vec_env import RecordVecEnv, make_vec_env

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
