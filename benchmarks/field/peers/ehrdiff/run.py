"""EHRDiff: diffusion with the preconditioning of Karras et al. over min-max records.

Yuan, Zhou, Yu: EHRDiff: Exploring Realistic EHR Synthesis with Diffusion Models. arXiv 2303.05656
(TMLR 2024). Written anew after the paper and its authors' code (github.com/sczzz3/EHRDiff),
whose settings these are; the preconditioning, noise schedule and sampler are those of Karras et
al. 2022 (arXiv 2206.00364).

As published: MLP denoiser that adds a projection of the noise level's sinusoidal embedding before
every rectifier; sigma_data = standard deviation of the encoded table (0.14 for MIMIC, 0.03 for
CinC); training noise levels log-normal with mean -1.2 and deviation 1.2; AdamW 3e-4 without weight
decay, linear warm-up then a cosine to zero; weights averaged with 0.999; deterministic Heun sampler
of 32 steps from sigma 80 to 0.02 with rho 7, then to 0. The binaries are cut at 0.5.

Scaled to small tables and one processor core. Published: batches of 1,024 for 41,000 MIMIC records
and of 256 for CinC, 5,000 passes (200,000 steps for MIMIC), the first 20,000 steps warm-up; units
1024-384-384-384-1024 for 1,782 columns. Here:

- units: the published ones above 128 coordinates, else 512-128-128-128-512;
- batch: all rows, at most the published 256 of CinC;
- steps: 20,000, above 128 coordinates 10,000, a tenth of them warm-up.
"""

from __future__ import annotations

import argparse
import itertools
import math
import os
import time

import numpy as np
import torch
from peer_table import Task
from torch import nn
from torch.nn import functional as F  # noqa: N812
from unit_records import UnitRecords

LOG_SIGMA_MEAN, LOG_SIGMA_STD = -1.2, 1.2
SIGMA_MIN, SIGMA_MAX, RHO, SAMPLER_STEPS = 0.02, 80.0, 7.0, 32
RATE, AVERAGE, WARM_UP = 3e-4, 0.999, 0.1
LARGEST_BATCH = 256
WIDE = 128
STEPS, STEPS_WIDE = 20_000, 10_000


class Denoiser(nn.Module):
    """D(x, sigma) of Karras et al., equation 7, around an MLP.

    Args:
        width: coordinates k of a record.
        units: of the hidden layers.
        embedding: width of the noise level's embedding.
        sigma_data: standard deviation of the data.
    """

    frequencies: torch.Tensor

    def __init__(self, width: int, units: list[int], embedding: int, sigma_data: float) -> None:
        super().__init__()
        self.sigma_data = sigma_data
        half = embedding // 2
        frequencies = torch.exp(-math.log(10_000) * torch.arange(half) / (half - 1))
        self.register_buffer("frequencies", frequencies)
        self.embed = nn.Sequential(
            nn.Linear(embedding, embedding), nn.SiLU(), nn.Linear(embedding, embedding)
        )
        sizes = [width, *units]
        self.shifts = nn.ModuleList(nn.Linear(embedding, size) for size in sizes)
        self.layers = nn.ModuleList(
            nn.Linear(size, following)
            for size, following in zip(sizes, [*units, width], strict=True)
        )

    def forward(self, noisy: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        """Estimate the clean records ``(n, k)`` behind noisy ones at noise levels ``(n, 1)``."""
        total = (sigma.square() + self.sigma_data**2).sqrt()
        angle = sigma.log() / 4 * self.frequencies
        level = self.embed(torch.cat([angle.sin(), angle.cos()], dim=1))
        x = noisy / total
        for shift, layer in zip(self.shifts, self.layers, strict=True):
            x = layer(F.relu(x + shift(level)))
        skip = self.sigma_data**2 / total.square()
        return skip * noisy + sigma * self.sigma_data / total * x


def train(records: torch.Tensor, steps: int, *, verbose: bool = False) -> Denoiser:
    """Train on ``records (n, k)`` for some gradient steps; returns the averaged network."""
    n, width = records.shape
    wide = width > WIDE
    units = [1024, 384, 384, 384, 1024] if wide else [512, 128, 128, 128, 512]
    denoiser = Denoiser(width, units, 384 if wide else 128, float(records.std()))
    averaged = Denoiser(width, units, 384 if wide else 128, denoiser.sigma_data)
    averaged.load_state_dict(denoiser.state_dict())
    optimizer = torch.optim.AdamW(denoiser.parameters(), lr=RATE, weight_decay=0.0)
    warm_up = max(1, round(WARM_UP * steps))

    def schedule(step: int) -> float:
        if step < warm_up:
            return step / warm_up
        done = (step - warm_up) / max(1, steps - warm_up)
        return 0.5 * (1 + math.cos(math.pi * done))

    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, schedule)
    batch = min(LARGEST_BATCH, n)
    order = torch.randperm(n)
    for step in range(steps):
        if len(order) < batch:
            order = torch.randperm(n)
        rows, order = order[:batch], order[batch:]
        clean = records[rows]
        sigma = (LOG_SIGMA_MEAN + LOG_SIGMA_STD * torch.randn(batch, 1)).exp()
        weight = (sigma.square() + denoiser.sigma_data**2) / (sigma * denoiser.sigma_data).square()
        estimate = denoiser(clean + sigma * torch.randn_like(clean), sigma)
        loss = (weight * (estimate - clean).square()).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        scheduler.step()
        # The average forgets its random start faster while it is young.
        decay = min(AVERAGE, (1 + step) / (10 + step))
        with torch.no_grad():
            for mean, weight_now in zip(averaged.parameters(), denoiser.parameters(), strict=True):
                mean.lerp_(weight_now, 1 - decay)
        if verbose and step % 1000 == 0:
            print(f"step {step}: loss {loss.item():.4f}", flush=True)
    return averaged.eval()


@torch.no_grad()
def sample(denoiser: Denoiser, n: int, width: int) -> torch.Tensor:
    """Heun's method from pure noise (Karras et al., algorithm 1) in float64; returns ``(n, k)``."""
    share = torch.arange(SAMPLER_STEPS, dtype=torch.float64) / (SAMPLER_STEPS - 1)
    highest, lowest = SIGMA_MAX ** (1 / RHO), SIGMA_MIN ** (1 / RHO)
    levels = [*((highest + share * (lowest - highest)) ** RHO).tolist(), 0.0]

    def slope(x: torch.Tensor, level: float) -> torch.Tensor:
        clean = denoiser(x.float(), torch.full((n, 1), level)).double()
        return (x - clean) / level

    x = torch.randn(n, width, dtype=torch.float64) * levels[0]
    for level, following in itertools.pairwise(levels):
        first = slope(x, level)
        ahead = x + (following - level) * first
        if following > 0:
            ahead = x + (following - level) * (first + slope(ahead, following)) / 2
        x = ahead
    return x


def parse(options: list[str]) -> argparse.Namespace:
    """Read the further arguments of the command line."""
    parser = argparse.ArgumentParser(description="EHRDiff")
    parser.add_argument("--steps", type=int, help="gradient steps (default: by the rule)")
    parser.add_argument("--verbose", action="store_true")
    return parser.parse_args(options)


def main() -> None:
    """Train on FOLDER/train.csv and write FOLDER/synthetic.csv."""
    task = Task.from_arguments()
    options = parse(task.options)
    torch.manual_seed(task.seed)
    torch.set_num_threads(int(os.environ.get("FIELD_THREADS", "1")))
    records = UnitRecords(task)
    n, width = records.matrix.shape
    started = time.perf_counter()
    steps = options.steps or (STEPS_WIDE if width > WIDE else STEPS)
    denoiser = train(torch.from_numpy(records.matrix), steps, verbose=options.verbose)
    seconds = time.perf_counter() - started
    synthetic = np.asarray(sample(denoiser, n, width).numpy())
    task.write(
        records.frame(synthetic),
        notes={"steps": steps, "training_seconds": round(seconds, 1)},
    )


if __name__ == "__main__":
    main()
