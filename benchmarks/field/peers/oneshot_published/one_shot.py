"""The published one-shot RLSyn through ``RLSyn/RecordOneShot-v0`` and Stable-Baselines3's PPO."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from published_policy import PublishedPolicy
from stable_baselines3 import PPO
from unit_encoder import BATCH, published_adversary

from agents.vec_env import make_vec_env
from rlsyn_env.core import RecordCore

ENV_ID = "RLSyn/RecordOneShot-v0"
NOISE_DIM = 112
ITERATIONS = 30_000


def run_one_shot(
    matrix: npt.NDArray[np.float32],
    is_bit: npt.NDArray[np.bool_],
    n: int,
    *,
    seed: int,
    iterations: int = ITERATIONS,
) -> npt.NDArray[np.float32]:
    """Train on the rows of ``matrix`` and return ``n`` records ``(n, d)`` in [0, 1].

    Args:
        matrix: training rows ``(m, d)`` float32 in [0, 1].
        is_bit: ``(d,)`` bool, coordinates that are exactly 0 or 1.
        n: records to generate.
        seed: of the policy, the noise and the discriminator.
        iterations: of policy and discriminator, one rollout of 384 records each.
    """
    adversary = published_adversary(matrix, is_bit, seed)
    environments = make_vec_env(
        ENV_ID,
        n_envs=BATCH,
        seed=seed,
        adversary=adversary,
        reward="sigmoid",
        noise_dim=NOISE_DIM,
    )
    model = PPO(
        PublishedPolicy,
        environments,
        policy_kwargs={"is_bit": is_bit},
        seed=seed,
        learning_rate=2e-4,
        n_steps=1,
        batch_size=BATCH,
        n_epochs=3,
        gamma=1.0,
        gae_lambda=1.0,
        clip_range=0.1,
        vf_coef=0.5,
        ent_coef=1e-3,
        max_grad_norm=math.inf,  # the published code does not clip
        device="cpu",
    )
    model.learn(iterations * BATCH)
    core = RecordCore(n, "oneshot", encoder=adversary.encoder, noise_dim=NOISE_DIM)
    core.seed([seed * 1_000_003 + i for i in range(n)])
    actions, _ = model.predict(core.reset(), deterministic=False)
    records = core.step(actions).records
    assert records is not None  # one step ends a one-shot episode; for the type checker
    return records
