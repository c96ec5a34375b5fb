"""EMR-WGAN: a Wasserstein GAN with gradient penalty for health records.

Zhang, Yan, Mesa, Sun, Malin: Ensuring electronic medical record simulation through better training,
modeling, and evaluation. JAMIA 27(1), 2020. Written anew after the paper, its authors' code
(github.com/allhailjustice/EMR-WGAN) and their tutorial
(github.com/yanchao0222/tutorial_data_synthesis_and_evaluation), whose settings these are.

As published: residual generator with batch normalisation before each rectifier, residual critic
with layer normalisation after it, noise of 128 normals, sigmoid outputs (softmax for a block of
levels), gradient penalty 10, one critic step per generator step, RMSprop with the critic's rate
twice the generator's. While the critic trains, the generator normalises with its running
statistics, as it does when it generates. No filtering by label: the table is drawn unconditionally.

Scaled to small tables and one processor core. Published: 384 units, batches of 1,000 or 4,096,
rates 1e-5 and 2e-5 for 15,000 to 50,000 passes over tens of thousands of rows or more, which is
hundreds of thousands of steps; the last weights, or those of the smallest critic loss. Here:

- units: the published 384 above 128 coordinates, else 128;
- batch: half of the rows, at most 256;
- steps: 10,000 generator steps at ten times the published rates; the last weights.
"""

from __future__ import annotations

import argparse
import os
import time

import numpy as np
import torch
from peer_table import Task
from torch import nn
from torch.nn import functional as F  # noqa: N812
from unit_records import UnitRecords

LAYERS = 5
UNITS, UNITS_WIDE, WIDE = 128, 384, 128
NOISE = 128
LARGEST_BATCH = 256
RATE, CRITIC_RATE = 1e-4, 2e-4
PENALTY = 10.0
ALPHA, RMS_EPSILON = 0.9, 1e-7  # Keras' RMSprop, which the authors used; PyTorch's differ
MOMENTUM, NORM_EPSILON = 0.01, 1e-5  # of the batch statistics: Keras' 0.99 in PyTorch's terms


class Generator(nn.Module):
    """Noise ``(n, 128)`` to records ``(n, k)`` in [0, 1].

    Args:
        width: k.
        blocks: columns ``(start, stop)`` of the levels of one column each, which sum to 1.
        hidden: units per layer.
    """

    def __init__(self, width: int, blocks: list[tuple[int, int]], hidden: int) -> None:
        super().__init__()
        sizes = [NOISE] + [hidden] * (LAYERS - 1)
        self.layers = nn.ModuleList(nn.Linear(size, hidden) for size in sizes)
        self.norms = nn.ModuleList(
            nn.BatchNorm1d(hidden, eps=NORM_EPSILON, momentum=MOMENTUM) for _ in sizes
        )
        self.out = nn.Linear(hidden, width)
        self.blocks = blocks

    def forward(self, noise: torch.Tensor) -> torch.Tensor:
        """Generate one record per row of noise."""
        x = torch.zeros(())
        for i, (layer, norm) in enumerate(zip(self.layers, self.norms, strict=True)):
            h = F.relu(norm(layer(x if i else noise)))
            x = x + h
        logits = self.out(x)
        parts, done = [], 0
        for start, stop in self.blocks:
            parts += [torch.sigmoid(logits[:, done:start]), F.softmax(logits[:, start:stop], dim=1)]
            done = stop
        return torch.cat([*parts, torch.sigmoid(logits[:, done:])], dim=1)


class Critic(nn.Module):
    """Records ``(n, k)`` to scores ``(n,)``, higher for real."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        sizes = [width] + [hidden] * (LAYERS - 1)
        self.layers = nn.ModuleList(nn.Linear(size, hidden) for size in sizes)
        self.norms = nn.ModuleList(nn.LayerNorm(hidden, eps=NORM_EPSILON) for _ in sizes)
        self.out = nn.Linear(hidden, 1)

    def forward(self, records: torch.Tensor) -> torch.Tensor:
        """Score each record."""
        x = torch.zeros(())
        for i, (layer, norm) in enumerate(zip(self.layers, self.norms, strict=True)):
            x = x + norm(F.relu(layer(x if i else records)))
        return self.out(x).squeeze(1)


def critic_loss(critic: Critic, real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
    """Wasserstein loss with gradient penalty (Gulrajani et al. 2017, equation 3)."""
    mixed = real + torch.rand(len(real), 1) * (fake - real)
    mixed.requires_grad_(True)
    (slope,) = torch.autograd.grad(critic(mixed).sum(), mixed, create_graph=True)
    penalty = (slope.norm(dim=1) - 1).square().mean()
    return critic(fake).mean() - critic(real).mean() + PENALTY * penalty


def train(
    records: torch.Tensor, blocks: list[tuple[int, int]], steps: int, *, verbose: bool = False
) -> Generator:
    """Train on ``records (n, k)``; returns the generator in evaluation mode."""
    n, width = records.shape
    hidden = UNITS_WIDE if width > WIDE else UNITS
    batch = max(2, min(LARGEST_BATCH, n // 2))
    generator, critic = Generator(width, blocks, hidden), Critic(width, hidden)

    def rmsprop(network: nn.Module, rate: float) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(network.parameters(), lr=rate, alpha=ALPHA, eps=RMS_EPSILON)

    generator_optimizer = rmsprop(generator, RATE)
    critic_optimizer = rmsprop(critic, CRITIC_RATE)
    order = torch.randperm(n)
    for step in range(steps):
        if len(order) < batch:
            order = torch.randperm(n)
        rows, order = order[:batch], order[batch:]
        generator.eval()
        with torch.no_grad():
            fake = generator(torch.randn(batch, NOISE))
        critic_optimizer.zero_grad(set_to_none=True)
        critic_loss(critic, records[rows], fake).backward()
        critic_optimizer.step()
        generator.train()
        generator_optimizer.zero_grad(set_to_none=True)
        loss = -critic(generator(torch.randn(batch, NOISE))).mean()
        loss.backward()
        generator_optimizer.step()
        if verbose and step % 1000 == 0:
            print(f"step {step}: generator loss {loss.item():.3f}", flush=True)
    return generator.eval()


def parse(options: list[str]) -> argparse.Namespace:
    """Read the further arguments of the command line."""
    parser = argparse.ArgumentParser(description="EMR-WGAN")
    parser.add_argument("--steps", type=int, default=10_000, help="generator steps")
    parser.add_argument("--verbose", action="store_true")
    return parser.parse_args(options)


def main() -> None:
    """Train on FOLDER/train.csv and write FOLDER/synthetic.csv."""
    task = Task.from_arguments()
    options = parse(task.options)
    torch.manual_seed(task.seed)
    torch.set_num_threads(int(os.environ.get("FIELD_THREADS", "1")))
    records = UnitRecords(task)
    blocks = [(start, stop) for _, start, stop in records.blocks if stop - start > 1]
    started = time.perf_counter()
    matrix = torch.from_numpy(records.matrix)
    generator = train(matrix, blocks, options.steps, verbose=options.verbose)
    seconds = time.perf_counter() - started
    with torch.no_grad():
        synthetic = generator(torch.randn(len(records.matrix), NOISE)).numpy()
    task.write(
        records.frame(np.asarray(synthetic)),
        notes={"steps": options.steps, "training_seconds": round(seconds, 1)},
    )


if __name__ == "__main__":
    main()
