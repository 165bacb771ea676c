import copy
import hashlib
import subprocess
import sys
from decimal import Decimal

import numpy as np
import pytest
import torch

from latentopt.microstructure import (
    Candidate,
    Microstructure,
    _checked_phases,
    to_images,
    to_phases,
    voxel_sha256,
)

CHECKER = np.array([[0, 1, 0], [1, 1, 2]], dtype=np.uint8)


def structure(phases=CHECKER, **changes):
    dims = phases.ndim
    fields = {
        "voxel_size_m": (1e-6, 2e-6, 3e-6)[:dims],
        "phase_names": ("pore", "matrix", "fibre"),
        "periodic": (True,) * dims,
    }
    return Microstructure(phases, **(fields | changes))


@pytest.mark.parametrize("kind", ["?", "i1", ">i2", "u4", "i8"])
def test_any_integers_become_the_same_structure(kind):
    labels = CHECKER.clip(max=1)
    kept = structure(labels.astype(kind))
    assert kept.phases.dtype == np.uint8
    assert kept.sha256 == structure(labels).sha256


def test_255_phases_are_not_too_many():
    labels = np.arange(255).reshape(15, 17)
    kept = structure(labels, phase_names=tuple(map(str, range(255))))
    np.testing.assert_array_equal(kept.phases, labels)


def test_fractions_count_voxels_and_add_up_to_one():
    fractions = structure().phase_fractions
    assert fractions == {"pore": 2 / 6, "matrix": 3 / 6, "fibre": 1 / 6}
    assert sum(fractions.values()) == pytest.approx(1)


def test_voxels_are_a_read_only_copy():
    mine = CHECKER.copy()
    kept = structure(mine)
    mine[:] = 0
    np.testing.assert_array_equal(kept.phases, CHECKER)
    with pytest.raises(ValueError, match="read-only"):
        kept.phases[0, 0] = 1


def test_hash_is_the_documented_sha256_of_header_and_voxels():
    expected = hashlib.sha256(b"uint8 2,3\n" + bytes([0, 1, 0, 1, 1, 2])).hexdigest()
    assert structure().sha256 == expected


def test_hash_tells_shapes_apart_and_not_memory_orders():
    assert voxel_sha256(CHECKER) != voxel_sha256(CHECKER.reshape(3, 2))
    assert voxel_sha256(CHECKER) == voxel_sha256(np.asfortranarray(CHECKER))


def test_provenance_is_a_copy_that_json_can_hold():
    z = [0.5, -1.0]
    kept = structure(provenance={"z": z, "seed": 3})
    z.clear()
    assert kept.provenance == {"z": [0.5, -1.0], "seed": 3}


def test_a_structure_can_be_copied_and_so_sent_to_a_worker():
    original = structure(provenance={"seed": 1})
    twin = copy.deepcopy(original)
    assert twin.sha256 == original.sha256
    assert twin.provenance == original.provenance


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"phases": CHECKER.astype(np.float64)}, "array of integers, got float64"),
        ({"phases": CHECKER + np.nan}, "array of integers, got float64"),
        ({"phases": CHECKER.astype(np.int64) - 1}, "labels 0 to 254, got -1 to 1"),
        ({"phases": CHECKER.astype(np.int64) * 200}, "labels 0 to 254, got 0 to 400"),
        ({"phase_names": tuple(map(str, range(256)))}, "255 phases at most, got 256"),
        ({"phases": CHECKER[0]}, r"\(h, w\) or \(d, h, w\)"),
        ({"phases": CHECKER[:0]}, "hold voxels"),
        ({"voxel_size_m": (1e-6,)}, "2 positive lengths in metres"),
        ({"voxel_size_m": (1e-6, 0.0)}, "2 positive lengths in metres"),
        ({"voxel_size_m": (1e-6, float("nan"))}, "2 positive lengths in metres"),
        ({"periodic": (True, True, True)}, "2 booleans"),
        ({"phase_names": ("pore", "matrix")}, "labels 0 to 2"),
        ({"phase_names": ("pore", "pore", "fibre")}, "each phase once"),
        ({"provenance": {"z": np.zeros(2)}}, r"\.tolist\(\)"),
        ({"provenance": {"z": float("nan")}}, "JSON"),
    ],
)
def test_wrong_fields_are_refused_in_one_line(changes, message):
    with pytest.raises((TypeError, ValueError), match=message) as caught:
        structure(**changes)
    assert "\n" not in str(caught.value)


def test_a_tensor_of_labels_is_answered_with_how_to_give_it():
    labels = to_phases(torch.from_numpy(CHECKER[None, None].astype(np.float32)))
    with pytest.raises(TypeError, match=r"\.numpy\(\)"):
        _checked_phases(labels[0])  # in tests the class checks types before that


def test_a_candidate_is_feasible_when_no_margin_is_negative_or_nan():
    def feasible(margin):
        return Candidate(structure(), np.zeros(2), {}, {"limit": margin}, trial=0).feasible

    assert feasible(0.0)
    assert not feasible(-1e-9)
    assert not feasible(float("nan"))


@pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor])
def test_one_channel_is_phase_one_above_one_half(kind):
    images = kind(np.array([[[[0.2, 0.5], [0.51, 1.0]]]], dtype=np.float32))
    phases = to_phases(images)
    assert type(phases) is type(images)
    np.testing.assert_array_equal(phases, [[[0, 0], [1, 1]]])


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
@pytest.mark.parametrize("space", [(4, 5), (3, 4, 5)])
@pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor])
def test_labels_to_images_and_back_is_the_identity(kind, space, channels):
    rng = np.random.default_rng(channels)
    phases = kind(rng.integers(0, max(channels, 2), (2, *space), dtype=np.uint8))
    images = to_images(phases, channels)
    assert tuple(images.shape) == (2, channels, *space)
    assert images.dtype in (np.float32, torch.float32)
    back = to_phases(images)
    assert back.dtype in (np.uint8, torch.uint8)
    np.testing.assert_array_equal(back, phases)


def test_a_label_without_a_channel_is_refused():
    with pytest.raises(ValueError, match=r"labels 0 to 1 for 1 channel\(s\), got label 2"):
        to_images(CHECKER[None], 1)


def test_a_single_image_without_batch_axis_is_refused():
    with pytest.raises(ValueError, match=r"images should have shape \(n, c, h, w\)"):
        to_phases(np.zeros((1, 8, 8), dtype=np.float32))


def test_importing_microstructures_does_not_import_torch():
    code = "import sys, latentopt.microstructure; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("um", [5, 2.0, 0.1, 0.3, 1.7, 4.6e-3, 1e3])
def test_micrometres_in_metres_are_plain_numbers(um):
    structure = Microstructure(np.zeros((2, 2), int), (um * 1e-6,) * 2, ("a",), (True, True))
    assert structure.voxel_size_m == (float(Decimal(str(um)).scaleb(-6)),) * 2


@pytest.mark.parametrize("edge", [1e-6 / 3, 5e-324, 1.7976931348623157e308, np.pi])
def test_other_lengths_are_kept_to_rounding(edge):
    structure = Microstructure(np.zeros((2, 2), int), (edge,) * 2, ("a",), (True, True))
    assert abs(structure.voxel_size_m[0] - edge) <= np.spacing(edge)
