"""Every rule is the same for an image that is mirrored, turned, or shifted where it repeats."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from objectives.manufacturability import RULES, check_design_rules, soft_thin_share

# Settings of each rule, two where it has two ways; along which axis it looks is added.
EVERY_RULE = {
    "min_solid": ({"limit_um": 3.0},),
    "min_void": ({"limit_um": 3.0},),
    "percolation": ({"limit_um": 2.5}, {"of": "void"}),
    "islands": ({}, {"anchor": "plate"}),
    "enclosed_void": ({},),
    "overhang": ({"limit_deg": 30.0},),
    "local_packing": (
        {"limit": 0.6, "window_um": 2.0},
        {"limit": 0.6, "window_um": 1.0, "label": "small"},
    ),
    "min_gap": ({"limit_um": 4.0}, {"limit_um": 3.0, "erosion_um": 0.9}),
    "periodic_seam": ({},),
    "phase_fraction": ({"target": 0.3},),
    "training_distance": (),  # its score is the user's
}
LOOKS_ALONG_AN_AXIS = {"percolation", "islands", "overhang"}
LOOKS_ONE_WAY = {"overhang", "islands_plate"}
IS_OF_THESE_FACES = {"periodic_seam", "islands_plate"}
RULES_OF_AXIS = {
    f"{kind}_{options.get('anchor', i)}": {"kind": kind, **options}
    for kind, several in EVERY_RULE.items()
    for i, options in enumerate(several)
}


@st.composite
def structures(draw, most=(8, 4)):
    """Shares of images in 2-D and 3-D, down to sides of one voxel: binary, of few levels, grey."""
    dim = draw(st.sampled_from([2, 3]))
    shape = tuple(draw(st.integers(1, most[dim - 2])) for _ in range(dim))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    smooth = draw(st.sampled_from([0.0, 0.8, 1.5]))
    field = ndimage.gaussian_filter(generator.normal(size=shape), smooth, mode="wrap")
    kind = draw(st.sampled_from(["binary", "few levels", "grey"]))
    if kind == "binary":
        return (field > np.quantile(field, draw(st.sampled_from([0.2, 0.5, 0.8])))).astype(float)
    span = max(np.ptp(field), 1e-9)
    grey = (field - field.min()) / span
    return np.round(grey * 4) / 4 if kind == "few levels" else grey


@st.composite
def symmetries(draw, dim):
    """Order of the axes, which of them are mirrored, and how far each is shifted."""
    order = tuple(draw(st.permutations(range(dim))))
    mirrored = tuple(axis for axis in range(dim) if draw(st.booleans()))
    shift = tuple(draw(st.integers(-3, 3)) for _ in range(dim))
    return order, mirrored, shift


def moved(image, symmetry, periodic):
    order, mirrored, shift = symmetry
    image = np.flip(image.transpose(order), mirrored)
    image = np.roll(image, shift, range(image.ndim)) if periodic else image
    return image.copy()


def unchanged(names, symmetry, periodic, axis):
    """Names of the rules that the symmetry leaves as they are."""
    order, mirrored, shift = symmetry
    along = order.index(axis)
    out = set()
    if along in mirrored:
        out |= LOOKS_ONE_WAY
    if periodic and any(shift):
        out |= IS_OF_THESE_FACES
    return [name for name in names if name.rsplit("_", 1)[0] not in out and name not in out]


def measured(image, axis, periodic, edges):
    rules = [
        RULES[options["kind"]](
            **{
                **options,
                "label": name,
                **({"axis": axis} if options["kind"] in LOOKS_ALONG_AN_AXIS else {}),
            }
        )
        for name, options in RULES_OF_AXIS.items()
        if options["kind"] != "local_packing"
        or all(n == 1 or n * e >= 3 for n, e in zip(image.shape, edges, strict=True))
    ]
    return check_design_rules(image[None, None], rules, voxel_size_um=edges, periodic=periodic)[0]


def test_every_rule_has_settings_here():
    assert EVERY_RULE.keys() == RULES.keys()


@pytest.mark.slow
@pytest.mark.parametrize("periodic", [True, False])
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_values_and_blamed_voxels_move_with_the_image(data, periodic):
    image = data.draw(structures())
    dim = image.ndim
    symmetry = data.draw(symmetries(dim))
    edges = data.draw(st.sampled_from([(1.0,) * 3, (2.5,) * 3, (1.0, 2.0, 1.0), (5.0, 1.0, 1.3)]))
    edges = edges[:dim]
    order = symmetry[0]
    axis = data.draw(st.integers(0, dim - 1))
    before = measured(image, axis, periodic, edges)
    there = measured(
        moved(image, symmetry, periodic),
        order.index(axis),
        periodic,
        tuple(edges[a] for a in order),
    )
    for name in unchanged(before, symmetry, periodic, axis):
        assert there[name].value == pytest.approx(before[name].value, rel=1e-6, abs=1e-6), name
        expected = moved(before[name].mask, symmetry, periodic)
        np.testing.assert_array_equal(there[name].mask, expected, err_msg=name)


def size(structure, kind="min_solid", periodic=True, **options):
    images = np.array(structure, float)[None, None]
    rules = [{"kind": kind, "limit_um": 2.0, **options}]
    return check_design_rules(images, rules, periodic=periodic)[0][kind].value


def test_a_tie_of_nearest_voxels_does_not_decide():
    corner = np.array([[1, 1, 0], [1, 0, 0]])
    for image in (corner, corner[::-1], corner[:, ::-1], corner.T, corner.T[::-1]):
        assert size(image) == pytest.approx(1)
        assert size(1 - image, "min_void") == pytest.approx(1)


@pytest.mark.parametrize("kind", ["min_solid", "min_void", "percolation", "min_gap"])
def test_random_fields_are_as_thick_mirrored_turned_and_shifted(kind):
    for seed in range(2):
        field = np.random.default_rng(seed).normal(size=(32, 32))
        field = ndimage.gaussian_filter(field, 2.0, mode="wrap") > 0
        options = {"limit_um": 1.0} if kind == "percolation" else {}
        turned = {} if kind != "percolation" else {"axis": 1}
        expected = size(field, kind, **options)
        assert size(field[::-1], kind, **options) == pytest.approx(expected, abs=1e-9)
        assert size(field[:, ::-1], kind, **options) == pytest.approx(expected, abs=1e-9)
        assert size(field.T, kind, **options, **turned) == pytest.approx(expected, abs=1e-9)
        moved = np.roll(field, (13, 37), (0, 1))
        assert size(moved, kind, **options) == pytest.approx(expected, abs=1e-9)


@settings(max_examples=10, deadline=None)
@given(image=structures(), periodic=st.booleans())
def test_the_void_is_measured_as_the_solid_of_the_other_phase(image, periodic):
    image = np.where(image == 0.5, 0.25, image)  # exactly half is void, and then solid
    expected = size(1 - image, "min_solid", periodic)
    assert size(image, "min_void", periodic) == pytest.approx(expected, abs=1e-9)
    assert size(1 - image, "min_void", periodic, phase=0) == pytest.approx(expected, abs=1e-9)


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_the_soft_size_moves_with_the_image(data):
    image = data.draw(structures())
    symmetry = data.draw(symmetries(image.ndim))
    periodic = data.draw(st.booleans())
    diameter = data.draw(st.integers(1, min(4, max(image.shape))))
    before, after = (
        soft_thin_share(torch.from_numpy(x.copy())[None, None], diameter, periodic=periodic)
        for x in (image, moved(image, symmetry, periodic))
    )
    torch.testing.assert_close(before, after)
