"""Likelihood steps on real records beside the reinforcement learning (GAIL + BC).

Training rows are expert trajectories: every real record is an episode whose actions are known. A
few likelihood steps (behaviour cloning) before the first rollout give the policy the main
dependences, which the reward alone would have to find by trial; a few at a falling rate afterwards
keep the marginals. Likelihood alone memorises a small table, so both are short and fade, rows are
seen under dropout, and part of the steps imitates smoothed records instead of rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from stable_baselines3.common.callbacks import BaseCallback
from torch import nn

from agents.callbacks.pace import paced_schedule
from agents.callbacks.smoothed_records import SmoothedRecords, fit_smoothed_records
from agents.policies.autoregressive import AutoregressivePolicy
from agents.policies.autoregressive.forgetting import Forgetting
from agents.policies.autoregressive.record_distribution import RecordDistribution
from agents.policies.weights import copy_of_weights
from rlsyn_env.errors import ConfigError
from rlsyn_env.options import check_range
from rlsyn_env.tables.constraints import schema_constraints
from rlsyn_env.tables.encoder import RecordEncoder

_LAST_WARM_UP_RATE = 0.1
_MOST_CONDITIONALS = 50_000  # of one step; a tensor of 96 units each is below 20 MB
_STEPS_ENCODED_TOGETHER = 32  # bounds the memory on wide tables
_RATE_CUT = 0.3  # where validation rows have become no likelier
_CUTS = 3
_MOST_CHECKS = 20
_FEWEST_STEPS_A_CHECK = 50
_VALIDATION_ROWS = 1000


@dataclass(frozen=True)
class ImitationConfig:
    """How much the policy imitates real records.

    Attributes:
        warm_up: likelihood steps before the first rollout; the most, where validation rows show
            when they no longer help.
        warm_up_rate: learning rate of those.
        steps: likelihood steps of ``batch_size`` records before every later rollout; where wide
            records make batches smaller, as many more steps, so that it stays as many records.
        rate: learning rate of those at first; where validation rows show it, at most the last one
            that helped in the warm-up, or below all that were tried where none did. It falls
            linearly to 0 with the budget. The algorithm's own rate is turned down in the same
            proportion.
        batch_size: records of one step; of wide records fewer, so that they make up at most 50,000
            conditionals: larger tensors are slower for each of them.
        dropout: share of the hidden units that a step on real records does not see, against
            memorising; ``benchmarks/ablation.py`` measures what it is worth (``light-guards``).
        forget: share of the features before it that a step on real records does not see. The lower,
            the sharper are near-deterministic relations, and the better are training rows known.
            A feature that hardly varies is hidden less, in proportion to the variance of its bins:
            hidden codes that few records have teach a policy to lose count of them. Features that
            the schema's constraints need are always seen: a step that hides one side of a rule
            teaches to break it.
        target_forgets: times that share is hidden from the column to predict, in [0, 1]: what
            predicts it is lost where most of a row is hidden, and it is one conditional of many
            that could know a row.
        smooth: share of the steps that take records of a Gaussian mixture fitted to training rows
            (:class:`~agents.callbacks.smoothed_records.SmoothedRecords`) in place of real ones,
            with nothing hidden, and imitate all that each feature could have been. Only on tables
            of at most 200 features that are mostly numbers or whose correlations it has; the
            further it misses them, or what lies on curves, the smaller is the share
            (:func:`~agents.callbacks.smoothed_records.fit_smoothed_records`). Where validation rows
            are kept, they decide instead, between all of it and none.
        smooth_warm_up: length of the warm-up in place of ``warm_up`` where records are smoothed;
            its rate falls linearly to a tenth. Longer, as they teach no row.
        smooth_warm_up_rate: learning rate of its steps on smoothed records, which are less noisy.
        smooth_batch_size: smoothed records of one step, with the same limit as ``batch_size``.
        components: of that mixture.
        max_grad_norm: gradients are clipped to it.
    """

    warm_up: int = 0
    warm_up_rate: float = 2e-3
    steps: int = 4
    rate: float = 3e-4
    batch_size: int = 128
    dropout: float = 0.5
    forget: float = 0.0
    target_forgets: float = 0.6
    smooth: float = 0.0
    smooth_warm_up: int = 350
    smooth_warm_up_rate: float = 1.2e-2
    smooth_batch_size: int = 64
    components: int = 4
    max_grad_norm: float = 0.5

    def __post_init__(self) -> None:
        for name in ("warm_up_rate", "smooth_warm_up_rate", "rate", "max_grad_norm"):
            check_range(self, "imitation", name, 0)
        for name in ("warm_up", "smooth_warm_up", "steps"):
            check_range(self, "imitation", name, 0, whole=True)
        for name in ("batch_size", "smooth_batch_size", "components"):
            check_range(self, "imitation", name, 1, whole=True)
        for name in ("smooth", "target_forgets"):
            check_range(self, "imitation", name, 0, 1)
        for name in ("dropout", "forget"):
            check_range(self, "imitation", name, 0, 0.95)


class ImitationCallback(BaseCallback):
    """Raises the likelihood of real and of smoothed records before each rollout.

    Rows are encoded anew each time: the place inside a cell is drawn again.

    Args:
        encoder: of the environment.
        train: real rows to imitate.
        config: how much.
        validation: rows that nothing trains on, None or empty where none are kept: a warm-up on
            real rows lowers its rate, and ends, where they become no likelier. One on smoothed
            records, which are unlimited, takes its steps; the warm-up that makes these rows
            likelier is kept.
        seed: of the minibatches.

    Attributes:
        smooth_share: of the steps that imitate smoothed records, in [0, 1]: ``config.smooth`` where
            they do the table justice, less the less they do. Where validation rows are kept, all
            of it, and 0 from the warm-up on if real rows make them likelier.

    Raises:
        ConfigError: when training starts with a policy that has no likelihood of whole records.
    """

    def __init__(
        self,
        encoder: RecordEncoder,
        train: pd.DataFrame,
        config: ImitationConfig | None = None,
        *,
        validation: pd.DataFrame | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.config = config or ImitationConfig()
        self._encoder, self._train = encoder, train
        self._validation = train.iloc[:0] if validation is None else validation
        most = max(1, _MOST_CONDITIONALS // encoder.n_features)
        self._batch_size = min(self.config.batch_size, most)
        self._smooth_batch_size = min(self.config.smooth_batch_size, most)
        self._seed = seed
        self._rng = np.random.default_rng(seed)
        self._smoothed: SmoothedRecords | None = None
        self.smooth_share = 0.0
        if self.config.smooth > 0:
            # A generator of its own: fitted anew when a run is resumed, it must come out the same.
            own = np.random.default_rng([seed, 1])
            fitted = fit_smoothed_records(encoder, train, self.config.components, own)
            if fitted is not None:
                self._smoothed, trust = fitted
                self.smooth_share = self.config.smooth * (1 if len(self._validation) else trust)
        self._optimizer: torch.optim.Adam | None = None
        self._forgetting: Forgetting | None = None
        self._saved: dict[str, Any] | None = None
        self._rollouts = 0
        self._rate = self.config.rate

    def _init_callback(self) -> None:
        policy = self.model.policy
        if not isinstance(policy, AutoregressivePolicy):
            raise ConfigError(
                f"{type(policy).__name__} cannot imitate records; leave the imitation out, or use "
                "AutoregressivePolicy"
            )
        self._optimizer = self._new_optimizer(policy)
        if self.config.forget:
            self._forgetting = self._what_is_forgotten(policy.actor.variance)
        self._set_pace()
        if self._saved is not None:
            self._optimizer.load_state_dict(self._saved)

    def _new_optimizer(self, policy: AutoregressivePolicy) -> torch.optim.Adam:
        return torch.optim.Adam(policy.actor.parameters(), lr=self.config.rate)

    def _what_is_forgotten(self, variance: torch.Tensor) -> Forgetting:
        # Twice: an even yes-or-no feature, of variance 0.5, is hidden as often as any other.
        shares = self.config.forget * (2 * variance).clamp(max=1)
        schema = self._encoder.schema
        shares[self._encoder.positions(schema_constraints(schema).names)] = 0.0
        target = [] if schema.target is None else self._encoder.positions([schema.target])
        return Forgetting(shares, target, self.config.target_forgets)

    def _on_step(self) -> bool:
        return True

    def _on_rollout_start(self) -> None:
        first, self._rollouts = self._rollouts == 0, self._rollouts + 1
        if first and len(self._validation):
            self.logger.record("imitation/validation_loss", self._warm_up_that_helps())
        else:
            loss = self._warm_up() if first else self._imitate_as_rollouts_go_on()
            if loss is not None:
                self.logger.record("imitation/loss", loss)
        self.logger.record("imitation/smooth_share", self.smooth_share)

    def _imitate_as_rollouts_go_on(self) -> float | None:
        config = self.config
        steps = round(config.steps * config.batch_size / self._batch_size)
        smoothed = self._which_are_smoothed(steps)
        rates = np.full(steps, self._rate * self.model._current_progress_remaining)
        return self._imitate(rates, smoothed)

    def _warm_up(self) -> float | None:
        config = self.config
        if self._smoothed is None:
            smoothed = self._which_are_smoothed(config.warm_up)
            rates = np.full(config.warm_up, config.warm_up_rate)
        else:
            smoothed = self._which_are_smoothed(config.smooth_warm_up)
            falling = np.linspace(1, _LAST_WARM_UP_RATE, config.smooth_warm_up)
            rates = falling * np.where(smoothed, config.smooth_warm_up_rate, config.warm_up_rate)
        return self._imitate(rates, smoothed)

    def _which_are_smoothed(self, steps: int) -> npt.NDArray[np.bool_]:
        return self._rng.random(steps) < self.smooth_share

    def _warm_up_that_helps(self) -> float:
        """Take the warm-up that makes validation rows the likelier; returns their loss.

        Whether a Gaussian mixture knows more of a table than its rows teach, they alone can tell:
        on numbers that depend on each other in curves it may know less.
        """
        policy, optimizer = self.model.policy, self._optimizer
        assert isinstance(policy, AutoregressivePolicy)
        records = self._validation_records()
        if self._smoothed is None:
            return self._warm_up_while_it_helps(records)
        if not self.config.smooth_warm_up:
            return self._mean_loss(policy, records)
        untaught = copy_of_weights(policy.actor)
        self._warm_up()
        loss, weights = self._mean_loss(policy, records), copy_of_weights(policy.actor)
        policy.actor.load_state_dict(untaught)
        rng, share, device = self._rng, self.smooth_share, self.model.device
        self._rng, self.smooth_share = np.random.default_rng([self._seed, 2]), 0.0
        self._optimizer = self._new_optimizer(policy)
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            loss_of_real = self._warm_up_while_it_helps(records)
        if not loss <= loss_of_real:  # or is no number
            return loss_of_real
        policy.actor.load_state_dict(weights)
        self._rng, self.smooth_share, self._optimizer = rng, share, optimizer
        self._rate = self.config.rate
        self._set_pace()
        return loss

    def _warm_up_while_it_helps(self, records: torch.Tensor) -> float:
        """Take steps on real rows until ``records`` get no likelier; returns their loss.

        How long a table can be imitated before its rows are memorised depends on its rows, columns
        and dependences together: no rule of the number of rows knows it.
        """
        policy, config = self.model.policy, self.config
        assert isinstance(policy, AutoregressivePolicy)
        best, weights = self._mean_loss(policy, records), copy_of_weights(policy.actor)
        rate, cuts = config.warm_up_rate, 0
        helped: float | None = None
        period = max(_FEWEST_STEPS_A_CHECK, -(-config.warm_up // _MOST_CHECKS))
        for begin in range(0, config.warm_up, period):
            steps = min(period, config.warm_up - begin)
            self._imitate(np.full(steps, rate), np.zeros(steps, dtype=bool))
            loss = self._mean_loss(policy, records)
            if loss < best:
                best, weights, helped = loss, copy_of_weights(policy.actor), rate
                continue
            policy.actor.load_state_dict(weights)
            rate, cuts = rate * _RATE_CUT, cuts + 1
            if cuts > _CUTS:
                break
        policy.actor.load_state_dict(weights)
        self._rate = min(config.rate, rate if helped is None else helped)
        self._set_pace()
        return best

    def _set_pace(self) -> None:
        # Steps that do harm though they follow a likelihood will do more of it following a reward.
        rate = self.config.rate
        paced_schedule(self.model).pace = self._rate / rate if rate else 1.0

    def _validation_records(self) -> torch.Tensor:
        rng = np.random.default_rng(0)  # the same rows and places whenever the run is repeated
        rows = rng.permutation(len(self._validation))[:_VALIDATION_ROWS]
        encoded = self._encoder.encode(self._validation.iloc[rows], rng)
        return torch.as_tensor(encoded, device=self.model.device)

    def _mean_loss(self, policy: AutoregressivePolicy, records: torch.Tensor) -> float:
        with torch.no_grad():
            losses = [
                float(self._loss(policy, batch, hide=False)) * len(batch)
                for batch in records.split(self._batch_size)
            ]
        return sum(losses) / len(records)

    def _imitate(
        self, rates: npt.NDArray[np.float64], smoothed: npt.NDArray[np.bool_]
    ) -> float | None:
        """Take a likelihood step at each learning rate; returns the last loss, nats a feature."""
        policy, optimizer = self.model.policy, self._optimizer
        assert isinstance(policy, AutoregressivePolicy)
        assert optimizer is not None  # made in _init_callback, as the line above checks
        if not rates.any():
            return None
        parameters = list(policy.actor.parameters())
        real = self._real_batches(int((~smoothed).sum()))
        for rate, smooth in zip(rates.tolist(), smoothed.tolist(), strict=True):
            for group in optimizer.param_groups:
                group["lr"] = rate
            if smooth:
                loss = self._smoothed_loss(policy)
            else:
                loss = self._loss(policy, next(real), hide=True)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, self.config.max_grad_norm)
            optimizer.step()
        return float(loss.detach())

    def _real_batches(self, steps: int) -> Iterator[torch.Tensor]:
        """Yield ``steps`` batches of records; rows are encoded many at a time, which is faster."""
        size = self._batch_size
        for begin in range(0, steps, _STEPS_ENCODED_TOGETHER):
            n = size * min(_STEPS_ENCODED_TOGETHER, steps - begin)
            rows = self._rng.integers(0, len(self._train), n)
            encoded = self._encoder.encode(self._train.iloc[rows], self._rng)
            yield from torch.as_tensor(encoded, device=self.model.device).split(size)

    def _loss(
        self, policy: AutoregressivePolicy, records: torch.Tensor, *, hide: bool
    ) -> torch.Tensor:
        bins = policy.actor.bins(records)
        dropout, forgetting = (self.config.dropout, self._forgetting) if hide else (0.0, None)
        logits = policy.actor.logits(records, bins, dropout, forgetting)
        distribution = RecordDistribution(policy.actor, logits, discrete=policy.discrete)
        return -distribution.log_shares(bins).mean()

    def _smoothed_loss(self, policy: AutoregressivePolicy) -> torch.Tensor:
        assert self._smoothed is not None  # some step is to be smooth
        network, device = policy.actor, self.model.device
        drawn = self._smoothed.draw_with_shares(
            self._smooth_batch_size, self._rng, policy.bin_edges
        )
        records, shares = (tensor.to(device) for tensor in drawn)
        logits = network.logits(records, network.bins(records))
        distribution = RecordDistribution(network, logits, discrete=policy.discrete)
        return -distribution.mean_log_shares(shares).mean()

    def state_dict(self) -> dict[str, Any]:
        """Optimiser, random state, counter, rate and share; no real row."""
        return {
            "optimizer": None if self._optimizer is None else self._optimizer.state_dict(),
            "rng": self._rng,
            "rollouts": self._rollouts,
            "rate": self._rate,
            "smooth_share": self.smooth_share,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put back what :meth:`state_dict` gave, before training starts."""
        self._saved, self._rng = state["optimizer"], state["rng"]
        self._rollouts, self._rate = int(state["rollouts"]), float(state["rate"])
        self.smooth_share = float(state["smooth_share"])
