"""Whitened coordinates: mean 0, covariance I, principal axes, and the way back."""

import pytest
import torch

from latentopt.space.whitening import SMALLEST_VARIANCE, Whitening


def draw(n, d, seed=0):
    """Correlated codes, of very different widths, away from the origin."""
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(d, d, generator=generator, dtype=torch.float64)
    widths = torch.logspace(0, -2, d, dtype=torch.float64)
    return 3 + torch.randn(n, d, generator=generator, dtype=torch.float64) @ mixing * widths


def test_the_codes_it_is_fitted_to_get_mean_0_and_covariance_1():
    codes = draw(200, 6)
    z = Whitening.fit(codes).to_z(codes)
    torch.testing.assert_close(z.mean(0), torch.zeros(6).double(), rtol=0, atol=1e-8)
    torch.testing.assert_close(z.T @ z / 200, torch.eye(6).double(), rtol=0, atol=1e-8)


def test_the_way_back_is_the_inverse_up_to_float32():
    codes = draw(50, 6)
    whitening = Whitening.fit(codes)
    torch.testing.assert_close(whitening.to_code(whitening.to_z(codes)), codes.float())


def test_axes_are_orthonormal_with_the_widest_first():
    whitening = Whitening.fit(draw(200, 6))
    eye = torch.eye(6, dtype=torch.float64)
    torch.testing.assert_close(whitening.axes @ whitening.axes.T, eye)
    assert (whitening.spread.diff() <= 0).all()


def test_the_first_axis_is_the_direction_of_a_stretched_set():
    t = torch.linspace(-1, 1, 101, dtype=torch.float64)[:, None]
    across = 0.01 * torch.sin(40 * t)
    codes = t * torch.tensor([[0.6, 0.8]]).double() + across * torch.tensor([[-0.8, 0.6]]).double()
    whitening = Whitening.fit(codes)
    torch.testing.assert_close(
        whitening.axes[0], torch.tensor([0.6, 0.8]).double(), atol=1e-2, rtol=0
    )
    assert float(whitening.spread[0]) == pytest.approx(float(t.std(correction=0)), rel=1e-3)


def test_the_largest_part_of_each_axis_is_positive_whatever_the_order_of_the_codes():
    codes = draw(100, 5)
    whitening, turned = Whitening.fit(codes), Whitening.fit(codes.flip(0))
    assert (whitening.axes.gather(1, whitening.axes.abs().argmax(1, keepdim=True)) > 0).all()
    torch.testing.assert_close(whitening.axes, turned.axes, rtol=0, atol=1e-8)


def test_a_direction_without_variance_is_not_blown_up():
    codes = draw(100, 4)
    codes[:, 2] = 1.0
    whitening = Whitening.fit(codes)
    least = SMALLEST_VARIANCE**0.5 * whitening.spread[0]
    assert float(whitening.spread[-1]) == pytest.approx(float(least))
    z = whitening.to_z(codes)
    assert torch.isfinite(z).all()
    assert z[:, -1].abs().max() < 1e-6


def test_the_identity_changes_nothing():
    z = draw(3, 4)
    whitening = Whitening.identity(4)
    assert torch.equal(whitening.to_z(z), z)
    assert torch.equal(whitening.to_code(z), z.float())


def test_z_is_float64_and_code_float32():
    whitening = Whitening.fit(draw(20, 3))
    assert whitening.to_z(torch.rand(2, 3)).dtype == torch.float64
    assert whitening.to_code(torch.rand(2, 3).double()).dtype == torch.float32


def test_one_code_is_refused():
    with pytest.raises(ValueError, match="at least 2 codes, got 1"):
        Whitening.fit(draw(1, 3))


@pytest.mark.parametrize("n", [2, 5, 7, 100])
def test_codes_that_differ_by_rounding_alone_are_refused(n):
    with pytest.raises(ValueError, match=r"all codes are the same.*Check that the images differ"):
        Whitening.fit(torch.full((n, 3), 0.1) * (1 + 1e-7 * draw(n, 3)))
