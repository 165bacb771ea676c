"""Bounds against closed forms, against each other and against what the solver finds."""

import pytest
import torch

from objectives.homogenize import (
    conductivity_bounds,
    effective_conductivity,
    effective_stiffness,
    hashin_shtrikman_conductivity,
    hashin_shtrikman_moduli,
    phase_fractions,
    stiffness_bounds,
)
from objectives.homogenize.stiffness import lame_parameters


def some_fractions(n, phases, seed=0):
    return torch.rand(n, phases, generator=torch.Generator().manual_seed(seed)).double().softmax(1)


def inclusion(*space):
    """A centred block: symmetric, so that its effective conductivity is isotropic."""
    images = torch.zeros(1, 1, *space)
    images[(0, 0, *[slice(size // 4, size - size // 4) for size in space])] = 1
    return images


def test_fractions_are_those_of_the_phases():
    images = torch.rand(2, 3, 4, 5).softmax(1)
    torch.testing.assert_close(phase_fractions(images), images.double().mean((2, 3)))
    two = phase_fractions(images[:, :1])
    torch.testing.assert_close(two.sum(1), torch.ones(2).double())


@pytest.mark.parametrize("dim", [2, 3])
def test_conduction_has_the_two_phase_form_of_hashin_and_shtrikman(dim):
    """k1 + f2 / (1 / (k2 - k1) + f1 / (d k1)), and the same with the phases exchanged."""
    fractions = torch.tensor([[0.7, 0.3]]).double()
    lower, upper = hashin_shtrikman_conductivity(fractions, (1, 10), dim)
    assert lower.item() == pytest.approx(1 + 0.3 / (1 / 9 + 0.7 / dim))
    assert upper.item() == pytest.approx(10 + 0.7 / (-1 / 9 + 0.3 / (dim * 10)))


def test_conduction_in_the_plane_obeys_duality():
    """Upper bound times lower bound of the exchanged phases is k1 k2 (Keller)."""
    fractions = some_fractions(5, 2)
    _, upper = hashin_shtrikman_conductivity(fractions, (2, 7), 2)
    lower, _ = hashin_shtrikman_conductivity(fractions, (7, 2), 2)
    torch.testing.assert_close(upper * lower, torch.full_like(upper, 14.0))


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("smallest", [0.0, 0.5])
def test_hashin_shtrikman_lies_between_reuss_and_voigt(dim, smallest):
    fractions = some_fractions(20, 3)
    k = (smallest, 4.0, 9.0)
    reuss, voigt = conductivity_bounds(fractions, k)
    lower, upper = hashin_shtrikman_conductivity(fractions, k, dim)
    assert ((reuss <= lower) & (lower < upper) & (upper < voigt)).all()
    poisson = (0.4, 0.1, -0.2)
    reuss, voigt = stiffness_bounds(fractions, k, poisson, dim=dim)
    bulk, shear = hashin_shtrikman_moduli(fractions, k, poisson, dim=dim)
    for bounds, of in (
        (bulk, lambda c: c[:, :dim, :dim].sum((1, 2)) / dim**2),
        (shear, lambda c: c[:, -1, -1]),
    ):
        assert (of(reuss) <= bounds.lower + 1e-12).all()
        assert (bounds.lower < bounds.upper).all()
        assert (bounds.upper < of(voigt)).all()


@pytest.mark.parametrize("dim", [2, 3])
def test_one_phase_alone_is_its_own_bound(dim):
    fractions = torch.tensor([[0.0, 1.0]]).double()
    for low in (0.0, 1.0):
        bulk, shear = hashin_shtrikman_moduli(fractions, (low, 5.0), (0.1, 0.3), dim=dim)
        first, second = lame_parameters(5.0, 0.3)
        torch.testing.assert_close(
            torch.stack(bulk), torch.full((2, 1), first + 2 * second / dim).double()
        )
        torch.testing.assert_close(torch.stack(shear), torch.full((2, 1), second).double())
        for bound in hashin_shtrikman_conductivity(fractions, (low, 5.0), dim):
            assert bound.item() == pytest.approx(5.0)


@pytest.mark.parametrize("dim", [2, 3])
def test_spheres_and_disks_of_hashin_attain_the_bulk_bound(dim):
    """K1 + f2 / (1 / (K2 - K1) + f1 / (K1 + s G1)), s = 4/3 in space and 1 in the plane."""
    fractions = torch.tensor([[0.6, 0.4]]).double()
    bulk, _ = hashin_shtrikman_moduli(fractions, (1, 10), (0.3, 0.2), dim=dim)
    (l1, g1), (l2, g2) = lame_parameters(1, 0.3), lame_parameters(10, 0.2)
    k1, k2 = l1 + 2 * g1 / dim, l2 + 2 * g2 / dim
    s = 4 / 3 if dim == 3 else 1
    assert bulk.lower.item() == pytest.approx(k1 + 0.4 / (1 / (k2 - k1) + 0.6 / (k1 + s * g1)))


@pytest.mark.parametrize("space", [(13, 11), (7, 7, 9)])
def test_one_shear_modulus_throughout_leaves_the_bulk_bounds_no_gap(space):
    """Then any structure has the bulk modulus of the bounds (Hill 1963)."""
    images = torch.rand(2, 1, *space, generator=torch.Generator().manual_seed(0)).round()
    poisson, dim = (0.0, 0.4), len(space)
    young = [2 * (1 + ratio) for ratio in poisson]
    bulk, shear = hashin_shtrikman_moduli(phase_fractions(images), young, poisson, dim=dim)
    stiffness = effective_stiffness(images, young, poisson, scheme="rot", tol=1e-8)
    expected = stiffness[:, :dim, :dim].sum((1, 2)) / dim**2
    for bounds, value in ((bulk, expected), (shear, stiffness[:, -1, -1])):
        torch.testing.assert_close(bounds.lower, value)
        torch.testing.assert_close(bounds.upper, value)


@pytest.mark.parametrize("space", [(16, 16), (8, 8, 8)])
@pytest.mark.parametrize("phases", [(1.0, 10.0), (10.0, 1.0), (0.0, 1.0)])
def test_a_block_in_a_matrix_conducts_within_the_bounds(space, phases):
    images = inclusion(*space)
    tensor = effective_conductivity(images, phases)[0]
    lower, upper = hashin_shtrikman_conductivity(phase_fractions(images), phases, len(space))
    assert lower.item() <= tensor[0, 0].item() <= upper.item()
    reuss, voigt = conductivity_bounds(phase_fractions(images), phases)
    assert reuss <= lower
    assert upper <= voigt
