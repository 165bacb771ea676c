"""Fibres and spheres keep their gaps in continuous coordinates, at the fractions asked for."""

import math
from itertools import product

import numpy as np
import pytest
from scipy.special import ellipe

from generative.data.synthetic import FAMILIES, particle_centres
from generative.data.synthetic.packing import _add, nearest_distance, pack


def least_distance(centres, sides):
    """Of all pairs and all their images, a point and its own images too."""
    shifts = np.array(list(product((-1, 0, 1), repeat=len(sides)))) * sides
    apart = centres[:, None, None] - centres[None, :, None] - shifts
    distance = np.sqrt((apart**2).sum(axis=-1))
    return distance[distance > 0].min()


@pytest.mark.parametrize(
    ("name", "shape", "ranges"),
    [
        ("fibres", (64, 64), {"volume_fraction": 0.6, "gap_px": 0.8, "diameter_px": 8}),
        ("fibres", (64, 96), {"volume_fraction": (0.3, 0.6)}),
        ("fibres", (5, 48, 48), {"volume_fraction": 0.6, "gap_px": 0}),
        ("spheres", (32, 32, 32), {"volume_fraction": 0.35, "gap_px": 0}),
        ("spheres", (24, 24, 24), {"volume_fraction": 0.35}),
        ("spheres", (64, 64), {}),
    ],
)
def test_no_gap_is_below_the_minimum_and_the_fraction_is_within_a_row(name, shape, ranges):
    family, n = FAMILIES[name], 3
    labels = family.make(n, shape, seed=1, **ranges)
    settings = family.settings(n, shape, seed=1, **ranges)
    sides = shape[-2:] if name == "fibres" else shape
    for i, centres in enumerate(particle_centres(family, n, shape, seed=1, **ranges)):
        assert len(centres) == settings["count"][i]
        gap = least_distance(centres, sides) - settings["diameter_px"][i]
        assert gap >= settings["gap_px"][i]
        fraction = (labels[i] > 0).mean()
        assert abs(fraction - settings["volume_fraction"][i]) <= 1 / min(sides)


def test_fibres_run_along_z():
    labels = FAMILIES["fibres"].make(2, (6, 32, 32), seed=0)
    assert (labels == labels[:, :1]).all()


@pytest.mark.parametrize("seed", range(3))
def test_spheres_fill_a_third_and_more_by_addition_alone(seed):
    sides, count = np.full(3, 40.0), 100
    diameter = (0.35 * 40**3 / count * 6 / math.pi) ** (1 / 3)
    centres = _add(count, diameter, sides, np.random.default_rng(seed))
    assert len(centres) == count
    assert least_distance(centres, sides) >= diameter


def test_addition_alone_jams_where_theory_says():
    # Discs cover .547 of the plane at saturation (Torquato 2002, section 3.4).
    sides, diameter = np.full(2, 100.0), 5.0
    count = round(0.60 * 100**2 / (math.pi / 4 * diameter**2))
    added = len(_add(count, diameter, sides, np.random.default_rng(0)))
    covered = added * math.pi / 4 * diameter**2 / 100**2
    assert 0.49 < covered < 0.56
    assert (
        nearest_distance(pack(count, diameter, (100, 100), np.random.default_rng(0)), (100, 100))
        >= 5
    )


def surface(count, length, aspect, dim):
    """Of ellipses, and of prolate ellipsoids of revolution."""
    long, short = length / 2, length / 2 / aspect
    e = math.sqrt(1 - 1 / aspect**2)
    if dim == 2:
        return count * 4 * long * ellipe(e**2)
    return count * 2 * math.pi * short**2 * (1 + aspect * (math.asin(e) / e if e else 1))


@pytest.mark.parametrize(
    ("name", "shape", "ranges"),
    [
        ("fibres", (128, 128), {"volume_fraction": 0.5, "diameter_px": 20}),
        ("spheres", (64, 64, 64), {"volume_fraction": 0.3, "diameter_px": 20}),
        ("ellipsoids", (128, 128), {"volume_fraction": 0.2, "length_px": 32, "aspect": 2.0}),
        ("ellipsoids", (64, 64, 64), {"volume_fraction": 0.15, "length_px": 32, "aspect": 2.0}),
    ],
)
def test_particles_have_the_surface_of_their_shape(name, shape, ranges):
    # Faces of voxels see 2/pi of the length of lines of all directions, and 1/2 of such surfaces.
    labels = FAMILIES[name].make(3, shape, seed=0, **ranges)
    settings = FAMILIES[name].settings(3, shape, seed=0, **ranges)
    length = settings["diameter_px" if "diameter_px" in settings else "length_px"][0]
    expected = surface(settings["count"][0], length, ranges.get("aspect", 1.0), len(shape))
    axes = range(1, labels.ndim)
    seen = np.mean([(labels != np.roll(labels, 1, axis)).mean() for axis in axes])
    share = 2 / math.pi if len(shape) == 2 else 1 / 2
    assert seen == pytest.approx(share * expected / math.prod(shape), rel=0.01)


@pytest.mark.parametrize(
    ("shape", "ranges"),
    [
        ((64, 64), {"volume_fraction": 0.85}),
        ((64, 64), {"volume_fraction": 0.6, "gap_px": 4.0, "diameter_px": 8}),
        ((32, 32, 32), {"volume_fraction": 0.62}),
        ((64, 64), {"volume_fraction": 0.3, "gap_px": 30.0, "diameter_px": 60}),
    ],
)
def test_what_cannot_be_packed_is_refused_naming_the_limit(shape, ranges):
    with pytest.raises(ValueError, match=r"the limit is 0\.[68]0"):
        FAMILIES["spheres"].make(1, shape, seed=0, **ranges)


def test_a_few_large_fibres_that_do_not_fit_are_refused():
    # Three equal discs in a periodic square cover .63 of it at most.
    with pytest.raises(ValueError, match="do not fit into 32x32 px"):
        pack(3, math.sqrt(0.75 * 32**2 / 3 / (math.pi / 4)), (32, 32), np.random.default_rng(0))
