"""An SB3 actor-critic policy over the autoregressive network, for PPO, A2C and TRPO.

Two forms of observation are taken, told apart by their width: single transitions ``(B, 2d + 1)``,
as the environment gives them, and finished records ``(B, d)``, as
:class:`~agents.buffers.episodes.EpisodeRolloutBuffer` yields them, which stand for all d
transitions of their episodes, record by record.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.type_aliases import PyTorchObs, Schedule

from agents.policies.autoregressive.caution import PairRule
from agents.policies.autoregressive.distribution import CellDistribution
from agents.policies.autoregressive.network import (
    AutoregressiveNetwork,
    Prefix,
    RunningSum,
    ValueNetwork,
)
from agents.policies.autoregressive.record_distribution import RecordDistribution
from agents.policies.quick_steps import quicken
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
        atoms: ``(d, K)`` bool, bins that mean one value; None: no bin is one.
        rules: on two features each, which the actor learns to keep to as far as it pays
            (:class:`~agents.policies.autoregressive.caution.Caution`).
        strictness_rate: times the optimiser's learning rate is that of how strictly it keeps to
            rules.
        width, blocks: of the actor's network.
        value_width, value_blocks: of the value function's.
        use_sde: SB3 passes it; state-dependent noise has no meaning for a density over bins.
        optimizer_class, optimizer_kwargs: as in SB3.

    Raises:
        ConfigError: when the bins do not fit the spaces, ``use_sde`` is true, or
            ``strictness_rate`` is not above 0.
    """

    averaged: torch.Tensor

    def __init__(
        self,
        observation_space: spaces.Space,
        action_space: spaces.Space,
        lr_schedule: Schedule,
        *,
        bin_edges: np.ndarray,
        atoms: np.ndarray | None = None,
        rules: Sequence[PairRule] = (),
        strictness_rate: float = 1.0,
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
        if strictness_rate <= 0:
            raise ConfigError(f"strictness_rate must be above 0, not {strictness_rate}")
        self.bin_edges = np.asarray(bin_edges, dtype=np.float32)
        self.atoms = None if atoms is None else np.asarray(atoms, dtype=bool)
        self.rules, self.strictness_rate = tuple(rules), strictness_rate
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
        bins = self.bin_edges, self.atoms
        self.actor = AutoregressiveNetwork(*bins, self.rules, **self._actor_options)
        # TRPO tells the value function's parameters by "value" in their names.
        self.value_network = ValueNetwork(*bins, **self._critic_options)
        self.average = AutoregressiveNetwork(*bins, self.rules, **self._actor_options)
        self.average.load_state_dict(self.actor.state_dict())
        self.average.freeze()
        self.register_buffer("averaged", torch.tensor(False))
        self._network = self.actor
        self._prefixes: dict[RunningSum, Prefix] = {}
        self._seen = torch.zeros(0, self.d)
        self._seen_length = 0
        caution = [] if self.actor.caution is None else list(self.actor.caution.parameters())
        others = [p for p in self.parameters() if not any(p is own for own in caution)]
        self.optimizer = self.optimizer_class(
            [{"params": group} for group in (others, caution) if group],
            lr=lr_schedule(1),  # type: ignore[call-arg]
            **self.optimizer_kwargs,
        )
        if caution:
            quicken(self.optimizer, group=1, factor=self.strictness_rate)

    # ------------------------------------------------------------------ acting

    def forward(
        self, obs: torch.Tensor, deterministic: bool = False
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return actions ``(B, *action_shape)``, values ``(B, 1)`` and log-densities ``(B,)``."""
        t = self._shared_position(obs)
        distribution = self._distribution_at(obs, t, self.actor)
        actions = self._draw(distribution, obs, deterministic)
        log_prob = distribution.log_prob(actions)
        return self._shaped(actions), self._values_at(obs, t), log_prob

    def _predict(self, observation: PyTorchObs, deterministic: bool = False) -> torch.Tensor:
        assert isinstance(observation, torch.Tensor)  # flat Box observations only
        t = self._shared_position(observation)
        distribution = self._distribution_at(observation, t, self._network)
        return self._shaped(self._draw(distribution, observation, deterministic))

    def _draw(
        self, distribution: CellDistribution, obs: torch.Tensor, deterministic: bool
    ) -> torch.Tensor:
        return (
            distribution.quantile((obs[:, -1] + 1) / 2) if deterministic else distribution.sample()
        )

    def _shaped(self, actions: torch.Tensor) -> torch.Tensor:
        return actions.reshape((-1, *(self.action_space.shape or ())))

    @property
    def generator(self) -> AutoregressiveNetwork:
        """The network that records are generated with: the average where one is kept."""
        return self.average if self.averaged else self.actor

    @contextmanager
    def generating(self) -> Iterator[None]:
        """Within it ``predict`` plays the average of the weights where one was kept."""
        before = self._network
        self._network = self.generator
        self._forget()
        try:
            yield
        finally:
            self._network = before
            self._forget()

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

    def get_distribution(self, obs: PyTorchObs) -> CellDistribution | RecordDistribution:
        """Return the distribution of the next actions; see the module's text for ``obs``."""
        assert isinstance(obs, torch.Tensor)
        if not self._whole(obs):
            records, positions = self._split(obs)
            return self._cells(self.actor.logits_at(records, positions), positions)
        records = self._unit(obs)
        logits = self.actor.logits(records, self.actor.bins(records))
        return RecordDistribution(self.actor, logits, discrete=self.discrete)

    def predict_values(self, obs: PyTorchObs) -> torch.Tensor:
        """Return ``(n, 1)`` values; 0 for terminal observations."""
        assert isinstance(obs, torch.Tensor)
        if not self._whole(obs):
            return self._values_at(obs, self._shared_position(obs))
        records = self._unit(obs)
        values = self.value_network.values(records, self.value_network.bins(records))
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
        k = logits.shape[-1]
        edges = self.actor.edges[positions][..., : k + 1]
        start = self.actor.heads.start[positions][..., :k]
        return CellDistribution(logits, edges, start, discrete=self.discrete)

    def _distribution_at(
        self, obs: torch.Tensor, t: int | None, network: AutoregressiveNetwork
    ) -> CellDistribution:
        """Return the distribution at position t, or at each row's own where t is None."""
        if t is None:
            records, positions = self._split(obs)
            return self._cells(network.logits_at(records, positions), positions)
        return self._cells(network.next_logits(self._prefix(network, obs, t)), t)

    def _values_at(self, obs: torch.Tensor, t: int | None) -> torch.Tensor:
        if t is not None:
            prefix = self._prefix(self.value_network, obs, t)
            return self.value_network.next_value(prefix)[:, None]
        records, positions = self._split(obs)
        values = self.value_network.values_at(records, positions)
        running = obs[:, self.d : 2 * self.d].any(dim=1)
        return (values * running)[:, None]

    def _shared_position(self, obs: torch.Tensor) -> int | None:
        """Position of all rows, None where they differ, the episode has ended or gradients flow.

        What is remembered of the rows' prefixes is dropped unless they still begin with it.
        """
        if torch.is_grad_enabled():
            return None
        hot = obs[:, self.d : 2 * self.d]
        t = int(hot[0].argmax())
        if not bool((hot[:, t] == 1).all()):
            return None
        seen, length = self._seen, self._seen_length
        if (
            len(seen) != len(obs)
            or seen.device != obs.device
            or length > t
            or not torch.equal(seen[:, :length], obs[:, :length])
        ):
            self._forget()
            if len(seen) != len(obs) or seen.device != obs.device:
                self._seen = torch.zeros(len(obs), self.d, device=obs.device)
        self._seen[:, self._seen_length : t] = obs[:, self._seen_length : t]
        self._seen_length = t
        return t

    def _prefix(self, network: RunningSum, obs: torch.Tensor, t: int) -> Prefix:
        """Return the sums of the prefixes of ``obs``, which :meth:`_shared_position` checked."""
        prefix = self._prefixes.get(network)
        if prefix is None or prefix.version != network.version:
            prefix = self._prefixes[network] = network.prefix(len(obs))
        while prefix.length < t:
            network.extend(prefix, self._unit(obs[:, prefix.length]))
        return prefix

    def _forget(self) -> None:
        self._prefixes.clear()
        self._seen_length = 0

    def _get_constructor_parameters(self) -> dict[str, Any]:
        """What SB3 saves to build the policy anew."""
        names = ("observation_space", "action_space", "lr_schedule")
        inherited = super()._get_constructor_parameters()
        return {
            **{name: inherited[name] for name in names},
            "bin_edges": self.bin_edges,
            "atoms": self.atoms,
            "rules": self.rules,
            "strictness_rate": self.strictness_rate,
            **self._actor_options,
            **{f"value_{name}": value for name, value in self._critic_options.items()},
            "optimizer_class": self.optimizer_class,
            "optimizer_kwargs": self.optimizer_kwargs,
        }
