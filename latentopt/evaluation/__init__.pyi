from .evaluation import Evaluation, evaluate_images
from .objectives import Objective

__all__ = [
    "Evaluation",
    "Objective",
    "evaluate_images",
]
