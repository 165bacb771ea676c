"""The ensemble test: its error rate on sets of one source, its power, and what it refuses."""

import pytest
import torch

from objectives.errors import EvaluationError
from objectives.fidelity import ensemble_test, shuffled_pixels
from objectives.fidelity.ensemble import _components, fewest_units

SEEDS = 20


def field(n, seed, length=2.0, side=16):
    """Thresholded smooth noise with features of about ``length`` voxels, (n, 1, side, side)."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(n, 1, side, side, generator=generator)
    k = torch.fft.fftfreq(side)
    smooth = torch.exp(-2 * (torch.pi * length) ** 2 * (k[:, None] ** 2 + k**2))
    return (torch.fft.ifft2(torch.fft.fft2(noise) * smooth).real > 0).float()


def magnified(images):
    """The middle quarter of each image, twice as large."""
    q = images.shape[-1] // 4
    middle = images[..., q : 3 * q, q : 3 * q]
    return middle.repeat_interleave(2, -1).repeat_interleave(2, -2)


def patches_of(parents, seed):
    """Four patches cut from each of some large fields, and their parents."""
    whole = field(parents, seed, length=6.0, side=32)
    quarters = torch.cat([whole[..., :16, :16], whole[..., 16:, :16], whole[..., :16, 16:]])
    return quarters, torch.arange(parents).repeat(3)


def rejections(p_values):
    return sum(p < 0.05 for p in p_values)


def test_sets_of_one_source_are_rejected_at_the_level_of_the_test():
    p = [
        ensemble_test(field(15, 2 * s), field(15, 2 * s + 1), permutations=99, seed=s).p_value
        for s in range(100)
    ]
    assert rejections(p) <= 11  # 5 expected; more than 11 in 1 % of runs
    assert 0.3 < sum(p) / len(p) < 0.7


def test_shuffled_pixels_of_the_same_source_are_rejected_every_time():
    for s in range(SEEDS):
        noise = shuffled_pixels(field(15, 2 * s + 1), seed=s)
        assert ensemble_test(field(15, 2 * s), noise, permutations=99, seed=s).p_value < 0.05


def test_a_magnified_copy_is_rejected_every_time():
    for s in range(SEEDS):
        copy = magnified(field(25, 2 * s + 1))
        assert ensemble_test(field(25, 2 * s), copy, permutations=99, seed=s).p_value < 0.05


def test_parents_keep_the_level_where_patches_alone_do_not():
    alone, grouped = [], []
    for s in range(SEEDS):
        (a, i), (b, j) = patches_of(8, 2 * s), patches_of(8, 2 * s + 1)
        alone.append(ensemble_test(a, b, permutations=99, seed=s).p_value)
        grouped.append(ensemble_test(a, b, parents=(i, j + 100), permutations=99, seed=s).p_value)
    assert rejections(grouped) <= 4  # 1 expected; more than 4 in 0.3 % of runs
    assert rejections(alone) >= rejections(grouped)


def test_volumes_and_three_phases_are_told_apart():
    generator = torch.Generator().manual_seed(0)
    labels = (torch.rand(12, 8, 8, 1, generator=generator) * 3).long().expand(12, 8, 8, 8)
    volumes = torch.nn.functional.one_hot(labels, 3).movedim(-1, 1).float()
    answer = ensemble_test(volumes[:6], shuffled_pixels(volumes[6:]), permutations=99)
    assert answer.p_value < 0.05
    assert answer.units == (6, 6)


def test_the_p_value_does_not_depend_on_which_set_comes_first():
    a, b = field(10, 0), field(10, 1, length=3.0)
    first, second = (ensemble_test(*sets, permutations=499) for sets in ((a, b), (b, a)))
    assert first.largest_z == pytest.approx(second.largest_z, rel=1e-4)
    assert first.t_squared == pytest.approx(second.t_squared, rel=1e-4)
    assert first.p_value == pytest.approx(second.p_value, abs=0.05)


def test_equal_sets_are_as_alike_as_can_be():
    images = field(6, 0)
    answer = ensemble_test(images, images, permutations=99)
    assert answer.p_value == 1.0
    assert answer.t_squared == pytest.approx(0.0, abs=1e-6)


def test_structures_that_never_vary_are_alike():
    answer = ensemble_test(torch.ones(5, 1, 8, 8), torch.ones(5, 1, 8, 8), permutations=99)
    assert (answer.p_value, answer.t_squared) == (1.0, 0.0)


def test_components_are_the_same_from_either_matrix():
    rows = torch.randn(30, 20, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    padded = torch.cat([rows, torch.zeros(30, 20, dtype=torch.float64)], dim=1)
    few, many = _components(rows), _components(padded)
    torch.testing.assert_close(few.abs(), many.abs())
    torch.testing.assert_close(few.T.cov(), torch.eye(10, dtype=torch.float64))


def test_a_seed_fixes_the_answer():
    a, b = field(10, 0), field(10, 1)
    assert ensemble_test(a, b, seed=3) == ensemble_test(a, b, seed=3)


def test_sets_too_small_to_ever_differ_are_refused():
    images = field(8, 0)
    few = fewest_units()
    ensemble_test(images[:few], images[few:], permutations=99)
    with pytest.raises(EvaluationError, match=f"Compare {few} or more"):
        ensemble_test(images[: few - 1], images[: few - 1])
    with pytest.raises(EvaluationError, match="10 permutations"):
        ensemble_test(images, images, permutations=10)


def test_a_parent_in_both_sets_is_refused():
    images = field(10, 0)
    ids = torch.arange(10)
    with pytest.raises(EvaluationError, match="share 10 parents"):
        ensemble_test(images, images, parents=(ids, ids))


def test_shuffled_pixels_keep_the_colours_of_each_image_and_voxel():
    image = torch.stack([torch.arange(16.0), torch.arange(16.0)]).reshape(1, 2, 4, 4) / 16
    shuffled = shuffled_pixels(image, seed=1)
    assert torch.equal(shuffled[0, 0], shuffled[0, 1])
    assert torch.equal(shuffled[0, 0].flatten().sort().values, image[0, 0].flatten())
    assert not torch.equal(shuffled, image)
