"""What blurring by the process takes from a structure."""

import pytest
import torch

from objectives.errors import EvaluationError
from objectives.manufacturability import Manufacturability, process_drop
from objectives.volume_fraction import VolumeFraction


def test_no_blur_changes_nothing():
    images = torch.rand(3, 1, 12, 13)
    result = process_drop(images, VolumeFraction(), resolution_um=0.0)
    assert result.drop["volume_fraction"].abs().max() == 0
    assert result.changed.max() == 0
    torch.testing.assert_close(result.images, (images > 0.5).float())


def test_a_thin_wall_is_lost_and_a_thick_one_kept():
    images = torch.zeros(2, 1, 24, 24)
    images[0, :, 4:6] = 1
    images[1, :, 4:16] = 1
    result = process_drop(images, VolumeFraction(), resolution_um=40.0, voxel_size_um=10.0)
    torch.testing.assert_close(result.drop["volume_fraction"], torch.tensor([2 / 24, 0.0]).double())
    torch.testing.assert_close(result.changed, torch.tensor([2 / 24, 0.0]).double())


def test_the_resolution_counts_in_voxels():
    images = (torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(0)) > 0.5).float()
    one = process_drop(images, VolumeFraction(), resolution_um=2.0, voxel_size_um=1.0)
    ten = process_drop(images, VolumeFraction(), resolution_um=20.0, voxel_size_um=10.0)
    assert torch.equal(one.images, ten.images)


def test_blur_mends_a_minimum_size_at_the_cost_of_what_was_thin():
    images = torch.zeros(1, 1, 32, 32)
    images[:, :, 4:16] = 1
    images[:, :, 22] = 1
    rule = Manufacturability(rules=[{"kind": "min_solid", "limit_um": 5}])
    result = process_drop(images, rule, resolution_um=4.0)
    assert result.designed["min_solid_margin"].item() == pytest.approx(-4)
    assert result.made["min_solid_margin"].item() == pytest.approx(7)
    assert result.drop["min_solid_margin"].item() == pytest.approx(-11)


def test_phases_stay_phases_in_volumes():
    labels = torch.randint(0, 3, (2, 6, 6, 6), generator=torch.Generator().manual_seed(0))
    images = torch.nn.functional.one_hot(labels, 3).movedim(-1, 1).float()
    made = process_drop(images, VolumeFraction(phase=2), resolution_um=2.0, periodic=False).images
    assert made.shape == images.shape
    assert torch.equal(made.sum(1), torch.ones(2, 6, 6, 6))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"resolution_um": -1.0}, "resolution_um should be at least 0"),
        ({"resolution_um": float("nan")}, "resolution_um should be at least 0"),
        ({"resolution_um": 1.0, "voxel_size_um": 0.0}, "voxel_size_um should be positive"),
    ],
)
def test_impossible_lengths_are_refused(options, message):
    with pytest.raises(EvaluationError, match=message):
        process_drop(torch.zeros(1, 1, 4, 4), VolumeFraction(), **options)
