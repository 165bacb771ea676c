"""Every family keeps the promises of the table; the simple ones hold their exact statistics."""

import math

import numpy as np
import pytest

from generative.data.synthetic import FAMILIES, ellipsoid_placements

SHAPES = [(24, 32), (12, 13, 14)]
# A weave of few voxels in height is coarse; PyMKS may be absent.
OURS = [name for name in FAMILIES if name != "multiphase"]


def differing_neighbours(labels, axis):
    """Share of the pairs of neighbours along an axis (1, 2, ...) that differ, periodic."""
    return float((labels != np.roll(labels, 1, axis)).mean())


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", OURS)
def test_a_structure_depends_on_the_seed_and_its_number_alone(name, shape):
    family = FAMILIES[name]
    many = family.make(3, shape, seed=7)
    assert many.shape == (3, *shape)
    assert many.dtype == np.uint8
    assert many.max() == family.phases() - 1
    np.testing.assert_array_equal(family.make(2, shape, seed=7), many[:2])
    assert (family.make(3, shape, seed=8) != many).any()
    few, all_rows = (family.settings(n, shape, seed=7) for n in (2, 3))
    for key, values in all_rows.items():
        assert len(values) == 3
        np.testing.assert_array_equal(few[key], values[:2])


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", OURS)
def test_the_fraction_is_its_label_within_a_row_of_voxels(name, shape):
    settings = FAMILIES[name].settings(4, shape, seed=2)
    if "volume_fraction" in settings:
        labels = FAMILIES[name].make(4, shape, seed=2)
        error = np.abs((labels > 0).reshape(4, -1).mean(axis=1) - settings["volume_fraction"])
        assert error.max() <= 1 / min(shape)


@pytest.mark.parametrize(
    "name", ["gaussian_random_field", "laminate", "fibres", "spheres", "voronoi", "ellipsoids"]
)
def test_several_phases_are_all_there(name):
    labels = FAMILIES[name].make(2, (48, 48), seed=1, phases=4)
    assert FAMILIES[name].phases(phases=4) == 4
    assert set(np.unique(labels)) == {0, 1, 2, 3}


def test_level_cuts_share_the_fraction_equally():
    labels = FAMILIES["gaussian_random_field"].make(
        2, (16, 16), seed=0, phases=4, volume_fraction=0.75
    )
    for one in labels:
        assert np.bincount(one.ravel()).tolist() == [64, 64, 64, 64]


@pytest.mark.parametrize("name", OURS)
def test_nonsense_is_refused_by_name(name):
    family = FAMILIES[name]
    with pytest.raises(ValueError, match="a shape of 2 or 3 sides"):
        family.make(2, (16,), seed=0)
    with pytest.raises(ValueError, match="has no setting 'colour'"):
        family.make(2, (16, 16), seed=0, colour=1)
    with pytest.raises(ValueError, match="phases"):
        family.make(2, (16, 16), seed=0, phases=1)


@pytest.mark.parametrize(("shape", "axis"), [((30, 40), 0), ((30, 40), 1), ((10, 12, 14), 0)])
def test_a_laminate_along_an_axis_is_whole_rows_with_exactly_its_fraction(shape, axis):
    ranges = {"axis": axis, "volume_fraction": (0.1, 0.9)}
    labels = FAMILIES["laminate"].make(6, shape, seed=3, **ranges)
    settings = FAMILIES["laminate"].settings(6, shape, seed=3, **ranges)
    for one, fraction in zip(labels, settings["volume_fraction"], strict=True):
        line = np.moveaxis(one, axis, 0).reshape(shape[axis], -1)
        assert (line == line[:, :1]).all()
        assert line[:, 0].mean() == pytest.approx(fraction, abs=1e-12)


def test_a_laminate_at_an_angle_repeats_along_its_normal():
    shape = (64, 48)
    labels = FAMILIES["laminate"].make(8, shape, seed=5)
    settings = FAMILIES["laminate"].settings(8, shape, seed=5)
    for one, normal, period in zip(
        labels, settings["direction"], settings["period_px"], strict=True
    ):
        spectrum = np.abs(np.fft.fft2(one - one.mean()))
        peak = np.unravel_index(spectrum[:, : shape[1] // 2 + 1].argmax(), (64, 25))
        wave = np.array([np.fft.fftfreq(64)[peak[0]], np.fft.fftfreq(48)[peak[1]]])
        assert np.linalg.norm(np.abs(wave) - np.abs(normal / period)) < 1e-9


def test_a_checkerboard_changes_phase_at_every_cell_and_is_half_full():
    labels = FAMILIES["checkerboard"].make(4, (24, 24), seed=1, cells=4)
    assert (labels.reshape(4, -1).mean(axis=1) == 0.5).all()
    for axis in (1, 2):
        np.testing.assert_array_equal(np.roll(labels, 6, axis), 1 - labels)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        # Edges of a Poisson-Voronoi tessellation: 2 sqrt(density) a unit of area; surfaces:
        # 2.910 density^(1/3) a unit of volume (Okabe et al. 2000, Spatial Tessellations, sec. 5.5).
        # Of isotropic edges 2/pi are seen along an axis, of surfaces 1/2.
        ((128, 128), 2 / math.pi * 2 * math.sqrt(60 / 128**2)),
        ((48, 48, 48), 0.5 * 2.910 * (60 / 48**3) ** (1 / 3)),
    ],
    ids=["edges", "surfaces"],
)
def test_grains_have_the_boundaries_of_a_poisson_voronoi_tessellation(shape, expected):
    grains = FAMILIES["voronoi"].make(12, shape, seed=0, grains=60, phases=60)
    assert len(np.unique(grains[0])) == 60
    seen = np.mean([differing_neighbours(grains, axis) for axis in range(1, grains.ndim)])
    assert seen == pytest.approx(expected, rel=0.04)


def test_a_weave_holds_its_closed_form_fraction_and_both_directions_alike():
    shape = (40, 48, 48)
    labels = FAMILIES["woven"].make(3, shape, seed=2)
    settings = FAMILIES["woven"].settings(3, shape, seed=2)
    for one, fraction in zip(labels, settings["volume_fraction"], strict=True):
        warp, weft = (one == 1).mean(), (one == 2).mean()
        assert warp + weft == pytest.approx(fraction, abs=0.01)
        assert warp == pytest.approx(weft, abs=0.005)
        # A warp tow runs on along x: every section across x has the same area.
        np.testing.assert_allclose((one == 1).mean(axis=(0, 1)), warp, atol=0.02)


def distance_between(one, other, axis_one, axis_other, long, short):
    """Least distance of points on the surfaces of two ellipses, the other at its nearest image."""
    turn = np.linspace(0, 2 * np.pi, 720)

    def surface(centre, axis):
        across = np.array([-axis[1], axis[0]])
        return centre + long * np.cos(turn)[:, None] * axis + short * np.sin(turn)[:, None] * across

    apart = surface(one, axis_one)[:, None] - surface(other, axis_other)[None]
    return np.sqrt((apart**2).sum(axis=-1)).min()


def test_ellipses_keep_their_gap_from_all_images():
    shape, ranges = (48, 48), {"gap_px": 2.0, "volume_fraction": 0.25, "aspect": 2.5}
    placed = ellipsoid_placements(2, shape, seed=4, **ranges)
    settings = FAMILIES["ellipsoids"].settings(2, shape, seed=4, **ranges)
    for (centres, axes), length in zip(placed, settings["length_px"], strict=True):
        for i in range(len(centres)):
            for j in range(i):
                for shift in np.ndindex(3, 3):
                    image = centres[j] + (np.array(shift) - 1) * 48
                    if np.linalg.norm(image - centres[i]) < length + 2.0:
                        args = (centres[i], image, axes[i], axes[j], length / 2, length / 5)
                        assert distance_between(*args) >= 2.0


def test_inclusions_that_do_not_fit_are_refused_with_the_fraction_reached():
    with pytest.raises(ValueError, match="reached a volume fraction of"):
        FAMILIES["ellipsoids"].make(1, (24, 24), seed=0, volume_fraction=0.75, length_px=8)


def test_multiphase_is_pymks_or_says_that_pymks_is_missing():
    family = FAMILIES["multiphase"]
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    try:
        labels = family.make(3, (20, 24), seed=1, phases=3, volume_fraction=0.6)
    except ImportError as error:
        assert "pip install 'pymks==0.4.1'" in str(error)  # noqa: PT017
        return
    for one in labels:
        np.testing.assert_allclose(np.bincount(one.ravel()) / 480, [0.4, 0.3, 0.3], atol=0.005)
    np.testing.assert_array_equal(family.make(2, (20, 24), seed=1, volume_fraction=0.6), labels[:2])
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002
