from .conditions import ConditionSettings
from .sampling import obtained, sample_points
from .settings import FieldData, FileData, TrainingSettings
from .train_space import train_space

__all__ = [
    "ConditionSettings",
    "FieldData",
    "FileData",
    "TrainingSettings",
    "obtained",
    "sample_points",
    "train_space",
]
