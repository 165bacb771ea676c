from .bounds import (
    conductivity_bounds,
    hashin_shtrikman_conductivity,
    hashin_shtrikman_moduli,
    phase_fractions,
    stiffness_bounds,
)
from .conductivity import effective_conductivity, homogenize_conductivity
from .diffusion import tortuosity
from .engineering import engineering_constants
from .fields import conduction_fields, elastic_fields
from .stiffness import effective_stiffness, homogenize_stiffness

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
