"""Principal components: exact where that is possible, optimal where it is not."""

import numpy as np
import pytest
import torch

from generative import PCA


def low_rank(n, rank, seed=0):
    """Images of an affine family with ``rank`` directions, well inside [0, 1]."""
    rng = np.random.default_rng(seed)
    directions = rng.standard_normal((rank, 64)) / 8
    weights = rng.uniform(-1, 1, (n, rank))
    rows = 0.5 + 0.3 * weights @ directions / np.sqrt(rank)
    return torch.from_numpy(rows.reshape(n, 1, 8, 8)).float()


def noise(n, seed=0):
    return torch.from_numpy(
        np.random.default_rng(seed).uniform(0.4, 0.6, (n, 1, 8, 8)).astype(np.float32)
    )


def test_images_with_as_many_directions_as_components_come_back_exactly():
    images = low_rank(40, rank=5)
    model = PCA((1, 8, 8), components=5).fit(images[:30])
    torch.testing.assert_close(model.decode(model.encode(images)), images, rtol=0, atol=1e-5)


def test_the_error_is_the_sum_of_the_discarded_eigenvalues():
    images = noise(300)
    model = PCA((1, 8, 8), components=10).fit(images)
    error = (model.decode(model.encode(images)) - images).double().pow(2).sum((1, 2, 3)).mean()
    rows = images.double().flatten(1)
    eigenvalues = torch.linalg.eigvalsh((rows - rows.mean(0)).T @ (rows - rows.mean(0)) / 300)
    assert float(error) == pytest.approx(float(eigenvalues[:-10].sum()), rel=0.01)


def test_all_components_lose_nothing():
    images = noise(100)
    model = PCA((1, 8, 8), components=64).fit(images)
    torch.testing.assert_close(model.decode(model.encode(images)), images, rtol=0, atol=1e-5)


def test_components_are_orthonormal_and_codes_uncorrelated_with_mean_zero():
    images = low_rank(200, rank=6)
    model = PCA((1, 8, 8), components=4).fit(images)
    torch.testing.assert_close(
        model.components_ @ model.components_.T, torch.eye(4), rtol=0, atol=1e-5
    )
    codes = model.encode(images)
    torch.testing.assert_close(codes.mean(0), torch.zeros(4), rtol=0, atol=1e-5)
    correlation = torch.corrcoef(codes.T)
    torch.testing.assert_close(correlation, torch.eye(4), rtol=0, atol=1e-3)


def test_the_same_seed_gives_the_same_components_and_no_global_draw_is_made():
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    first, second = (PCA((1, 8, 8), components=4).fit(noise(50), seed=3) for _ in range(2))
    assert torch.equal(first.components_, second.components_)
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002


def test_volumes_of_several_channels_are_flattened_and_restored():
    images = torch.rand(20, 2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    model = PCA((2, 3, 4, 5), components=3).fit(images)
    assert model.decode(model.encode(images)).shape == images.shape


def test_fewer_images_than_components_are_refused_with_both_numbers():
    with pytest.raises(ValueError, match=r"64 components need at least 64 images, got 40\. Ask"):
        PCA((1, 8, 8)).fit(noise(40))


@pytest.mark.parametrize("components", [0, 65])
def test_a_number_of_components_that_cannot_be_is_refused(components):
    with pytest.raises(ValueError, match=f"between 1 and the 64 voxels.*got {components}"):
        PCA((1, 8, 8), components=components)


def test_images_of_another_shape_are_refused_by_fit():
    with pytest.raises(ValueError, match=r"\(n, 1, 8, 8\), got \(9, 1, 4, 16\)"):
        PCA((1, 8, 8), components=4).fit(torch.rand(9, 1, 4, 16))
