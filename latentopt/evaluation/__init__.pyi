from .evaluation import Evaluation
from .objective import Objective
from .scoring import evaluate_images

__all__ = [
    "Evaluation",
    "Objective",
    "evaluate_images",
]
