"""The published encoding and discriminator, as the environment's encoder and adversary.

Records are the min-max matrix of ``unit_records``: every coordinate is a feature of its own, a
number u in [0, 1] or a bit that is exactly 0 or 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from rlsyn_env.adversary import Adversary, AdversaryConfig
from rlsyn_env.discriminator import FeatureModule
from rlsyn_env.tables.encoder import RecordEncoder
from rlsyn_env.tables.feature_maps import FeatureMap
from rlsyn_env.tables.schema import ColumnKind, ColumnSchema, TableSchema

BATCH = 384

#: Published: 2 x 128 units, R1 5, Adam 5e-5, five steps per iteration of 384 records; without
#: dropout, noise or a pool of older records.
DISCRIMINATOR = AdversaryConfig(
    hidden=(128, 128),
    dropout=0.0,
    r1=5.0,
    learning_rate=5e-5,
    steps_per_update=5,
    batch_size=BATCH,
    co_train_every=BATCH,
    pool_size=BATCH,
    pool_share=0.0,
)


class UnitMap(FeatureMap):
    """A coordinate that is its own code: a number in [0, 1], or a bit.

    Args:
        name: of the coordinate.
        bit: whether it only takes 0 and 1.
    """

    def __init__(self, name: str, *, bit: bool) -> None:
        if bit:
            column = ColumnSchema(name, ColumnKind.BINARY, "int64", levels=(0, 1))
            edges, atoms = [0.0, 0.5, 1.0], [True, True]
        else:
            column = ColumnSchema(name, ColumnKind.CONTINUOUS, "float64", bounds=(0.0, 1.0))
            edges, atoms = [0.0, 1.0], [False]
        super().__init__(column, np.array(edges, dtype=np.float32), np.array(atoms), None)
        self.bit = bit
        self.ordered = not bit

    def encode(self, series: pd.Series, rng: np.random.Generator) -> npt.NDArray[np.float32]:
        """Return the values as they are, ``(n,)`` float32."""
        return series.to_numpy(dtype=np.float32)

    def decode(self, u: npt.NDArray[np.float32]) -> pd.Series:
        """Return numbers as they are and bits as 0 and 1."""
        return pd.Series((u >= 0.5).astype(np.int64) if self.bit else u.astype(np.float64))

    def interval(self, value: Any) -> tuple[float, float]:
        """Return the value twice: every coordinate is exact."""
        return float(value), float(value)

    def to_dict(self) -> dict[str, Any]:
        """Return name and kind."""
        return {"name": self.name, "bit": self.bit}


class RawRecords(FeatureModule):
    """The discriminator sees the coordinates themselves."""

    def __init__(self, n_features: int) -> None:
        super().__init__()
        self.n_features = n_features
        self.register_buffer("feature_of", torch.arange(n_features), persistent=False)

    def forward(self, records: torch.Tensor) -> torch.Tensor:
        """Return ``records`` unchanged."""
        return records


class PublishedAdversary(Adversary):
    """Discriminator over raw coordinates, trained by Adam with PyTorch's own momenta."""

    def build_features(self) -> FeatureModule:
        """See :class:`RawRecords`."""
        return RawRecords(self.encoder.n_features)

    def build_optimizer(self, network: torch.nn.Module) -> torch.optim.Optimizer:
        """Return Adam with betas (0.9, 0.999)."""
        return torch.optim.Adam(network.parameters(), lr=self.config.learning_rate)


def unit_encoder(is_bit: npt.NDArray[np.bool_]) -> RecordEncoder:
    """Return the encoder of ``len(is_bit)`` coordinates, called 0, 1, 2 and so on."""
    maps = [UnitMap(str(i), bit=bool(bit)) for i, bit in enumerate(is_bit)]
    return RecordEncoder(TableSchema(tuple(unit.column for unit in maps)), maps)


def published_adversary(
    matrix: npt.NDArray[np.float32], is_bit: npt.NDArray[np.bool_], seed: int
) -> PublishedAdversary:
    """Return the adversary of the training matrix ``(n, d)``."""
    encoder = unit_encoder(is_bit)
    table = pd.DataFrame(matrix, columns=list(encoder.feature_names))
    return PublishedAdversary(encoder, table, config=DISCRIMINATOR, seed=seed)
