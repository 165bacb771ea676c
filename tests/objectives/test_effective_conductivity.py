"""Effective conductivity against closed forms, published series and its own symmetries."""

import math

import numpy as np
import pytest
import torch

from objectives.effective_conductivity import EffectiveConductivity
from objectives.errors import ConvergenceError
from objectives.homogenize import effective_conductivity, effective_stiffness

SCHEMES = ["q1", "rot", "fv"]


def random_images(n, *space, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(n, 1, *space, generator=generator) > 0.5).float()


def smooth_images(n, *space):
    """Two phases with features of about three voxels: white noise, blurred and halved."""
    axes = tuple(range(2, 2 + len(space)))
    waves = torch.meshgrid(
        *[2 * math.pi * torch.fft.fftfreq(size) for size in space], indexing="ij"
    )
    blur = torch.exp(-sum(wave**2 for wave in waves) * 3**2 / 8)
    noise = torch.randn(n, 1, *space, generator=torch.Generator().manual_seed(0))
    field = torch.fft.ifftn(torch.fft.fftn(noise, dim=axes) * blur, dim=axes).real
    return (field > 0).float()


def grey_images(n, *space):
    generator = torch.Generator().manual_seed(0)
    return 0.1 + 0.8 * torch.rand(n, 1, *space, generator=generator, dtype=torch.float64)


def ball(size, dim, fraction):
    """Disk or sphere in the middle of the cell, of the given area or volume fraction."""
    radius = (
        math.sqrt(fraction / math.pi) if dim == 2 else (3 * fraction / (4 * math.pi)) ** (1 / 3)
    )
    axis = (torch.arange(size) + 0.5) / size - 0.5
    squares = sum(grid**2 for grid in torch.meshgrid(*[axis] * dim, indexing="ij"))
    return (squares <= radius**2).float()[None, None]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("space", [(8, 6), (8, 5, 4), (16, 1, 1)])
def test_layers_conduct_in_series_across_and_in_parallel_along(space, scheme):
    images = torch.zeros(1, 1, *space)
    images[:, :, : 3 * space[0] // 8] = 1  # k = 10 in .375 of the volume, else 1
    tensor = effective_conductivity(images, (1, 10), scheme=scheme, tol=1e-8)[0]
    expected = [1 / (0.375 / 10 + 0.625)] + [0.375 * 10 + 0.625] * (len(space) - 1)
    expected = torch.diag(torch.tensor(expected, dtype=torch.float64))
    torch.testing.assert_close(tensor, expected, rtol=1e-8, atol=1e-8)


def test_layers_across_the_last_axis_are_in_series_along_x():
    images = torch.tensor([0.0, 0.0, 1.0]).expand(1, 1, 4, 5, 3)
    values = EffectiveConductivity(conductivity=(1, 4), dim=3, tol=1e-8)(images)
    assert values["k_xx"].item() == pytest.approx(1 / (2 / 3 + 1 / 12), rel=1e-8)
    assert values["k_yy"].item() == pytest.approx(2, rel=1e-8)
    assert values["k_zz"].item() == pytest.approx(2, rel=1e-8)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("value", [0.0, 0.25, 1.0])
def test_a_homogeneous_image_has_its_own_conductivity(value, scheme):
    tensor = effective_conductivity(torch.full((1, 1, 4, 6), value), (1, 5), scheme=scheme)[0]
    torch.testing.assert_close(tensor, (1 + 4 * value) * torch.eye(2, dtype=torch.float64))


def test_a_homogeneous_image_but_for_rounding_converges():
    images = 0.5 + 1e-15 * torch.rand(2, 1, 9, 9, dtype=torch.float64)
    tensor = effective_conductivity(images, (1, 5), tol=1e-8)
    torch.testing.assert_close(tensor, 3 * torch.eye(2).double().expand(2, 2, 2))


def test_keller_duality_holds_to_rounding_on_odd_grids():
    """K(k1, k2) = k1 k2 R K(k2, k1)^-1 R^T, R a quarter turn (Keller 1964, Mendelson 1975)."""
    images = random_images(4, 31, 31)
    tensor = effective_conductivity(images, (1, 20), tol=1e-9)
    exchanged = effective_conductivity(images, (20, 1), tol=1e-9)
    turn = torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=torch.float64)
    torch.testing.assert_close(
        tensor, 20 * turn @ torch.linalg.inv(exchanged) @ turn.T, rtol=1e-8, atol=1e-8
    )


def test_a_checkerboard_has_the_geometric_mean():
    """Dykhne 1970: exact; the error at the corners limits the contrast to about 10."""
    images = torch.zeros(1, 1, 32, 32)
    images[..., :16, :16] = images[..., 16:, 16:] = 1
    tensor = effective_conductivity(images, (1, 10))[0]
    torch.testing.assert_close(tensor, 10**0.5 * torch.eye(2).double(), rtol=0.01, atol=1e-6)


@pytest.mark.parametrize(
    ("phases", "along_rows", "along_columns", "error"),
    [
        ((1, 2, 5, 10), 4.136557881996952, 2.4174688920761414, 1e-5),
        ((1, 10, 2, 3), 2.515407069894002, 2.8822372675868766, 1e-2),
        ((1, 5, 1, 20), 2.886751345948129, 2.8867513459481287, 2e-2),
    ],
)
def test_four_squares_have_the_value_of_mortola_and_steffe(
    phases, along_rows, along_columns, error
):
    """Rows [[s1, s2], [s4, s3]]; proved by Craster & Obnosov 2001 and Milton 2001."""
    quarter = torch.tensor([[0, 1], [3, 2]]).repeat_interleave(32, 0).repeat_interleave(32, 1)
    images = torch.nn.functional.one_hot(quarter, 4).movedim(-1, 0)[None].float()
    tensor = effective_conductivity(images, phases)[0]
    assert tensor[1, 1].item() == pytest.approx(along_rows, rel=error)
    assert tensor[0, 0].item() == pytest.approx(along_columns, rel=error)


@pytest.mark.parametrize(
    ("fraction", "k", "expected", "error"),
    [
        (0.1, 10, 1.1782217956249892, 0.005),
        (0.3, 10, 1.652036011082147, 0.005),
        (0.5, 10, 2.4154673801872373, 0.005),
        (0.5, 0.1, 0.4139985529104864, 0.005),
        (0.5, 100, 2.994767738963665, 0.01),
        (0.3, 0.0, 0.5375799839700659, 0.01),
        (0.5, 0.0, 0.3246544723516389, 0.01),
    ],
)
def test_a_square_array_of_cylinders_has_the_value_of_perrins(fraction, k, expected, error):
    """Multipole method of Perrins, McKenzie & McPhedran 1979, solved to ten digits."""
    tensor = effective_conductivity(ball(129, 2, fraction), (1, k))[0]
    torch.testing.assert_close(tensor, expected * torch.eye(2).double(), rtol=error, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fraction", "k", "expected"),
    [(0.2, 10, 1.5317235244646885), (0.4, 10, 2.3622624553463853), (0.3, 0.0, 0.6056696140559088)],
)
@pytest.mark.parametrize(("scheme", "error"), [(None, 0.02), ("fv", 0.015)])
def test_a_cubic_array_of_spheres_has_the_value_of_sangani(fraction, k, expected, scheme, error):
    """Series of Sangani & Acrivos 1983, Proc. R. Soc. A 386, 263."""
    tensor = effective_conductivity(ball(51, 3, fraction), (1, k), scheme=scheme)[0]
    torch.testing.assert_close(tensor, expected * torch.eye(3).double(), rtol=error, atol=1e-6)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("space", [(9, 12), (6, 5, 7)])
def test_the_tensor_is_symmetric_and_between_series_and_parallel(space, scheme):
    images = random_images(3, *space)
    tensor = effective_conductivity(images, (1, 20), scheme=scheme)
    torch.testing.assert_close(tensor, tensor.mT)
    fraction = images.double().flatten(1).mean(1)
    eigenvalues = torch.linalg.eigvalsh(tensor)
    assert (eigenvalues >= 1 / (fraction / 20 + 1 - fraction)[:, None]).all()
    assert (eigenvalues <= (20 * fraction + 1 - fraction)[:, None]).all()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_turning_the_image_turns_the_tensor(scheme):
    images = random_images(2, 9, 12)
    tensor = effective_conductivity(images, (1, 20), scheme=scheme, tol=1e-8)
    turned = effective_conductivity(images.rot90(1, (2, 3)), (1, 20), scheme=scheme, tol=1e-8)
    turn = torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=torch.float64)
    torch.testing.assert_close(turned, turn @ tensor @ turn.T, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_permuting_axes_of_a_volume_permutes_the_tensor(scheme):
    images = random_images(2, 4, 5, 6)
    tensor = effective_conductivity(images, (1, 20), scheme=scheme, tol=1e-8)
    permuted = effective_conductivity(
        images.permute(0, 1, 4, 2, 3), (1, 20), scheme=scheme, tol=1e-8
    )
    order = torch.tensor([2, 0, 1])
    torch.testing.assert_close(permuted, tensor[:, order][:, :, order], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_translation_changes_nothing(scheme):
    images = random_images(2, 8, 11)
    tensor = effective_conductivity(images, (1, 20), scheme=scheme, tol=1e-8)
    moved = effective_conductivity(images.roll((3, 5), (2, 3)), (1, 20), scheme=scheme, tol=1e-8)
    torch.testing.assert_close(moved, tensor, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_volume_one_voxel_thick_is_its_cross_section(scheme):
    images = random_images(2, 6, 7)
    flat = effective_conductivity(images, (1, 20), scheme=scheme, tol=1e-8)
    thick = effective_conductivity(images[:, :, None], (1, 20), scheme=scheme, tol=1e-8)
    torch.testing.assert_close(thick[:, 1:, 1:], flat, rtol=1e-10, atol=1e-10)
    mean = (1 + 19 * images.double()).mean((1, 2, 3))
    if scheme != "fv":
        torch.testing.assert_close(thick[:, 0, 0], mean)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_unit_and_dual_channel_change_nothing_but_the_scale(scheme):
    images = random_images(2, 8, 9)
    tensor = effective_conductivity(images, (1, 20), scheme=scheme)
    tiny = effective_conductivity(images, (1e-12, 20e-12), scheme=scheme)
    torch.testing.assert_close(tiny * 1e12, tensor)
    two_channels = torch.cat([1 - images, images], 1)
    torch.testing.assert_close(effective_conductivity(two_channels, (1, 20), scheme=scheme), tensor)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_islands_in_a_void_conduct_nothing(scheme):
    images = torch.zeros(2, 1, 9, 9)
    images[0, :, 2:5, 3:6] = 1
    tensor = effective_conductivity(images, (0, 1), scheme=scheme, tol=1e-8)
    torch.testing.assert_close(tensor, torch.zeros(2, 2, 2).double(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("space", [(6, 7), (3, 4, 5)])
@pytest.mark.parametrize("contrast", [0.0, 100.0])
def test_gradient_is_that_of_central_differences(space, scheme, contrast):
    images = grey_images(2, *space).requires_grad_()
    phases = (contrast, 1.0)
    direction = torch.randn(images.shape, generator=torch.Generator().manual_seed(1)).double()

    def value(x):
        tensor = effective_conductivity(x, phases, scheme=scheme, tol=1e-5)
        return (tensor[:, 0, 0] - 0.5 * tensor[:, 0, 1] + 2 * tensor[:, 1, 1]).sum()

    (gradient,) = torch.autograd.grad(value(images), images)
    step = 1e-4 * direction
    with torch.no_grad():
        expected = (value(images + step) - value(images - step)) / 2e-4
    assert (gradient * direction).sum().item() == pytest.approx(expected.item(), rel=1e-4)


def test_gradient_reaches_float32_images_and_each_of_several_phases():
    images = torch.rand(2, 3, 6, 6).softmax(1).requires_grad_()
    effective_conductivity(images, (1, 5, 9))[:, 0, 0].sum().backward()
    assert images.grad.dtype == torch.float32
    torch.testing.assert_close(images.grad[:, 1], 5 * images.grad[:, 0])


def test_a_second_derivative_is_refused():
    images = grey_images(1, 4, 4).requires_grad_()
    value = effective_conductivity(images, (1, 5)).sum() ** 2
    (gradient,) = torch.autograd.grad(value, images, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


def test_rows_do_not_depend_on_each_other():
    images = random_images(20, 64, 64)  # more than are solved at once
    images[7] = 0.5
    together = effective_conductivity(images, (1, 20), tol=1e-3)
    for row in (0, 7, 19):
        alone = effective_conductivity(images[row : row + 1], (1, 20), tol=1e-3)
        torch.testing.assert_close(together[row : row + 1], alone, rtol=1e-11, atol=1e-11)


def test_no_images_have_no_tensors():
    assert effective_conductivity(torch.zeros(0, 1, 4, 4), (1, 2)).shape == (0, 2, 2)


def test_numpy_is_answered_in_numpy():
    images = random_images(2, 6, 6)
    tensor = effective_conductivity(images.numpy(), (1, 20))
    assert isinstance(tensor, np.ndarray)
    np.testing.assert_array_equal(tensor, effective_conductivity(images, (1, 20)).numpy())


def test_the_error_is_about_the_square_of_the_tolerance():
    images = random_images(2, 31, 31)
    exact = effective_conductivity(images, (1, 100), tol=1e-10)
    for tol in (1e-2, 1e-3, 1e-4):
        error = (effective_conductivity(images, (1, 100), tol=tol) - exact).abs() / exact[0, 0, 0]
        assert error.max() < 20 * tol**2


@pytest.mark.parametrize("homogenize", [effective_conductivity, effective_stiffness])
def test_the_diagonal_errs_by_more_than_the_square_and_by_less_than_ten_times_that(homogenize):
    images = random_images(12, 16, 16)
    numbers = ((1.0, 10.0),) if homogenize is effective_conductivity else ((1.0, 10.0), (0.3, 0.3))
    exact, found = (
        homogenize(images, *numbers, tol=tol).diagonal(dim1=1, dim2=2) for tol in (1e-9, 1e-2)
    )
    worst = float(((found - exact) / exact).abs().max())
    assert 1e-4 < worst < 10 * 1e-4


def test_a_sample_that_does_not_converge_is_named():
    images = torch.full((30, 1, 64, 64), 0.5)  # homogeneous: converged before the first iteration
    images[21] = random_images(1, 64, 64)[0]
    message = r"sample 21 .* in 3 iterations at contrast 1e\+03 with scheme rot. Use scheme='q1'"
    with pytest.raises(ConvergenceError, match=message):
        effective_conductivity(images, (1, 1000), max_iterations=3)


@pytest.mark.slow
def test_pores_converge_within_120_iterations():
    for space in ((64, 64), (21, 21, 21), (24, 24, 24)):
        images = smooth_images(2, *space)
        effective_conductivity(images, (0, 1), scheme="q1", max_iterations=120)


@pytest.mark.parametrize(
    ("images", "arguments", "message"),
    [
        (torch.rand(1, 1, 4, 4), {"conductivity": (1, -1)}, "two or more finite numbers >= 0"),
        (torch.rand(1, 1, 4, 4), {"conductivity": (1, math.inf)}, "finite numbers >= 0"),
        (torch.rand(1, 1, 4, 4), {"conductivity": (1,)}, "one a phase, got"),
        (torch.rand(1, 1, 4, 4), {"conductivity": (1, 2, 3)}, "2 phases, got 3 values"),
        (torch.rand(1, 3, 4, 4), {"conductivity": (1, 2)}, "3 phases, got 2 values"),
        (torch.full((1, 2, 4, 4), 0.3), {"conductivity": (1, 2)}, "add to 1 in every voxel"),
        (torch.rand(1, 1, 4, 4), {"conductivity": (1, 2), "scheme": "fem"}, "one of q1, rot, fv"),
        (torch.rand(1, 1, 4, 4), {"conductivity": (1, 2), "tol": 0.0}, "tol should be between"),
        (torch.rand(1, 1, 4), {"conductivity": (1, 2)}, "should have shape"),
        (torch.full((1, 1, 4, 4), math.nan), {"conductivity": (1, 2)}, "should be finite"),
        (2 * torch.ones(1, 1, 4, 4), {"conductivity": (1, 2)}, r"should be in \[0, 1\]"),
    ],
)
def test_bad_arguments_are_refused_in_one_line(images, arguments, message):
    with pytest.raises(ValueError, match=message) as refusal:
        effective_conductivity(images, **arguments)
    assert "\n" not in str(refusal.value)


def test_the_objective_names_the_components_of_the_tensor():
    images = random_images(2, 4, 5, 6)
    values = EffectiveConductivity(conductivity=(1, 9), dim=3)(images)
    tensor = effective_conductivity(images, (1, 9), tol=1e-4)
    rows = {"k_zz": 0, "k_yy": 1, "k_xx": 2}
    for name, i in rows.items():
        torch.testing.assert_close(values[name], tensor[:, i, i])
    torch.testing.assert_close(values["k_yz"], tensor[:, 0, 1])
    torch.testing.assert_close(values["k_xz"], tensor[:, 0, 2])
    torch.testing.assert_close(values["k_xy"], tensor[:, 1, 2])


def test_the_objective_takes_its_axes_from_the_images_unless_told():
    volume = torch.rand(1, 1, 4, 4, 4)
    assert "k_zz" in EffectiveConductivity()(volume)
    with pytest.raises(ValueError, match="Set dim: 3 in the objective, or leave it out"):
        EffectiveConductivity(dim=2)(volume)


@pytest.mark.parametrize(
    ("settings", "shape", "scheme"),
    [
        ({}, (1, 4, 4), "rot"),
        ({}, (1, 4, 4, 4), "q1"),
        ({"conductivity": (0, 1)}, (1, 4, 4), "rot"),
        ({"conductivity": (0, 1), "scheme": "fv"}, (1, 4, 4), "fv"),
        ({"scheme": None}, (1, 4, 4), "rot"),
    ],
)
def test_for_images_an_objective_says_which_scheme_its_values_come_from(settings, shape, scheme):
    fitted = EffectiveConductivity(**settings).for_images(shape)
    assert (fitted.scheme, fitted.dim) == (scheme, len(shape) - 1)
    image = torch.rand(2, *shape).round()
    torch.testing.assert_close(fitted(image), EffectiveConductivity(**settings)(image))
    assert set(fitted(image)) == set(fitted.units)


@pytest.mark.parametrize(
    ("settings", "shape", "message"),
    [
        ({"conductivity": (1, 5, 50)}, (1, 4, 4), "2 phases, got 3 values of conductivity"),
        ({"conductivity": (1, 5)}, (3, 4, 4), "3 phases, got 2 values of conductivity"),
        ({"dim": 3}, (1, 4, 4), "Set dim: 2"),
    ],
)
def test_settings_that_never_fit_such_images_are_refused(settings, shape, message):
    with pytest.raises(ValueError, match=message):
        EffectiveConductivity(**settings).for_images(shape)
