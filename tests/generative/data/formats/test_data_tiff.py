"""TIFF of every compression, bit depth and orientation holds the numbers of the plain file."""

import io
import lzma
import struct
import zlib
from contextlib import suppress

import numpy as np
import pytest
import tifffile
from PIL import Image

from generative.data import read_dataset
from generative.data.formats.orientation import turned
from generative.data.formats.readers import open_source
from generative.errors import DataError

RNG = np.random.default_rng(12)
CODES = {"none": 1, "lzw": 5, "deflate": 8, "packbits": 32773, "zstd": 50000, "lzma": 34925}
TYPES = {1: "u1", 2: "u1", 4: "u1", 8: "u1", 12: "u2", 16: "u2", 32: "u4"}
SIDES = (19, 26)


def compressed(rows, compression):
    """Bytes of a strip; those that Python has no coder for are Pillow's."""
    match compression:
        case "none":
            return rows.tobytes()
        case "deflate":
            return zlib.compress(rows.tobytes())
        case "lzma":
            return lzma.compress(rows.tobytes())
    name = {"lzw": "tiff_lzw"}.get(compression, compression)
    buffer = io.BytesIO()
    Image.fromarray(rows).save(buffer, "TIFF", compression=name, tiffinfo={278: len(rows)})
    with tifffile.TiffFile(io.BytesIO(buffer.getvalue())) as tiff:
        (start,), (length,) = tiff.pages[0].dataoffsets, tiff.pages[0].databytecounts
    return buffer.getvalue()[start : start + length]


def stored_rows(block, bits, predictor, order):
    """Rows of bytes of a strip or tile (rows, columns, samples)."""
    if predictor == 2:
        steps = block.view(f"u{bits // 8}").copy()
        steps[:, 1:] -= block.view(steps.dtype)[:, :-1]
        block = steps
    if predictor == 3:
        rows, _, samples = block.shape
        plain = block.astype(f">f{bits // 8}").view(np.uint8).reshape(rows, -1, bits // 8)
        plain = plain.transpose(0, 2, 1).reshape(rows, -1, samples)
        steps = plain.copy()
        steps[:, 1:] -= plain[:, :-1]
        return steps.reshape(rows, -1)
    if bits % 8:
        flags = (block[..., None] >> np.arange(bits - 1, -1, -1)) & 1
        return np.packbits(flags.astype(np.uint8).reshape(len(block), -1), axis=1)
    ordered = np.ascontiguousarray(block.astype(block.dtype.newbyteorder(order)))
    return ordered.view(np.uint8).reshape(len(block), -1)


def write(
    path, samples, compression, bits, *, photometric=1, orientation=1, predictor=1, order="<",
    tile=None, planar=1, kind=1, extra=None, fill=1, rows=7,
):  # fmt: skip
    """A TIFF from its definition, so that every combination can be had."""
    height, width, count = samples.shape
    planes = [samples] if planar == 1 else [samples[..., k : k + 1] for k in range(count)]
    parts = []
    for plane in planes:
        if tile:
            padded = np.zeros((-(-height // tile) * tile, -(-width // tile) * tile, plane.shape[2]))
            padded = padded.astype(plane.dtype)
            padded[:height, :width] = plane
            blocks = [
                padded[y : y + tile, x : x + tile]
                for y in range(0, len(padded), tile)
                for x in range(0, padded.shape[1], tile)
            ]
        else:
            blocks = [plane[y : y + rows] for y in range(0, height, rows)]
        for block in blocks:
            data = stored_rows(np.ascontiguousarray(block), bits, predictor, order)
            parts.append(compressed(data, compression))
    if fill == 2:
        parts = [
            part.translate(bytes(int(f"{b:08b}"[::-1], 2) for b in range(256))) for part in parts
        ]
    place, size = (324, 325) if tile else (273, 279)
    tags = {
        256: (4, [width]), 257: (4, [height]), 258: (3, [bits] * count),
        259: (3, [CODES[compression]]), 262: (3, [photometric]), 266: (3, [fill]),
        274: (3, [orientation]), 277: (3, [count]),
        284: (3, [planar]), 317: (3, [predictor]), 339: (3, [kind] * count),
        place: (4, [0] * len(parts)), size: (4, [len(part) for part in parts]),
    }  # fmt: skip
    tags |= {322: (4, [tile]), 323: (4, [tile])} if tile else {278: (4, [rows])}
    tags |= {} if extra is None else {338: (3, [extra])}
    lengths = {tag: (2 if form == 3 else 4) * len(values) for tag, (form, values) in tags.items()}
    after = 8 + 2 + 12 * len(tags) + 4
    data_at = after + sum(length for length in lengths.values() if length > 4)
    tags[place] = (4, [data_at + sum(map(len, parts[:k])) for k in range(len(parts))])
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}IH", 8, len(tags))
    long = b""
    for tag, (form, values) in sorted(tags.items()):
        value = struct.pack(f"{order}{len(values)}{'H' if form == 3 else 'I'}", *values)
        inline = (
            value.ljust(4, b"\0")
            if len(value) <= 4
            else struct.pack(f"{order}I", after + len(long))
        )
        long += value if len(value) > 4 else b""
        head += struct.pack(f"{order}HHI", tag, form, len(values)) + inline
    path.write_bytes(head + bytes(4) + long + b"".join(parts))


def seen(samples, bits, *, photometric=1, orientation=1, **_):
    """What a viewer shows: white is the largest value, small integers spread, the page turned."""
    if bits % 8:
        full = 255 if bits < 8 else 65535
        samples = np.rint(samples * (full / (2**bits - 1))).astype("u1" if bits < 8 else "u2")
    if photometric == 0:
        samples = 1 - samples if samples.dtype.kind == "f" else ~samples
    return np.moveaxis(turned(samples, orientation), -1, 0)[None]


def check(path, samples, compression, bits, **options):
    write(path, samples, compression, bits, **options)
    pixels = open_source(path).decode()
    expected = seen(samples, bits, **options)
    expected = expected if options.get("extra") is None else expected[:, :-1]
    assert pixels.dtype == expected.dtype
    np.testing.assert_array_equal(pixels, expected, err_msg=str((compression, bits, options)))


def random(bits, samples=1):
    return RNG.integers(0, 2**bits, (*SIDES, samples)).astype(TYPES[bits])


@pytest.mark.parametrize("compression", CODES)
@pytest.mark.parametrize("bits", TYPES)
def test_grey_of_every_depth_is_that_of_the_plain_file(tmp_path, compression, bits):
    grey = random(bits)
    for photometric in (0, 1):
        for orientation in range(1, 9):
            check(tmp_path / "a.tif", grey, compression, bits, photometric=photometric,
                  orientation=orientation)  # fmt: skip
    for options in (
        {"order": ">"}, {"tile": 16}, {"fill": 2}, {"tile": 16, "order": ">", "fill": 2},
    ):  # fmt: skip
        check(tmp_path / "a.tif", grey, compression, bits, **options)
        if bits in (8, 16, 32):
            check(tmp_path / "a.tif", grey, compression, bits, predictor=2, **options)


@pytest.mark.parametrize("compression", CODES)
def test_floats_signed_numbers_colours_and_opacity(tmp_path, compression):
    path = tmp_path / "a.tif"
    for bits in (16, 32, 64):
        shares = RNG.random((*SIDES, 1)).astype(f"f{bits // 8}")
        for photometric, predictor, order in ((0, 1, "<"), (1, 3, "<"), (0, 3, ">")):
            check(path, shares, compression, bits, kind=3, photometric=photometric,
                  predictor=predictor, order=order, orientation=6, tile=16)  # fmt: skip
    signed = RNG.integers(-3000, 3000, (*SIDES, 1)).astype("i2")
    check(path, signed, compression, 16, kind=2, photometric=0, orientation=8)
    for bits in (8, 16):
        for options in (
            {},
            {"planar": 2},
            {"predictor": 2, "order": ">"},
            {"planar": 2, "tile": 16},
        ):
            check(path, random(bits, 3), compression, bits, photometric=2, orientation=5, **options)
        opaque = np.full((*SIDES, 1), 2**bits - 1, TYPES[bits])
        for colours, photometric in ((3, 2), (1, 1), (1, 0)):
            whole = np.concatenate([random(bits, colours), opaque], axis=-1)
            check(path, whole, compression, bits, photometric=photometric, extra=2)
        whole[3, 4, -1] = 7
        write(path, whole, compression, bits, photometric=0, extra=2)
        with pytest.raises(DataError, match=r"a\.tif: has transparent pixels"):
            read_dataset(path, grey="keep")


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_ccitt", "jpeg"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_fax_and_jpeg_inside_tiff_are_turned_as_the_plain_file(tmp_path, compression, orientation):
    blocks = np.kron(RNG.random((5, 8)) > 0.5, np.ones((8, 8), bool))
    for photometric in (1,) if compression == "jpeg" else (0, 1):
        image = Image.fromarray(blocks)
        image = image.convert("L") if compression == "jpeg" else image
        tags = {274: orientation, 262: photometric}
        image.save(tmp_path / "a.tif", compression=compression, tiffinfo=tags)
        images = read_dataset(tmp_path / "a.tif", grey="otsu").images
        np.testing.assert_array_equal(images[0, 0], turned(blocks, orientation))


def test_colours_of_jpeg_inside_tiff_are_those_of_the_picture(tmp_path):
    blocks = np.kron(RNG.integers(0, 256, (4, 6, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    for mode in ("RGB", "YCbCr"):
        image = Image.fromarray(blocks).convert(mode)
        image.save(tmp_path / "a.tif", compression="jpeg", quality=100, tiffinfo={274: 6})
        pixels = np.moveaxis(open_source(tmp_path / "a.tif").decode()[0], 0, -1)
        assert np.abs(pixels.astype(int) - np.rot90(blocks, -1)).max() <= 3


def test_stacks_are_turned_page_by_page_and_edges_with_them(tmp_path):
    volume = RNG.integers(0, 2, (3, 8, 5), dtype=np.uint8) * np.uint8(255)
    tags = [(274, "H", 1, 6, True)]
    tifffile.imwrite(
        tmp_path / "a.tif",
        volume,
        imagej=True,
        resolution=(1.0, 0.5),
        metadata={"spacing": 3, "unit": "um"},
        extratags=tags,
    )
    data = read_dataset(tmp_path / "a.tif")
    np.testing.assert_array_equal(data.images[0, 0], np.rot90(volume, -1, axes=(1, 2)) / 255)
    assert data.voxel_size_m == pytest.approx((3e-6, 1e-6, 2e-6))
    first, *others = (Image.fromarray(page) for page in volume)
    first.save(tmp_path / "b.tif", compression="tiff_lzw", save_all=True, append_images=others)
    np.testing.assert_array_equal(read_dataset(tmp_path / "b.tif").images[0, 0], volume / 255)


def test_pages_that_are_turned_in_several_ways_are_refused(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        for orientation in (1, 3):
            tags = [(274, "H", 1, orientation, True)]
            tiff.write(random(8)[..., 0], extratags=tags, contiguous=False, metadata=None)
    with pytest.raises(DataError, match="its pages are turned or coloured in several ways"):
        read_dataset(tmp_path / "a.tif", grey="otsu")


@pytest.mark.parametrize(("code", "name"), [(50001, "WEBP"), (34887, "LERC"), (50002, "JPEGXL")])
def test_a_compression_that_nothing_reads_names_the_package_that_does(tmp_path, code, name):
    tifffile.imwrite(tmp_path / "a.tif", random(8)[..., 0])
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+") as tiff:
        tiff.pages[0].tags["Compression"].overwrite(code)
    with pytest.raises(DataError, match=f"compressed by {name}, .*pip install imagecodecs"):
        open_source(tmp_path / "a.tif")


def test_other_colours_than_rgb_are_refused_by_name(tmp_path):
    Image.fromarray(random(8)[..., 0]).convert("CMYK").save(tmp_path / "a.tif")
    with pytest.raises(DataError, match="has the colours SEPARATED; save it as grey or RGB"):
        read_dataset(tmp_path / "a.tif")


@pytest.mark.parametrize("compression", ["lzw", "deflate", "packbits", "zstd", "lzma"])
def test_damaged_strips_are_refused_in_one_line(tmp_path, capfd, compression):
    path = tmp_path / "a.tif"
    write(path, random(8), compression, 8, rows=19)
    whole = path.read_bytes()
    path.write_bytes(whole[:-60] + bytes(60))
    with suppress(DataError):  # some codes of a damaged strip are codes again
        assert read_dataset(path, grey="keep").image_shape == (1, *SIDES)
    with tifffile.TiffFile(path) as tiff:
        start = tiff.pages[0].dataoffsets[0]
    path.write_bytes(whole[:start] + b"\x80" * (len(whole) - start))  # no code of any
    with pytest.raises(DataError, match=r"a\.tif: (cannot be read|is compressed by)"):
        read_dataset(path, grey="keep")
    assert capfd.readouterr().err == ""
