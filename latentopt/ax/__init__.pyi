from .goal import AxGoal
from .history import history_of

__all__ = [
    "AxGoal",
    "history_of",
]
