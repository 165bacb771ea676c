"""Families of synthetic microstructures: seeded, in 2-D and 3-D, with their settings as labels."""

from generative.data.synthetic.ellipsoids import ellipsoid_placements
from generative.data.synthetic.families import FAMILIES
from generative.data.synthetic.family import Family, Ranges
from generative.data.synthetic.particles import particle_centres
from generative.data.synthetic.random_field import (
    FieldRanges,
    gaussian_random_field,
    gaussian_random_field_settings,
)
from generative.data.synthetic.spinodal import cahn_hilliard
from generative.data.synthetic.zoo import ZOO

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
