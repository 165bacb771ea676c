"""Every file that cannot be used is refused in one line that names it and the remedy."""

import os
import struct
import time
import zipfile
import zlib

import h5py
import numpy as np
import pytest
import tifffile
from PIL import Image

from generative.data import Limits, load_images
from generative.errors import DataError

RNG = np.random.default_rng(1)
SHAPE = (4, 24, 20)
GREY = (RNG.choice([50, 205], SHAPE) + RNG.integers(-50, 51, SHAPE)).astype(np.uint8)


def refusal(path, **options):
    """The one line with which ``path`` is refused."""
    with pytest.raises(DataError) as caught:
        load_images(path, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert "Type-check" not in message, message
    assert path.is_dir() or path.name in message
    return message


def is_readable(path):
    try:
        load_images(path)
    except DataError:
        return False
    return True


def write(path, array):
    match path.suffix:
        case ".npy":
            np.save(path, array)
        case ".npz":
            np.savez_compressed(path, images=array)
        case ".h5":
            with h5py.File(path, "w") as file:
                file["images"] = array
        case ".tif":
            tifffile.imwrite(path, array, compression="zlib", photometric="minisblack")
        case _:
            Image.fromarray(array[0]).save(path)
    return path


def test_a_missing_path(tmp_path):
    assert "no such file or folder; check the path" in refusal(tmp_path / "nowhere")


def test_an_empty_folder(tmp_path):
    assert "holds no images; expected files ending in .png" in refusal(tmp_path)


def test_a_folder_without_images_lists_what_it_holds(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / ".hidden.png").write_bytes(b"")
    message = refusal(tmp_path)
    assert "holds no images, only notes.txt" in message
    assert "hidden" not in message


def test_pictures_of_another_format_are_not_left_out_unseen(tmp_path):
    write(tmp_path / "a.png", GREY)
    (tmp_path / "b.dm4").write_bytes(b"...")
    assert "b.dm4: pictures of this format are not read (1 of 2 files)" in refusal(tmp_path)


def test_a_single_file_of_an_unknown_ending(tmp_path):
    (tmp_path / "a.xyz").write_bytes(b"...")
    assert "files ending in .xyz are not read; convert" in refusal(tmp_path / "a.xyz")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".tif", ".npy", ".npz", ".h5"])
def test_empty_and_foreign_bytes(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"")
    assert "is empty (0 bytes)" in refusal(path)
    path.write_bytes(b"this is not an image at all" * 10)
    assert "cannot be read (" in refusal(path)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".tif", ".npy", ".npz", ".h5"])
def test_a_file_truncated_anywhere_is_refused_or_read_in_full(tmp_path, suffix):
    whole = write(tmp_path / f"whole{suffix}", GREY)
    expected, content = load_images(whole), whole.read_bytes()
    path = tmp_path / f"a{suffix}"
    for length in np.linspace(1, len(content) - 1, 40, dtype=int):
        path.write_bytes(content[:length])
        # Refused, unless only bytes after the data were lost.
        if length > 0.8 * len(content) and is_readable(path):
            np.testing.assert_array_equal(load_images(path), expected)
        else:
            refusal(path)


def test_a_truncated_file_in_a_folder_is_named(tmp_path):
    write(tmp_path / "a.png", GREY)
    path = write(tmp_path / "b.png", GREY)
    path.write_bytes(path.read_bytes()[:200])
    assert "b.png: cannot be read" in refusal(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_a_file_without_permission(tmp_path):
    path = write(tmp_path / "a.png", GREY)
    path.chmod(0)
    assert "Permission denied" in refusal(path)


def test_mixed_sizes(tmp_path):
    Image.fromarray(GREY[0]).save(tmp_path / "a.png")
    Image.fromarray(GREY[0, :20]).save(tmp_path / "b.png")
    message = refusal(tmp_path)
    assert "b.png: expected 24x20 voxels as in a.png, got 20x20; crop or resize" in message


def test_mixed_bit_depths(tmp_path):
    Image.fromarray(GREY[0]).save(tmp_path / "a.png")
    Image.fromarray(GREY[0].astype(np.uint16)).save(tmp_path / "b.png")
    assert "b.png: expected uint8 values as in a.png, got uint16" in refusal(tmp_path)


def test_a_grey_picture_among_colours_that_are_kept(tmp_path):
    Image.fromarray(np.stack([GREY[0]] * 3, axis=-1)).save(tmp_path / "a.png")
    Image.fromarray(GREY[0]).save(tmp_path / "b.png")
    assert "b.png: expected 3 channels as in a.png, got 1" in refusal(tmp_path, channels=3)


def test_a_volume_among_pictures(tmp_path):
    Image.fromarray(GREY[0]).save(tmp_path / "a.png")
    tifffile.imwrite(tmp_path / "b.tif", GREY, photometric="minisblack")
    assert "b.tif: expected 24x20 voxels as in a.png, got 4x24x20" in refusal(tmp_path)


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".h5", ".tif"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_named_by_row(tmp_path, suffix, bad):
    array = RNG.random((4, 8, 9)).astype(np.float32)
    array[2, 3, 4] = bad
    message = refusal(write(tmp_path / f"a{suffix}", array), spatial_dims=2)
    assert f"a{suffix}[2]: expected finite values, got {bad} at (0, 3, 4)" in message


def test_floats_out_of_range_are_not_kept_as_grey(tmp_path):
    array = RNG.random((4, 8, 9)) * 3
    message = refusal(write(tmp_path / "a.npy", array), grey="keep")
    assert "expected values in [0, 1], got" in message


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".h5"])
@pytest.mark.parametrize("shape", [(0, 8, 8), (3, 0, 8), (0,)])
def test_arrays_without_images(tmp_path, suffix, shape):
    message = refusal(write(tmp_path / f"a{suffix}", np.zeros(shape)))
    assert "holds no images" in message or "expected one array of images" in message


def test_one_constant_image_has_no_threshold(tmp_path):
    Image.fromarray(GREY[0]).save(tmp_path / "a.png")
    Image.fromarray(np.full_like(GREY[0], 87)).save(tmp_path / "b.png")
    assert "b.png: expected at least two grey levels to segment, got one (87)" in refusal(tmp_path)


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_pickled_objects_are_never_loaded(tmp_path, suffix):
    array = np.array([[{"a": 1}, None]], dtype=object)
    path = tmp_path / f"a{suffix}"
    with open(path, "wb") as stream:
        (np.save if suffix == ".npy" else np.savez)(stream, array, allow_pickle=True)
    assert "expected an array of real numbers, got type object" in refusal(path)


@pytest.mark.parametrize("dtype", ["complex64", "U3", "i4,f4"])
def test_arrays_that_are_not_real_numbers(tmp_path, dtype):
    path = write(tmp_path / "a.npy", np.zeros((2, 8, 8), dtype=dtype))
    assert "expected an array of real numbers" in refusal(path)


@pytest.mark.parametrize("shape", [(12,), (1, 2, 3, 4, 5, 6)])
def test_arrays_of_too_few_or_many_axes(tmp_path, shape):
    path = write(tmp_path / "a.npy", np.zeros(shape))
    assert f"got {len(shape)} axes" in refusal(path)


def test_channels_last(tmp_path):
    path = write(tmp_path / "a.npy", np.zeros((5, 16, 16, 3)))
    assert "channels last; save it as np.moveaxis(a, -1, 1)" in refusal(path)


def test_values_linked_from_another_file(tmp_path):
    (tmp_path / "secret.raw").write_bytes(bytes(64))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("images", (1, 8, 8), "u1", external=[(tmp_path / "secret.raw", 0, 64)])
    assert "images lies in another file" in refusal(tmp_path / "a.h5")


def test_a_tiff_of_several_sizes(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        tiff.write(GREY[0])
        tiff.write(GREY[0, :9])
    assert "holds 2 series of images (24x20, 9x20)" in refusal(tmp_path / "a.tif")


def test_a_tiff_of_times_and_heights(tmp_path):
    hyperstack = np.zeros((2, 3, 8, 9), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", hyperstack, imagej=True, metadata={"axes": "TZYX"})
    assert "has the axes TZYX of 2x3x8x9; expected one stack" in refusal(tmp_path / "a.tif")


def test_transparent_pixels(tmp_path):
    image = Image.fromarray(GREY[0]).convert("RGBA")
    image.putpixel((3, 3), (1, 2, 3, 0))
    image.save(tmp_path / "a.png")
    assert "has transparent pixels" in refusal(tmp_path / "a.png")


def test_a_picture_in_print_colours(tmp_path):
    Image.fromarray(GREY[0]).convert("CMYK").save(tmp_path / "a.jpg")
    assert "has the colour mode CMYK; save it as grey or RGB" in refusal(tmp_path / "a.jpg")


def test_a_picture_or_page_where_volumes_are_asked_for(tmp_path):
    assert "got a picture" in refusal(write(tmp_path / "a.png", GREY), spatial_dims=3)
    tifffile.imwrite(tmp_path / "a.tif", GREY[0])
    assert "got one page" in refusal(tmp_path / "a.tif", spatial_dims=3)


def test_images_beside_class_folders(tmp_path):
    write(tmp_path / "a.png", GREY)
    (tmp_path / "steel").mkdir()
    write(tmp_path / "steel" / "b.png", GREY)
    assert "a.png: lies beside class folders; move it" in refusal(tmp_path)


def test_a_data_set_named_where_there_is_none_to_choose(tmp_path):
    assert "leave out dataset=" in refusal(write(tmp_path / "a.npy", GREY), dataset="images")


def test_wrong_options_are_value_errors(tmp_path):
    path = write(tmp_path / "a.npy", GREY)
    with pytest.raises(ValueError, match="spatial_dims should be 2 or 3, got 4"):
        load_images(path, spatial_dims=4)
    with pytest.raises(ValueError, match="channels should be at least 1, got 0"):
        load_images(path, channels=0)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".npy", ".npz", ".h5"])
def test_an_image_above_the_limit_is_refused_and_the_limit_can_be_raised(tmp_path, suffix):
    path = write(tmp_path / f"a{suffix}", GREY[:1])
    message = refusal(path, limits=Limits(image_voxels=479))
    assert "an image of 24x20 voxels is larger than the limit of 479 voxels" in message
    assert "limits=Limits(image_voxels=480)" in message
    assert load_images(path, limits=Limits(image_voxels=480)).shape == (1, 1, 24, 20)


def test_many_small_images_above_the_limit_of_bytes(tmp_path):
    for name in "abc":
        write(tmp_path / f"{name}.png", GREY)
    message = refusal(tmp_path, limits=Limits(total_bytes=2 * 24 * 20 * 4))
    assert "c.png and the files before it: 3 images of 1x24x20 take 5,760 bytes" in message


def huge_png(path):
    """A valid header of 100,000 x 100,000 pixels and almost no data."""

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 0, 0, 0, 0)
    data = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(99))) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + data)


def huge_npy(path):
    with open(path, "wb") as stream:
        np.lib.format.write_array_header_1_0(
            stream, {"descr": "|u1", "fortran_order": False, "shape": (1, 100_000, 100_000)}
        )


def huge_npz(path):
    huge_npy(path.with_suffix(".npy"))
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(path.with_suffix(".npy"), "images.npy")


def huge_hdf5(path):
    with h5py.File(path, "w") as file:
        file.create_dataset("images", (1, 100_000, 100_000), "u1", chunks=(1, 1000, 1000))


def huge_tiff(path):
    tifffile.imwrite(path, np.zeros((64, 64), np.uint8))
    with tifffile.TiffFile(path, mode="r+") as tiff:
        tiff.pages[0].tags["ImageWidth"].overwrite(100_000)
        tiff.pages[0].tags["ImageLength"].overwrite(100_000)
        tiff.pages[0].tags["ImageDescription"].overwrite("")


@pytest.mark.parametrize(
    ("suffix", "make"),
    [
        (".png", huge_png),
        (".npy", huge_npy),
        (".npz", huge_npz),
        (".h5", huge_hdf5),
        (".tif", huge_tiff),
    ],
)
def test_a_small_file_that_declares_a_huge_image_is_refused_at_once(tmp_path, suffix, make):
    path = tmp_path / f"a{suffix}"
    make(path)
    start = time.perf_counter()
    message = refusal(path)
    assert time.perf_counter() - start < 1
    assert "larger than the limit" in message
