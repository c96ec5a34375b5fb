"""A deterministic actor that keeps listening to the noise."""

from __future__ import annotations

from typing import Any

import torch
from stable_baselines3.common.type_aliases import PyTorchObs
from stable_baselines3.td3.policies import Actor

from agents.policies.extractors import RecordExtractor

_FLOOR = 1e-3  # added to a slope before its logarithm: bounds the pull of a flat spot


class _AttachLoss(torch.autograd.Function):
    """Hand a value through unchanged; on the way back let an extra loss have its gradient too."""

    @staticmethod
    def forward(ctx: Any, value: torch.Tensor, loss: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(loss)
        return value.view_as(value)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        (loss,) = ctx.saved_tensors
        return gradients[0], torch.ones_like(loss)


class NoiseDrivenActor(Actor):
    """TD3's actor with an entropy term of its own.

    The action is a function of the prefix and a uniform noise number n, so by change of variables
    its entropy given the prefix is ``E[log |da/dn|]`` plus a constant: 0 for the identity, which is
    the uniform distribution, and below 0 for all others. Maximising Q alone drives the slope to 0,
    one record for everybody; Q plus ``entropy_weight`` times the entropy is SAC's objective. The
    term is added inside ``forward`` (while training with gradients, which SB3 does for the actor's
    loss alone), so TD3 and DDPG need no change.

    Args:
        **kwargs: as in SB3's actor.
        entropy_weight: weight of the entropy; 0 turns it off.
    """

    def __init__(self, *, entropy_weight: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.entropy_weight = entropy_weight

    def forward(self, obs: PyTorchObs) -> torch.Tensor:
        """Map observations ``(B, 2d + 1)`` to actions ``(B, 1)`` in [-1, 1]."""
        assert isinstance(obs, torch.Tensor)
        wanted = self.training and torch.is_grad_enabled() and self.entropy_weight > 0
        if not wanted or not isinstance(self.features_extractor, RecordExtractor):
            return super().forward(obs)
        noise = obs[:, -1:].detach().requires_grad_()
        action = super().forward(torch.cat([obs[:, :-1], noise], dim=1))
        (slope,) = torch.autograd.grad(action.sum(), noise, create_graph=True)
        entropy = (slope.abs() + _FLOOR).log().mean()
        attached: torch.Tensor = _AttachLoss.apply(action, -self.entropy_weight * entropy)
        return attached
