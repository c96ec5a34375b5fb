"""An exponential moving average of the policy's weights, to generate with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stable_baselines3.common.callbacks import BaseCallback

from agents.policies.autoregressive import AutoregressivePolicy
from rlsyn_env.errors import ConfigError
from rlsyn_env.options import check_range


@dataclass(frozen=True)
class AveragingConfig:
    """How slowly the average follows.

    Attributes:
        decay: share of the average that is kept at each rollout; 0: the latest weights.
    """

    decay: float = 0.95

    def __post_init__(self) -> None:
        check_range(self, "averaging", "decay", 0, 1)


class AveragingCallback(BaseCallback):
    """Moves ``policy.average`` towards the actor at the start of each rollout and at the end.

    A plain mean at first, exponential once enough rollouts have passed, so the untrained weights
    leave no trace. The last iterate of a game between two networks circles its optimum; the average
    does not (Yaz et al. 2019, arXiv 1806.04498).

    Args:
        config: how slowly it follows.

    Raises:
        ConfigError: when training starts with a policy that keeps no average.
    """

    def __init__(self, config: AveragingConfig | None = None) -> None:
        super().__init__()
        self.config = config or AveragingConfig()
        self._updates = 0

    def _init_callback(self) -> None:
        if not isinstance(self.model.policy, AutoregressivePolicy):
            raise ConfigError(
                f"{type(self.model.policy).__name__} keeps no average; use AutoregressivePolicy"
            )

    def _on_step(self) -> bool:
        return True

    def _on_rollout_start(self) -> None:
        self._follow()

    def _on_training_end(self) -> None:
        self._follow()

    def _follow(self) -> None:
        policy = self.model.policy
        assert isinstance(policy, AutoregressivePolicy)
        self._updates += 1
        policy.move_average(max(1 - self.config.decay, 1 / self._updates))

    def state_dict(self) -> dict[str, Any]:
        """The number of updates; the average itself is part of the policy."""
        return {"updates": self._updates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put back what :meth:`state_dict` gave."""
        self._updates = int(state["updates"])
