"""Reward terms: what a finished record is worth, as small objects that the environment sums.

A term need not be differentiable: that is the point of generating records by reinforcement
learning. A user adds one by :func:`register_reward_term`, or passes an object.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.special import expit, log_expit

from rlsyn_env.adversary import Adversary
from rlsyn_env.errors import ConfigError, RLSynError, short_repr

Records: TypeAlias = npt.NDArray[np.float32]
Rewards: TypeAlias = npt.NDArray[np.float32]


class RewardTerm(ABC):
    """One summand of an episode's reward, paid with the last feature.

    A term that is a sum of parts, each settled by the features up to some position, may have them
    paid as soon as they are: fewer steps then share the blame. It says so by :attr:`settled_at` and
    :meth:`part`.

    Attributes:
        name: under which it is reported, ``reward/<name>`` in TensorBoard.
        weight: it is multiplied by this in the sum.
        settled_at: positions of the features that settle a part; empty: all of it is paid last.
        hint: ends the message where a value is not finite: what to do about it.
    """

    name: str
    weight: float = 1.0
    settled_at: frozenset[int] = frozenset()
    hint: str = ""

    def observe(self, records: Records) -> None:  # noqa: B027 - most terms learn nothing
        """Learn from finished records ``(n, d)`` in [0, 1]; not called with ``co_train=False``."""

    @abstractmethod
    def __call__(self, records: Records) -> Rewards:
        """Score finished records ``(n, d)`` in [0, 1]; returns ``(n,)`` float32, unweighted."""

    def part(self, records: Records, position: int) -> Rewards:
        """Return the part ``(n,)`` float32, unweighted, that the feature at a position settles.

        Args:
            records: ``(n, d)`` in [0, 1]; what follows the position is not yet known.
            position: one of :attr:`settled_at`. The parts of all of them sum to the term's value.
        """
        raise NotImplementedError(f"the reward term '{self.name}' has no parts")

    def state_dict(self) -> dict[str, Any]:
        """What :meth:`observe` has learnt: tensors, arrays, generators and plain values.

        A checkpoint keeps it, so it should hold no real row; nothing for terms that learn nothing.
        """
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:  # noqa: B027 - most have none
        """Put back what :meth:`state_dict` gave, when a run is resumed."""


def scored(term: RewardTerm, records: Records) -> Rewards:
    """Return what a term says of records ``(n, d)``, float32 ``(n,)``.

    Raises:
        RLSynError: when that is something else, or not finite.
    """
    given = term(records)
    try:
        values = np.asarray(given, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise RLSynError(f"the reward term '{term.name}' gave {short_repr(given)}") from error
    if values.shape != (len(records),):
        raise RLSynError(
            f"the reward term '{term.name}' gave shape {values.shape} for {len(records)} records; "
            "it must give one number for each"
        )
    if not np.isfinite(values).all():
        raise RLSynError(
            f"the reward term '{term.name}' is not a finite number for "
            f"{int((~np.isfinite(values)).sum())} of {len(records)} records{term.hint}"
        )
    return values


def _softplus(logits: Rewards) -> Rewards:
    return -log_expit(-logits)


#: Reward forms: functions of the discriminator's clipped logit. ``sigmoid`` is the paper's
#: (arXiv 2512.21395), ``logsigmoid`` and ``softplus`` those of GAIL's two conventions.
REWARD_FORMS: Mapping[str, Callable[[Rewards], Rewards]] = {
    "logit": lambda logits: logits,
    "softplus": _softplus,
    "logsigmoid": log_expit,
    "sigmoid": expit,
}


class AdversarialReward(RewardTerm):
    """A form of the co-trained discriminator's logit; what it has learnt is the adversary's state.

    Args:
        adversary: shared by every environment that plays against it.
        form: one of :data:`REWARD_FORMS`.
    """

    name = "adversarial"
    hint = ": the discriminator has diverged; a lower adversary.learning_rate may keep it from that"

    def __init__(self, adversary: Adversary, form: str = "logit") -> None:
        if form not in REWARD_FORMS:
            raise ConfigError(f"unknown reward '{form}'; choose one of {', '.join(REWARD_FORMS)}")
        self.adversary = adversary
        self.form = form

    def observe(self, records: Records) -> None:
        """Show the records to the adversary, which trains when enough have come."""
        self.adversary.observe(records)

    def __call__(self, records: Records) -> Rewards:
        """Score records ``(n, d)`` with the discriminator as it is now."""
        clip = self.adversary.config.logit_clip
        logits = np.clip(self.adversary.logits(records), -clip, clip)
        return np.asarray(REWARD_FORMS[self.form](logits), dtype=np.float32)


#: Weight of the term ``constraints``, which is there whenever the schema has constraints. A broken
#: rule then costs more than a discriminator that is sure of a record takes (logit 3: 95 %).
#: What it is worth: docs/constraints.md.
CONSTRAINT_WEIGHT = 4.0
_CONSTRAINTS = "constraints"


def _constraint_reward(adversary: Adversary) -> RewardTerm:
    from rlsyn_env.constraint_reward import ConstraintReward

    return ConstraintReward(adversary.encoder)


RewardTermFactory: TypeAlias = Callable[[Adversary], RewardTerm]
#: Terms that can be asked for by name, beside ``adversarial``, which is always there.
REWARD_TERMS: dict[str, RewardTermFactory] = {_CONSTRAINTS: _constraint_reward}


def check_reward_weights(weights: Mapping[str, float]) -> None:
    """Raise ConfigError for a term that is not registered, or a weight that is no finite number."""
    for name, weight in weights.items():
        if name not in REWARD_TERMS:
            known = ", ".join(REWARD_TERMS)
            raise ConfigError(f"unknown reward term '{name}'; known terms: {known}")
        number = isinstance(weight, Real) and not isinstance(weight, bool)
        if not number or not np.isfinite(weight):
            raise ConfigError(
                f"the weight of the reward term '{name}' is {short_repr(weight)}, not a number"
            )


def register_reward_term(name: str, factory: RewardTermFactory) -> None:
    """Make a term available by name.

    Args:
        name: must not be taken.
        factory: called with the adversary (its ``encoder`` decodes records into a table).

    Raises:
        ConfigError: when the name is taken.
    """
    if name in REWARD_TERMS or name == AdversarialReward.name:
        raise ConfigError(f"reward term '{name}' is already registered; choose another name")
    REWARD_TERMS[name] = factory


def make_reward_terms(
    adversary: Adversary,
    form: str = "logit",
    extra: Mapping[str, float] | Sequence[RewardTerm] = (),
) -> tuple[RewardTerm, ...]:
    """The adversarial term, that of the schema's constraints, and whatever else was asked for.

    Args:
        adversary: of the adversarial term.
        form: of the adversarial term, one of :data:`REWARD_FORMS`.
        extra: weights of registered terms by name, or terms. A weight of 0 leaves a term out;
            ``constraints`` has :data:`CONSTRAINT_WEIGHT` when it is not mentioned and the schema
            has constraints.

    Raises:
        ConfigError: for an unknown form or term, two terms of one name, or constraints that the
            schema does not have.
    """
    terms: list[RewardTerm] = [AdversarialReward(adversary, form)]
    weights = dict(extra) if isinstance(extra, Mapping) else {}
    given = [] if isinstance(extra, Mapping) else list(extra)
    for term in given:
        if not isinstance(term, RewardTerm) or not isinstance(getattr(term, "name", None), str):
            raise ConfigError(
                f"{short_repr(term)} is no reward term: give objects of subclasses of RewardTerm "
                "that have a name, or weights by name as in {'constraints': 4}"
            )
    check_reward_weights(weights)
    if adversary.encoder.schema.constraints and _CONSTRAINTS not in {term.name for term in given}:
        weights = {_CONSTRAINTS: CONSTRAINT_WEIGHT, **weights}
    for name, weight in weights.items():
        if weight:
            term = REWARD_TERMS[name](adversary)
            term.weight = float(weight)
            terms.append(term)
    terms.extend(given)
    names = [term.name for term in terms]
    if len(set(names)) < len(names):
        raise ConfigError(f"two reward terms share a name: {', '.join(names)}")
    return tuple(terms)
