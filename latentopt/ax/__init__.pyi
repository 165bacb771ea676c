from .goal import AxGoal
from .history import history_of_experiment

__all__ = [
    "AxGoal",
    "history_of_experiment",
]
