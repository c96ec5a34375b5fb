"""What happens beside training: progress, TensorBoard, fidelity, checkpoints. One job a file."""

from agents.callbacks.checkpoints import CheckpointCallback
from agents.callbacks.fidelity import FidelityCallback
from agents.callbacks.progress import ProgressCallback
from agents.callbacks.scalars import ScalarsCallback

__all__ = ["CheckpointCallback", "FidelityCallback", "ProgressCallback", "ScalarsCallback"]
