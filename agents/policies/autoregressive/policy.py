"""An SB3 actor-critic policy over the autoregressive network, for PPO, A2C and TRPO.

Two forms of observation are taken, told apart by their width: single transitions ``(B, 2d + 1)``,
as the environment gives them, and finished records ``(B, d)``, as
:class:`~agents.buffers.episodes.EpisodeRolloutBuffer` yields them, which stand for all d
transitions of their episodes, record by record.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.type_aliases import PyTorchObs, Schedule

from agents.policies.autoregressive.distribution import CellDistribution
from agents.policies.autoregressive.network import AutoregressiveNetwork, Prefix
from rlsyn_env.errors import ConfigError


class AutoregressivePolicy(ActorCriticPolicy):
    """Density of the next feature given the prefix: atoms exact, uniform inside a bin.

    Untrained it emits the identity marginals. ``predict`` samples; with ``deterministic=True`` it
    inverts the cumulated probabilities at the observation's noise number, so that it generates
    records then too, a function of the observation alone.

    Args:
        observation_space: ``Box((2d + 1,))`` of the step-by-step environments.
        action_space: ``Box((1,))`` or ``Discrete(K)``.
        lr_schedule: as in SB3.
        bin_edges: ``(d, K + 1)``, the bins of every feature; for ``Discrete`` those of the
            environment.
        width, blocks: of the actor's network.
        value_width, value_blocks: of the value function's.
        use_sde: SB3 passes it; state-dependent noise has no meaning for a density over bins.
        optimizer_class, optimizer_kwargs: as in SB3.

    Raises:
        ConfigError: when the bins do not fit the spaces, or ``use_sde`` is true.
    """

    averaged: torch.Tensor

    def __init__(
        self,
        observation_space: spaces.Space,
        action_space: spaces.Space,
        lr_schedule: Schedule,
        *,
        bin_edges: np.ndarray,
        width: int = 96,
        blocks: int = 2,
        value_width: int = 64,
        value_blocks: int = 1,
        use_sde: bool = False,
        optimizer_class: type[torch.optim.Optimizer] = torch.optim.Adam,
        optimizer_kwargs: dict[str, Any] | None = None,
    ) -> None:
        if use_sde:
            raise ConfigError("use_sde does not go with the autoregressive policy: leave it out")
        self.bin_edges = np.asarray(bin_edges, dtype=np.float32)
        self.d = len(self.bin_edges)
        shape = observation_space.shape
        if shape != (2 * self.d + 1,):
            raise ConfigError(f"bins of {self.d} features do not fit observations of shape {shape}")
        self._actor_options: dict[str, Any] = {"width": width, "blocks": blocks}
        self._critic_options: dict[str, Any] = {"width": value_width, "blocks": value_blocks}
        super().__init__(
            observation_space,
            action_space,
            lr_schedule,
            optimizer_class=optimizer_class,
            optimizer_kwargs=optimizer_kwargs,
        )

    def _build(self, lr_schedule: Schedule) -> None:
        self.discrete = isinstance(self.action_space, spaces.Discrete)
        self.actor = AutoregressiveNetwork(self.bin_edges, **self._actor_options)
        # TRPO tells the value function's parameters by "value" in their names.
        self.value_network = AutoregressiveNetwork(
            self.bin_edges, values=True, **self._critic_options
        )
        self.average = AutoregressiveNetwork(self.bin_edges, **self._actor_options)
        self.average.load_state_dict(self.actor.state_dict())
        self.average.freeze()
        self.register_buffer("averaged", torch.tensor(False))
        self._network = self.actor
        self._prefixes: dict[str, Prefix] = {}
        self.optimizer = self.optimizer_class(
            self.parameters(),
            lr=lr_schedule(1),  # type: ignore[call-arg]
            **self.optimizer_kwargs,
        )

    # ------------------------------------------------------------------ acting

    def forward(
        self, obs: torch.Tensor, deterministic: bool = False
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return actions ``(B, *action_shape)``, values ``(B, 1)`` and log-densities ``(B,)``."""
        distribution = self._distribution_at(obs, self.actor)
        actions = self._draw(distribution, obs, deterministic)
        log_prob = distribution.log_prob(actions)
        return self._shaped(actions), self._values_at(obs), log_prob

    def _predict(self, observation: PyTorchObs, deterministic: bool = False) -> torch.Tensor:
        assert isinstance(observation, torch.Tensor)  # flat Box observations only
        distribution = self._distribution_at(observation, self._network)
        return self._shaped(self._draw(distribution, observation, deterministic))

    def _draw(
        self, distribution: CellDistribution, obs: torch.Tensor, deterministic: bool
    ) -> torch.Tensor:
        return (
            distribution.quantile((obs[:, -1] + 1) / 2) if deterministic else distribution.sample()
        )

    def _shaped(self, actions: torch.Tensor) -> torch.Tensor:
        return actions.reshape((-1, *(self.action_space.shape or ())))

    def set_training_mode(self, mode: bool) -> None:
        """As in SB3; SB3 calls it around every training, so sums of old weights are forgotten."""
        self._prefixes.clear()
        super().set_training_mode(mode)

    @contextmanager
    def generating(self) -> Iterator[None]:
        """Within it ``predict`` plays the average of the weights where one was kept."""
        before = self._network
        self._network = self.average if self.averaged else self.actor
        self._prefixes.clear()
        try:
            yield
        finally:
            self._network = before
            self._prefixes.clear()

    @torch.no_grad()
    def move_average(self, share: float) -> None:
        """Move the average by ``share`` of the way to the actor; from now on it is kept."""
        means = self.average.state_dict()  # no copies
        for name, new in self.actor.named_parameters():
            means[name].lerp_(new, share)
        self.averaged.fill_(True)

    # ------------------------------------------------------------------ learning

    def evaluate_actions(
        self, obs: PyTorchObs, actions: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """Return values ``(n, 1)``, log-densities ``(n,)`` and entropies ``(n,)``.

        n is B for single transitions and B * d, record by record, for whole episodes.
        """
        distribution = self.get_distribution(obs)
        return self.predict_values(obs), distribution.log_prob(actions), distribution.entropy()

    def get_distribution(self, obs: PyTorchObs) -> CellDistribution:
        """Return the distribution of the next actions; see the module's text for ``obs``."""
        assert isinstance(obs, torch.Tensor)
        if not self._whole(obs):
            records, positions = self._split(obs)
            return self._cells(self.actor.at(records, positions), positions)
        records = self._unit(obs)
        logits = self.actor(records, self.actor.bins(records))
        positions = torch.arange(self.d, device=obs.device).repeat(len(obs))
        return self._cells(logits.reshape(-1, logits.shape[-1]), positions)

    def predict_values(self, obs: PyTorchObs) -> torch.Tensor:
        """Return ``(n, 1)`` values; 0 for terminal observations."""
        assert isinstance(obs, torch.Tensor)
        if not self._whole(obs):
            return self._values_at(obs)
        records = self._unit(obs)
        values: torch.Tensor = self.value_network(records, self.value_network.bins(records))
        return values.reshape(-1, 1)

    # ------------------------------------------------------------------ observations

    def _whole(self, obs: torch.Tensor) -> bool:
        return obs.shape[1] == self.d

    @staticmethod
    def _unit(values: torch.Tensor) -> torch.Tensor:
        """Coordinates in [0, 1] of observed values in [-1, 1]."""
        return (values + 1) / 2

    def _split(self, obs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return coordinates ``(B, d)`` and positions ``(B,)`` of single transitions."""
        return self._unit(obs[:, : self.d]), obs[:, self.d : 2 * self.d].argmax(dim=1)

    def _cells(self, logits: torch.Tensor, positions: torch.Tensor | int) -> CellDistribution:
        edges, start = self.actor.edges[positions], self.actor.start[positions]
        return CellDistribution(logits, edges, start, discrete=self.discrete)

    def _distribution_at(
        self, obs: torch.Tensor, network: AutoregressiveNetwork
    ) -> CellDistribution:
        t = self._shared_position(obs)
        if t is None:
            records, positions = self._split(obs)
            return self._cells(network.at(records, positions), positions)
        name = "average" if network is self.average else "actor"
        return self._cells(network.next(self._prefix(name, network, obs, t)), t)

    def _values_at(self, obs: torch.Tensor) -> torch.Tensor:
        t = self._shared_position(obs)
        if t is not None:
            return self.value_network.next(self._prefix("value", self.value_network, obs, t))[
                :, None
            ]
        records, positions = self._split(obs)
        values = self.value_network.at(records, positions)
        running = obs[:, self.d : 2 * self.d].any(dim=1)
        return (values * running)[:, None]

    def _shared_position(self, obs: torch.Tensor) -> int | None:
        """Position of all rows, None where they differ or the episode has ended."""
        hot = obs[:, self.d : 2 * self.d]
        t = int(hot[0].argmax())
        return t if bool((hot[:, t] == 1).all()) else None

    def _prefix(
        self, name: str, network: AutoregressiveNetwork, obs: torch.Tensor, t: int
    ) -> Prefix:
        """Return the sums of the prefixes of ``obs``: the last call's where they still fit."""
        records = self._unit(obs[:, :t])
        prefix = self._prefixes.get(name)
        fits = (
            prefix is not None
            and len(prefix.records) == len(obs)
            and 0 < prefix.length <= t
            and prefix.records.device == obs.device
            and torch.equal(prefix.records[:, : prefix.length], records[:, : prefix.length])
        )
        if prefix is None or not fits:
            prefix = self._prefixes[name] = network.prefix(len(obs))
        while prefix.length < t:
            network.extend(prefix, records[:, prefix.length])
        return prefix

    def _get_constructor_parameters(self) -> dict[str, Any]:
        """What SB3 saves to build the policy anew."""
        names = ("observation_space", "action_space", "lr_schedule")
        inherited = super()._get_constructor_parameters()
        return {
            **{name: inherited[name] for name in names},
            "bin_edges": self.bin_edges,
            **self._actor_options,
            **{f"value_{name}": value for name, value in self._critic_options.items()},
            "optimizer_class": self.optimizer_class,
            "optimizer_kwargs": self.optimizer_kwargs,
        }
