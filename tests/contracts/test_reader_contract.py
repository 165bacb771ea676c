"""Every file format in the table is known by what it holds, read to the last voxel, or refused."""

import h5py
import numpy as np
import pytest
import tifffile
from PIL import Image

from generative.data import READERS, read_dataset
from generative.data.formats.readers import FORMATS, kind_of_file, open_source
from generative.errors import DataError
from latentopt.export import EXPORTERS
from latentopt.microstructure import Microstructure

# Two phases, no symmetry that would hide a turned or mirrored picture.
PHASES = np.zeros((8, 9), dtype=np.uint8)
PHASES[:3, 1:5] = PHASES[6, 2:] = 1


def picture(path):
    Image.fromarray(255 * PHASES).save(path)


def jpeg(path):
    Image.fromarray(np.kron(255 * PHASES, np.ones((8, 8), np.uint8))).save(path, quality=95)


def hdf5(path):
    with h5py.File(path, "w") as file:
        file["images"] = PHASES


def mat(path):
    with h5py.File(path, "w", userblock_size=512) as file:
        file["images"] = np.asfortranarray(PHASES.T)
        file["images"].attrs["MATLAB_class"] = np.bytes_(b"uint8")
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\0\2IM")


def vti(path):
    structure = Microstructure(PHASES, (1e-6, 1e-6), ("a", "b"), (True, True))
    EXPORTERS["damask"].write(structure, path)


# Writes `PHASES` by a library that is not ours where there is one; a new row needs its own.
WRITE = {
    "png": picture,
    "jpeg": jpeg,
    "bmp": picture,
    "tiff": lambda path: tifffile.imwrite(path, 255 * PHASES),
    "npy": lambda path: np.save(path, PHASES),
    "npz": lambda path: np.savez(path, images=PHASES),
    "hdf5": hdf5,
    "mat": mat,
    "vti": vti,
    "raw": lambda path: path.write_bytes(PHASES.tobytes()),
}
NO_SIGN = {"raw"}  # bytes of its own to be known by
SCALE = {"jpeg": 8}  # blocks that the compression keeps


@pytest.fixture(params=FORMATS)
def kind(request):
    return request.param


@pytest.fixture
def path(kind, tmp_path):
    name = "image_9x8_uint8" if kind == "raw" else "image"
    path = tmp_path / f"{name}{FORMATS[kind].endings[0]}"
    WRITE[kind](path)
    return path


def test_every_row_has_a_writer_here():
    assert WRITE.keys() == FORMATS.keys()


def test_each_ending_and_each_first_bytes_belong_to_one_row():
    endings = [ending for row in FORMATS.values() for ending in row.endings]
    starts = [start for row in FORMATS.values() for start in row.starts]
    assert len(set(endings)) == len(endings) == len(READERS)
    assert len(set(starts)) == len(starts)


def test_it_is_known_by_what_it_holds_whatever_its_name(kind, path):
    other = path.rename(path.with_name("renamed.bin"))
    assert kind_of_file(other) == (None if kind in NO_SIGN else kind)


def test_the_header_says_shape_and_type_before_anything_is_decoded(kind, path):
    source = open_source(path)
    scale = SCALE.get(kind, 1)
    assert source.shape == (1, 1, *(scale * n for n in PHASES.shape))
    assert source.decode().shape == source.shape
    assert source.decode().dtype == source.dtype


def test_every_voxel_is_read_in_its_place(kind, path):
    images = np.asarray(read_dataset(path).images)
    scale = SCALE.get(kind, 1)
    np.testing.assert_array_equal(images[0, -1, ::scale, ::scale], PHASES)


def test_a_file_that_is_cut_short_is_refused_in_one_line(kind, path):
    held = path.read_bytes()
    for keep in (0, len(held) // 2):
        path.write_bytes(held[:keep])
        with pytest.raises(DataError, match=path.name) as refused:
            read_dataset(path)
        assert len(str(refused.value).splitlines()) == 1
