from .correlation import radial_average, two_point_statistics
from .extent import CorrelationExtent, correlation_extent
from .pca import TwoPointPCA

__all__ = [
    "CorrelationExtent",
    "TwoPointPCA",
    "correlation_extent",
    "radial_average",
    "two_point_statistics",
]
