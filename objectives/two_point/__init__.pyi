from .correlation import radial_average, two_point_statistics
from .pca import TwoPointPCA

__all__ = [
    "TwoPointPCA",
    "radial_average",
    "two_point_statistics",
]
