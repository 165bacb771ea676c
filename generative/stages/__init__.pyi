from .config import StageConfig, TrainConfig
from .reconstruction import ReconstructionErrors, reconstruct, reconstruction_errors
from .stage import Stage

__all__ = [
    "ReconstructionErrors",
    "Stage",
    "StageConfig",
    "TrainConfig",
    "reconstruct",
    "reconstruction_errors",
]
