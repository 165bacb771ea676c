"""Otsu's threshold is trusted where it parts two populations, and asked about where it cuts one."""

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial import cKDTree

from generative.data import read_dataset
from generative.data.grey.meaning import doubts
from generative.data.grey.phases import read_phases
from generative.data.grey.populations import has_two_populations, is_label_map
from generative.data.grey.segment import otsu_threshold
from generative.errors import DataError

SIDE = 96


def field(seed, sigma=3.0, side=SIDE):
    smooth = ndimage.gaussian_filter(
        np.random.default_rng(seed).standard_normal((side, side)), sigma, mode="wrap"
    )
    return smooth / smooth.std()


def two_phases(seed, share, distance, noise):
    rng = np.random.default_rng(seed)
    phase = field(seed) > np.quantile(field(seed), 1 - share)
    levels = 128 + distance * (phase - 0.5) + rng.normal(0, noise, phase.shape)
    return levels.clip(0, 255).astype(np.uint8), phase


def grains(seed, count, side=SIDE):
    rng = np.random.default_rng(seed)
    places = np.stack(np.meshgrid(*[np.arange(side)] * 2, indexing="ij"), -1).reshape(-1, 2)
    return cKDTree(rng.random((count, 2)) * side).query(places)[1].reshape(side, side)


ONE = {
    "Gaussian": lambda rng, shape: rng.normal(128, 20, shape).clip(0, 255).astype(np.uint8),
    "few levels": lambda rng, shape: rng.normal(128, 3, shape).astype(np.uint8),
    "stretched": lambda rng, shape: 5 * rng.normal(25, 3, shape).astype(np.uint8),
    "16 bits": lambda rng, shape: rng.normal(30000, 900, shape).astype(np.uint16),
    "signed": lambda rng, shape: rng.normal(-900, 90, shape).astype(np.int16),
    "uniform": lambda rng, shape: rng.integers(0, 256, shape, dtype=np.uint8),
    "uniform of 12": lambda rng, shape: rng.integers(0, 12, shape),
    "floats": lambda rng, shape: rng.random(shape),
    "Poisson": lambda rng, shape: rng.poisson(6, shape).astype(np.uint8),
    "Rayleigh": lambda rng, shape: rng.rayleigh(30, shape),
    "speckle": lambda rng, shape: rng.exponential(30, shape).astype(np.float32),
    "blurred": lambda rng, shape: ndimage.gaussian_filter(rng.normal(128, 60, shape), 1.5),
    "shading": lambda rng, shape: np.linspace(60, 200, SIDE) + rng.normal(0, 8, shape),
}


CLIPPED = {
    "speckle": lambda rng, shape: rng.exponential(0.47, shape),
    "faint speckle": lambda rng, shape: rng.exponential(0.2, shape),
    "strong speckle": lambda rng, shape: rng.exponential(1, shape),
    "normal": lambda rng, shape: rng.normal(0.5, 0.35, shape),
    "broad normal": lambda rng, shape: rng.normal(0.5, 0.6, shape),
    "bright normal": lambda rng, shape: rng.normal(0.9, 0.2, shape),
    "dark normal": lambda rng, shape: rng.normal(-0.05, 0.2, shape),
    "heavy tails": lambda rng, shape: 0.5 + 0.08 * rng.standard_cauchy(shape),
    "Student": lambda rng, shape: 0.5 + 0.1 * rng.standard_t(2, shape),
    "lognormal": lambda rng, shape: 0.25 * rng.lognormal(0, 0.9, shape),
    "gamma": lambda rng, shape: rng.gamma(0.5, 0.5, shape),
    "hot pixels": lambda rng, shape: rng.normal(0.35, 0.05, shape) + (rng.random(shape) < 0.01),
    "salt and pepper": lambda rng, shape: (
        rng.normal(0.5, 0.08, shape) + rng.choice([-1, 0, 1], shape, p=[0.03, 0.94, 0.03])
    ),
    "blurred": lambda rng, shape: 0.5 + 0.3 * field(rng, 1.0, shape[-1])[: shape[-2]],
}


def stored(levels, kind):
    """Levels as a camera stores them: all beyond 0 and 1 is at the ends of the scale."""
    top = {"u1": 255, "u2": 65535, "f4": 1}[kind]
    return (levels * top).clip(0, top).astype(kind)


@pytest.mark.parametrize("type_", ["u1", "u2", "f4"])
@pytest.mark.parametrize("kind", CLIPPED)
def test_noise_that_is_clipped_is_one_population(kind, type_):
    for seed in range(6):
        for shape in ((64, 64), (96, 128)):
            if kind == "blurred":
                shape = (96, 96)
            image = stored(CLIPPED[kind](np.random.default_rng(seed), shape), type_)
            assert not has_two_populations(image, otsu_threshold(image)), seed
            negative = image.max() - image
            assert not has_two_populations(negative, otsu_threshold(negative)), seed


@pytest.mark.parametrize("type_", ["u1", "u2", "f4"])
@pytest.mark.parametrize("share", [0.03, 0.1, 0.3, 0.5, 0.8])
@pytest.mark.parametrize(
    ("dark", "bright", "noise"),
    [(0.4, 1.05, 0.08), (0.45, 1.25, 0.08), (-0.05, 0.45, 0.08), (-0.05, 1.05, 0.1), (0, 1, 0)],
)
def test_two_phases_that_are_clipped_are_two_populations(share, dark, bright, noise, type_):
    for seed in range(3):
        smooth = field(seed, 4)
        phase = (smooth > np.quantile(smooth, 1 - share)).astype(float)
        levels = ndimage.gaussian_filter(dark + (bright - dark) * phase, 0.8, mode="wrap")
        levels += np.random.default_rng(seed).normal(0, noise, levels.shape)
        image = stored(levels, type_)
        threshold = otsu_threshold(image)
        assert has_two_populations(image, threshold)
        assert abs((image > threshold).mean() - phase.mean()) < 0.04


@pytest.mark.parametrize("kind", ONE)
@pytest.mark.parametrize("seed", range(4))
def test_noise_and_shading_are_one_population(kind, seed):
    image = ONE[kind](np.random.default_rng(seed), (SIDE, SIDE))
    assert not has_two_populations(image, otsu_threshold(image))
    volume = ONE[kind](np.random.default_rng(seed), (8, SIDE, SIDE))
    assert not has_two_populations(volume, otsu_threshold(volume))


@pytest.mark.parametrize(
    ("share", "contrast"), [(0.5, 3), (0.5, 8), (0.3, 4), (0.2, 6), (0.05, 8), (0.02, 20), (0.8, 6)]
)
@pytest.mark.parametrize("seed", range(3))
def test_two_phases_are_two_populations_under_noise(share, contrast, seed):
    image, phase = two_phases(seed, share, 80, 80 / contrast)
    threshold = otsu_threshold(image)
    assert has_two_populations(image, threshold)
    assert abs((image > threshold).mean() - phase.mean()) < 0.06


@pytest.mark.parametrize("share", [0.5, 0.3, 0.1, 0.03])
@pytest.mark.parametrize("contrast", [3, 4, 6, 10])
def test_what_is_trusted_has_the_right_fraction(share, contrast):
    for seed in range(3):
        image, phase = two_phases(seed, share, 80, 80 / contrast)
        threshold = otsu_threshold(image)
        if has_two_populations(image, threshold):
            assert abs((image > threshold).mean() - phase.mean()) < 0.08


def test_sharp_levels_are_two_populations_whatever_else_is_near_them():
    rng = np.random.default_rng(0)
    image = np.where(field(0) > 0.3, 254, 1) + rng.integers(-1, 2, (SIDE, SIDE))
    assert has_two_populations(image, otsu_threshold(image))


@pytest.mark.parametrize("count", [9, 30, 200])
@pytest.mark.parametrize("seed", range(2))
def test_numbered_grains_are_labels_of_any_type(count, seed):
    labels = grains(seed, count)
    for image in (labels, 37 * labels.astype(np.uint16), labels / 255, np.stack([labels] * 3)):
        assert is_label_map(image)


def test_pictures_are_no_labels():
    smooth = field(1, sigma=6)
    pictures = {
        "noise": np.random.default_rng(0).integers(0, 256, (SIDE, SIDE)),
        "smooth levels": np.rint(128 + 20 * smooth),
        "interfaces": np.rint(127.5 + 127.5 * np.tanh(3 * smooth)),
        "two phases": (smooth > 0) * 255,
        "eight labels": np.digitize(smooth, np.linspace(-1.5, 1.5, 7)),
        "bands of levels": np.rint(4 * smooth),
    }
    assert [name for name, image in pictures.items() if is_label_map(image)] == []


@pytest.mark.parametrize("grey", ["otsu", "keep"])
def test_what_is_in_doubt_is_refused_until_it_is_said(tmp_path, grey):
    noise = np.random.default_rng(2).normal(128, 9, (3, SIDE, SIDE)).astype(np.uint8)
    noise[1] = two_phases(0, 0.4, 90, 9)[0]
    np.save(tmp_path / "a.npy", noise)
    with pytest.raises(DataError) as question:
        read_dataset(tmp_path / "a.npy")
    for part in ("a.npy[0]: its grey levels are one population", "1 more of 3 images",
                 "--grey otsu", "grey='labels'", "grey='keep'"):  # fmt: skip
        assert part in str(question.value)
    assert len(read_dataset(tmp_path / "a.npy", grey=grey)) == 3


def test_numbered_grains_are_not_thresholded_unasked(tmp_path):
    np.save(tmp_path / "a.npy", grains(3, 20))
    with pytest.raises(DataError, match=r"looks like labels \(20 values in flat regions.*'labels'"):
        read_dataset(tmp_path / "a.npy")
    data = read_dataset(tmp_path / "a.npy", grey="labels")
    assert data.image_shape[0] == 20
    assert data.reading == "values 0, 1, 2, ... 19 (20) became phases 0, 1, 2, ... 19"


def test_numbers_of_grains_without_any_region_are_no_populations_either():
    labels = np.random.default_rng(0).integers(1, 31, (1, 1, 32, 32))
    assert "one population" in doubts(labels)[0]


def test_phases_saved_as_shares_of_one_are_asked_about():
    labels = np.random.default_rng(0).integers(0, 3, (2, 1, 9, 8)) / 2
    with pytest.raises(DataError, match=r"values 0, 0\.5, 1 in this data; pass grey='labels'"):
        read_phases(labels)
    assert read_phases(labels, grey="labels").reading == "values 0, 0.5, 1 became phases 0, 1, 2"


@pytest.mark.parametrize(
    ("values", "grey", "reading"),
    [
        ((0, 255), "auto", "values 0, 255 became phases 0, 1"),
        ((1, 2), "auto", "values 1, 2 became phases 0, 1"),
        ((-1, 0, 1), "auto", "values -1, 0, 1 became phases 0, 1, 2"),
        ((0, 1, 255), "labels", "values 0, 1, 255 became phases 0, 1, 2"),
        ((3,), "labels", None),
        ((0,), "auto", "value 0 became phase 0"),
    ],
)
def test_the_reading_says_what_became_of_each_value(values, grey, reading):
    raw = np.array(values)[np.random.default_rng(0).integers(0, len(values), (2, 1, 9, 8))]
    if reading is None:
        with pytest.raises(DataError):
            read_phases(raw, grey=grey)
    else:
        assert read_phases(raw, grey=grey).reading == reading
