"""Seconds and memory of one training iteration against the number of features.

    python benchmarks/wide_scaling.py
    python benchmarks/wide_scaling.py --features 100 400 --rows 2000
    python benchmarks/wide_scaling.py --device cuda

Simulated patients of so many columns; every width in a process of its own, with PPO's default
preset. An iteration is a rollout, the discriminator's update, the likelihood steps and PPO's
epochs. The exponent is the slope of the logarithms between neighbouring widths. Seconds are CPU
time, and wall time on another device, whose own memory is given then.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from stable_baselines3.common.callbacks import BaseCallback

from agents import make_model, make_vec_env
from agents.callbacks import AveragingCallback, ImitationCallback, ImitationConfig
from agents.hyperparameters import resolve
from agents.registry import get_algorithm
from rlsyn_env.datasets import simulate_ehr

_OTHER_COLUMNS = 7  # of a simulated patient, beside the codes


class Stopwatch(BaseCallback):
    """Notes when each rollout starts."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__()
        self.starts: list[float] = []
        self._clock = clock

    def _on_step(self) -> bool:
        return True

    def _on_rollout_start(self) -> None:
        self.starts.append(self._clock())

    def _on_training_end(self) -> None:
        self.starts.append(self._clock())


def measure(
    features: int, rows: int, iterations: int, n_envs: int | None, device: str = "cpu"
) -> dict[str, float]:
    """Train for a few iterations; returns seconds of one and peak memory in MiB."""
    on_cpu = device == "cpu"
    cohort = simulate_ehr(rows, features - _OTHER_COLUMNS, seed=0)
    algorithm = get_algorithm("ppo")
    preset = algorithm.preset
    n_envs = n_envs or int(resolve(preset.n_envs, 1, rows))
    vec_env = make_vec_env(
        "RLSyn/Record-v0", n_envs, seed=0, dataset=cohort.table, target=cohort.target, derive=False,
        adversary_config=preset.adversary, device=device,
    )  # fmt: skip
    core = vec_env.core
    model = make_model(algorithm, vec_env, seed=0, device=device)
    options = {name: resolve(value, 1, rows) for name, value in (preset.imitation or {}).items()}
    imitation = ImitationConfig(**{**options, "warm_up": 0})
    stopwatch = Stopwatch(time.process_time if on_cpu else time.perf_counter)
    model.learn(
        n_envs * core.n_features * iterations,
        callback=[
            stopwatch,
            ImitationCallback(core.encoder, cohort.table, imitation),
            AveragingCallback(),
        ],
    )
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "features": core.n_features,
        "seconds": float(np.diff(stopwatch.starts)[1:].min()),  # the first one warms up
        "peak_mib": peak_kib / 2**10 if on_cpu else torch.cuda.max_memory_allocated() / 2**20,
    }


def main() -> None:
    """Measure each width in a child process and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--features", type=int, nargs="+", default=[100, 400, 1485])
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--iterations", type=int, default=4)
    parser.add_argument("--n-envs", type=int)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        found = measure(
            options.one, options.rows, options.iterations, options.n_envs, options.device
        )
        print(json.dumps(found))
        return
    print("| features | s an iteration | exponent | peak MiB | exponent |")
    print("|---|---|---|---|---|")
    before: dict[str, float] | None = None
    for features in options.features:
        command = [sys.executable, __file__, "--one", str(features), "--rows", str(options.rows)]
        command += ["--iterations", str(options.iterations), "--device", options.device]
        if options.n_envs:
            command += ["--n-envs", str(options.n_envs)]
        output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        now = json.loads(output.splitlines()[-1])
        slopes = ["", ""]
        if before is not None:
            log_features = math.log(now["features"] / before["features"])
            slopes = [
                f"{math.log(now[key] / before[key]) / log_features:.2f}"
                for key in ("seconds", "peak_mib")
            ]
        print(
            f"| {now['features']:,} | {now['seconds']:.2f} | {slopes[0]} | {now['peak_mib']:,.0f} "
            f"| {slopes[1]} |"
        )
        before = now


if __name__ == "__main__":
    main()
