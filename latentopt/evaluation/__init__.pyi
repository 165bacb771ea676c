from .evaluation import Evaluation, evaluate_images

__all__ = [
    "Evaluation",
    "evaluate_images",
]
