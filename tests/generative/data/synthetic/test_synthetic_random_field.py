"""Gaussian random fields hold the settings they were asked for and the statistics of theory."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from generative.data import Dataset
from generative.data.synthetic import gaussian_random_field, gaussian_random_field_settings

ISOTROPIC_HALF = {"anisotropy": (1.0, 1.0), "volume_fraction": (0.5, 0.5)}


def two_point(images):
    """Periodic two-point probability of phase 1, averaged over the ensemble."""
    axes = tuple(range(2, images.ndim))
    spectrum = np.abs(np.fft.fftn(images.astype(np.float64), axes=axes)) ** 2
    return np.fft.ifftn(spectrum, axes=axes).real.mean((0, 1)) / np.prod(images.shape[2:])


def distances(shape):
    """Periodic distance of every shift from zero shift."""
    shifts = [np.abs(np.fft.fftfreq(size, 1 / size)) for size in shape]
    return np.sqrt(sum(s**2 for s in np.meshgrid(*shifts, indexing="ij")))


@pytest.mark.parametrize("shape", [(64, 64), (48, 20), (21, 21, 21), (9, 16, 12)])
def test_the_volume_fraction_is_its_label_to_half_a_voxel(shape):
    images = gaussian_random_field(6, shape, seed=0)
    labels = gaussian_random_field_settings(6, shape, seed=0)["volume_fraction"]
    counts = images.reshape(6, -1).sum(axis=1)
    assert images.shape == (6, 1, *shape)
    assert images.dtype == np.float32
    assert set(np.unique(images)) == {0.0, 1.0}
    assert np.abs(counts - labels * np.prod(shape)).max() <= 0.5 + 1e-6


@pytest.mark.parametrize("shape", [(32, 32), (12, 12, 12)])
def test_a_row_depends_on_the_seed_and_its_number_alone(shape):
    many = gaussian_random_field(5, shape, seed=7)
    np.testing.assert_array_equal(many, gaussian_random_field(5, shape, seed=7))
    np.testing.assert_array_equal(many[:2], gaussian_random_field(2, shape, seed=7))
    assert (many != gaussian_random_field(5, shape, seed=8)).any(axis=(1, 2, 3)).all()
    assert all((many[0] != other).any() for other in many[1:])


def test_the_global_random_state_is_left_alone():
    np.random.seed(3)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    gaussian_random_field(2, (16, 16), seed=0)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_settings_are_drawn_from_their_ranges():
    settings = gaussian_random_field_settings(4000, (64, 64), seed=1)
    length, ratio = settings["correlation_length_px"], settings["anisotropy"]
    assert 4 <= length.min() < 4.1
    assert 15.8 < length.max() <= 16
    assert np.median(length) == pytest.approx(8, rel=0.05)  # log-uniform: the geometric mean
    assert 1 <= ratio.min() < 1.01
    assert 2.97 < ratio.max() <= 3
    fraction = settings["volume_fraction"]
    assert fraction.mean() == pytest.approx(0.5, abs=0.02)
    assert 0.2 <= fraction.min() < 0.21
    assert 0.79 < fraction.max() <= 0.8


@pytest.mark.parametrize("shape", [(16, 16), (16, 16, 16)])
def test_directions_are_unit_vectors_without_preference(shape):
    directions = gaussian_random_field_settings(4000, shape, seed=1)["direction"]
    np.testing.assert_allclose((directions**2).sum(axis=1), 1)
    spread = directions.T @ directions / len(directions)
    np.testing.assert_allclose(spread, np.eye(len(shape)) / len(shape), atol=0.03)


# Cut at the median, a Gaussian field of correlation rho has S2 = 1/4 + arcsin(rho) / (2 pi); the
# filter exp(-(k l)^2 / 8) makes the spectrum exp(-(k l)^2 / 4) and so rho(r) = exp(-(r / l)^2).
@pytest.mark.parametrize(
    ("shape", "length", "n"), [((128, 128), 5.0, 60), ((96, 128), 8.0, 60), ((40, 40, 40), 4.0, 20)]
)
def test_two_point_statistics_are_those_of_a_gaussian_covariance(shape, length, n):
    lengths = (length, length)
    images = gaussian_random_field(
        n, shape, seed=2, correlation_length_px=lengths, **ISOTROPIC_HALF
    )
    rho = np.exp(-((distances(shape) / length) ** 2))
    theory = 0.25 + np.arcsin(rho) / (2 * np.pi)
    # The fraction is exact in each image, which lowers S2 by the mean of the excess.
    theory -= (theory - 0.25).mean()
    measured = two_point(images)
    np.testing.assert_allclose(measured.ravel()[0], 0.5, atol=1e-3)
    assert np.abs(measured - theory).max() < 0.012
    short = distances(shape) <= 2 * length
    assert np.abs(measured - theory)[short].mean() < 0.004


@pytest.mark.parametrize("wrong", [4.0, 6.4])
def test_the_statistics_tell_a_wrong_correlation_length(wrong):
    images = gaussian_random_field(
        40, (128, 128), seed=2, correlation_length_px=(5.0, 5.0), **ISOTROPIC_HALF
    )
    rho = np.exp(-((distances((128, 128)) / wrong) ** 2))
    assert np.abs(two_point(images) - 0.25 - np.arcsin(rho) / (2 * np.pi)).max() > 0.02


@pytest.mark.parametrize("shape", [(64, 64), (24, 24, 24)])
def test_opposite_sides_join_without_a_seam(shape):
    images = gaussian_random_field(40, shape, seed=4, anisotropy=(1.0, 1.0))
    for axis in range(2, images.ndim):
        jumps = np.abs(images - np.roll(images, 1, axis)).mean(
            axis=tuple(a for a in range(images.ndim) if a != axis)
        )
        assert jumps[0] < 1.3 * jumps[1:].mean()
        assert jumps[0] > 0.7 * jumps[1:].mean()


def median_cut_theory(shape, along, across, direction):
    """S2 of a field with correlation lengths along and across a direction, cut at its median."""
    shifts = np.stack(np.meshgrid(*(np.fft.fftfreq(s, 1 / s) for s in shape), indexing="ij"))
    squared = np.tensordot(direction, shifts, axes=1) ** 2
    rho = np.exp(-squared / along**2 - ((shifts**2).sum(axis=0) - squared) / across**2)
    return 0.25 + np.arcsin(np.clip(rho, 0, 1)) / (2 * np.pi)


@pytest.mark.parametrize(("shape", "length"), [((128, 128), 4.0), ((48, 48, 48), 3.0)])
def test_structures_are_longer_along_their_direction_by_their_anisotropy(shape, length):
    ratio, dim = 3.0, len(shape)
    ranges = {
        "correlation_length_px": (length, length),
        "anisotropy": (ratio, ratio),
        "volume_fraction": (0.5, 0.5),
    }
    images = gaussian_random_field(8, shape, seed=5, **ranges)
    directions = gaussian_random_field_settings(8, shape, seed=5, **ranges)["direction"]
    across = length * ratio ** (-1 / dim)  # stretched at constant volume
    near = distances(shape) < 3 * length
    for image, direction in zip(images, directions, strict=True):
        measured = two_point(image[None])[near]
        right = median_cut_theory(shape, ratio * across, across, direction)[near]
        plain = median_cut_theory(shape, length, length, direction)[near]
        assert np.abs(measured - right).mean() < 0.6 * np.abs(measured - plain).mean()


@pytest.mark.parametrize(("shape", "length"), [((128, 128), 5.0), ((40, 40, 40), 4.0)])
def test_a_band_pass_gives_structures_of_one_wave_length(shape, length):
    images = gaussian_random_field(
        20,
        shape,
        seed=6,
        correlation_length_px=(length, length),
        band_pass=(3.0, 0.3),
        **ISOTROPIC_HALF,
    )
    axes = tuple(range(2, images.ndim))
    power = (np.abs(np.fft.fftn(images - 0.5, axes=axes)) ** 2).mean((0, 1))
    freq = np.meshgrid(*(2 * np.pi * np.fft.fftfreq(s) for s in shape), indexing="ij")
    k = length * np.sqrt(sum(f**2 for f in freq))
    # The first harmonic carries the most power, at the centre of the band.
    bins = np.arange(0.25, 8, 0.5)
    per_mode = [power[(k >= b) & (k < b + 0.5)].mean() for b in bins]
    assert bins[int(np.argmax(per_mode))] + 0.25 == pytest.approx(3.0, abs=0.5)


def test_smoothing_changes_a_field_less_the_longer_it_correlates():
    kept = []
    for length in (2.0, 4.0, 8.0, 16.0):
        images = gaussian_random_field(
            8, (64, 64), seed=7, correlation_length_px=(length, length), **ISOTROPIC_HALF
        )
        smooth = gaussian_filter(images, 2, axes=(2, 3), mode="wrap")
        kept.append(((smooth > 0.5) == images).mean())
    assert kept == sorted(kept)


@pytest.mark.parametrize(
    ("ranges", "message"),
    [
        ({"volume_fraction": (0.5, 1.2)}, "volume_fraction should be"),
        ({"volume_fraction": (-0.1, 0.5)}, "volume_fraction should be"),
        ({"volume_fraction": (0.6, 0.5)}, "volume_fraction should be"),
        ({"anisotropy": (0.5, 2.0)}, "anisotropy should be"),
        ({"correlation_length_px": (0.0, 4.0)}, "correlation_length_px should be"),
        ({"correlation_length_px": (8.0, 4.0)}, "correlation_length_px should be"),
        ({"correlation_length_px": (-2.0, 4.0)}, "correlation_length_px should be"),
        ({"band_pass": (3.0, 0.0)}, "band_pass should be"),
        ({"volume_fraction": (float("nan"), 0.5)}, "volume_fraction should be"),
        ({"correlation_length_px": (1.0, float("inf"))}, "correlation_length_px should be"),
    ],
    ids=str,
)
def test_ranges_that_make_no_sense_are_refused(ranges, message):
    with pytest.raises(ValueError, match=message):
        gaussian_random_field(2, (16, 16), seed=0, **ranges)


@pytest.mark.parametrize("shape", [(16,), (4, 4, 4, 4), (16, 1)])
def test_shapes_other_than_images_and_volumes_are_refused(shape):
    with pytest.raises(ValueError, match="a shape of 2 or 3 sides"):
        gaussian_random_field(2, shape, seed=0)


def test_fields_make_a_data_set():
    data = Dataset.from_images(gaussian_random_field(4, (16, 16), seed=0), name="grf")
    assert data.image_shape == (1, 16, 16)
    assert data.sources[3] == "grf[3]"
