import numpy as np
import pytest
import torch

from objectives.chord_length import chord_length_distribution
from objectives.lineal_path import lineal_path


def binary_images(space, channels=1, n=3, fraction=0.6):
    generator = torch.Generator().manual_seed(0)
    noise = torch.rand(n, channels, *space, generator=generator, dtype=torch.float64)
    return (noise < fraction).double()


def chords(line, periodic):
    """Lengths of the stretches of ones that have a zero on both sides."""
    text = "".join(str(int(value)) for value in line)
    if periodic and "0" in text:
        start = text.index("0")
        text = text[start:] + text[:start] + "0"
    return [len(stretch) for stretch in text.split("0")[1:-1] if stretch]


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("space", [(5, 9), (4, 7, 5)])
def test_every_value_is_the_share_of_chords_of_that_length(space, periodic):
    images = binary_images(space)
    shares = chord_length_distribution(images, periodic=periodic)
    assert shares.shape == (3, len(space), max(space))
    for row, axis in np.ndindex(*shares.shape[:2]):
        image = images[row, 0].numpy()
        lines = np.moveaxis(image, axis, -1).reshape(-1, space[axis])
        lengths = [length for line in lines for length in chords(line, periodic)]
        expected = np.bincount(lengths, minlength=max(space)) / len(lengths)
        np.testing.assert_allclose(shares[row, axis], expected, atol=1e-14)


def test_a_laminate_has_one_length_along_its_normal_and_no_chord_in_its_plane():
    image = torch.zeros(2, 1, 6, 8, 8)
    image[:, :, :, 2:5] = 1
    expected = torch.zeros(2, 3, 8)
    expected[:, 1, 3] = 1
    for periodic in (True, False):
        shares = chord_length_distribution(image, periodic=periodic)
        torch.testing.assert_close(shares, expected)


def test_a_checkerboard_has_chords_of_its_squares():
    y, x = torch.meshgrid(torch.arange(12) // 3, torch.arange(12) // 3, indexing="ij")
    board = ((x + y) % 2).float()[None, None]
    for phase in (0, 1):
        assert chord_length_distribution(board, phase=phase)[0, :, 3].tolist() == [1, 1]


def test_a_line_with_one_voxel_left_out_is_a_chord_of_all_the_others():
    image = torch.ones(1, 1, 4, 6)
    image[..., 2] = 0
    assert chord_length_distribution(image)[0, 1, 5] == 1


def test_the_mean_chord_is_the_path_over_its_first_drop():
    images = binary_images((30, 31))
    shares, paths = chord_length_distribution(images), lineal_path(images, cutoff=1)
    mean = (shares * torch.arange(31)).sum(-1)
    torch.testing.assert_close(mean, paths[..., 0] / (paths[..., 0] - paths[..., 1]))


def test_chords_of_noise_are_geometric():
    fraction = 0.6
    shares = chord_length_distribution(binary_images((300, 300), n=8, fraction=fraction)).mean(1)
    length = torch.arange(1, 12)
    expected = (1 - fraction) * fraction ** (length - 1.0)
    error = shares[:, 1:12].std(0) / 8**0.5
    assert ((shares[:, 1:12].mean(0) - expected).abs() < 5 * error).all()


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_single_phase_has_no_chord(value):
    assert chord_length_distribution(torch.full((1, 1, 5, 6), value)).eq(0).all()


def test_shifts_and_mirrors_change_nothing():
    images = binary_images((7, 8))
    shares = chord_length_distribution(images)
    torch.testing.assert_close(chord_length_distribution(images.roll((3, 2), (2, 3))), shares)
    torch.testing.assert_close(chord_length_distribution(images.flip(2)), shares)
    torch.testing.assert_close(chord_length_distribution(images.transpose(2, 3)), shares.flip(1))


def test_phases_of_many_channels_are_as_their_indicators():
    images = binary_images((6, 7), channels=3)
    alone = chord_length_distribution(images[:, 2:])
    torch.testing.assert_close(chord_length_distribution(images, phase=2), alone)


@pytest.mark.parametrize("periodic", [True, False])
def test_the_gradient_is_that_of_finite_differences(periodic):
    images = torch.rand(1, 1, 4, 5, dtype=torch.float64) * 0.8 + 0.1
    assert torch.autograd.gradcheck(
        lambda x: chord_length_distribution(x, periodic=periodic), images.requires_grad_()
    )


def test_numpy_is_answered_in_numpy():
    assert isinstance(chord_length_distribution(binary_images((6, 7)).numpy()), np.ndarray)
