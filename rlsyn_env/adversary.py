"""The adversary: discriminator, optimiser, real rows and recent fakes, trained as records arrive.

It is an object of its own, so that any number of environments can share one: cores given the same
``adversary=`` feed one pool, one optimiser and one update counter.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from numbers import Integral
from os import PathLike
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch.nn import functional as F  # noqa: N812

from rlsyn_env.discriminator import (
    Discriminator,
    FeatureModule,
    RecordFeatures,
    gradient_penalty,
)
from rlsyn_env.errors import ConfigError
from rlsyn_env.options import check_range, options_from
from rlsyn_env.tables.datasets import load_dataset
from rlsyn_env.tables.encoded_rows import EncodedRows
from rlsyn_env.tables.encoder import RecordEncoder
from rlsyn_env.tables.schema import TableSchema
from rlsyn_env.tables.splits import first_of_groups, split_rows
from rlsyn_env.tables.training_data import prepare_schema, settle_schema

Records = npt.NDArray[np.float32]
_ADAPTATION = 0.02  # change of feature_dropout at each training
_MOST_HIDDEN = 0.8
_DIAGNOSTIC = slice(1024)  # rows of each kind that the diagnostics look at


@dataclass(frozen=True)
class AdversaryConfig:
    """How the discriminator is built and trained.

    Attributes:
        hidden: widths of its hidden layers.
        dropout: probability after each hidden layer while training.
        feature_dropout: probability that a whole feature of a row is hidden from it while training,
            of real and synthetic rows alike: it has to judge by parts of a record, which a few
            hundred rows can teach, instead of recognising whole ones.
        gap_target: overfit gap above which feature_dropout grows by 0.02 at each training, up to
            0.8; below, it falls back towards ``feature_dropout`` (the adaptive augmentation of
            StyleGAN2-ADA, Karras et al. 2020). Needs validation rows; None: never.
        instance_noise: standard deviation of Gaussian noise added to the features of real and
            synthetic rows alike while training.
        r1: weight of the R1 penalty on real rows (the loss adds half of it).
        learning_rate: of Adam with betas (0.5, 0.9).
        steps_per_update: gradient steps each time it trains.
        batch_size: real rows and synthetic rows, each, of one gradient step.
        co_train_every: finished records between two trainings, over all environments together.
        pool_size: recent synthetic records that are kept.
        pool_share: share of each synthetic batch drawn from the whole pool instead of from the
            records finished since the last training (historical averaging).
        logit_clip: logits are clipped to plus or minus this before they become rewards.
    """

    hidden: tuple[int, ...] = (256, 256)
    dropout: float = 0.1
    feature_dropout: float = 0.0
    gap_target: float | None = None
    instance_noise: float = 0.0
    r1: float = 0.5
    learning_rate: float = 3e-4
    steps_per_update: int = 16
    batch_size: int = 256
    co_train_every: int = 512
    pool_size: int = 4096
    pool_share: float = 0.25
    logit_clip: float = 10.0

    @classmethod
    def from_mapping(cls, options: Mapping[str, Any] | None) -> AdversaryConfig:
        """Build from a mapping such as YAML gives; ConfigError for unknown or impossible values."""
        return options_from(cls, options, "adversary")

    def __post_init__(self) -> None:
        for name in ("instance_noise", "r1", "learning_rate", "logit_clip"):
            check_range(self, "adversary", name, 0)
        check_range(self, "adversary", "steps_per_update", 0, whole=True)
        for name in ("batch_size", "co_train_every", "pool_size"):
            check_range(self, "adversary", name, 1, whole=True)
        for name in ("dropout", "feature_dropout"):
            check_range(self, "adversary", name, 0, 0.99)
        check_range(self, "adversary", "pool_share", 0, 1)
        if self.gap_target is not None:
            check_range(self, "adversary", "gap_target", 0)
        if not isinstance(self.hidden, (tuple, list)) or not all(
            isinstance(width, Integral) and width >= 1 for width in self.hidden
        ):
            raise ConfigError(
                f"adversary option hidden must be a list of widths such as [128,128], got "
                f"{self.hidden!r}"
            )


class Adversary:
    """A discriminator that trains on the records it is shown, and scores them.

    Args:
        encoder: fitted on training rows; d features.
        train: rows the discriminator learns as real.
        validation: rows it never trains on, for the overfit gap; may be None or empty.
        config: see :class:`AdversaryConfig`.
        seed: of its weights, its minibatches and its dropout; independent of every other seed.
        device: torch device.

    Real rows stay in memory only: :meth:`state_dict` holds the network, the optimiser, the pool of
    synthetic records, counters and random states.
    """

    def __init__(
        self,
        encoder: RecordEncoder,
        train: pd.DataFrame,
        validation: pd.DataFrame | None = None,
        *,
        config: AdversaryConfig | None = None,
        seed: int = 0,
        device: str | torch.device = "cpu",
    ) -> None:
        self.encoder = encoder
        self.config = config or AdversaryConfig()
        self.seed = seed
        self.device = torch.device(device)
        self.updates = 0
        self.records_seen = 0
        self.feature_dropout = self.config.feature_dropout
        self.diagnostics: dict[str, float] = {}
        self._rng = np.random.default_rng(seed)
        self._torch_rng = torch.Generator(self.device).manual_seed(seed)
        self._featurise = self.build_features().to(self.device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._network = Discriminator(
                self._featurise.n_features,
                self.config.hidden,
                self.config.dropout,
                self._torch_rng,
            ).to(self.device)
        self._optimizer = self.build_optimizer(self._network)
        self._n_independent = int(first_of_groups(train, encoder.schema.group).sum())
        self._real = EncodedRows(encoder, train, self._rng)
        held_out = train.iloc[:0] if validation is None else validation
        self._validation = EncodedRows(encoder, held_out, self._rng)
        self._pool = np.zeros((self.config.pool_size, encoder.n_features), dtype=np.float32)
        self._pool_filled = 0
        self._pool_next = 0
        self._pending: list[Records] = []
        self._network.eval()

    @classmethod
    def from_dataset(
        cls,
        dataset: str | PathLike[str] | pd.DataFrame,
        *,
        target: str | None = None,
        group: str | None = None,
        schema: TableSchema | str | PathLike[str] | None = None,
        drop: Sequence[str] = (),
        derive: bool = True,
        validation_size: float = 0.15,
        config: AdversaryConfig | Mapping[str, Any] | None = None,
        seed: int = 0,
        device: str | torch.device = "cpu",
    ) -> Adversary:
        """Load a table, fit the encoder on its training part and build the adversary.

        Args:
            dataset: an embedded name, a path to CSV or Parquet, or a DataFrame.
            target: column that the validation split is stratified by; default: the dataset's own.
            group: column whose groups are never split between training and validation.
            schema: a TableSchema or the path of one; inferred when None.
            drop: columns to leave out.
            derive: compute columns that are exact functions of others instead of generating them;
                a given schema's own formulas are used, and none is sought.
            validation_size: share of rows kept from the discriminator, in [0, 1).
            config: AdversaryConfig or a mapping of its fields.
            seed: also of the split.
            device: torch device.

        Raises:
            TableError, SchemaError, ConfigError: with the remedy.
        """
        loaded = load_dataset(dataset)
        table_schema = prepare_schema(loaded, target=target, group=group, schema=schema, drop=drop)
        rows = split_rows(
            loaded.table,
            test_size=0.0,
            validation_size=validation_size,
            seed=seed,
            target=table_schema.target,
            group=table_schema.group,
        )
        train = loaded.table.iloc[rows.train]
        table_schema = settle_schema(table_schema, train, derive=derive, given=schema is not None)
        if not isinstance(config, AdversaryConfig):
            config = AdversaryConfig.from_mapping(config)
        return cls(
            RecordEncoder.fit(train, table_schema),
            train,
            loaded.table.iloc[rows.validation],
            config=config,
            seed=seed,
            device=device,
        )

    def build_features(self) -> FeatureModule:
        """Return what the discriminator sees of records; a subclass may choose otherwise."""
        return RecordFeatures(self.encoder)

    def build_optimizer(self, network: torch.nn.Module) -> torch.optim.Optimizer:
        """Return the discriminator's optimiser; a subclass may choose otherwise."""
        return torch.optim.Adam(
            network.parameters(), lr=self.config.learning_rate, betas=(0.5, 0.9)
        )

    def __deepcopy__(self, memo: dict[int, Any]) -> Adversary:
        """Return self: Gymnasium deep-copies arguments into specs, and it must be shared."""
        return self

    @property
    def n_train(self) -> int:
        """Number of real rows it trains on."""
        return len(self._real)

    @property
    def n_independent(self) -> int:
        """Groups among those rows, or rows without: ``rows`` in a preset's rules."""
        return self._n_independent

    def logits(self, records: Records) -> npt.NDArray[np.float32]:
        """Score records in eval mode (no dropout, no noise).

        Args:
            records: ``(n, d)`` float32 in [0, 1].

        Returns:
            ``(n,)`` float32 logits, positive for real, not clipped.
        """
        with torch.no_grad():
            scores: npt.NDArray[np.float32] = self._network(self._features(records)).cpu().numpy()
        return scores

    def observe(self, records: Records) -> bool:
        """Take in finished records, and train once ``co_train_every`` of them have come.

        Args:
            records: ``(n, d)`` float32 in [0, 1]; copied.

        Returns:
            Whether it trained.
        """
        self._pending.append(np.array(records, dtype=np.float32))
        self.records_seen += len(records)
        if sum(len(p) for p in self._pending) < self.config.co_train_every:
            return False
        fresh = np.concatenate(self._pending)
        self._pending = []
        self._train(fresh)
        return True

    def state_dict(self) -> dict[str, Any]:
        """Everything that changes while training: tensors, arrays and plain values; no real row."""
        return {
            "config": json.dumps(asdict(self.config)),
            "network": self._network.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "rng": json.dumps(self._rng.bit_generator.state),
            "torch_rng": self._torch_rng.get_state(),
            "updates": self.updates,
            "records_seen": self.records_seen,
            "feature_dropout": self.feature_dropout,
            "diagnostics": dict(self.diagnostics),
            "pool": torch.from_numpy(self._pool[: self._pool_filled].copy()),
            "pool_next": self._pool_next,
            "pending": torch.from_numpy(
                np.concatenate([np.zeros((0, self._pool.shape[1]), np.float32), *self._pending])
            ),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what :meth:`state_dict` gave, into an adversary built from the same table.

        Raises:
            ConfigError: when it was built with other options.
        """
        if json.loads(state["config"]) != json.loads(json.dumps(asdict(self.config))):
            raise ConfigError(
                f"the saved adversary has options {state['config']}, this one "
                f"{json.dumps(asdict(self.config))}: build it with the saved options"
            )
        self._network.load_state_dict(state["network"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._rng.bit_generator.state = json.loads(state["rng"])
        if len(state["torch_rng"]) == len(self._torch_rng.get_state()):
            self._torch_rng.set_state(state["torch_rng"])
        else:  # of another kind of device, whose numbers would be others anyway
            self._torch_rng.manual_seed(self.seed + int(state["updates"]))
        self.updates = int(state["updates"])
        self.records_seen = int(state["records_seen"])
        self.feature_dropout = float(state["feature_dropout"])
        self.diagnostics = dict(state["diagnostics"])
        pool = state["pool"].numpy()
        self._pool[: len(pool)] = pool
        self._pool_filled = len(pool)
        self._pool_next = int(state["pool_next"])
        pending = state["pending"].numpy()
        self._pending = [pending.copy()] if len(pending) else []

    def _features(self, records: Records) -> torch.Tensor:
        features: torch.Tensor = self._featurise(torch.as_tensor(records, device=self.device))
        return features

    @torch.enable_grad()  # an agent may be stepping under no_grad, as sb3-contrib's ARS does
    def _train(self, fresh: Records) -> None:
        config = self.config
        self._remember(fresh)
        n_pool = round(config.pool_share * config.batch_size)
        self._network.train()
        losses = []
        for _ in range(config.steps_per_update):
            fake = np.concatenate(
                [
                    fresh[self._rows(len(fresh), config.batch_size - n_pool)],
                    self._pool[self._rows(self._pool_filled, n_pool)],
                ]
            )
            real = self._real.take(self._rows(len(self._real), config.batch_size))
            losses.append(self._step(self._features(real), self._features(fake)))
        self._network.eval()
        self.updates += 1
        self._diagnose(fresh, float(np.mean(losses)) if losses else 0.0)
        self._adapt()

    def _step(self, real: torch.Tensor, fake: torch.Tensor) -> float:
        """One logistic-loss step with R1 on the real rows; returns the loss without the penalty."""
        config = self.config
        if self.feature_dropout:
            real, fake = self._with_hidden_features(real), self._with_hidden_features(fake)
        if config.instance_noise:
            real = real + config.instance_noise * self._normal_like(real)
            fake = fake + config.instance_noise * self._normal_like(fake)
        if config.r1:
            real = real.detach().requires_grad_(True)
        logits = self._network(torch.cat([real, fake]))
        real_logits, fake_logits = logits[: len(real)], logits[len(real) :]
        loss = F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()
        total = loss
        if config.r1:
            total = loss + 0.5 * config.r1 * gradient_penalty(real_logits, real)
        self._optimizer.zero_grad(set_to_none=True)
        total.backward()
        self._optimizer.step()
        return float(loss.detach())

    def _adapt(self) -> None:
        """Hide more features while the discriminator knows training rows from validation rows."""
        target = self.config.gap_target
        if target is None or not len(self._validation):
            return
        step = _ADAPTATION if self.diagnostics["overfit_gap"] > target else -_ADAPTATION
        lowest = self.config.feature_dropout
        highest = max(lowest, _MOST_HIDDEN)
        self.feature_dropout = min(max(self.feature_dropout + step, lowest), highest)

    def _with_hidden_features(self, rows: torch.Tensor) -> torch.Tensor:
        """Set all columns of some features of ``(n, n_features)`` to 0.

        Not rescaled: a hidden feature reads as none of its levels and an average number, and what
        is seen when scoring is a record with nothing hidden.
        """
        seen = torch.empty(len(rows), self.encoder.n_features, device=self.device)
        seen.bernoulli_(1 - self.feature_dropout, generator=self._torch_rng)
        return rows * seen[:, self._featurise.feature_of]

    def _normal_like(self, x: torch.Tensor) -> torch.Tensor:
        return torch.empty_like(x).normal_(generator=self._torch_rng)

    def _rows(self, among: int, n: int) -> npt.NDArray[np.int64]:
        return self._rng.integers(0, among, n)

    def _remember(self, records: Records) -> None:
        """Put records into the ring of recent fakes, the newest over the oldest."""
        records = records[-len(self._pool) :]
        places = (self._pool_next + np.arange(len(records))) % len(self._pool)
        self._pool[places] = records
        self._pool_next = int((self._pool_next + len(records)) % len(self._pool))
        self._pool_filled = min(len(self._pool), self._pool_filled + len(records))

    def _diagnose(self, fake: Records, loss: float) -> None:
        """Eval-mode figures on up to 1,024 rows of each kind.

        ``overfit_gap`` is the mean logit on training rows minus that on validation rows, 0 without
        validation rows; it is what a memorising discriminator shows first.
        """
        with torch.no_grad():
            real_logits = self._network(self._features(self._real.take(_DIAGNOSTIC)))
            fake_logits = self._network(self._features(fake[_DIAGNOSTIC]))
            logits = torch.cat([real_logits, fake_logits])
            gap = 0.0
            if len(self._validation):
                held_out = self._network(self._features(self._validation.take(_DIAGNOSTIC)))
                gap = float(real_logits.mean() - held_out.mean())
            probability = torch.sigmoid(logits)
            entropy = F.binary_cross_entropy_with_logits(logits, probability)
        self.diagnostics = {
            "loss": loss,
            "accuracy_real": float((real_logits > 0).float().mean()),
            "accuracy_fake": float((fake_logits <= 0).float().mean()),
            "entropy": float(entropy),
            "logit_real": float(real_logits.mean()),
            "logit_fake": float(fake_logits.mean()),
            "overfit_gap": gap,
        }
