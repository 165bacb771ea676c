from .cut import prepare_windows
from .point_table import PointTable, read_points
from .points import find_particles, find_peaks, find_walls, grid_points
from .resample import cut_windows, inside
from .windowing import Windowing

__all__ = [
    "PointTable",
    "Windowing",
    "cut_windows",
    "find_particles",
    "find_peaks",
    "find_walls",
    "grid_points",
    "inside",
    "prepare_windows",
    "read_points",
]
