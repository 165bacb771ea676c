"""Effective properties of periodic voxel structures by FFT-preconditioned conjugate gradients."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from objectives.homogenize.conductivity import (
        effective_conductivity,
        homogenize_conductivity,
    )
    from objectives.homogenize.stiffness import effective_stiffness, homogenize_stiffness

__all__ = [
    "effective_conductivity",
    "effective_stiffness",
    "homogenize_conductivity",
    "homogenize_stiffness",
]

MODULES = {
    "effective_conductivity": "conductivity",
    "effective_stiffness": "stiffness",
    "homogenize_conductivity": "conductivity",
    "homogenize_stiffness": "stiffness",
}


def __getattr__(name: str) -> object:
    # Loaded on first use: importing the package costs no torch.
    if name in MODULES:
        return getattr(import_module(f"objectives.homogenize.{MODULES[name]}"), name)
    raise AttributeError(f"module 'objectives.homogenize' has no attribute {name!r}")
