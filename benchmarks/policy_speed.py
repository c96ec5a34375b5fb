"""How fast the autoregressive policy learns from whole episodes and generates, on one core.

Two ratios and two rates, measured side by side in one process:

- PPO's ``train()`` on whole episodes against the same network scoring transition by transition
  (SB3's own rollout buffer), in records a second;
- sampled records a second, without and with decoding to a table.

    python benchmarks/policy_speed.py
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from stable_baselines3 import PPO
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.logger import Logger

import agents
from agents.buffers import EpisodeRolloutBuffer
from agents.generation import Generator, generate
from agents.vec_env import RecordVecEnv

_N_ENVS, _REPEATS, _SAMPLED = 256, 3, 16_384


def main() -> None:
    """Print the figures."""
    torch.set_num_threads(1)
    env = agents.make_vec_env("RLSyn/Record-v0", _N_ENVS, seed=0, dataset="breast_cancer")
    rates: dict[type, list[float]] = {EpisodeRolloutBuffer: [], RolloutBuffer: []}
    for _ in range(_REPEATS):
        for buffer, seen in rates.items():
            seen.append(training_rate(env, buffer))
    whole, single = (statistics.median(seen) for seen in rates.values())
    print(f"train(): {whole:,.0f} records/s on whole episodes, {single:,.0f} by transitions, "
          f"{whole / single:.1f}x")  # fmt: skip

    model = build(env, EpisodeRolloutBuffer)
    generator = Generator(model.policy, env.core.encoder, "RLSyn/Record-v0")
    decoded = rate(lambda: list(generate(generator, _SAMPLED)), _SAMPLED)
    sampled = rate(lambda: sample(model, _SAMPLED), _SAMPLED)
    print(f"sampling: {sampled:,.0f} records/s of {model.policy.d} features, "
          f"{decoded:,.0f} with environment and decoding")  # fmt: skip


def build(env: RecordVecEnv, buffer: type[RolloutBuffer]) -> PPO:
    """Return the default PPO (minibatches of 128 records) with one epoch and this buffer."""
    options = {"rollout_buffer_class": buffer, "n_epochs": 1}
    model = agents.make_model("ppo", env, seed=0, device="cpu", hyperparams=options)
    assert isinstance(model, PPO)
    model.set_logger(Logger(None, []))
    return model


def training_rate(env: RecordVecEnv, buffer: type[RolloutBuffer]) -> float:
    """Records a second that ``train()`` goes through, on one rollout."""
    model = build(env, buffer)
    _, callback = model._setup_learn(1, None)
    model.collect_rollouts(env, callback, model.rollout_buffer, model.n_steps)
    model._update_current_progress_remaining(0, 1)
    return rate(model.train, _N_ENVS)


def sample(model: PPO, n: int) -> None:
    """Draw ``n`` records from the network alone."""
    policy = model.policy
    with torch.no_grad():
        for _ in range(n // 1024):
            prefix = policy.actor.prefix(1024)
            for t in range(policy.d):
                actions = policy._cells(policy.actor.next_logits(prefix), t).sample()
                policy.actor.extend(prefix, (actions + 1) / 2)


def rate(work: Callable[[], object], records: int) -> float:
    """Records a second of this process's CPU time, which other processes do not take away."""
    started = time.process_time()
    work()
    return records / (time.process_time() - started)


if __name__ == "__main__":
    main()
