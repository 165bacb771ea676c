"""The table of synthetic families, by name."""

from generative.data.synthetic.ellipsoids import ELLIPSOIDS
from generative.data.synthetic.family import Family
from generative.data.synthetic.layers import CHECKERBOARD, LAMINATE
from generative.data.synthetic.multiphase import MULTIPHASE
from generative.data.synthetic.particles import FIBRES, SPHERES
from generative.data.synthetic.random_field import GAUSSIAN_RANDOM_FIELD
from generative.data.synthetic.spinodal import SPINODAL
from generative.data.synthetic.voronoi import VORONOI
from generative.data.synthetic.woven import WOVEN

FAMILIES: dict[str, Family] = {
    "gaussian_random_field": GAUSSIAN_RANDOM_FIELD,
    "fibres": FIBRES,
    "spheres": SPHERES,
    "ellipsoids": ELLIPSOIDS,
    "spinodal": SPINODAL,
    "voronoi": VORONOI,
    "laminate": LAMINATE,
    "checkerboard": CHECKERBOARD,
    "woven": WOVEN,
    "multiphase": MULTIPHASE,
}
