"""What is peculiar to the NPZ, NRRD, PNG and SPPARKS exporters."""

import json

import numpy as np
import pytest
from PIL import Image

from latentopt.errors import ExportError, OutputError
from latentopt.export import EXPORTERS, verify
from latentopt.export.png import grey_levels
from latentopt.export.sidecar import as_text
from latentopt.microstructure import Microstructure


def structure(shape, count=3, seed=0):
    phases = np.random.default_rng(seed).integers(0, count, shape)
    names = tuple(f"phase {k}" for k in range(count))
    return Microstructure(phases, (1e-6, 2e-6, 3e-6)[: len(shape)], names, (True,) * len(shape))


@pytest.mark.parametrize(
    "kind", ["npz", "png", "nrrd", "damask", "spparks", "dream3d7", "dream3d8"]
)
def test_the_same_structure_gives_the_same_bytes(kind, tmp_path):
    exporter = EXPORTERS[kind]
    one, two = (exporter.write(structure((4, 5)), tmp_path / f"{k}{exporter.suffix}") for k in "ab")
    assert one.read_bytes() == two.read_bytes()


def test_an_npz_holds_plain_arrays_only(tmp_path):
    path = EXPORTERS["npz"].write(structure((4, 5)), tmp_path / "best.npz")
    with np.load(path, allow_pickle=False) as file:
        assert set(file) == {"phases", "voxel_size_m", "phase_names", "periodic"}
        assert file["phase_names"].tolist() == ["phase 0", "phase 1", "phase 2"]
        assert file["periodic"].tolist() == [True, True]


def test_vtk_reads_an_nrrd_with_its_voxel_size(tmp_path):
    import pyvista

    written = structure((3, 4, 12))
    image = pyvista.read(EXPORTERS["nrrd"].write(written, tmp_path / "best.nrrd"))
    np.testing.assert_allclose(image.spacing, written.voxel_size_m[::-1], rtol=1e-6)
    labels = image.point_data["ImageScalars"].reshape(written.phases.shape)
    np.testing.assert_array_equal(labels, written.phases)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 200, 255])
def test_grey_levels_are_as_far_apart_as_they_can_be(count):
    levels = grey_levels(count).astype(int)
    assert levels[0] == 0
    assert (np.diff(levels) >= 255 // max(count - 1, 1)).all()


def test_a_volume_becomes_a_numbered_stack_with_one_sidecar(tmp_path):
    written = structure((12, 3, 4), count=2)
    first = EXPORTERS["png"].write(written, tmp_path / "best.png")
    stack = [f"best_{z:03d}.png" for z in range(12)]
    names = sorted(path.name for path in tmp_path.glob("[!.]*"))
    assert names == sorted(["best.i", "best_000.png.json", *stack])
    assert first.name == "best_000.png"
    record = verify(first)
    assert record["grey_levels"] == {"0": 0, "1": 255}
    for name, phases in zip(stack, written.phases, strict=True):
        np.testing.assert_array_equal(np.array(Image.open(tmp_path / name)), 255 * phases)


@pytest.mark.parametrize("harm", [lambda p: p.unlink(), lambda p: p.write_bytes(b"no picture")])
def test_a_slice_that_is_lost_or_changed_is_named(harm, tmp_path):
    first = EXPORTERS["png"].write(structure((3, 4, 5)), tmp_path / "best.png")
    harm(tmp_path / "best_002.png")
    with pytest.raises(ExportError, match=r"best_002\.png"):
        verify(first)


def test_slices_of_a_longer_stack_before_are_gone_unless_somebody_changed_them(tmp_path):
    EXPORTERS["png"].write(structure((5, 4, 5)), tmp_path / "best.png")
    (tmp_path / "best_003.png").write_bytes(b"notes")
    (tmp_path / "best_005.png").write_bytes(b"not of the stack")
    first = EXPORTERS["png"].write(structure((2, 4, 5)), tmp_path / "best.png")
    assert verify(first)["shape"] == [2, 4, 5]
    assert "file_range = '0 1'" in (tmp_path / "best.i").read_text()
    left = sorted(path.name for path in tmp_path.glob("*.png"))
    assert left == [f"best_00{k}.png" for k in (0, 1, 3, 5)]


def test_a_damaged_sidecar_of_the_stack_before_removes_nothing(tmp_path):
    first = EXPORTERS["png"].write(structure((3, 4, 5)), tmp_path / "best.png")
    first.with_name(first.name + ".json").write_text("[]")
    with pytest.raises(OutputError, match=r"best_000\.png\.json: is there already"):
        EXPORTERS["png"].write(structure((2, 4, 5)), tmp_path / "best.png")
    EXPORTERS["png"].write(structure((2, 4, 5)), tmp_path / "best.png", overwrite=True)
    assert (tmp_path / "best_002.png").exists()


def test_a_sidecar_that_leads_out_of_the_folder_is_refused(tmp_path):
    first = EXPORTERS["png"].write(structure((2, 4, 5)), tmp_path / "best.png")
    sidecar = first.with_name(first.name + ".json")
    record = json.loads(sidecar.read_text().replace("best_001.png", "../best_001.png"))
    sidecar.write_bytes(as_text(record))
    with pytest.raises(ExportError, match="should name files beside it"):
        verify(first)


def test_a_sidecar_of_an_unknown_format_is_refused(tmp_path):
    path = EXPORTERS["npz"].write(structure((4, 5)), tmp_path / "best.npz")
    sidecar = path.with_name(path.name + ".json")
    sidecar.write_bytes(as_text(json.loads(sidecar.read_text()) | {"format": "later"}))
    with pytest.raises(ExportError, match="got 'later'"):
        verify(path)


def test_spparks_sites_may_come_in_any_order(tmp_path):
    written = structure((3, 4, 5))
    path = EXPORTERS["spparks"].write(written, tmp_path / "best.spparks")
    header, _, values = path.read_text().partition("\nValues\n\n")
    lines = values.splitlines()
    np.random.default_rng(1).shuffle(lines)
    path.write_text("\n".join([header, "Values", "", *lines, ""]))
    np.testing.assert_array_equal(EXPORTERS["spparks"].read(path), written.phases)


def test_spparks_spins_start_at_1_as_a_potts_model_asks(tmp_path):
    path = EXPORTERS["spparks"].write(structure((4, 5)), tmp_path / "best.spparks")
    spins = [int(line.split()[1]) for line in path.read_text().splitlines()[-20:]]
    assert set(spins) == {1, 2, 3}
