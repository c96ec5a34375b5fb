"""What happens beside training: progress, the judge, checkpoints, imitation. One job a file."""

from agents.callbacks.averaging import AveragingCallback, AveragingConfig
from agents.callbacks.checkpoints import CheckpointCallback
from agents.callbacks.fidelity import FidelityCallback
from agents.callbacks.imitation import ImitationCallback, ImitationConfig
from agents.callbacks.judge import JudgeCallback
from agents.callbacks.progress import ProgressCallback
from agents.callbacks.scalars import ScalarsCallback
from agents.callbacks.selection import SelectionCallback, SelectionConfig

__all__ = [
    "AveragingCallback",
    "AveragingConfig",
    "CheckpointCallback",
    "FidelityCallback",
    "ImitationCallback",
    "ImitationConfig",
    "JudgeCallback",
    "ProgressCallback",
    "ScalarsCallback",
    "SelectionCallback",
    "SelectionConfig",
]
