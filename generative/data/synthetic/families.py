"""The table of synthetic families, by name."""

from generative.data.synthetic.family import Family
from generative.data.synthetic.particles import FIBRES, SPHERES
from generative.data.synthetic.random_field import GAUSSIAN_RANDOM_FIELD
from generative.data.synthetic.spinodal import SPINODAL

FAMILIES: dict[str, Family] = {
    "gaussian_random_field": GAUSSIAN_RANDOM_FIELD,
    "fibres": FIBRES,
    "spheres": SPHERES,
    "spinodal": SPINODAL,
}
