"""Segmentation, denoising and info bars against images whose phases are known; sets read back."""

import json

import h5py
import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from generative.data import Dataset, Limits, read_dataset
from generative.data.grey.denoise import denoise, info_bar_rows, info_bars, noise_level
from generative.data.grey.segmentation import Segmentation, segment
from generative.data.prepare import Preparation, prepare_images
from generative.data.stored_set import encode_set, read_provenance
from generative.errors import DataError

RNG = np.random.default_rng(6)


def blobs(k=2, shape=(96, 96)):
    """Smooth phases of nearly equal shares."""
    field = gaussian_filter(RNG.standard_normal(shape), 4, mode="wrap")
    return np.digitize(field, np.quantile(field, np.arange(1, k) / k)).astype(np.uint8)


def micrograph(phases, noise=6.0, levels=(60, 120, 180)):
    grey = np.array(levels)[phases] + noise * RNG.standard_normal(phases.shape)
    return np.clip(np.rint(grey), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("scale", [1, 200])
@pytest.mark.parametrize(
    "how",
    [
        Segmentation("multi_otsu", 3),
        Segmentation("k_means", 3),
        Segmentation("thresholds", 3, (90.0, 150.0)),
    ],
    ids=lambda how: how.method,
)
def test_three_phases_are_found_in_noise(how, scale):
    phases = blobs(3)
    image = micrograph(phases)[None] * np.uint16(scale)
    if how.method == "thresholds":
        how = Segmentation("thresholds", 3, tuple(scale * level for level in how.thresholds))
    labels, levels = segment(image, how)
    assert (labels == phases).mean() > 0.999
    assert np.allclose(np.array(levels) / scale, (90, 150), atol=10)


def test_k_means_of_colours_and_its_seed():
    phases = blobs(3)
    colours = np.array([[200, 30, 30], [30, 200, 60], [220, 220, 250]], np.uint8)
    image = np.moveaxis(colours[phases], -1, 0)
    labels, levels = segment(image, Segmentation("k_means", 3))
    np.testing.assert_array_equal(labels, phases)  # from dark to bright
    assert levels == ()
    with pytest.raises(DataError, match="steel: expected grey levels in one channel"):
        segment(image, Segmentation("otsu"), name="steel")
    grey = RNG.integers(0, 256, (1, 64, 64))
    first, second = (segment(grey, Segmentation("k_means", 4, seed=7))[1] for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    "wrong",
    [("otsu", 3), ("multi_otsu", 6), ("thresholds", 3, (2.0, 1.0)),
     ("thresholds", 2), ("otsu", 2, (1.0,)), ("k_means", 1)],
)  # fmt: skip
def test_settings_that_do_not_fit_together(wrong):
    with pytest.raises(ValueError, match=r"should be|are for"):
        Segmentation(*wrong)


@pytest.mark.parametrize("method", ["otsu", "multi_otsu", "k_means"])
def test_an_image_of_one_value_cannot_be_segmented(method):
    with pytest.raises(
        DataError, match=r"a\.png: expected at least 2 grey levels to segment, got 1"
    ):
        segment(np.full((1, 8, 8), 7), Segmentation(method), name="a.png")


def test_denoising_takes_out_noise_and_keeps_phases():
    phases = blobs()
    image = micrograph(phases, noise=25.0)[None]
    assert noise_level(image[0]) == pytest.approx(25, rel=0.15)
    smooth, noise = denoise(image)
    assert smooth.shape == image.shape
    raw, _ = segment(image, Segmentation("thresholds", 2, (90.0,)))
    clean, _ = segment(smooth, Segmentation("thresholds", 2, (90.0,)))
    assert (clean != phases).mean() < 0.3 * (raw != phases).mean()
    flat, noise = denoise(np.full((3, 8, 8), 5))
    assert noise == 0
    assert (flat == 5).all()


@pytest.mark.parametrize("ground", [0, 255])
def test_an_info_bar_is_found_and_nothing_else_taken_for_one(ground):
    picture = micrograph(blobs())
    bar = np.full((14, 96), ground, np.uint8)
    bar[4:10, 10:40] = 255 - ground
    assert info_bar_rows(np.vstack([picture, bar])[None]) == 14
    assert info_bar_rows(picture[None]) == 0
    assert info_bar_rows(blobs()[None]) == 0


PICTURES = {
    "grey": lambda: micrograph(blobs()),
    "two phases": lambda: blobs() * np.uint8(255),
    "three phases": lambda: blobs(3) * np.uint8(100),
    "noise": lambda: RNG.integers(0, 256, (96, 96), dtype=np.uint8),
    "floats": lambda: RNG.random((96, 96)).astype(np.float32) * 255,
}


@pytest.mark.parametrize("kind", PICTURES)
@pytest.mark.parametrize("side", ["top", "bottom"])
@pytest.mark.parametrize("value", [0, 128, 255])
@pytest.mark.parametrize("text", [False, True])
def test_a_bar_of_one_value_is_found_at_either_end_of_any_picture(kind, side, value, text):
    picture = PICTURES[kind]()
    while (picture == picture[:, :1]).all(axis=1).any():  # a plain row of its own
        picture = PICTURES[kind]()
    bar = np.full((14, 96), value, picture.dtype)
    if text:
        bar[4:10, 10:40] = np.where(RNG.random((6, 30)) > 0.5, 255 - value // 2, value)
    rows = [bar, picture] if side == "top" else [picture, bar]
    assert info_bars(np.vstack(rows)[None]) == ((14, 0) if side == "top" else (0, 14))
    assert info_bars(picture[None]) == (0, 0)


def test_a_picture_of_plain_matrix_has_no_bar():
    sparse = np.zeros((1, 60, 60), np.uint8)
    for edge in (10, 20):
        sparse[0, edge:-edge, 20:40] = 1
        assert info_bars(sparse) == (0, 0)
        sparse[:] = 0
    assert info_bars(np.zeros((1, 20, 20))) == (0, 0)


def test_what_is_cut_off_the_top_counts_for_where_a_patch_lies(tmp_path):
    picture = micrograph(blobs())
    Image.fromarray(np.vstack([np.zeros((12, 96), np.uint8), picture])).save(tmp_path / "a.png")
    Image.fromarray(micrograph(blobs())).save(tmp_path / "b.png")
    prepared = prepare_images(tmp_path, Preparation(info_bar="auto", patch=32))
    assert [image["cropped"] for image in prepared.findings.images] == [[12, 0], [0, 0]]
    first = prepared.provenance[0]
    assert first["steps"][0] == "cut 12 rows off the top"
    assert (first["offset"], prepared.dataset.sources[0]) == ([12, 0], "a.png[12:44, 0:32]")
    level = first["thresholds"][0]
    np.testing.assert_array_equal(prepared.dataset.images[0, 0], picture[:32, :32] > level)
    assert prepared.dataset.places.offsets[:9, 0].tolist() == [12] * 3 + [44] * 3 + [76] * 3


def test_bars_of_volumes_are_not_sought_in_vain(tmp_path):
    np.save(tmp_path / "a.npy", RNG.integers(0, 2, (8, 8, 8)))
    how = Preparation(info_bar="auto", segmentation="labels")
    with pytest.raises(DataError, match="is a volume, and info bars are found in pictures"):
        prepare_images(tmp_path / "a.npy", how, spatial_dims=3)


@pytest.mark.parametrize(
    "wrong",
    [{"stride": 4}, {"colour": True}, {"denoised": True, "segmentation": "labels"},
     {"colour": True, "segmentation": "labels"}],
    ids=str,
)  # fmt: skip
def test_settings_without_effect_are_refused(wrong):
    with pytest.raises(ValueError, match=r"leave it out|takes grey levels|are none"):
        Preparation(**wrong)


def test_nothing_is_left_of_empty_images(tmp_path):
    image = np.zeros((32, 32), np.uint8)
    image[0, 0] = 255
    Image.fromarray(image).save(tmp_path / "a.png")
    with pytest.raises(DataError, match="all 1 images are near-empty or equal another one"):
        prepare_images(tmp_path, Preparation(segmentation="labels", drop_empty=True))


@pytest.fixture
def folder(tmp_path):
    for name in ("foam/a", "foam/b", "steel/c"):
        path = tmp_path / "images" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        phases = blobs(shape=(64, 96) if name == "foam/b" else (64, 64))
        Image.fromarray(micrograph(phases)).save(path)
    return tmp_path / "images"


def test_a_prepared_set_is_read_back_with_its_provenance(folder, tmp_path):
    how = Preparation(patch=32, segmentation=Segmentation("k_means"))
    prepared = prepare_images(folder, how, voxel_size_m=(1e-6,))
    path = tmp_path / "set.h5"
    path.write_bytes(encode_set(prepared.dataset, prepared.provenance))
    data = read_dataset(path)
    assert data.images.shape == (4 + 6 + 4, 1, 32, 32)
    assert data.class_names == ("foam", "steel")
    assert data.parents.tolist() == [0] * 4 + [1] * 6 + [2] * 4
    assert data.voxel_size_m == (1e-6, 1e-6)
    np.testing.assert_array_equal(data.images, prepared.dataset.images)
    for row, record in enumerate(read_provenance(path)):
        y, x = record["offset"]
        assert data.sources[row] == f"{record['file']}[{y}:{y + 32}, {x}:{x + 32}]"
        assert record["parent"] == data.parents[row]
        level = float(record["steps"][-1].split(" at ")[1])
        pixels = np.asarray(Image.open(folder / record["file"]))[y : y + 32, x : x + 32]
        assert record["class"] == record["file"].split("/")[0]
        assert (pixels > level).mean() == pytest.approx(data.images[row].mean())
    assert [name for name, _, _ in prepared.pictures] == ["foam", "steel"]


@pytest.mark.parametrize("content", ["grey", "phases", "colour"])
def test_every_content_comes_back_as_it_was_stored(tmp_path, content):
    images = RNG.random((3, 3, 8, 8)).astype(np.float32)
    if content == "phases":
        images = np.eye(3, dtype=np.float32)[images[:, 0].__mul__(3).astype(int)]
        images = np.moveaxis(images, -1, 1)
    data = Dataset.from_images(images if content != "grey" else images[:, :1], content=content)
    path = tmp_path / "a.h5"
    path.write_bytes(encode_set(data))
    back = read_dataset(path)
    assert (back.content, back.sources, back.voxel_size_m) == (content, data.sources, None)
    np.testing.assert_array_equal(back.images, data.images)
    with pytest.raises(DataError, match="expected channels=2"):
        read_dataset(path, channels=2)
    with pytest.raises(DataError, match="larger than the limit"):
        read_dataset(path, limits=Limits(image_voxels=60))


def test_labels_are_kept_as_phases_and_grey_as_it_is(tmp_path):
    labels = blobs(3)
    Image.fromarray(labels).save(tmp_path / "a.png")
    prepared = prepare_images(tmp_path, Preparation(segmentation="labels"))
    np.testing.assert_array_equal(prepared.dataset.images[0].argmax(axis=0), labels)
    kept = prepare_images(tmp_path, Preparation(segmentation="keep", denoised=True)).dataset
    assert kept.content == "grey"


def test_colours_are_kept_or_become_grey(tmp_path):
    colours = RNG.integers(0, 256, (16, 16, 3), dtype=np.uint8)
    Image.fromarray(colours).save(tmp_path / "a.png")
    kept = prepare_images(tmp_path, Preparation(segmentation="keep", colour=True)).dataset
    assert kept.content == "colour"
    np.testing.assert_allclose(kept.images[0], np.moveaxis(colours, -1, 0) / 255, atol=1e-6)
    grey = prepare_images(tmp_path, Preparation(segmentation="keep")).dataset
    np.testing.assert_allclose(
        grey.images[0, 0], colours @ [0.2125, 0.7154, 0.0721] / 255, atol=1e-2
    )


@pytest.mark.parametrize(
    ("how", "message"),
    [
        (Preparation(), "b.png: expected 64x64 voxels as before, got 64x96"),
        (Preparation(patch=80), "a.png: an image of 64x64 voxels is smaller than a patch of 80x80"),
        (Preparation(info_bar=64), "a.png: cannot lose 64 of its 64 rows"),
    ],
)
def test_what_cannot_be_prepared(folder, how, message):
    with pytest.raises(DataError, match=message):
        prepare_images(folder, how)
    with pytest.raises(DataError, match="voxel size of 2 lengths above 0, got 0, 1"):
        prepare_images(folder, Preparation(patch=32), voxel_size_m=(0.0, 1.0))


def test_damaged_sets_are_refused(tmp_path):
    data = Dataset.from_images(np.zeros((4, 1, 8, 8), np.float32))
    path = tmp_path / "a.h5"
    path.write_bytes(encode_set(data))
    with h5py.File(path, "a") as file:
        del file["labels"]
        file["labels"] = h5py.ExternalLink("b.h5", "labels")
    with pytest.raises(DataError, match=r"a\.h5: has no data set labels of its own"):
        read_dataset(path)
    with h5py.File(path, "a") as file:
        del file["labels"]
        file["labels"] = np.array([0, 0, 0, 9])
    with pytest.raises(DataError, match="expected labels from 0 to 0"):
        read_dataset(path)
    assert json.loads(json.dumps(read_provenance(path))) == []
