from . import fidelity, homogenize, manufacturability, spectral, surrogates, two_point
from .chord_length import chord_length_distribution
from .effective_conductivity import EffectiveConductivity
from .effective_spectrum import EffectiveSpectrum
from .effective_stiffness import EffectiveStiffness
from .lineal_path import lineal_path
from .pair_correlation import pair_correlation
from .phases import cut_phases, to_images, to_phases
from .registry import OBJECTIVES
from .specific_surface import specific_surface
from .two_point_cluster import two_point_cluster
from .two_point_target import TwoPointTarget
from .volume_fraction import VolumeFraction

__all__ = [
    "OBJECTIVES",
    "EffectiveConductivity",
    "EffectiveSpectrum",
    "EffectiveStiffness",
    "TwoPointTarget",
    "VolumeFraction",
    "chord_length_distribution",
    "cut_phases",
    "fidelity",
    "homogenize",
    "lineal_path",
    "manufacturability",
    "pair_correlation",
    "specific_surface",
    "spectral",
    "surrogates",
    "to_images",
    "to_phases",
    "two_point",
    "two_point_cluster",
]
