"""Folders and files become one array of images, with classes, files and parents."""

import subprocess
import sys

import h5py
import numpy as np
import pytest
import tifffile
from PIL import Image

import generative.data
from generative.data import READERS, load_images, read_dataset
from generative.errors import DataError

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (3, 12, 10), dtype=np.uint8)
PHASES = RNG.integers(0, 2, (3, 12, 10), dtype=np.uint8)
VOLUMES = RNG.integers(0, 2, (3, 9, 8, 7), dtype=np.uint8)


def save_png(path, pixels, mode=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels, mode=mode).save(path) if mode else Image.fromarray(pixels).save(path)
    return path


def save_array(path, array):
    match path.suffix:
        case ".npy":
            np.save(path, array)
        case ".npz":
            np.savez_compressed(path, structures=array)
        case ".h5" | ".hdf5":
            with h5py.File(path, "w") as file:
                file.create_dataset("group/structures", data=array, compression="gzip")
    return path


def test_importing_the_package_imports_no_torch_and_no_imaging_library():
    code = (
        "import sys, generative.data; "
        "print([m for m in ('torch', 'skimage', 'PIL', 'h5py') if m in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert answer.stdout.strip() == "[]", answer.stderr


def test_every_public_name_loads():
    assert all(getattr(generative.data, name) is not None for name in generative.data.__all__)
    with pytest.raises(AttributeError, match="attribute nothing"):
        _ = generative.data.nothing


def test_class_subfolders_give_labels_in_sorted_order(tmp_path):
    for name, image in zip(["steel/b", "foam/a", "steel/deep/a"], PHASES, strict=True):
        save_png(tmp_path / f"{name}.png", image * np.uint8(255))
    data = read_dataset(tmp_path)
    assert data.class_names == ("foam", "steel")
    assert data.sources == ("foam/a.png", "steel/b.png", "steel/deep/a.png")
    assert data.labels.tolist() == [0, 1, 1]
    assert data.parents.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(data.images[:, 0], PHASES[[1, 0, 2]])


def test_a_flat_folder_is_one_class_and_skips_hidden_files_and_notes(tmp_path):
    folder = tmp_path / "alloy"
    save_png(folder / "a.png", PHASES[0] * np.uint8(255))
    (folder / "notes.txt").write_text("taken in March")
    (folder / ".a.png").write_bytes(b"not an image")
    (folder / ".cache").mkdir()
    (folder / ".cache" / "b.png").write_bytes(b"not an image")
    data = read_dataset(folder)
    assert data.class_names == ("alloy",)
    assert data.sources == ("a.png",)


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".h5", ".hdf5"])
@pytest.mark.parametrize("dtype", ["bool", "uint8", "uint16", "int64", ">i4", "float32", ">f8"])
def test_array_files_of_phases_come_back_exactly(tmp_path, suffix, dtype):
    path = save_array(tmp_path / f"a{suffix}", PHASES.astype(dtype))
    images = load_images(path)
    assert images.dtype == np.float32
    np.testing.assert_array_equal(images, PHASES[:, None])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_black_and_white_of_any_depth_are_zero_and_one(tmp_path, dtype):
    white = np.iinfo(dtype).max
    path = save_array(tmp_path / "a.npy", PHASES.astype(dtype) * dtype(white))
    np.testing.assert_array_equal(load_images(path, grey="keep"), PHASES[:, None])


@pytest.mark.parametrize(
    ("shape", "spatial_dims", "expected"),
    [
        ((12, 10), None, (1, 1, 12, 10)),
        ((5, 12, 10), None, (5, 1, 12, 10)),
        ((5, 1, 12, 10), None, (5, 1, 12, 10)),
        ((12, 10, 9), 3, (1, 1, 12, 10, 9)),
        ((5, 9, 12, 10), None, (5, 1, 9, 12, 10)),
        ((5, 3, 12, 10), 3, (5, 1, 3, 12, 10)),
        ((5, 1, 9, 12, 10), None, (5, 1, 9, 12, 10)),
    ],
)
def test_channel_axis_may_be_there_or_not(tmp_path, shape, spatial_dims, expected):
    array = RNG.integers(0, 2, shape).astype(np.uint8)
    data = read_dataset(save_array(tmp_path / "a.npy", array), spatial_dims=spatial_dims)
    assert data.images.shape == expected
    assert len(set(data.parents)) == expected[0]
    np.testing.assert_array_equal(data.images.ravel(), array.ravel())


def test_fortran_order_is_read_right(tmp_path):
    np.save(tmp_path / "a.npy", np.asfortranarray(VOLUMES))
    np.testing.assert_array_equal(load_images(tmp_path / "a.npy")[:, 0], VOLUMES)


def test_one_array_of_several_is_chosen_by_name(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["solid"] = PHASES
        file["raw/grey"] = GREY
        file["labels"] = np.arange(3)
    with pytest.raises(DataError, match=r"a\.h5: .*raw/grey \(3x12x10\).*choose one with dataset="):
        load_images(tmp_path / "a.h5")
    for name in ("solid", "/solid"):
        np.testing.assert_array_equal(load_images(tmp_path / "a.h5", dataset=name)[:, 0], PHASES)
    with pytest.raises(DataError, match=r"no data set 'liquid'; it holds labels \(3\), raw/grey"):
        load_images(tmp_path / "a.h5", dataset="liquid")


def test_a_tiff_stack_is_a_volume_or_images_of_one_parent(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, VOLUMES[0] * np.uint8(255))
    np.testing.assert_array_equal(load_images(path)[0, 0], VOLUMES[0])
    pages = read_dataset(path, spatial_dims=2)
    np.testing.assert_array_equal(pages.images[:, 0], VOLUMES[0])
    assert pages.sources[2] == "a.tif[2]"
    assert set(pages.parents) == {0}


@pytest.mark.parametrize(
    "options",
    [
        {"imagej": True},
        {"compression": "zlib"},
        {"bigtiff": True},
        {"photometric": "miniswhite"},
        {"byteorder": ">"},
    ],
    ids=str,
)
def test_tiff_stacks_of_every_make_hold_the_same_volume(tmp_path, options):
    stored = VOLUMES[0] * np.uint16(65535)
    if options.get("photometric"):
        stored = np.uint16(65535) - stored
    tifffile.imwrite(tmp_path / "a.tiff", stored, **options)
    np.testing.assert_array_equal(load_images(tmp_path / "a.tiff")[0, 0], VOLUMES[0])


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "packbits", "group4"])
def test_tiffs_written_by_pillow_are_read(tmp_path, compression):
    image = Image.fromarray(PHASES[0] == 1)
    image = image if compression == "group4" else image.convert("L")
    image.save(tmp_path / "a.tif", compression=compression)
    np.testing.assert_array_equal(load_images(tmp_path / "a.tif")[0, 0], PHASES[0])


@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_a_colour_stack_keeps_each_colour_in_its_channel(tmp_path, planar):
    volume = RNG.integers(0, 256, (3, 5, 9, 8), dtype=np.uint8)
    stored = np.moveaxis(volume, 0, -1) if planar == "contig" else np.moveaxis(volume, 0, 1)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, stored, photometric="rgb", planarconfig=planar)
    images = load_images(path, channels=3)
    np.testing.assert_allclose(images[0], volume / 255, atol=1e-7)
    pages = load_images(path, channels=3, spatial_dims=2)
    np.testing.assert_array_equal(pages, np.moveaxis(images[0], 1, 0))


def test_pictures_of_every_grey_depth_agree(tmp_path):
    save_png(tmp_path / "1.png", PHASES[0] == 1)
    save_png(tmp_path / "8.png", PHASES[0] * np.uint8(255))
    save_png(tmp_path / "16.png", PHASES[0] * np.uint16(65535))
    save_png(tmp_path / "8.bmp", PHASES[0] * np.uint8(255))
    Image.fromarray(PHASES[0] * np.uint8(255)).convert("RGBA").save(tmp_path / "rgba.png")
    Image.fromarray(PHASES[0] * np.uint8(255)).convert("P").save(tmp_path / "palette.png")
    for file in tmp_path.iterdir():
        np.testing.assert_array_equal(load_images(file)[0, 0], PHASES[0], err_msg=file.name)


def test_a_jpeg_of_two_phases_is_segmented_back(tmp_path):
    blocks = np.kron(PHASES[0], np.ones((8, 8), np.uint8)) * np.uint8(255)
    Image.fromarray(blocks).save(tmp_path / "a.jpg", quality=80)
    assert (load_images(tmp_path / "a.jpg")[0, 0] == blocks / 255).mean() > 0.999


def test_colour_becomes_grey_or_stays_as_asked(tmp_path):
    colours = RNG.integers(0, 256, (12, 10, 3), dtype=np.uint8)
    save_png(tmp_path / "a.png", colours)
    kept = read_dataset(tmp_path, channels=3)
    assert kept.content == "colour"
    np.testing.assert_allclose(kept.images[0], np.moveaxis(colours, -1, 0) / 255, atol=1e-7)
    grey = read_dataset(tmp_path, grey="keep")
    weights = colours @ np.array([0.2125, 0.7154, 0.0721])
    assert grey.content == "grey"
    np.testing.assert_allclose(grey.images[0, 0], weights / 255, atol=0.51 / 255)


def test_grey_stored_as_colour_and_plain_grey_mix(tmp_path):
    save_png(tmp_path / "a.png", np.stack([GREY[0]] * 3, axis=-1))
    save_png(tmp_path / "b.png", GREY[0])
    first, second = load_images(tmp_path, grey="keep")
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(second[0], GREY[0] / 255, atol=1e-7)


def test_a_folder_of_arrays_is_read_as_one_set(tmp_path):
    np.save(tmp_path / "a.npy", PHASES)
    np.save(tmp_path / "b.npy", PHASES[0])
    data = read_dataset(tmp_path)
    assert data.images.shape == (4, 1, 12, 10)
    assert data.sources == ("a.npy[0]", "a.npy[1]", "a.npy[2]", "b.npy")
    assert data.parents.tolist() == [0, 1, 2, 0], "the same image again"


def test_endings_are_read_in_any_case(tmp_path):
    save_png(tmp_path / "A.PNG", PHASES[0] * np.uint8(255))
    assert load_images(tmp_path).shape == (1, 1, 12, 10)
    assert all(suffix == suffix.lower() for suffix in READERS)
