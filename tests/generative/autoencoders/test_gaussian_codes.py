"""Draws with the mean and covariance of codes."""

import pytest
import torch

from generative.autoencoders.gaussian_codes import gaussian_codes


def test_draws_have_the_mean_and_covariance_of_the_codes():
    generator = torch.Generator().manual_seed(1)
    mixed = torch.randn(500, 3, generator=generator) ** 3 @ torch.randn(3, 3, generator=generator)
    codes = mixed + torch.tensor([5.0, 0.0, -2.0])
    draws = gaussian_codes(codes, 40_000)
    scale = codes.std(0)
    torch.testing.assert_close(draws.mean(0) / scale, codes.mean(0) / scale, atol=0.02, rtol=0)
    torch.testing.assert_close(draws.T.corrcoef(), codes.T.corrcoef(), atol=0.02, rtol=0)
    torch.testing.assert_close(draws.std(0), scale, rtol=0.02, atol=0)
    kurtosis = ((draws - draws.mean(0)) / draws.std(0)).pow(4).mean(0)
    torch.testing.assert_close(kurtosis, torch.full((3,), 3.0), atol=0.15, rtol=0)


def test_codes_in_a_plane_are_drawn_in_it():
    codes = torch.tensor([[0.0, 0.0], [1.0, 1.0], [3.0, 3.0]])
    draws = gaussian_codes(codes, 50)
    assert float((draws[:, 0] - draws[:, 1]).abs().max()) == pytest.approx(0, abs=1e-6)


def test_the_seed_fixes_the_draws():
    codes = torch.arange(12.0).reshape(6, 2)
    assert torch.equal(gaussian_codes(codes, 5, seed=3), gaussian_codes(codes, 5, seed=3))
    assert not torch.equal(gaussian_codes(codes, 5, seed=3), gaussian_codes(codes, 5, seed=4))
