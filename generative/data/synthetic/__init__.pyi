from .ellipsoids import ellipsoid_placements
from .families import FAMILIES
from .family import Family, Ranges
from .particles import particle_centres
from .random_field import FieldRanges, gaussian_random_field, gaussian_random_field_settings
from .spinodal import cahn_hilliard
from .zoo import ZOO

__all__ = [
    "FAMILIES",
    "ZOO",
    "Family",
    "FieldRanges",
    "Ranges",
    "cahn_hilliard",
    "ellipsoid_placements",
    "gaussian_random_field",
    "gaussian_random_field_settings",
    "particle_centres",
]
