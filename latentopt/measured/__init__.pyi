from .structures import MeasuredData, read_measured
from .targets import read_targets, solve_targets

__all__ = [
    "MeasuredData",
    "read_measured",
    "read_targets",
    "solve_targets",
]
