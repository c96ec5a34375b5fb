"""The published one-shot RLSyn as a plain PyTorch loop, after the paper and its authors' code.

It shares no code with the environment, its discriminator or Stable-Baselines3: ``compare.py`` holds
one against the other. (Both were written by the same hand, so a misreading of the paper could be in
both.) Each iteration: 384 records from the policy, reward sigmoid(D) minus the
value as normalised advantage, three clipped PPO steps on the whole batch; then five discriminator
steps, each on a fresh batch of records, with R1 on the real rows.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.distributions import Bernoulli, Normal, TransformedDistribution
from torch.distributions.transforms import TanhTransform
from torch.nn import functional as F  # noqa: N812

NOISE, HIDDEN, BATCH = 112, 128, 384
EPOCHS, DISCRIMINATOR_STEPS = 3, 5
CLIP, VALUE_WEIGHT, ENTROPY_WEIGHT, R1 = 0.1, 0.5, 1e-3, 5.0
POLICY_RATE, DISCRIMINATOR_RATE = 2e-4, 5e-5
EDGE = 1e-6  # numbers stay this far inside (0, 1)


class Policy(nn.Module):
    """Noise to a distribution over rows: numbers first, then bits."""

    def __init__(self, n_numbers: int, n_bits: int) -> None:
        super().__init__()
        self.n_numbers = n_numbers
        self.core = nn.Sequential(
            nn.Linear(NOISE, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, HIDDEN), nn.ReLU()
        )
        self.mean = nn.Linear(HIDDEN, n_numbers)
        self.log_scale = nn.Parameter(torch.zeros(n_numbers))
        self.logits = nn.Linear(HIDDEN, n_bits)
        self.value = nn.Linear(HIDDEN, 1)

    def squashed(self, h: torch.Tensor) -> TransformedDistribution:
        """Return the distribution of the numbers in (-1, 1).

        Its cache gives a fresh sample's density from the value before squashing, exactly, however
        far out; see ``published_policy.TanhGaussianBernoulli`` for why that matters.
        """
        normal = Normal(self.mean(h), self.log_scale.exp())
        return TransformedDistribution(normal, [TanhTransform(cache_size=1)])

    def sample(self, noise: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw one row ``(numbers, bits)`` per row of noise; returns rows and log densities."""
        h = self.core(noise)
        distribution, coins = self.squashed(h), Bernoulli(logits=self.logits(h))
        numbers, bits = distribution.sample(), coins.sample()
        log_density = distribution.log_prob(numbers).sum(1) + coins.log_prob(bits).sum(1)
        clamped = ((numbers + 1) / 2).clamp(EDGE, 1 - EDGE)
        return torch.cat([clamped, bits], dim=1), log_density

    def evaluate(
        self, noise: torch.Tensor, rows: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return log density and value of rows, each ``(n,)``."""
        h = self.core(noise)
        numbers, bits = rows[:, : self.n_numbers], rows[:, self.n_numbers :]
        log_numbers = self.squashed(h).log_prob(2 * numbers - 1).sum(1)
        log_bits = Bernoulli(logits=self.logits(h)).log_prob(bits).sum(1)
        return log_numbers + log_bits, self.value(h).squeeze(1)


def run_plain_loop(
    matrix: npt.NDArray[np.float32],
    is_bit: npt.NDArray[np.bool_],
    n: int,
    *,
    seed: int,
    iterations: int,
) -> npt.NDArray[np.float32]:
    """Train on ``matrix (m, d)`` in [0, 1] and return ``n`` records ``(n, d)``.

    Args:
        matrix: training rows.
        is_bit: ``(d,)`` bool, coordinates that are exactly 0 or 1.
        n: records to generate.
        seed: of everything.
        iterations: of policy and discriminator.
    """
    torch.manual_seed(seed)
    order = np.concatenate([np.flatnonzero(~is_bit), np.flatnonzero(is_bit)])
    real = torch.from_numpy(matrix[:, order])
    policy = Policy(int((~is_bit).sum()), int(is_bit.sum()))
    discriminator = nn.Sequential(
        nn.Linear(len(order), HIDDEN), nn.LeakyReLU(0.2),
        nn.Linear(HIDDEN, HIDDEN), nn.LeakyReLU(0.2),
        nn.Linear(HIDDEN, 1), nn.Flatten(0),
    )  # fmt: skip
    policy_optimizer = torch.optim.Adam(policy.parameters(), lr=POLICY_RATE)
    discriminator_optimizer = torch.optim.Adam(discriminator.parameters(), lr=DISCRIMINATOR_RATE)
    for _ in range(iterations):
        noise = torch.randn(BATCH, NOISE)
        with torch.no_grad():
            rows, log_old = policy.sample(noise)
            value_old = policy.evaluate(noise, rows)[1]
            rewards = discriminator(rows).sigmoid()
        advantage = rewards - value_old
        advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
        for _ in range(EPOCHS):
            log_new, value = policy.evaluate(noise, rows)
            ratio = (log_new - log_old).exp()
            clipped = ratio.clamp(1 - CLIP, 1 + CLIP)
            gain = torch.minimum(ratio * advantage, clipped * advantage).mean()
            loss = (
                VALUE_WEIGHT * F.mse_loss(value, rewards) - gain + ENTROPY_WEIGHT * log_new.mean()
            )
            policy_optimizer.zero_grad()
            loss.backward()
            policy_optimizer.step()
        for _ in range(DISCRIMINATOR_STEPS):
            with torch.no_grad():
                fake, _ = policy.sample(torch.randn(BATCH, NOISE))
            batch = real[torch.randint(len(real), (BATCH,))].requires_grad_(True)
            on_real = discriminator(batch)
            (slope,) = torch.autograd.grad(on_real.sum(), batch, create_graph=True)
            penalty = R1 / 2 * slope.square().sum(1).mean()
            loss = F.softplus(-on_real).mean() + F.softplus(discriminator(fake)).mean() + penalty
            discriminator_optimizer.zero_grad()
            loss.backward()
            discriminator_optimizer.step()
    with torch.no_grad():
        generated = policy.sample(torch.randn(n, NOISE))[0].numpy()
    records = np.empty_like(generated)
    records[:, order] = generated
    return records
