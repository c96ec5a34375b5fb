"""Autoregressive policies: the conditional density of every feature, from one network."""

from agents.policies.autoregressive.network import AutoregressiveNetwork
from agents.policies.autoregressive.policy import AutoregressivePolicy

__all__ = ["AutoregressiveNetwork", "AutoregressivePolicy"]
