"""What the tests of the learners share: a small table, a model on it, a watcher."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from stable_baselines3.common.callbacks import BaseCallback

from agents import make_model, make_vec_env
from rlsyn_env.tables.schema import TableSchema

BOX = "RLSyn/Record-v0"
CHEAP = {"steps_per_update": 1, "hidden": [8], "co_train_every": 64}
NETWORK = {"width": 24, "value_width": 8}


def dependent_table() -> pd.DataFrame:
    """Return 300 rows: two columns that depend on each other, one that does not."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=300)
    return pd.DataFrame({"x": x, "y": x + 0.3 * rng.normal(size=300), "z": rng.normal(size=300)})


def model_on(table: pd.DataFrame, schema: TableSchema | None = None, **hyper):
    data = {"dataset": table, "schema": schema}
    vec_env = make_vec_env(BOX, 64, seed=0, adversary_config=CHEAP, **data)
    hyper = {"policy": "autoregressive", "policy_kwargs": NETWORK, **hyper}
    return make_model("ppo", vec_env, seed=0, device="cpu", hyperparams=hyper)


def steps(model, rollouts: int) -> int:
    return 64 * model.env.core.episode_length * rollouts


class AtRolloutStarts(BaseCallback):
    """Keeps some of the actor's weights, and the learning rate at the full budget's start."""

    def __init__(self) -> None:
        super().__init__()
        self.weights: list[torch.Tensor] = []
        self.rates: list[float] = []

    def _on_step(self) -> bool:
        return True

    def _on_rollout_start(self) -> None:
        self.weights.append(self.model.policy.actor.norm.bias.clone())
        self.rates.append(self.model.lr_schedule(1.0))
