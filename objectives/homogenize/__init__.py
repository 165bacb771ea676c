"""Effective properties of periodic voxel structures by FFT-preconditioned conjugate gradients."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from objectives.homogenize.bounds import (
        conductivity_bounds,
        hashin_shtrikman_conductivity,
        hashin_shtrikman_moduli,
        phase_fractions,
        stiffness_bounds,
    )
    from objectives.homogenize.conductivity import (
        effective_conductivity,
        homogenize_conductivity,
    )
    from objectives.homogenize.diffusion import tortuosity
    from objectives.homogenize.engineering import engineering_constants
    from objectives.homogenize.fields import conduction_fields, elastic_fields
    from objectives.homogenize.stiffness import effective_stiffness, homogenize_stiffness

__all__ = [
    "conduction_fields",
    "conductivity_bounds",
    "effective_conductivity",
    "effective_stiffness",
    "elastic_fields",
    "engineering_constants",
    "hashin_shtrikman_conductivity",
    "hashin_shtrikman_moduli",
    "homogenize_conductivity",
    "homogenize_stiffness",
    "phase_fractions",
    "stiffness_bounds",
    "tortuosity",
]

MODULES = {
    "conduction_fields": "fields",
    "conductivity_bounds": "bounds",
    "effective_conductivity": "conductivity",
    "effective_stiffness": "stiffness",
    "elastic_fields": "fields",
    "engineering_constants": "engineering",
    "hashin_shtrikman_conductivity": "bounds",
    "hashin_shtrikman_moduli": "bounds",
    "homogenize_conductivity": "conductivity",
    "homogenize_stiffness": "stiffness",
    "phase_fractions": "bounds",
    "stiffness_bounds": "bounds",
    "tortuosity": "diffusion",
}


def __getattr__(name: str) -> object:
    # Loaded on first use: importing the package costs no torch.
    if name in MODULES:
        return getattr(import_module(f"objectives.homogenize.{MODULES[name]}"), name)
    raise AttributeError(f"module 'objectives.homogenize' has no attribute {name!r}")
