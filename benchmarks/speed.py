"""Speed of the environment, as ratios of one run (one torch thread).

    python benchmarks/speed.py

Prints three figures:

1. native ``VecEnv`` against Stable-Baselines3's ``DummyVecEnv`` of the single environment, random
   actions, 512 environments of 31 features;
2. feature-steps per second of the core with scoring on and ``co_train=False``;
3. share of a default PPO run that co-training and scoring take.

Machines are noisy: each timing is repeated in turn and the median is kept.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial

import gymnasium as gym
import numpy as np
import torch
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv

from agents import make_vec_env
from agents.factory import make_model
from agents.registry import get_algorithm
from rlsyn_env.adversary import Adversary
from rlsyn_env.core import RecordCore
from rlsyn_env.rewards import AdversarialReward

ENV_ID = "RLSyn/Record-v0"


def seconds_of_steps(env: VecEnv, actions: np.ndarray, steps: int) -> float:
    """Seconds that ``steps`` vector steps take."""
    start = time.perf_counter()
    for _ in range(steps):
        env.step(actions)
    return time.perf_counter() - start


def vec_env_ratio(adversary: Adversary, n_envs: int, repeats: int) -> float:
    """Speed of the native VecEnv over that of DummyVecEnv, co-training frozen in both."""
    kwargs = {"adversary": adversary, "co_train": False}
    native = make_vec_env(ENV_ID, n_envs, **kwargs)
    dummy = DummyVecEnv([partial(gym.make, ENV_ID, **kwargs) for _ in range(n_envs)])
    steps = adversary.encoder.n_features
    actions = np.random.default_rng(0).uniform(-1, 1, (n_envs, 1)).astype(np.float32)
    native.reset()
    dummy.reset()
    ratios = []
    for _ in range(repeats):
        slow = seconds_of_steps(dummy, actions, steps)
        fast = seconds_of_steps(native, actions, 10 * steps) / 10
        ratios.append(slow / fast)
    return statistics.median(ratios)


def core_steps_per_second(adversary: Adversary, n_envs: int, repeats: int) -> float:
    """Feature-steps per second of the core with scoring on and co-training off."""
    core = RecordCore(n_envs, "box", encoder=adversary.encoder, adversary=adversary, co_train=False)
    core.reset()
    actions = np.random.default_rng(0).uniform(-1, 1, (n_envs, 1)).astype(np.float32)
    speeds = []
    for _ in range(repeats):
        start = time.perf_counter()
        for _ in range(10 * core.episode_length):
            core.step(actions)
        speeds.append(10 * core.episode_length * n_envs / (time.perf_counter() - start))
    return statistics.median(speeds)


def co_training_share(records: int) -> tuple[float, float]:
    """Share of a default PPO run spent in co-training and scoring, and the run's seconds."""
    spent = 0.0

    def timed(method: Callable[..., object]) -> Callable[..., object]:
        def wrapper(*args: object) -> object:
            nonlocal spent
            start = time.perf_counter()
            try:
                return method(*args)
            finally:
                spent += time.perf_counter() - start

        return wrapper

    algorithm = get_algorithm("ppo")
    env = make_vec_env(algorithm.default_env_id, algorithm.preset.n_envs, seed=0)
    for term in env.core.reward_terms:
        if isinstance(term, AdversarialReward):
            term.observe = timed(term.observe)  # type: ignore[method-assign]
    score = timed(env.core.score)
    env.core.score = score  # type: ignore[method-assign,assignment]
    model = make_model(algorithm, env, seed=0, device="cpu", hyperparams={})
    start = time.perf_counter()
    model.learn(records * env.core.episode_length)
    seconds = time.perf_counter() - start
    return spent / seconds, seconds


def main() -> None:
    """Print the three figures beside their goals."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n-envs", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--ppo-records", type=int, default=8 * 512, help="length of the PPO run")
    args = parser.parse_args()
    torch.set_num_threads(1)
    adversary = Adversary.from_dataset("breast_cancer")
    ratio = vec_env_ratio(adversary, args.n_envs, args.repeats)
    print(f"native VecEnv / DummyVecEnv      {ratio:12.1f}x          (goal: at least 10x)")
    speed = core_steps_per_second(adversary, args.n_envs, args.repeats)
    print(f"core, scoring on, co_train=False {speed:12,.0f} steps/s  (goal: at least 1,000,000)")
    share, seconds = co_training_share(args.ppo_records)
    print(
        f"co-training and scoring          {share:12.1%} of {seconds:.0f} s    (goal: at most 30%)"
    )


if __name__ == "__main__":
    main()
