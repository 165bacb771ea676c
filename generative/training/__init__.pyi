from .train import TrainConfig, finetune, train

__all__ = [
    "TrainConfig",
    "finetune",
    "train",
]
