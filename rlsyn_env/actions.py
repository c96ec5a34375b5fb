"""From actions to coordinates: the three action spaces of one task."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from rlsyn_env.errors import RLSynError
from rlsyn_env.tables.encoder import RecordEncoder

Floats: TypeAlias = npt.NDArray[np.float32]


# Observations carry a = 2u - 1 in float32; a coordinate this far inside its cell is still inside
# after the way there and back.
_ROUNDING = np.float32(2.0**-23)


def inside(low: Floats, high: Floats, jitter: Floats) -> Floats:
    """Draw a coordinate inside [low, high), or ``low`` where the two are equal.

    Args:
        low, high, jitter: float32 of one shape, jitter uniform in [0, 1).
    """
    margin = np.minimum(_ROUNDING, (high - low) / 4)
    drawn: Floats = np.clip(low + jitter * (high - low), low + margin, high - margin)
    return drawn


class ActionCodec(ABC):
    """How an action becomes one coordinate u in [0, 1] (or, one-shot, all of them).

    Attributes:
        space: action space of one environment.
    """

    space: spaces.Space

    @abstractmethod
    def decode(self, actions: npt.ArrayLike, feature: int, jitter: Floats) -> Floats:
        """Turn a batch of actions into coordinates.

        Args:
            actions: n actions of ``space``.
            feature: index of the feature to emit.
            jitter: ``(n,)`` float32 uniform in [0, 1), for actions that name an interval.

        Returns:
            ``(n,)`` float32 in [0, 1], or ``(n, d)`` for whole records.

        Raises:
            RLSynError: for a wrong shape or a value that is not finite.
        """


#: What is said where a policy gives no finite numbers.
DIVERGED = (
    "an action is not a finite number: the policy has diverged; a lower learning rate may keep it "
    "from that"
)


def _finite(actions: npt.ArrayLike, shape: tuple[int, ...]) -> Floats:
    array = np.asarray(actions, dtype=np.float32)
    if array.size != int(np.prod(shape)):
        raise RLSynError(f"expected actions of shape {shape}, got {array.shape}")
    if not np.isfinite(array).all():
        raise RLSynError(DIVERGED)
    clipped: Floats = np.clip(array.reshape(shape), -1.0, 1.0)
    return clipped


class BoxCodec(ActionCodec):
    """``Box(-1, 1, (1,))``: a = 2u - 1; values outside are clipped."""

    def __init__(self) -> None:
        self.space = spaces.Box(-1.0, 1.0, (1,), np.float32)

    def decode(self, actions: npt.ArrayLike, feature: int, jitter: Floats) -> Floats:
        """See :class:`ActionCodec`; the feature and the jitter play no part."""
        u: Floats = (_finite(actions, (len(jitter), 1))[:, 0] + 1) / np.float32(2)
        return u


class DiscreteCodec(ActionCodec):
    """``Discrete(K)``: bins of [0, 1] that respect the atoms, jittered inside the bin.

    Args:
        encoder: of d features.
        bins: wanted bins per feature; a feature with more levels gets one per level, one with
            fewer levels has fewer.

    Attributes:
        edges: ``(d, K + 1)`` float32 bin edges, padded with 1.
        is_atom: ``(d, K)`` bool, bins that mean one value.
        n_bins: ``(d,)`` int64 number of valid bins of each feature.

    An action beyond the bins of a feature means ``action mod n_bins``: algorithms that are blind
    to masks must not crash.
    """

    def __init__(self, encoder: RecordEncoder, bins: int) -> None:
        if bins < 2:
            raise RLSynError(f"bins must be at least 2, got {bins}")
        edges = [np.asarray(f.bin_edges(bins), dtype=np.float32) for f in encoder.features]
        self.n_bins = np.array([len(e) - 1 for e in edges], dtype=np.int64)
        k = max(bins, int(self.n_bins.max()))
        self.edges = np.ones((len(edges), k + 1), dtype=np.float32)
        self.is_atom = np.zeros((len(edges), k), dtype=bool)
        for j, (e, feature) in enumerate(zip(edges, encoder.features, strict=True)):
            self.edges[j, : len(e)] = e
            cells = feature.cells_of(e[:-1])
            self.is_atom[j, : len(cells)] = np.asarray(feature.is_atom)[cells]
        self.masks = np.arange(k)[None, :] < self.n_bins[:, None]
        self.space = spaces.Discrete(k)

    def decode(self, actions: npt.ArrayLike, feature: int, jitter: Floats) -> Floats:
        """See :class:`ActionCodec`."""
        chosen = np.asarray(actions).reshape(-1)
        if len(chosen) != len(jitter) or not np.issubdtype(chosen.dtype, np.integer):
            raise RLSynError(
                f"expected {len(jitter)} integer actions, got shape {np.shape(actions)} of "
                f"{chosen.dtype}"
            )
        chosen = chosen % self.n_bins[feature]
        return inside(self.edges[feature, chosen], self.edges[feature, chosen + 1], jitter)


class RecordCodec(ActionCodec):
    """``Box(-1, 1, (d,))``: the whole record at once (the published one-step formulation)."""

    def __init__(self, n_features: int) -> None:
        self.space = spaces.Box(-1.0, 1.0, (n_features,), np.float32)

    def decode(self, actions: npt.ArrayLike, feature: int, jitter: Floats) -> Floats:
        """See :class:`ActionCodec`; returns ``(n, d)``."""
        u: Floats = (_finite(actions, (len(jitter), *(self.space.shape or ()))) + 1) / np.float32(2)
        return u
