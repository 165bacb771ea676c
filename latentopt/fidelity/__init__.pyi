from .interpolation import InterpolationFigures, draw_pairs, interpolation_figures
from .interpolation_files import write_interpolation
from .page import write_fidelity
from .spaces import GroupFidelity, SpaceFidelity, evaluate_spaces

__all__ = [
    "GroupFidelity",
    "InterpolationFigures",
    "SpaceFidelity",
    "draw_pairs",
    "evaluate_spaces",
    "interpolation_figures",
    "write_fidelity",
    "write_interpolation",
]
