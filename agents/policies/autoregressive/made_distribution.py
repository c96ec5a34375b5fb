"""What SB3 asks of every distribution and a density built from logits has no use for."""

from __future__ import annotations

from typing import Any

import torch
from stable_baselines3.common.distributions import Distribution

_NO_NET = "the autoregressive policy makes the logits itself"


class MadeDistribution(Distribution):
    """A distribution that is whole once constructed: there are no parameters to set later."""

    def proba_distribution_net(self, *args: Any, **kwargs: Any) -> Any:
        """SB3 asks for it; the policy makes the logits, so there is nothing to build them from."""
        raise NotImplementedError(_NO_NET)

    def proba_distribution(self, *args: Any, **kwargs: Any) -> MadeDistribution:
        """Return itself: it is made whole."""
        return self

    def actions_from_params(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        """SB3 asks for it; the policy makes the logits, so there is nothing to build them from."""
        raise NotImplementedError(_NO_NET)

    def log_prob_from_params(self, *args: Any, **kwargs: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """SB3 asks for it; the policy makes the logits, so there is nothing to build them from."""
        raise NotImplementedError(_NO_NET)
