from .segment import one_hot, otsu, otsu_threshold
from .segmentation import Segmentation

__all__ = ["Segmentation", "one_hot", "otsu", "otsu_threshold"]
