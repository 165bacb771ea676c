"""Curves over contrasts against the solver, dense matrices, bounds and finite differences."""

import cmath
import math

import numpy as np
import pytest
import torch

from objectives.errors import ConvergenceError, EvaluationError
from objectives.grid import Grid
from objectives.homogenize import effective_conductivity
from objectives.homogenize.schemes import conduction_scheme, make_corner_scheme
from objectives.spectral import effective_spectrum, spectral_function

SPACES = [(16, 15), (7, 6, 8)]
FREQUENCIES = torch.linspace(0.2, 1, 9, dtype=torch.float64)
DRUDE = 1 - 1 / (FREQUENCIES * (FREQUENCIES + 0.15j))


def random_images(n, *space, seed=0, grey=False):
    x = torch.rand(n, 1, *space, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return 0.1 + 0.8 * x if grey else (x > 0.5).double()


@pytest.mark.parametrize("contrast", [0.1, 10, 100])
@pytest.mark.parametrize("scheme", ["rot", "q1"])
@pytest.mark.parametrize("space", SPACES)
def test_at_a_real_contrast_it_is_the_solver_s_value(space, scheme, contrast):
    x = random_images(3, *space, grey=True)
    found = effective_spectrum(x, (2.0, [2.0, 2.0 * contrast]), scheme=scheme, tol=1e-9)
    solved = effective_conductivity(x, (2, 2 * contrast), scheme=scheme, tol=1e-8)
    diagonal = solved.diagonal(dim1=1, dim2=2)
    torch.testing.assert_close(found.values[..., 1].real, diagonal, rtol=1e-9, atol=0)
    torch.testing.assert_close(found.values[..., 0].real, torch.full_like(diagonal, 2))
    assert found.values.imag.abs().max() == 0
    assert found.error.max() <= 1e-9


@pytest.mark.parametrize("grid", [Grid((2.0, 1.0)), Grid((1.0, 3.0), periodic=False)])
def test_boxes_and_open_images_have_the_solver_s_value(grid):
    x = random_images(2, 9, 8)
    found = effective_spectrum(x, (1, 10), grid=grid, tol=1e-9)
    solved = effective_conductivity(x, (1, 10), grid=grid, tol=1e-8)
    torch.testing.assert_close(
        found.values[..., 0].real, solved.diagonal(dim1=1, dim2=2), rtol=1e-9, atol=0
    )
    assert found.boundary == ("periodic" if grid.periodic else "mirrored")


def dense(x, contrasts):
    """Values along each axis by a dense complex matrix, from the scheme's own operator."""
    dim, space = x.ndim - 2, tuple(x.shape[2:])
    scheme = make_corner_scheme(conduction_scheme(dim), (1.0,) * dim)
    voxels = math.prod(space)
    waves = torch.eye(voxels, dtype=torch.float64).reshape(voxels, 1, *space)

    def matrix(chi):
        weighted = scheme.weighted(chi.expand(voxels, *space)[:, None])
        return scheme.apply(weighted, waves).reshape(voxels, voxels)

    whole, part = matrix(torch.ones(space).double()), matrix(x[0, 0])
    load = scheme.remainder(scheme.weighted(x), scheme.zeros(1, space, x.device))[0].flatten(1)
    values = []
    for h in contrasts:
        u = torch.linalg.pinv(whole + (h - 1) * part) @ load.T.to(torch.complex128)
        energy = torch.einsum("lv,vl->l", load.to(u.dtype), u) / voxels
        values.append(1 + (h - 1) * x.mean() - (h - 1) ** 2 * energy)
    return torch.stack(values, 1)


@pytest.mark.parametrize("space", [(5, 6), (3, 4, 3)])
def test_at_complex_contrasts_it_is_the_value_of_a_dense_matrix(space):
    x = random_images(1, *space, grey=True)
    found = effective_spectrum(x, (1.0, DRUDE), tol=1e-11).values[0]
    torch.testing.assert_close(found, dense(x, DRUDE), rtol=1e-9, atol=1e-9)


def test_properties_may_be_those_of_either_phase():
    x = random_images(1, 9, 8)
    one = effective_spectrum(x, (DRUDE, 2.0), tol=1e-9)
    other = effective_spectrum(1 - x, (2.0, DRUDE), tol=1e-9)
    torch.testing.assert_close(one.values, other.values, rtol=1e-8, atol=0)
    conjugate = effective_spectrum(x, (DRUDE.conj(), 2.0), tol=1e-9)
    torch.testing.assert_close(conjugate.values, one.values.conj(), rtol=1e-8, atol=0)


def weighted_sum(x, **options):
    """A real function of all values of a curve."""
    values = effective_spectrum(x, (1.5, DRUDE), tol=1e-12, **options).values
    factors = torch.linspace(1, 2, values[0].numel()).reshape(values.shape[1:])
    return (factors * values.imag).sum() + values.real.sin().sum() + (values.abs() ** 2).sum()


@pytest.mark.parametrize("options", [{}, {"axes": ("x",)}, {"scheme": "q1"}])
@pytest.mark.parametrize("space", [(9, 8), (5, 4, 6)])
def test_the_gradient_is_that_of_finite_differences(space, options):
    x = random_images(2, *space, grey=True).requires_grad_()
    (slope,) = torch.autograd.grad(weighted_sum(x, **options), x)
    direction = torch.randn(x.shape, generator=torch.Generator().manual_seed(1)).double()
    step = 1e-5 * direction
    with torch.no_grad():
        ahead, behind = (weighted_sum(x + sign * step, **options) for sign in (1, -1))
    assert float((slope * direction).sum()) == pytest.approx(
        float((ahead - behind) / 2e-5), rel=1e-6
    )


def test_the_gradient_is_that_of_the_solver():
    x = random_images(2, 16, 16, grey=True).requires_grad_()
    axes = torch.arange(2)
    found = effective_spectrum(x, (1.0, 20.0), tol=1e-12).values[..., 0].real.sum()
    solved = effective_conductivity(x, (1, 20), tol=1e-8)[:, axes, axes].sum()
    slopes = [torch.autograd.grad(value, x)[0] for value in (found, solved)]
    torch.testing.assert_close(*slopes, rtol=1e-4, atol=1e-5)


def test_structures_leave_the_batch_at_their_own_step():
    x = torch.cat([random_images(2, 12, 12), torch.zeros(1, 1, 12, 12).double()])
    x[2, :, :4] = 1
    together = effective_spectrum(x, (1.0, DRUDE), tol=1e-3)
    assert len(set(together.steps.tolist())) > 1
    for row in range(3):
        alone = effective_spectrum(x[row : row + 1], (1.0, DRUDE), tol=1e-3)
        assert alone.steps == together.steps[row]
        torch.testing.assert_close(alone.values[0], together.values[row], rtol=1e-12, atol=1e-12)
    slopes = []
    for images in (x, x[:1]):
        images = images.clone().requires_grad_()
        effective_spectrum(images, (1.0, DRUDE), tol=1e-3).values[0].imag.sum().backward()
        slopes.append(images.grad[0])
    torch.testing.assert_close(*slopes, rtol=1e-10, atol=1e-12)


def place_in_lens(value, ends, on_one, on_other):
    """0 on one arc and 1 on the other of a lens; a circle through `ends` and each point, of which
    the lens has the rest.
    """

    def turned(point):
        return (point - ends[0]) / (point - ends[1])

    return cmath.phase(-turned(value) / turned(on_one)) / cmath.phase(
        turned(on_other) / turned(on_one)
    )


@pytest.mark.parametrize("h", [-3 + 1j, 2 + 5j, -0.2 + 0.05j])
@pytest.mark.parametrize("space", SPACES)
def test_complex_values_are_in_the_lens_of_wiener(space, h):
    """Bergman 1980, Milton 1980: arcs through both means and through either phase."""
    x = random_images(4, *space)
    values = effective_spectrum(x, (1.0, h)).values[..., 0]
    for row, f in enumerate(x.flatten(1).mean(1).tolist()):
        means = f * h + 1 - f, 1 / (f / h + 1 - f)
        for value in values[row].tolist():
            assert 0 < place_in_lens(value, means, 1, h) < 1


@pytest.mark.parametrize("h", [-3 + 1j, 2 + 5j])
def test_isotropic_values_are_in_the_lens_of_milton(h):
    """Arcs through both coated cylinders and either mean; an odd grid has exact moments."""
    quarter = random_images(3, 8, 8)
    quarter = torch.maximum(quarter, quarter.mT)  # a square's symmetry, so isotropic
    x = torch.cat([quarter, quarter[..., :-1].flip(3)], 3)
    x = torch.cat([x, x[:, :, :-1].flip(2)], 2)
    values = effective_spectrum(x, (1.0, h)).values[..., 0]
    torch.testing.assert_close(values[:, 0], values[:, 1])
    for value, f in zip(values[:, 0].tolist(), x.flatten(1).mean(1).tolist(), strict=True):
        means = f * h + 1 - f, 1 / (f / h + 1 - f)
        coated = 1 + 2 * f * (h - 1) / (2 + (1 - f) * (h - 1))
        other = h + 2 * (1 - f) * h * (1 - h) / (2 * h + f * (1 - h))
        assert 0 < place_in_lens(value, (coated, other), *means) < 1


def test_real_values_are_between_the_means():
    x = random_images(4, 16, 16)
    values = effective_spectrum(x, (1.0, [0.1, 10.0])).values.real
    f = x.flatten(1).mean(1)[:, None, None]
    h = torch.tensor([0.1, 10.0]).double()
    assert (values < f * h + 1 - f).all()
    assert (values > 1 / (f / h + 1 - f)).all()


def test_it_is_what_its_spectral_function_says():
    x = random_images(2, 10, 9)
    found = effective_spectrum(x, (1.0, DRUDE), tol=1e-10, axes=("x",))
    function = spectral_function(x, steps=80, axes=("x",))
    torch.testing.assert_close(found.values, function.effective(DRUDE), rtol=1e-9, atol=0)
    s = (1 / (1 - DRUDE))[:, None, None, None]
    sums = 1 - (function.weights / (s - function.poles)).sum(3)
    torch.testing.assert_close(found.values, sums.movedim(0, 2), rtol=1e-8, atol=0)


def test_numpy_is_answered_in_numpy():
    found = effective_spectrum(random_images(1, 6, 6).float().numpy(), (1, DRUDE.numpy()))
    assert isinstance(found.values, np.ndarray)
    assert found.values.dtype == complex
    assert found.values.shape == (1, 2, 9)


def test_no_images_have_no_curves():
    found = effective_spectrum(torch.zeros(0, 1, 4, 4), (1, DRUDE))
    assert found.values.shape == (0, 2, 9)


def test_too_few_steps_name_the_sample_and_the_contrast():
    with pytest.raises(ConvergenceError, match=r"sample 0 .* in 8 steps: at contrast .*max_steps"):
        effective_spectrum(random_images(1, 32, 32), (1.0, -2 + 1e-3j), max_steps=8)


@pytest.mark.parametrize(
    ("properties", "said"),
    [
        ((1.0, [2.0, -3.0]), "got -3 at point 1: there a structure without loss"),
        ((-1.0, 2.0), "Add loss to a phase"),
        ((-1 + 1j, 2 - 2j), "imaginary parts of one sign"),
        ((1.0, 0.0), r"properties\[1\] should be finite and not 0"),
        ((1.0, [2.0, math.nan]), r"properties\[1\] should be finite and not 0, got nan at point 1"),
        ((1.0, 1e11), "from 1e-10 to 1e\\+10 in size, got 1e\\+11 at point 0"),
        ((1.0, 2.0, 3.0), "properties should be two"),
        (([1.0, 2.0], [1.0, 2.0, 3.0]), "of one length, got 2 and 3"),
        ((1.0, [[2.0]]), r"have shape \(c,\)"),
    ],
)
def test_properties_that_have_no_contrast_are_refused(properties, said):
    with pytest.raises(ValueError, match=said):
        effective_spectrum(torch.zeros(1, 1, 4, 4), properties)


def test_text_is_no_property_and_no_contrast_is_none():
    with pytest.raises(TypeError, match="should be numbers"):
        effective_spectrum(torch.zeros(1, 1, 4, 4), (1.0, "silver"))
    with pytest.raises(ValueError, match="got none"):
        spectral_function(torch.zeros(1, 1, 4, 4)).effective([])


@pytest.mark.parametrize(
    ("settings", "said"), [({"tol": 0.0}, "tol should be"), ({"max_steps": 0}, "max_steps should")]
)
def test_settings_that_end_no_run_are_refused(settings, said):
    with pytest.raises(ValueError, match=said):
        effective_spectrum(torch.zeros(1, 1, 4, 4), (1, 2), **settings)


def test_images_of_three_phases_are_refused():
    with pytest.raises(EvaluationError, match="Add up channels to two phases"):
        effective_spectrum(torch.full((1, 3, 4, 4), 1 / 3), (1.0, 2.0))
