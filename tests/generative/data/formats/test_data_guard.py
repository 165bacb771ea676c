"""What a file promises is compared with what it holds, whoever wrote it and whoever reads it."""

import json
import os
import struct
import subprocess
import sys
import zlib
from functools import cache

import h5py
import numpy as np
import pytest
import tifffile

from generative.data import Dataset, Limits, read_dataset
from generative.data.formats import hdf5_guard as guard
from generative.data.formats.array_files import read_npy, read_npz
from generative.data.stored_set import encode_set, read_provenance
from generative.errors import DataError
from generative.files.json_text import parse_json

RNG = np.random.default_rng(31)
VOLUME = RNG.integers(0, 2, (3, 4, 5), dtype=np.uint8)


@cache
def stream_of_zeros(size):
    """A zlib stream of ``size`` zeros in a thousandth of the bytes."""
    coder = zlib.compressobj(9)
    step = bytes(2**20)
    return b"".join(coder.compress(step) for _ in range(size // 2**20)) + coder.flush()


def refusal(path, **options):
    with pytest.raises(DataError) as caught:
        read_dataset(path, **options)
    assert "\n" not in str(caught.value)
    assert path.name in str(caught.value)
    return str(caught.value)


def long_dimensions(path):
    """12 kilobytes of an image geometry whose DIMENSIONS are 5.6 gigabytes."""
    with h5py.File(path, "w") as file:
        file.attrs["FileVersion"] = np.bytes_("7.0")
        grid = file.create_group("DataContainers/a")
        grid.create_dataset(
            "_SIMPL_GEOMETRY/DIMENSIONS", (700_000_000,), "i8", chunks=(10**6,), fillvalue=1
        )
        grid["CellData/Phases"] = VOLUME[..., None]


def chunk_that_overruns(path, side=64):
    """A chunk of few voxels, whose stream goes on for 200 megabytes."""
    with h5py.File(path, "w") as file:
        item = file.create_dataset(
            "images", (2, side, side), "u1", chunks=(2, side, side), compression="gzip"
        )
        item.id.write_direct_chunk((0, 0, 0), stream_of_zeros(200 * 2**20))


def large_chunk_that_overruns(path):
    chunk_that_overruns(path, 2048)


def stored(path, n=8, space=(8, 8), **chunks):
    """A set of our own schema with one entry written and all others promised."""
    with h5py.File(path, "w") as file:
        file.attrs["schema"], file.attrs["content"] = "latentopt.dataset/1", "phases"
        file["class_names"] = '["a"]'
        for name, shape, dtype in (
            ("images", (n, 1, *space), "u1"),
            ("labels", (n,), "i8"),
            ("parents", (n,), "i8"),
            ("sources", (n,), f"S{chunks.get('text', 8)}"),
        ):
            chunk = (1, 1, *space) if name == "images" else (8,)
            item = file.create_dataset(name, shape, dtype, chunks=chunk, compression="gzip")
            item[:1] = 0 if dtype != f"S{chunks.get('text', 8)}" else b"a"


def set_of_fill_values(path):
    stored(path, n=200_000, space=(64, 64))


def set_of_long_names(path):
    stored(path, n=20_000, text=100_000)


def strip_that_overruns(path):
    tifffile.imwrite(path, np.eye(64, dtype=np.uint8), compression="zlib")
    whole, long = path.read_bytes(), stream_of_zeros(200 * 2**20)
    path.write_bytes(whole + long)
    with tifffile.TiffFile(path, mode="r+") as tiff:
        tiff.pages[0].tags["StripOffsets"].overwrite(len(whole))
        tiff.pages[0].tags["StripByteCounts"].overwrite(len(long))


def jpeg_of_few_bytes(path):
    from PIL import Image

    Image.fromarray(np.zeros((8, 8), np.uint8)).save(path)
    data = bytearray(path.read_bytes())
    start = data.find(b"\xff\xc0")
    data[start + 5 : start + 9] = struct.pack(">HH", 8300, 8000)
    path.write_bytes(data)


BOMBS = {
    "a.dream3d": long_dimensions,
    "b.h5": chunk_that_overruns,
    "c.h5": large_chunk_that_overruns,
    "d.h5": set_of_fill_values,
    "e.h5": set_of_long_names,
    "f.tif": strip_that_overruns,
    "g.jpg": jpeg_of_few_bytes,
}
CHILD = """
import json, resource, sys
import numpy, h5py, tifffile, PIL.Image, skimage.color, skimage.filters
from generative.data import read_dataset
from generative.errors import DataError
before, found = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, []
for name in sys.argv[1:]:
    try:
        answer = str(read_dataset(name).images.shape)
    except DataError as error:
        answer = str(error)
    found.append([answer, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024])
print(json.dumps(found))
"""


@pytest.mark.slow
def test_small_files_that_promise_much_take_little_memory(tmp_path):
    for name, make in BOMBS.items():
        make(tmp_path / name)
        assert (tmp_path / name).stat().st_size < 2e6
    ran = subprocess.run(
        [sys.executable, "-c", CHILD, *BOMBS], capture_output=True, text=True, cwd=tmp_path
    )
    assert ran.returncode == 0, ran.stderr
    for name, (answer, megabytes) in zip(BOMBS, json.loads(ran.stdout), strict=True):
        # The strip holds what it should and more: only the first bytes of it are unpacked.
        assert answer.startswith(f"{name}: ") or name == "f.tif", answer
        assert megabytes < 150, (name, answer, megabytes)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (long_dimensions, "DIMENSIONS should hold at most 3 numbers, got 700000000"),
        (set_of_fill_values, "times what the file holds, larger than the limit of 500"),
        (set_of_long_names, "sources has 1 axes of entries of|its values take 2,000,000,000 bytes"),
    ],
)
def test_promises_are_refused_by_name(tmp_path, make, reason):
    make(tmp_path / "a.h5")
    assert any(part in refusal(tmp_path / "a.h5") for part in reason.split("|"))


def test_links_and_other_files_are_not_followed_anywhere(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["three"] = np.array(VOLUME.shape[::-1])
    path = tmp_path / "a.dream3d"
    with h5py.File(path, "w") as file:
        file.attrs["FileVersion"] = np.bytes_("7.0")
        grid = file.create_group("DataContainers/a")
        grid["_SIMPL_GEOMETRY/DIMENSIONS"] = h5py.ExternalLink(tmp_path / "other.h5", "/three")
        grid["CellData/Phases"] = VOLUME[..., None]
    assert "DIMENSIONS is a link, which is not followed" in refusal(path)
    with h5py.File(path, "r+") as file:
        del file["DataContainers/a/_SIMPL_GEOMETRY/DIMENSIONS"]
        file["DataContainers/a/_SIMPL_GEOMETRY/DIMENSIONS"] = np.array(VOLUME.shape[::-1])
        file["DataContainers/a/_SIMPL_GEOMETRY/SPACING"] = h5py.SoftLink("/nowhere")
    assert "SPACING is a link" in refusal(path)


def test_sets_of_our_own_pass_the_same_guard(tmp_path):
    path = tmp_path / "set.h5"
    data = Dataset.from_images(np.eye(8)[None, None].repeat(3, axis=0))
    path.write_bytes(encode_set(data, [{"file": "a"}] * 3))
    assert read_dataset(path).sources == data.sources
    for name in ("images", "labels", "parents", "sources"):
        path.write_bytes(encode_set(data))
        with h5py.File(path, "r+") as file:
            file.move(name, "moved")
            file[name] = h5py.SoftLink("/moved")
        assert f"has no data set {name} of its own" in refusal(path)
    path.write_bytes(encode_set(data, [{"file": "a"}] * 3))
    with h5py.File(path, "r+") as file:
        del file["provenance"]
        file.create_dataset("provenance", (10**6,), "S1000", chunks=(1000,), compression="gzip")
    with pytest.raises(DataError, match="larger than the limit"):
        read_provenance(path)


def test_data_that_were_never_written_are_no_data(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("images", (4, 64, 64), "u1", chunks=(1, 64, 64))
    assert "images of 4x64x64 was never written" in refusal(tmp_path / "a.h5")


def test_what_compresses_well_is_read(tmp_path):
    """One phase, two phases in a few blocks: hundreds of bytes of one."""
    volume = np.zeros((128, 256, 256), np.uint8)
    volume[:64] = 1
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("a", data=volume, compression="gzip", chunks=(32, 256, 256))
    np.savez_compressed(tmp_path / "a.npz", a=volume)
    tifffile.imwrite(tmp_path / "a.tif", volume, compression="zlib", photometric="minisblack")
    for name in ("a.h5", "a.npz", "a.tif"):
        assert (tmp_path / name).stat().st_size < volume.size / 100
        assert read_dataset(tmp_path / name, spatial_dims=3).images.mean() == 0.5


@pytest.mark.parametrize("shape", [(10**10, 64), (3, 5), (4, 4)])
def test_an_array_of_another_length_than_its_header_says_is_refused(tmp_path, shape):
    """128 bytes that promise 5 terabytes, a cut array, and one with something behind it."""
    with open(tmp_path / "a.npy", "wb") as stream:
        np.lib.format.write_array_header_1_0(
            stream, {"descr": "<f8", "fortran_order": False, "shape": shape}
        )
        stream.write(bytes(0 if shape[0] > 4 else 8 * 15 - 1 if shape == (3, 5) else 8 * 17))
    with pytest.raises(DataError, match=r"a\.npy: cannot be read \(its header promises"):
        read_npy(tmp_path / "a.npy")


def test_an_archive_is_believed_neither_its_sizes_nor_its_names(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", a=np.zeros((3000, 24_000), np.uint8))
    with pytest.raises(DataError, match="larger than the limit of 500"):
        read_npz(tmp_path / "a.npz", "a")
    assert read_npz(tmp_path / "a.npz", "a", Limits(ratio=2000)).shape == (3000, 24_000)
    with pytest.raises(DataError, match="has no array 'b'"):
        read_npz(tmp_path / "a.npz", "b")


def test_a_limit_can_be_raised_by_name_and_nothing_else_can():
    assert Limits.parse(["ratio=2000", "total_bytes=1e11"]) == Limits(
        ratio=2000.0, total_bytes=10**11
    )
    for text, message in (
        ("ratio", "a name and a number"),
        ("ratio=much", "a name and a number"),
        ("pixels=3", "the limits are image_voxels, total_bytes, ratio, got 'pixels'"),
        ("ratio=0", "ratio should be above 0"),
        ("image_voxels=inf", "a name and a number"),
    ):
        with pytest.raises(ValueError, match=message):
            Limits.parse([text])


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 50_000, "nope", b"\xff", "1" * 5000])
def test_json_is_read_or_refused_by_one_error(text):
    with pytest.raises(ValueError, match=r"deeply|value|codec|digits"):
        parse_json(text)


def test_json_beside_an_image_cannot_keep_it_from_being_read(tmp_path):
    np.save(tmp_path / "a.npy", np.eye(8, dtype=np.uint8))
    huge = {"schema": "latentopt.export/1", "axes": ["y"], "voxel_size": {"y": 10**400}}
    for text in ("[" * 100_000, json.dumps(huge), "\0"):
        (tmp_path / "a.npy.json").write_text(text)
        assert read_dataset(tmp_path / "a.npy").voxel_size_m is None


def test_attributes_and_small_numbers_have_a_size(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w", libver="latest") as file:
        file.attrs["long"] = np.zeros(10_000)
        file["numbers"] = np.zeros(17)
    with guard.opened(tmp_path / "a.h5") as file:
        with pytest.raises(DataError, match="attribute long has 80,000 bytes"):
            guard.attribute(file, "long", tmp_path / "a.h5")
        with pytest.raises(DataError, match="numbers should hold at most 16 numbers"):
            guard.numbers(file["numbers"], tmp_path / "a.h5")


def test_a_sparse_file_of_voxels_is_within_the_limits_or_refused(tmp_path):
    path = tmp_path / "a_4000x4000x4000_uint8.raw"
    with open(path, "wb") as stream:
        os.truncate(stream.fileno(), 4000**3)
    assert "larger than the limit of 134,217,728 voxels" in refusal(path)
