"""Augmentation before the critic: what it does to images, and how strong it becomes."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from generative.gans.critic_augmentation import CriticAugmentation
from generative.gans.settings import AugmentConfig

IMAGE = torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(0)).round()
NEVER = 9.0  # a normal number whose uniform one is 1: above every chance


def augmentation(shape=(1, 16, 16), p=0.0, *, periodic=True, pairs=True, **settings):
    made = CriticAugmentation(AugmentConfig(**settings), shape, periodic=periodic, pairs=pairs)
    made.strength_.fill_(p)
    return made


def noise(n, size, seed=1):
    return torch.randn(n, size, generator=torch.Generator().manual_seed(seed))


def normal_of(chance):
    return torch.distributions.Normal(0.0, 1.0).icdf(torch.tensor(chance)).item()


def test_at_probability_zero_images_are_as_they_are():
    change = augmentation()
    images = torch.rand(50, 1, 16, 16)
    assert torch.equal(change(images, noise(50, change.noise_size)), images)


@pytest.mark.parametrize("shape", [(2, 16, 16), (2, 16, 20), (1, 8, 8, 6), (1, 8, 8, 8)])
def test_no_phase_changes_in_two_and_three_dimensions(shape):
    change = augmentation(shape, 0.8)
    images = torch.rand(40, *shape).round()
    changed = change(images, noise(40, change.noise_size))
    assert changed.shape == images.shape
    assert set(changed.unique().tolist()) == {0.0, 0.5, 1.0}
    assert ((changed != images).flatten(1).any(1)).double().mean() > 0.8


def test_periodic_changes_without_holes_keep_every_voxel():
    change = augmentation(p=0.8)
    numbers = noise(60, change.noise_size)
    numbers[:, -3] = NEVER
    changed = change(IMAGE.expand(60, -1, -1, -1), numbers)
    assert torch.equal(changed.sum((1, 2, 3)), IMAGE.sum().expand(60))
    assert len({row.numpy().tobytes() for row in changed}) > 40


def test_each_change_is_what_it_is_called():
    change = augmentation(p=0.8)
    numbers = torch.full((5, change.noise_size), NEVER)
    numbers[1, 0] = -9.0  # flipped along the first axis
    numbers[2, 2] = normal_of(0.8 * 0.6)  # the third quarter of its chance: two turns
    numbers[3, 3:6] = torch.tensor([-9.0, NEVER, -9.0])  # by an eighth forth, and back
    numbers[4, 6:] = torch.tensor([-9.0, 0.0, 0.0])
    same, flipped, turned, moved, holed = change(IMAGE.expand(5, -1, -1, -1), numbers)[:, 0]
    image = IMAGE[0, 0]
    assert torch.equal(same, image)
    assert torch.equal(flipped, image.flip(0))
    assert torch.equal(turned, image.rot90(2))
    assert torch.equal(moved, image.roll((-2, 2), (0, 1)))
    expected = image.clone()
    expected[4:12, 4:12] = 0.5
    assert torch.equal(holed, expected)


def test_images_that_are_not_periodic_are_mirrored_at_their_faces():
    change = augmentation(p=0.8, periodic=False)
    numbers = torch.full((1, change.noise_size), NEVER)
    numbers[0, 3:6] = torch.tensor([-9.0, NEVER, -9.0])
    (moved,) = change(IMAGE, numbers)[:, 0].numpy()
    mirrored = np.pad(IMAGE[0, 0].numpy(), 2, mode="reflect")
    np.testing.assert_array_equal(moved, mirrored[4:20, 0:16])


def test_gradients_pass_to_the_voxels_that_are_seen():
    change = augmentation(p=0.8)
    images = torch.rand(30, 1, 16, 16, requires_grad=True)
    numbers = noise(30, change.noise_size)
    numbers[:, -3] = NEVER
    (gradient,) = torch.autograd.grad(change(images, numbers).square().sum(), images)
    torch.testing.assert_close(gradient, 2 * images)


def test_changes_come_as_often_as_their_probability_says():
    change = augmentation(p=0.5)
    numbers = noise(2000, change.noise_size)
    numbers[:, 1:] = NEVER
    flipped = (change(IMAGE.expand(2000, -1, -1, -1), numbers) != IMAGE).flatten(1).any(1)
    assert float(flipped.double().mean()) == pytest.approx(0.25, abs=0.03)


def measured(change, real, made, unseen=None, steps=4):
    for step in range(steps):
        change.measure(real, made, unseen, step)
    return float(change.strength_)


def test_the_strength_rises_and_falls_at_its_pace_every_four_steps():
    known, made = torch.full((10,), 2.0), torch.full((10,), -2.0)
    change = augmentation(pace=400)
    assert measured(change, known, made, torch.full((5,), -1.5), steps=3) == 0
    assert measured(change, known, made, torch.full((5,), -1.5), steps=4) == pytest.approx(0.1)
    assert measured(change, known, made, torch.full((5,), 1.9)) == 0
    assert measured(change, known, made, torch.full((5,), -1.5), steps=80) == pytest.approx(0.8)


def test_validation_images_tell_how_much_is_known_by_heart():
    change = augmentation()
    for step in range(3):
        change.measure(torch.full((8,), 3.0), torch.full((8,), -1.0), torch.full((4,), 1.0), step)
    change.sums_ *= 4 / 3
    assert change.overfitting(validated=True) == pytest.approx((3 - 1) / (3 + 1))
    change.sums_.copy_(torch.tensor([1.0, 2.0, 0.0, 0.0]))  # made images have the better scores
    assert change.overfitting(validated=True) == 0


@pytest.mark.parametrize(("pairs", "rises"), [(True, False), (False, True)])
def test_without_them_signs_tell_and_under_pairs_only_differences_have_one(pairs, rises):
    """Scores all above 0, of real and made images alike: by themselves they seem overconfident."""
    scores = 5 + torch.tensor([-1.0, 1.0, -2.0, 2.0])
    strength = measured(augmentation(pairs=pairs), scores, scores)
    assert (strength > 0) == rises


def test_strength_and_what_is_remembered_are_kept():
    change = augmentation()
    assert change.state_dict().keys() == {"strength_", "sums_"}


@pytest.mark.parametrize("wrong", [{"largest": 0.9}, {"target": 1.0}, {"pace": 0}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ValidationError):
        AugmentConfig(**wrong)
