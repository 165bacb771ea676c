"""Two-point statistics in 2-D and 3-D, and their principal components."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from objectives.two_point.correlation import radial_average, two_point_statistics
    from objectives.two_point.pca import TwoPointPCA

__all__ = ["TwoPointPCA", "radial_average", "two_point_statistics"]

_HOMES = {
    "TwoPointPCA": "objectives.two_point.pca",
    "radial_average": "objectives.two_point.correlation",
    "two_point_statistics": "objectives.two_point.correlation",
}


def __getattr__(name: str) -> object:
    # Loaded on first use: importing the package costs no torch.
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'objectives.two_point' has no attribute {name!r}")
