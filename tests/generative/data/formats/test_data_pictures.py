"""Pictures are what their bytes say and what a viewer shows; indices of a palette are labels."""

import io
import struct
import zlib

import h5py
import numpy as np
import pytest
import tifffile
from PIL import Image

from generative.data import load_images, read_dataset
from generative.data.formats.orientation import turned
from generative.data.formats.palette import is_grey_ramp
from generative.data.read import find_files
from generative.data.structure_files import read_structure
from generative.errors import DataError

RNG = np.random.default_rng(21)
SQUARES = np.kron(RNG.integers(0, 2, (4, 6), dtype=np.uint8), np.ones((8, 8), np.uint8))
LABELS = np.repeat(np.uint8([0, 0, 0, 0, 1, 1, 1, 2]), 32).reshape(16, 16)  # 50, 37.5, 12.5 %
SHARES = (0.5, 0.375, 0.125)
PALETTES = {
    "VOC": [0, 0, 0, 128, 0, 0, 0, 128, 0],
    "equal brightness": [0, 0, 0, 255, 0, 0, 0, 76, 0],
    "bright first": [255, 255, 0, 128, 128, 128, 0, 0, 0],
    "grey, not in order": [128, 128, 128, 0, 0, 0, 255, 255, 255],
}


def with_palette(labels, colours):
    image = Image.fromarray(labels, mode="P")
    image.putpalette(colours)
    return image


def shares(data):
    found = data.images.mean(axis=(0, 2, 3))
    return (1 - found[0], found[0]) if len(found) == 1 else tuple(found)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_turns_jpeg_and_png(tmp_path, orientation):
    exif = Image.Exif()
    exif[274] = orientation
    for name, options in (("a.jpg", {"quality": 95}), ("a.png", {})):
        Image.fromarray(SQUARES * np.uint8(255)).save(tmp_path / name, exif=exif, **options)
        np.testing.assert_array_equal(
            load_images(tmp_path / name)[0, 0], turned(SQUARES, orientation)
        )


def test_exif_after_the_pixels_of_a_png_turns_it_too_and_damaged_exif_does_not(tmp_path):
    Image.fromarray(SQUARES * np.uint8(255)).save(tmp_path / "a.png")
    plain = (tmp_path / "a.png").read_bytes()
    exif = Image.Exif()
    exif[274] = 6
    for content, expected in (
        (exif.tobytes()[6:], np.rot90(SQUARES, -1)),
        (b"MM\0*\xff" * 9, SQUARES),
    ):
        body = b"eXIf" + content
        chunk = struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))
        (tmp_path / "a.png").write_bytes(plain[:-12] + chunk + plain[-12:])
        np.testing.assert_array_equal(load_images(tmp_path / "a.png")[0, 0], expected)


@pytest.mark.parametrize("palette", PALETTES)
@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
@pytest.mark.parametrize("grey", ["auto", "labels"])
def test_the_index_is_the_label_whatever_colour_it_has(tmp_path, palette, suffix, grey):
    path = tmp_path / f"a{suffix}"
    with_palette(LABELS, PALETTES[palette]).save(path)
    data = read_dataset(path, grey=grey)
    assert shares(data) == SHARES
    assert data.reading == "indices of the palette 0, 1, 2 became phases 0, 1, 2"
    np.testing.assert_array_equal(data.images[0].argmax(axis=0), LABELS)


BLACK_WHITE = [0] * 3 + [255] * 3


@pytest.mark.parametrize("colours", [[255] * 3 + [0] * 765, [9, 0, 0, 200, 1, 1], BLACK_WHITE])
@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
def test_two_indices_are_two_phases_for_sets_and_for_targets(tmp_path, colours, suffix):
    path = tmp_path / f"a{suffix}"
    with_palette(SQUARES, colours).save(path)
    if suffix == ".bmp" and colours == BLACK_WHITE:  # Pillow garbles what it wrote
        with pytest.raises(DataError, match=r"fewer colours than bits.*save it as PNG"):
            load_images(path)
        return
    np.testing.assert_array_equal(load_images(path)[0, 0], SQUARES)
    np.testing.assert_array_equal(read_structure(path), SQUARES)


def test_a_grey_ramp_is_grey_levels_and_nothing_else_is():
    steps = np.arange(256, dtype=np.uint8)[:, None].repeat(3, axis=1)
    assert is_grey_ramp(steps)
    assert is_grey_ramp(steps[:20])
    assert is_grey_ramp(steps[::17])
    assert not is_grey_ramp(steps[::-1])
    assert not is_grey_ramp(steps[::2])
    assert not is_grey_ramp(steps * np.uint8([1, 1, 0]))


def test_grey_pictures_that_were_saved_with_a_palette_keep_their_levels(tmp_path):
    grey = RNG.integers(0, 256, (20, 30), dtype=np.uint8)
    grey[0, :2] = 0, 255
    for suffix in (".png", ".bmp", ".tif"):
        Image.fromarray(grey).convert("P").save(tmp_path / f"a{suffix}")
        images = load_images(tmp_path / f"a{suffix}", grey="keep")
        np.testing.assert_allclose(images[0, 0], grey / 255, atol=1e-7)


def test_many_indices_may_be_a_picture_and_are_asked_about(tmp_path):
    picture = RNG.integers(0, 40, (20, 30), dtype=np.uint8)
    colours = RNG.integers(0, 256, 120).tolist()
    with_palette(picture, colours).save(tmp_path / "a.png")
    with pytest.raises(DataError, match=r"palette image of 40 indices.*--grey labels.*grey='otsu'"):
        read_dataset(tmp_path / "a.png")
    assert read_dataset(tmp_path / "a.png", grey="labels").image_shape == (40, 20, 30)
    kept = read_dataset(tmp_path / "a.png", grey="keep", channels=3)
    seen = np.array(colours, np.uint8).reshape(-1, 3)[picture]
    np.testing.assert_allclose(kept.images[0], np.moveaxis(seen, -1, 0) / 255, atol=1e-7)


def test_transparent_indices_are_labels_only_if_it_is_said(tmp_path):
    with_palette(LABELS, PALETTES["VOC"]).save(tmp_path / "a.png", transparency=0)
    with pytest.raises(DataError, match=r"transparent pixels \(index 0 of its palette\).*labels"):
        read_dataset(tmp_path / "a.png")
    assert shares(read_dataset(tmp_path / "a.png", grey="labels")) == SHARES
    with_palette(LABELS, PALETTES["VOC"]).save(tmp_path / "b.png", transparency=7)
    assert shares(read_dataset(tmp_path / "b.png")) == SHARES


def test_a_level_that_is_transparent_is_refused_where_it_occurs(tmp_path):
    Image.fromarray(SQUARES * np.uint8(255)).save(tmp_path / "a.png", transparency=255)
    with pytest.raises(DataError, match="has transparent pixels; save it without"):
        read_dataset(tmp_path / "a.png")
    Image.fromarray(SQUARES * np.uint8(255)).save(tmp_path / "a.png", transparency=3)
    np.testing.assert_array_equal(load_images(tmp_path / "a.png")[0, 0], SQUARES)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp"])
def test_a_few_flat_colours_are_asked_about_and_numbered_from_dark_to_bright(tmp_path, suffix):
    colours = np.array(PALETTES["equal brightness"], np.uint8).reshape(3, 3)
    path = tmp_path / f"a{suffix}"
    Image.fromarray(colours[LABELS]).save(path)
    with pytest.raises(DataError, match=r"holds 3 flat colours only .*--grey labels.*grey='otsu'"):
        read_dataset(path)
    data = read_dataset(path, grey="labels")
    assert data.reading == "colours (0, 0, 0), (255, 0, 0), (0, 76, 0) became phases 0, 1, 2"
    assert shares(data) == SHARES


def test_palettes_and_plain_pictures_are_not_mixed(tmp_path):
    with_palette(LABELS, PALETTES["VOC"]).save(tmp_path / "a.png")
    Image.fromarray(LABELS).save(tmp_path / "b.png")
    with pytest.raises(DataError, match=r"b\.png: expected indices of a palette as a\.png"):
        read_dataset(tmp_path)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "BMP", "TIFF"])
@pytest.mark.parametrize("suffix", [".png", ".tiff", ".jpg", ".npy", ".h5", ".raw", ".pic", ""])
def test_pictures_are_known_by_their_bytes(tmp_path, form, suffix):
    Image.fromarray(SQUARES * np.uint8(255)).save(tmp_path / f"a{suffix}", format=form)
    np.testing.assert_array_equal(load_images(tmp_path / f"a{suffix}")[0, 0], SQUARES)


@pytest.mark.parametrize("suffix", [".png", ".npy", ".npz", ".h5", ".mat", ".dream3d", ".vti"])
def test_arrays_are_known_by_their_bytes(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    with open(path, "wb") as stream:
        np.save(stream, SQUARES)
    np.testing.assert_array_equal(load_images(path)[0, 0], SQUARES)
    with open(path, "wb") as stream:
        np.savez(stream, images=SQUARES)
    np.testing.assert_array_equal(load_images(path)[0, 0], SQUARES)
    with h5py.File(path, "w") as file:
        file["images"] = SQUARES
    np.testing.assert_array_equal(load_images(path)[0, 0], SQUARES)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"GIF89a", "is a GIF picture; save it as PNG"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "is a WebP picture"),
        (b"\0\0\0\x20ftypavif", "is a HEIF or AVIF picture"),
        (b"NRRD0004\n", "is an NRRD volume"),
        (b"MATLAB 5.0 MAT-file", "save it in MATLAB with '-v7.3'"),
        (b"\x1f\x8b\x08", "compressed by gzip; unpack it first"),
        (b"a,b\n1,2\n", "cannot be read (its first bytes are not those of a PNG file"),
    ],
)
def test_what_is_not_read_is_named_whatever_its_ending(tmp_path, content, what):
    (tmp_path / "a.png").write_bytes(content * 20)
    with pytest.raises(DataError) as refusal:
        read_dataset(tmp_path / "a.png")
    assert what in str(refusal.value)


def test_a_picture_without_an_ending_is_not_left_out_unseen(tmp_path):
    Image.fromarray(SQUARES).save(tmp_path / "a.png")
    Image.fromarray(SQUARES).save(tmp_path / "b", format="PNG")
    (tmp_path / "NOTES").write_text("taken in March")
    with pytest.raises(DataError, match=r"b: pictures of this format are not read \(1 of 3"):
        find_files(tmp_path)


def test_a_jpeg_that_cannot_hold_its_pixels_is_truncated(tmp_path):
    buffer = io.BytesIO()
    Image.fromarray(SQUARES).save(buffer, "JPEG")
    data = bytearray(buffer.getvalue())
    start = data.find(b"\xff\xc0")
    data[start + 5 : start + 9] = struct.pack(">HH", 8300, 8000)
    (tmp_path / "a.jpg").write_bytes(data)
    with pytest.raises(
        DataError, match=r"a\.jpg: says that it has 8300x8000 pixels, which \d+ bytes"
    ):
        read_dataset(tmp_path / "a.jpg")
    Image.fromarray(np.zeros((3000, 3000), np.uint8)).save(tmp_path / "b.jpg", progressive=True)
    assert read_dataset(tmp_path / "b.jpg").images.sum() == 0


def test_jpeg_keeps_the_two_levels_of_two_phases(tmp_path):
    Image.fromarray(SQUARES * np.uint8(255)).save(tmp_path / "a.jpg", quality=98)
    np.testing.assert_array_equal(load_images(tmp_path / "a.jpg")[0, 0], SQUARES)


def test_the_same_file_is_the_same_structure_for_sets_and_for_targets(tmp_path):
    mask = np.zeros((16, 16), bool)
    mask[:, :4] = True
    tifffile.imwrite(tmp_path / "bool.tif", mask)  # tifffile writes white as 0
    for white_is_zero in (True, False):
        photometric = "miniswhite" if white_is_zero else "minisblack"
        tifffile.imwrite(
            tmp_path / f"{photometric}.tif", mask * np.uint8(255), photometric=photometric
        )
    tifffile.imwrite(tmp_path / "labels.tif", np.where(mask, 2, 1).astype(np.uint8))
    Image.fromarray(mask).save(tmp_path / "bits.png")
    Image.fromarray(mask.astype(np.uint8) * 255).convert("RGB").save(tmp_path / "colours.png")
    np.save(tmp_path / "a.npy", mask)
    for path in sorted(tmp_path.iterdir()):
        np.testing.assert_array_equal(load_images(path)[0, 0], read_structure(path), path.name)
    assert load_images(tmp_path / "bool.tif").mean() == 0.75
    assert load_images(tmp_path / "labels.tif").mean() == 0.25


def test_targets_of_arrays_are_one_structure_and_shares_stay_shares(tmp_path):
    shares = RNG.random((3, 4, 5))
    np.save(tmp_path / "a.npy", shares)
    np.testing.assert_array_equal(read_structure(tmp_path / "a.npy"), shares)
    np.save(tmp_path / "b.npy", shares[None, ..., None] > 0.5)
    np.testing.assert_array_equal(read_structure(tmp_path / "b.npy"), shares > 0.5)
    np.save(tmp_path / "c.npy", LABELS)
    with pytest.raises(DataError, match="expected 0 and one other value, got 3 from 0 to 2"):
        read_structure(tmp_path / "c.npy")
