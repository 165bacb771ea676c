"""Images in: reading, checking, segmenting, cutting, splitting, augmenting and synthesizing."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from generative.data.augment import Augmentation
    from generative.data.check import Limits, check_images
    from generative.data.dataset import Dataset
    from generative.data.formats.readers import READERS
    from generative.data.grey.segment import one_hot, otsu
    from generative.data.patches import Split, extract_patches, split_by_parent, split_regions
    from generative.data.read import load_images, read_dataset

__all__ = [
    "READERS",
    "Augmentation",
    "Dataset",
    "Limits",
    "Split",
    "check_images",
    "extract_patches",
    "load_images",
    "one_hot",
    "otsu",
    "read_dataset",
    "split_by_parent",
    "split_regions",
]

# Loaded on first use: importing the package reads no imaging library.
_HOME = {
    "READERS": "formats.readers",
    "Augmentation": "augment",
    "Dataset": "dataset",
    "Limits": "check",
    "Split": "patches",
    "check_images": "check",
    "extract_patches": "patches",
    "load_images": "read",
    "one_hot": "grey.segment",
    "otsu": "grey.segment",
    "read_dataset": "read",
    "split_by_parent": "patches",
    "split_regions": "patches",
}


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(import_module(f"generative.data.{_HOME[name]}"), name)
    raise AttributeError(f"module 'generative.data' has no attribute {name!r}")
