from .config import StageConfig, TrainConfig
from .loss import Loss
from .reconstruction import ReconstructionErrors, reconstruction_errors
from .stage import SolvingStage, Stage

__all__ = [
    "Loss",
    "ReconstructionErrors",
    "SolvingStage",
    "Stage",
    "StageConfig",
    "TrainConfig",
    "reconstruction_errors",
]
