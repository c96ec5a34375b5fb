"""RLSyn: record generation as a Gymnasium environment with a co-trained discriminator.

Importing this package registers :data:`ENV_IDS`; it does not import torch.
"""

from rlsyn_env.registration import ENV_IDS, register_envs

__version__ = "0.1.0"

register_envs()

__all__ = ["ENV_IDS", "__version__", "register_envs"]
