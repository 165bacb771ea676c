from .config import StageConfig, TrainConfig
from .loss import Loss
from .players import Batch, Player
from .reconstruction import ReconstructionErrors, reconstruction_errors
from .stage import SolvingStage, Stage

__all__ = [
    "Batch",
    "Loss",
    "Player",
    "ReconstructionErrors",
    "SolvingStage",
    "Stage",
    "StageConfig",
    "TrainConfig",
    "reconstruction_errors",
]
