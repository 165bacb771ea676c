import numpy as np
import pytest
import torch

from objectives.errors import EvaluationError
from objectives.images import checked_images, phase_indicator


def images_with(value):
    images = torch.full((4, 1, 3, 3), 0.5)
    images[2, 0, 1, 1] = value
    return images


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.zeros(3, 3), r"got \(3, 3\). Add the batch and channel axes"),
        (torch.zeros(1, 1, 2, 2, 2, 2), r"should have shape \(n, c, height, width\)"),
        (torch.zeros(2, 1, 0, 3), "no empty axis"),
        (images_with(float("nan")), "got 1 NaN or infinite values in row 2"),
        (images_with(float("inf")), "got 1 NaN or infinite values in row 2"),
        (images_with(255.0), "got values from 0.5 to 255 in row 2. Divide grey levels"),
        (images_with(-0.1), "got values from -0.1 to 0.5 in row 2"),
    ],
)
def test_what_is_no_image_is_refused_in_one_line(images, message):
    with pytest.raises(EvaluationError, match=message) as refusal:
        checked_images(images)
    assert "\n" not in str(refusal.value)


def test_images_pass_unchanged():
    images = images_with(1.0)
    assert checked_images(images) is images
    assert checked_images(images.numpy()).dtype == torch.float32
    assert checked_images(np.zeros((0, 1, 3, 3))).shape == (0, 1, 3, 3)


def test_a_step_of_finite_differences_beyond_the_range_passes():
    checked_images(images_with(1 + 1e-4))


def test_two_phases_share_one_channel():
    images = images_with(0.25)
    torch.testing.assert_close(
        phase_indicator(images, 0) + phase_indicator(images, 1), torch.ones_like(images)
    )


def test_each_of_more_phases_has_its_channel():
    images = torch.rand(2, 3, 4, 4)
    torch.testing.assert_close(phase_indicator(images, 2)[:, 0], images[:, 2])
    with pytest.raises(EvaluationError, match="one of 0 to 2 for images of 3 channels, got 3"):
        phase_indicator(images, 3)
