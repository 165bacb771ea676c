"""Effective properties of periodic voxel structures by FFT-preconditioned conjugate gradients."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from objectives.homogenize.conductivity import effective_conductivity

__all__ = ["effective_conductivity"]


def __getattr__(name: str) -> object:
    # Loaded on first use: importing the package costs no torch.
    if name == "effective_conductivity":
        return import_module("objectives.homogenize.conductivity").effective_conductivity
    raise AttributeError(f"module 'objectives.homogenize' has no attribute {name!r}")
