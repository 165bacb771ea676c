"""Damaged and hostile files of every format: one named error each, soon and in little memory."""

import io
import json
import subprocess
import sys
import zipfile
import zlib

import h5py
import numpy as np
import pytest
import tifffile
from PIL import Image

from generative.data import Dataset, load_images, read_dataset
from generative.data.stored_set import encode_set
from generative.errors import DataError

RNG = np.random.default_rng(8)
VOLUME = RNG.integers(0, 2, (3, 8, 9), dtype=np.uint8)

VTI = """<?xml version="1.0"?>
<VTKFile type="ImageData" version="0.1" byte_order="LittleEndian">
<ImageData WholeExtent="0 9 0 8 0 3" Origin="0 0 0" Spacing="1e-6 1e-6 1e-6">
<Piece Extent="0 9 0 8 0 3"><CellData><DataArray type="UInt8" Name="a" format="ascii">
{}
</DataArray></CellData></Piece></ImageData></VTKFile>
"""


def write_one_of_each(folder):
    """Small files of every format, good ones."""
    for name in ("a.png", "a.jpg", "a.bmp"):
        Image.fromarray(VOLUME[0] * np.uint8(255)).save(folder / name)
    Image.fromarray(VOLUME[0] * np.uint8(255)).convert("P").save(folder / "palette.png")
    tifffile.imwrite(folder / "a.tif", VOLUME, imagej=True, metadata={"spacing": 1, "unit": "um"})
    tifffile.imwrite(folder / "b.tif", VOLUME, compression="zlib", photometric="minisblack")
    tifffile.imwrite(folder / "c.ome.tif", VOLUME, metadata={"axes": "ZYX", "PhysicalSizeX": 1})
    np.save(folder / "a.npy", VOLUME)
    np.savez_compressed(folder / "a.npz", images=VOLUME)
    VOLUME.tofile(folder / "a_9x8x3_uint8.raw")
    (folder / "a.vti").write_text(VTI.format(" ".join(map(str, VOLUME.ravel()))))
    with h5py.File(folder / "a.h5", "w") as file:
        file.create_dataset("images", data=VOLUME, compression="gzip")
    with h5py.File(folder / "a.mat", "w", userblock_size=512) as file:
        file["A"] = VOLUME
    with h5py.File(folder / "a.dream3d", "w") as file:
        file.attrs["FileVersion"] = "8.0"
        group = file.create_group("DataStructure/image")
        group.attrs["_DIMENSIONS"], group.attrs["_SPACING"] = [9, 8, 3], [1.0, 1.0, 1.0]
        group["Cells/Phases"] = VOLUME[..., None]
    (folder / "set.h5").write_bytes(encode_set(Dataset.from_images(np.zeros((2, 1, 8, 8)))))
    return sorted(path for path in folder.iterdir() if path.suffix)


def mutated(content, rng):
    """Bits flipped, cut off, bytes set to extremes or moved: seldom more than a few."""
    data = bytearray(content)
    match rng.integers(5):
        case 0:
            return bytes(data[: rng.integers(1, len(data))])
        case 1:
            start, stop = np.sort(rng.integers(0, len(data), 2))
            del data[start : min(stop, start + 64)]
        case 2:
            for place in rng.integers(0, min(len(data), 600), 4):
                data[place] = rng.choice([0, 1, 127, 128, 255])
        case _:
            for place in rng.integers(0, len(data), rng.integers(1, 6)):
                data[place] ^= 1 << rng.integers(8)
    return bytes(data) or b"\0"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_hundreds_of_mutated_files_are_read_or_refused_by_name(tmp_path):
    good = tmp_path / "good"
    good.mkdir()
    paths = write_one_of_each(good)
    for path in paths:
        read_dataset(path)
    refused = []
    for round_ in range(400):
        path = paths[round_ % len(paths)]
        rng = np.random.default_rng(round_)
        bad = tmp_path / path.name
        bad.write_bytes(mutated(path.read_bytes(), rng))
        try:
            read_dataset(bad)
        except DataError as error:
            refused.append((bad.name, str(error)))
    assert len(refused) > 160
    assert [m for name, m in refused if name not in m or "\n" in m or "Type-check" in m] == []


LIMITED = """
import json, resource, sys, time
import numpy, h5py, tifffile, PIL.Image, skimage.color, skimage.filters
from generative.data import load_images
from generative.errors import DataError
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for path in sys.argv[1:]:
    start = time.process_time()
    try:
        answer = str(load_images(path).shape)
    except DataError as error:
        answer = str(error)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps([answer, (after - before) / 1024, time.process_time() - start]))
"""
SIDE = 20_000


def bomb_png(path):
    Image.new("L", (SIDE // 2, SIDE // 2)).save(path)


def bomb_tif(path):
    side = SIDE // 2
    strips = [zlib.compress(bytes(side * 1000), 9)] * (side // 1000)
    tifffile.imwrite(
        path, iter(strips), shape=(side, side), dtype="u1", rowsperstrip=1000, compression="zlib"
    )


def bomb_npz(path):
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        head, {"descr": "|u1", "fortran_order": False, "shape": (SIDE, SIDE // 2)}
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images.npy", head.getvalue() + bytes(SIDE * SIDE // 2))


def bomb_header_npz(path):
    """A header that is said to be 200 MB long, and is."""
    length = 200_000_000
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "images.npy", b"\x93NUMPY\x02\x00" + length.to_bytes(4, "little") + b" " * length
        )


def bomb_h5(path):
    with h5py.File(path, "w") as file:
        file.create_dataset("images", (SIDE, SIDE // 2), "u1", chunks=(1000, 1000))


def bomb_chunk_h5(path):
    with h5py.File(path, "w") as file:
        file.create_dataset(
            "images", (8, 8), "u1", chunks=(SIDE, SIDE), maxshape=(None, None), compression="gzip"
        )


@pytest.mark.slow
def test_bombs_are_refused_in_a_second_and_200_megabytes(tmp_path):
    """Each in a second, and all of them, one after the other, within those megabytes."""
    paths = []
    for make in (bomb_png, bomb_tif, bomb_npz, bomb_header_npz, bomb_h5, bomb_chunk_h5):
        paths.append(tmp_path / f"{make.__name__}.{make.__name__.rsplit('_', 1)[1]}")
        make(paths[-1])
        assert paths[-1].stat().st_size < 2e6
    command = [sys.executable, "-c", LIMITED, *map(str, paths)]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    found = [json.loads(line) for line in ran.stdout.splitlines()]
    for path, (answer, megabytes, seconds) in zip(paths, found, strict=True):
        words = ("larger than the limit", "bytes long", "in chunks of")
        assert any(word in answer for word in words), (path.name, answer)
        assert (megabytes < 200, seconds < 1) == (True, True), (answer, megabytes, seconds)


@pytest.mark.parametrize("name", ["/etc/images.npy", "../images.npy", "C:\\images.npy"])
def test_archives_with_places_outside_are_refused(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr(name, b"...")
    with pytest.raises(DataError, match="a place outside of the archive"):
        load_images(tmp_path / "a.npz")


def test_archives_with_links_or_foreign_compression_are_refused(tmp_path):
    link = zipfile.ZipInfo("images.npy")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr(link, b"/etc/passwd")
    with pytest.raises(DataError, match=r"a\.npz: holds 'images.npy', a link"):
        load_images(tmp_path / "a.npz")
    with zipfile.ZipFile(tmp_path / "b.npz", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("images.npy", b"...")
    with pytest.raises(DataError, match=r"b\.npz: is compressed by a method"):
        load_images(tmp_path / "b.npz")


def test_entities_in_image_data_are_not_expanded(tmp_path):
    laughs = '<!DOCTYPE v [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>\n'
    text = VTI.format("&b;").replace("<VTKFile", f"{laughs}<VTKFile")
    (tmp_path / "a.vti").write_text(text)
    with pytest.raises(DataError, match="declares a document type"):
        load_images(tmp_path / "a.vti")


@pytest.mark.parametrize("suffix", [".mat", ".dream3d", ".vti", ".raw"])
def test_empty_files_and_wrong_endings(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"")
    with pytest.raises(DataError, match=r"is empty \(0 bytes\)"):
        load_images(path)
    path.write_bytes(b"no format at all" * 9)
    with pytest.raises(DataError, match=r"cannot be read \(|does not say its shape"):
        load_images(path)
    Image.fromarray(VOLUME[0]).save(path, format="PNG")
    np.testing.assert_array_equal(load_images(path)[0, 0], VOLUME[0])


def test_negative_labels_and_more_than_255_phases(tmp_path):
    np.save(tmp_path / "a.npy", np.array([[[-1, 0, 1, 2]]]))
    with pytest.raises(DataError, match="expected labels 0 to 2, or as many distinct values"):
        load_images(tmp_path / "a.npy", channels=3)
    np.save(tmp_path / "b.npy", np.arange(300).reshape(1, 15, 20))
    with pytest.raises(DataError, match="got more than 255"):
        load_images(tmp_path / "b.npy", grey="labels")
