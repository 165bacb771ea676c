"""Exported files are verified as if a stranger had written them: in one line and little memory."""

import gzip
import hashlib
import json
import struct
import subprocess
import sys
import zipfile

import h5py
import numpy as np
import pytest

from generative.data import Limits
from latentopt.errors import CampaignError, ExportError, OutputError
from latentopt.export import EXPORTERS, verify
from latentopt.export.sidecar import as_text, sidecar_path
from latentopt.microstructure import Microstructure, voxel_sha256
from latentopt.runs.candidates import candidate_path, read_phases

RNG = np.random.default_rng(41)
PHASES = RNG.integers(0, 2, (6, 7, 8), dtype=np.uint8)


def write(kind, folder, phases=PHASES, **options):
    exporter = EXPORTERS[kind]() if isinstance(EXPORTERS[kind], type) else EXPORTERS[kind]
    dims = phases.ndim
    structure = Microstructure(phases, (1e-6,) * dims, ("pore", "solid"), (True,) * dims)
    return exporter.write(structure, folder / f"a{exporter.suffix}", **options)


def forge(path, **changes):
    """A sidecar that vouches for what the file is now."""
    record = json.loads(sidecar_path(path).read_text())
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    sidecar_path(path).write_bytes(as_text(record | {"file_sha256": digest} | changes))


def refusal(path, **options):
    with pytest.raises(ExportError) as caught:
        verify(path, **options)
    assert "\n" not in str(caught.value)
    assert path.name in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("kind", EXPORTERS)
def test_every_format_is_verified_and_has_limits(tmp_path, kind):
    path = write(kind, tmp_path)
    assert verify(path)["shape"] == [6, 7, 8]
    assert "larger than the limit of 335 voxels" in refusal(path, limits=Limits(image_voxels=335))
    assert verify(path, limits=Limits(image_voxels=336))


@pytest.mark.parametrize("kind", ["nrrd", "npz", "hdf5", "dream3d7"])
def test_one_phase_compresses_well_and_is_verified(tmp_path, kind):
    path = write(kind, tmp_path, np.zeros((192, 256, 256), np.uint8))
    assert path.stat().st_size < 192 * 256 * 256 / 15
    assert verify(path)["shape"] == [192, 256, 256]


def bomb_nrrd(path):
    header, _, _ = path.read_bytes().partition(b"\n\n")
    header = header.replace(b"sizes: 8 7 6", b"sizes: 1200 1200 1200")
    path.write_bytes(header + b"\n\n" + gzip.compress(bytes(10**8)))


def bomb_long_nrrd(path):
    """More voxels than its sizes say: only these are unpacked."""
    header, _, _ = path.read_bytes().partition(b"\n\n")
    path.write_bytes(header + b"\n\n" + gzip.compress(bytes(3 * 10**8)))


def bomb_npz(path):
    head = {"descr": "|u1", "fortran_order": False, "shape": (300, 1000, 1000)}
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("phases.npy", "w") as stream,
    ):
        np.lib.format.write_array_header_1_0(stream, head)
        for _ in range(300):
            stream.write(bytes(10**6))


def bomb_hdf5(path):
    with h5py.File(path, "w") as file:
        file.create_dataset("phase", (500, 500, 500), "u1", chunks=(50, 50, 50), fillvalue=1)


def bomb_damask(path):
    text = path.read_text().replace("0 8 0 7 0 6", "0 1200 0 1200 0 1200")
    path.write_text(text)


def bomb_stl(path):
    """One triangle that would be met by 10^18 lines."""
    corners = (0, 0, 0, 1e12, 0, 0, 0, 1e12, 0)
    data = b"phase_0_pore".ljust(80) + struct.pack("<I", 1)
    path.write_bytes(data + struct.pack("<12fH", 0, 0, 0, *corners, 0))


def bomb_abaqus(path):
    """A hundred kilobytes of nodes, whose places span 2.7e10 voxels."""
    nodes = "\n".join(f"{k},{k}.,{k}.,{k}." for k in range(1, 3000))
    path.write_text(f"*NODE\n{nodes}\n*ELSET, ELSET=phase_0_pore\n1,2\n*END")


BOMBS = {
    make.__name__.removeprefix("bomb_"): make
    for make in (bomb_nrrd, bomb_long_nrrd, bomb_npz, bomb_hdf5, bomb_damask, bomb_stl, bomb_abaqus)
}
CHILD = """
import resource, sys
from pathlib import Path
import h5py, numpy, PIL.Image, skimage.color
from latentopt.errors import ExportError, OutputError
from latentopt.export import verify
import generative.data.formats.readers
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for name in sys.argv[1:]:
    try:
        verify(Path(name))
    except ExportError as error:
        answer = str(error)
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024, answer)
"""


@pytest.mark.slow
def test_small_files_that_promise_much_are_refused_in_little_memory(tmp_path):
    paths = []
    for name, make in BOMBS.items():
        (tmp_path / name).mkdir()
        path = write(name.removeprefix("long_"), tmp_path / name)
        make(path)
        forge(path)
        paths.append(str(path))
    ran = subprocess.run([sys.executable, "-c", CHILD, *paths], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    lines = ran.stdout.splitlines()
    assert len(lines) == len(BOMBS)
    for path, line in zip(paths, lines, strict=True):
        megabytes, _, answer = line.partition(" ")
        assert int(megabytes) < 60, line
        assert answer.startswith(path), line


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"shape": [6, 7]}, "cannot be read"),
        ({"shape": [10**30, 7, 8]}, "larger than the limit"),
        ({"shape": [6, -7, 8]}, "its shape is 6x-7x8"),
        ({"shape": "678"}, "cannot be read"),
        ({"format": ["npz"]}, "should name a format"),
        ({"slices": ["a"]}, "should map files to hashes"),
        ({"slices": {"..": "0"}}, "should name files beside it"),
        ({"surfaces": {"a": 3}}, "should map files to hashes"),
        ({"file_sha256": None}, "is not the file its sidecar describes"),
    ],
)
def test_a_sidecar_that_says_nonsense_is_answered_in_one_line(tmp_path, changes, message):
    path = write("npz", tmp_path)
    forge(path, **changes)
    with pytest.raises(ExportError) as caught:
        verify(path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("change", [{"z": [0.0]}, {"voxel_size": {"y": 1}}, {"seed": 3}])
def test_a_sidecar_that_was_edited_is_refused(tmp_path, change):
    path = write("npz", tmp_path)
    sidecar = sidecar_path(path)
    record = json.loads(sidecar.read_text())
    sidecar.write_text(json.dumps(dict(reversed(record.items()))))  # layout and order do not count
    assert verify(path) == record
    sidecar.write_text(json.dumps(record | change))
    assert "was changed since it was written" in refusal(path)
    del record["record_sha256"]  # of an older version
    sidecar.write_text(json.dumps(record))
    assert verify(path) == record


def test_a_sidecar_with_a_key_twice_is_refused(tmp_path):
    path = write("npz", tmp_path)
    text = sidecar_path(path).read_text()
    sidecar_path(path).write_text(text.replace('"shape"', '"shape": [1], "shape"', 1))
    assert "holds the key 'shape' twice" in refusal(path)


SAYS_A_VOXEL = ["npz", "hdf5", "tiff", "nrrd", "damask", "dream3d7", "dream3d8", "spparks"]


@pytest.mark.parametrize("shape", [(6, 7, 8), (7, 8)])
@pytest.mark.parametrize("kind", SAYS_A_VOXEL)
def test_a_sidecar_with_another_voxel_size_than_its_file_is_refused(tmp_path, kind, shape):
    path = tmp_path / f"a{EXPORTERS[kind].suffix}"
    sizes, axes = (5e-6, 2e-6, 3e-7)[-len(shape) :], "zyx"[-len(shape) :]
    phases = RNG.integers(0, 2, shape, dtype=np.uint8)
    structure = Microstructure(phases, sizes, ("pore", "solid"), (True,) * len(shape))
    EXPORTERS[kind].write(structure, path)
    assert list(verify(path)["voxel_size"].values()) == list(sizes)
    for axis in axes:
        forge(path, voxel_size={**dict(zip(axes, sizes, strict=True)), axis: 9e-6})
        assert "9e-06" in refusal(path)


@pytest.mark.parametrize("kind", ["npz", "hdf5"])
def test_a_sidecar_with_another_periodicity_than_its_file_is_refused(tmp_path, kind):
    path = write(kind, tmp_path)
    forge(path, periodic={"z": True, "y": False, "x": True})
    assert "periodic (True, False, True), the file itself (True, True, True)" in refusal(path)


@pytest.mark.parametrize("kind", ["npz", "abaqus"])
def test_a_sidecar_with_other_fractions_than_the_voxels_is_refused(tmp_path, kind):
    path = write(kind, tmp_path)
    solid = {"name": "solid", "fraction": PHASES.mean()}
    forge(path, phases={"0": {"name": "pore", "fraction": 0.99}, "1": solid})
    assert "another fraction of phase 0" in refusal(path)


@pytest.mark.parametrize("text", ["[" * 100_000, "1" * 5000, "\xff", "[]"])
def test_a_sidecar_that_is_no_sidecar_is_refused(tmp_path, text):
    path = write("npz", tmp_path)
    sidecar_path(path).write_text(text, encoding="latin-1")
    assert "Export again" in refusal(path)
    with pytest.raises(OutputError, match="with --overwrite"):  # somebody changed it
        write("npz", tmp_path)
    write("npz", tmp_path, overwrite=True)
    assert verify(path)


def test_a_longer_stream_holds_no_other_voxels(tmp_path):
    path = write("nrrd", tmp_path)
    header, _, data = path.read_bytes().partition(b"\n\n")
    path.write_bytes(header + b"\n\n" + gzip.compress(gzip.decompress(data) + bytes(9)))
    forge(path, voxel_sha256=voxel_sha256(PHASES))
    assert verify(path)


def test_the_structure_of_a_trial_has_limits_too(tmp_path):
    path = candidate_path(tmp_path, 0)
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, shape in (("phases", (1000, 1000, 1000)), ("z", (64,))):
            with archive.open(f"{name}.npy", "w") as stream:
                head = {"descr": "|u1", "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(stream, head)
    with pytest.raises(CampaignError, match=r"0000\.npz: is damaged .*larger than the limit"):
        read_phases(tmp_path, 0)
