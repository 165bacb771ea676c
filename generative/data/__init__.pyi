from .augment import Augmentation
from .check import Limits, check_images
from .dataset import Dataset
from .formats.readers import READERS
from .grey.segment import one_hot, otsu
from .inspection import Inspection, inspect_images
from .patches import Split, extract_patches, split_by_parent, split_regions
from .preparation import Preparation
from .prepare import prepare_images
from .read import load_images, read_dataset
from .stored_set import encode_set, read_provenance
from .windows.cut import prepare_windows
from .windows.windowing import Windowing

__all__ = [
    "READERS",
    "Augmentation",
    "Dataset",
    "Inspection",
    "Limits",
    "Preparation",
    "Split",
    "Windowing",
    "check_images",
    "encode_set",
    "extract_patches",
    "inspect_images",
    "load_images",
    "one_hot",
    "otsu",
    "prepare_images",
    "prepare_windows",
    "read_dataset",
    "read_provenance",
    "split_by_parent",
    "split_regions",
]
