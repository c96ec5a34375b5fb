"""Faster policies for generation: all records of a batch are at the same feature.

The networks' own forward pass sums over the whole prefix at every step, O(d) for each of d steps.
When a batch moves in lockstep, the sums of the step before need one more summand (NADE; Larochelle
and Murray 2011), and what depends on the position alone is the same for every row.
"""

from __future__ import annotations

from typing import TypeGuard

import numpy as np
import numpy.typing as npt
import torch
from gymnasium import spaces
from stable_baselines3.common.policies import ActorCriticPolicy, BasePolicy
from torch.nn import functional as F  # noqa: N812

from agents.policies.extractors import RecordExtractor, atanh


class LockstepForward:
    """Replaces ``forward`` of a :class:`.RecordExtractor` while generating.

    Gives the same features, to rounding, for batches whose rows are all at the same position and
    whose prefixes grow by one feature from call to call. The result is overwritten by the next
    call.

    Args:
        extractor: its weights are read at construction.
    """

    def __init__(self, extractor: RecordExtractor) -> None:
        with torch.no_grad():
            self._d = extractor.d
            self._width = extractor.width
            self._bias = extractor.values.bias.clone()
            self._values = extractor.values.weight.t().contiguous()
            self._position = extractor.position.weight.t().contiguous()
            self._hidden = extractor.hidden
            self._gate = 1 + extractor.scale.weight.t().contiguous()
            self._shift = extractor.shift.weight.t().contiguous()
            self._noise = None if extractor.noise is None else extractor.noise.weight.t()
            self._embedding = None if extractor.embedding is None else extractor.embedding.weight
            self._edges = extractor.edges if extractor.embedding is not None else None
            self._n_bins = extractor.n_bins
            self._use_noise = extractor.use_noise
            self._features_dim = extractor.features_dim
        self._seen = 0  # features that the sums hold
        self._sums = torch.empty(0)
        self._total = torch.empty(0)
        self._output = torch.empty(0)

    @torch.no_grad()
    def __call__(self, observations: torch.Tensor) -> torch.Tensor:
        """Map observations ``(B, 2d + 1)``, all at one position, to features."""
        d, width = self._d, self._width
        t = int(observations[0, d : 2 * d].argmax())
        if len(observations) != len(self._sums) or t != self._seen + 1:
            self._restart(observations)
        for feature in range(self._seen, t):
            self._extend(observations[:, feature], feature)
        self._seen = t
        noise = observations[:, 2 * d :]
        noise_pair = torch.cat([noise, atanh(noise)], dim=1)
        total = self._total
        torch.add(self._sums, self._position[t], out=total)
        if self._noise is not None:
            total.addmm_(noise_pair, self._noise)
        F.silu(total, inplace=True)
        gate = self._gate[t]
        weight = self._hidden.weight * gate[:, None]
        second = F.linear(total, weight, torch.addcmul(self._shift[t], self._hidden.bias, gate))
        F.silu(second, inplace=True)
        output = self._output
        torch.add(total, second, out=output[:, :width])
        output[:, width : width + d] = observations[:, d : 2 * d]
        if self._use_noise:
            output[:, width + d :] = noise_pair
        return output

    def _restart(self, observations: torch.Tensor) -> None:
        n = len(observations)
        self._sums = self._bias.expand(n, -1).clone()
        self._total = torch.empty_like(self._sums)
        self._output = torch.empty(n, self._features_dim, device=observations.device)
        self._seen = 0

    def _extend(self, values: torch.Tensor, feature: int) -> None:
        """Add what feature ``feature``, now emitted, contributes to the sums."""
        self._sums.addcmul_(values[:, None], self._values[feature])
        if self._embedding is not None and self._edges is not None:
            fractions = ((values + 1) / 2).contiguous()
            rows = torch.searchsorted(self._edges[feature], fractions, right=True)
            rows += feature * self._n_bins
            self._sums += self._embedding[rows]


def speed_up(policy: BasePolicy) -> None:
    """Give every extractor of ``policy`` the lockstep pass; from then on it can only generate."""
    for module in policy.modules():
        if isinstance(module, RecordExtractor):
            module.forward = LockstepForward(module)  # type: ignore[method-assign]


def draw_bins(
    policy: ActorCriticPolicy, observations: npt.NDArray[np.float32]
) -> npt.NDArray[np.int64]:
    """Sample discrete actions ``(n,)`` by inverting the cumulated probabilities.

    One uniform number a row: several times faster than ``Categorical.sample``, which draws one for
    every bin. Only where :func:`draws_bins` says so.
    """
    with torch.no_grad():
        tensor, _ = policy.obs_to_tensor(observations)
        # What ActorCriticPolicy.get_distribution does, without building a distribution.
        features = BasePolicy.extract_features(policy, tensor, policy.pi_features_extractor)
        latent = policy.mlp_extractor.forward_actor(features)
        cumulated = policy.action_net(latent).softmax(dim=1).cumsum(dim=1)
        draws = torch.rand(len(cumulated), 1, device=cumulated.device) * cumulated[:, -1:]
        bins = (cumulated <= draws).sum(dim=1).clamp_(max=cumulated.shape[1] - 1)
    actions: npt.NDArray[np.int64] = bins.cpu().numpy()
    return actions


def draws_bins(policy: BasePolicy) -> TypeGuard[ActorCriticPolicy]:
    """Whether :func:`draw_bins` samples what ``policy.predict`` would."""
    kind = type(policy)
    return (
        issubclass(kind, ActorCriticPolicy)
        and isinstance(policy.action_space, spaces.Discrete)
        and kind.predict is BasePolicy.predict
        and kind._predict is ActorCriticPolicy._predict
        and kind.get_distribution is ActorCriticPolicy.get_distribution
    )
