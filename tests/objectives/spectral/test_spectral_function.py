"""Poles and weights against closed forms, sum rules and symmetries."""

import math

import numpy as np
import pytest
import torch

from generative.data.synthetic import gaussian_random_field
from objectives.errors import EvaluationError
from objectives.grid import Grid
from objectives.homogenize.schemes import conduction_scheme, make_corner_scheme
from objectives.spectral import spectral_function
from objectives.spectral.lanczos import chunks, lanczos
from objectives.spectral.resolvent import Resolvent, Start

SPACES = [(9, 11), (8, 6), (5, 7, 5), (4, 6, 5)]
CONTRASTS = [0.05, 20.0, -3 + 0.5j, 2 - 4j]


def random_images(n, *space, seed=0, grey=False):
    x = torch.rand(n, 1, *space, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return x if grey else (x > 0.5).double()


def disk(size, fraction):
    axis = (torch.arange(size) + 0.5) / size - 0.5
    squares = axis[:, None] ** 2 + axis**2
    return (squares <= fraction / math.pi).double()[None, None]


@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("scheme", ["rot", "q1"])
@pytest.mark.parametrize("space", SPACES)
def test_poles_are_in_0_to_1_and_weights_positive_with_the_fraction_for_sum(space, scheme, grey):
    x = random_images(2, *space, grey=grey)
    found = spectral_function(x, steps=20, scheme=scheme)
    assert found.poles.shape == found.weights.shape == (2, len(space), 21)
    assert found.poles.min() >= 0
    assert found.poles.max() <= 1
    assert found.weights.min() >= 0
    sums = x.flatten(1).mean(1)[:, None].expand(2, len(space))
    torch.testing.assert_close(found.weights.sum(2), sums, rtol=1e-12, atol=1e-12)
    first = (found.weights * found.poles).sum(2)
    torch.testing.assert_close(first, found.first_moment, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("space", [(9, 11), (5, 7, 5)])
def test_first_moments_sum_to_the_variance_of_the_indicator_on_odd_grids(space, grey):
    """Of two phases it is f (1 - f): the trace of Gamma at every frequency is 1."""
    x = random_images(3, *space, grey=grey)
    found = spectral_function(x, steps=1, scheme="rot")
    variance = x.flatten(1).var(1, correction=0)
    torch.testing.assert_close(found.first_moment.sum(1), variance, rtol=1e-12, atol=1e-12)
    if not grey:
        f = found.fraction
        torch.testing.assert_close(variance, f * (1 - f), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("space", "scheme"), [((8, 6), "rot"), ((9, 11), "q1"), ((4, 6), "q1")])
def test_elsewhere_first_moments_sum_to_less(space, scheme):
    found = spectral_function(random_images(3, *space), steps=1, scheme=scheme)
    assert (found.first_moment.sum(1) < found.fraction * (1 - found.fraction)).all()


@pytest.mark.parametrize("space", [(9, 8), (4, 5, 6)])
def test_exchanged_phases_have_poles_at_1_less_the_pole(space):
    """Gamma (1 - chi) Gamma is Gamma less Gamma chi Gamma, and K(h) is h K'(1 / h)."""
    x = random_images(2, *space)
    found, other = spectral_function(x, steps=6), spectral_function(1 - x, steps=6)
    torch.testing.assert_close(other.diagonal, 1 - found.diagonal)
    torch.testing.assert_close(other.off_diagonal, found.off_diagonal)
    h = torch.tensor(CONTRASTS, dtype=torch.complex128)
    torch.testing.assert_close(found.effective(h), h * other.effective(1 / h))


@pytest.mark.parametrize("contrast", CONTRASTS)
def test_keller_duality_holds_on_odd_grids(contrast):
    """K_xx(h) K_yy(1 / h) = 1 where K_xy is 0 by a mirror (Keller 1964, Mendelson 1975)."""
    half = random_images(1, 11, 6)
    x = torch.cat([half, half[..., :-1].flip(3)], 3)
    found = spectral_function(x, steps=100)
    along, across = found.effective(contrast)[0, 1], found.effective(1 / contrast)[0, 0]
    assert complex(along * across) == pytest.approx(1, rel=1e-9)


@pytest.mark.parametrize("scheme", ["rot", "q1"])
@pytest.mark.parametrize("contrast", [0.01, 30.0, -2 + 1e-3j, 1j])
def test_layers_are_exact_after_one_step(contrast, scheme):
    x = torch.zeros(1, 1, 8, 5, 6)
    x[:, :, :3] = 1
    found = spectral_function(x, steps=3, scheme=scheme)
    series, parallel = 1 / (0.375 / contrast + 0.625), 0.375 * contrast + 0.625
    expected = torch.tensor([[series], [parallel], [parallel]], dtype=torch.complex128)
    torch.testing.assert_close(found.effective(contrast)[0], expected)
    assert found.error(contrast).abs().max() < 1e-12


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_a_homogeneous_structure_has_one_pole_at_0(value):
    noise = 1e-15 * torch.rand(1, 1, 6, 5, dtype=torch.float64)
    for x in (torch.full((1, 1, 6, 5), value, dtype=torch.float64), abs(value - noise)):
        found = spectral_function(x, steps=4)
        assert found.weights[0, 0].tolist() == pytest.approx([value, 0, 0, 0, 0], abs=1e-12)
        assert complex(found.effective(2j)[0, 0, 0]) == pytest.approx(1 + value * (2j - 1))


def test_a_dilute_disk_has_the_pole_of_maxwell_garnett():
    """(1 - f) / 2 in two dimensions; staircases widen it (coated cylinders: only the limit)."""
    found = spectral_function(disk(63, 0.05), steps=30)
    f, h = float(found.fraction[0]), 3 + 1j
    beta = (h - 1) / (h + 1)
    assert complex(found.effective(h)[0, 0, 0]) == pytest.approx(
        1 + 2 * f * beta / (1 - f * beta), rel=2e-3
    )
    centre = float(found.first_moment[0, 0]) / f
    assert centre == pytest.approx((1 - f) / 2, rel=5e-3)


@pytest.mark.parametrize("contrast", [5.0, 2 + 3j, -1 + 2j])
def test_a_checkerboard_has_the_geometric_mean(contrast):
    """Dykhne 1970, also at complex contrasts (Milton 2002, section 3.2)."""
    x = torch.zeros(1, 1, 32, 32)
    x[..., :16, :16] = x[..., 16:, 16:] = 1
    value = complex(spectral_function(x).effective(contrast)[0, 0, 0])
    assert value == pytest.approx(contrast**0.5, rel=0.02)


def test_the_weight_at_0_is_what_conducts_beside_an_insulator():
    """Alone phase 1 conducts along layers by its fraction, across them not at all."""
    x = torch.zeros(1, 1, 8, 8)
    x[:, :, 2:5] = 1
    across, along = spectral_function(x, steps=4).weights[0, :, 0]
    assert (float(across), float(along)) == pytest.approx((0, 3 / 8), abs=1e-12)


def test_shifts_mirrors_and_turns_leave_it():
    x = random_images(1, 7, 9)
    found = spectral_function(x, steps=10)
    for other in (x.roll((2, 3), (2, 3)), x.flip(2), x.flip(3)):
        torch.testing.assert_close(spectral_function(other, steps=10).poles, found.poles)
    turned = spectral_function(x.mT, steps=10, axes=("x", "y"))
    torch.testing.assert_close(turned.poles, found.poles)


@pytest.mark.parametrize("space", [(16, 17), (7, 6, 8)])
def test_the_bound_holds_and_is_no_more_than_some_times_the_error(space):
    x = random_images(2, *space)
    drude = 1 - 1 / torch.linspace(0.2, 1, 9).double() ** 2 + 0.3j
    h = torch.cat([drude, torch.tensor([0.02, 0.2, 4, 60]).to(drude)])
    exact = spectral_function(x, steps=120).effective(h)
    for steps in (1, 2, 3, 5, 8, 13, 21):
        found = spectral_function(x, steps=steps)
        error, bound = (found.effective(h) - exact).abs(), found.error(h)
        assert (error <= bound + 1e-12).all()
        assert (bound / error.clamp_min(1e-13)).median() < 5


@pytest.mark.parametrize("orthogonal", [False, True])
def test_the_bound_holds_where_rounding_has_made_poles_at_0_and_1(orthogonal):
    """Waves inside one phase have such poles and no weight: after tens of steps they appear."""
    x = torch.as_tensor(gaussian_random_field(3, (24, 23), seed=1) > 0.5).double()
    h = np.array([-0.3 + 0.006j, -1 + 0.02j, -3 + 0.05j, -3 + 0.5j, 1e-6, 1e6])
    scheme = make_corner_scheme(conduction_scheme(2), (1.0, 1.0))
    ((chi, inverse),) = chunks(x[:, 0], scheme)
    exact = spectral_function(x, steps=500).effective(h).numpy()
    found = lanczos(chi, scheme, inverse, most_steps=160, orthogonal=orthogonal)
    start = Start(found.start.fraction.numpy(), found.start.moment.numpy())
    resolvent = Resolvent(start, h)
    for diagonal, off in zip(found.diagonal.unbind(2), found.off.unbind(2), strict=True):
        resolvent.append(diagonal.numpy(), off.numpy())
        assert (abs(resolvent.value - exact) <= 1.01 * resolvent.error + 1e-9 * abs(exact)).all()


def test_few_steps_are_not_enough_and_their_bound_says_so():
    x, h = random_images(1, 32, 32), 10.0
    few, enough = spectral_function(x, steps=3), spectral_function(x, steps=24)
    assert (few.effective(h) - enough.effective(h)).abs().min() > 1e-5
    assert few.error(h).min() > 1e-5
    assert enough.error(h).max() < 1e-9


def test_without_orthogonalization_poles_come_again_and_values_are_no_worse():
    x = random_images(1, 9, 9)
    scheme = make_corner_scheme(conduction_scheme(2), (1.0, 1.0), (1,))
    ((chi, inverse),) = chunks(x[:, 0], scheme)
    copies = lanczos(chi, scheme, inverse, most_steps=200)
    found = spectral_function(x, steps=200, axes=("x",))
    own = found.poles[found.weights > 0]
    assert len(own) <= 81  # the Krylov space has no more
    assert own.diff().min() > 1e-6
    assert (torch.linalg.eigvalsh(copies.matrix).diff().abs() < 1e-9).sum() > 5
    h, one = -2 + 0.2j, torch.eye(copies.diagonal.shape[2])
    g = torch.linalg.inv(one + (h - 1) * copies.matrix[0, 0])[0, 0]
    f, moment = copies.start.fraction[0], copies.start.moment[0, 0]
    value = 1 + (h - 1) * f - (h - 1) ** 2 * moment * g
    assert complex(value) == pytest.approx(complex(found.effective(h)[0, 0, 0]), rel=1e-9)


def test_images_of_two_channels_are_those_of_one():
    x = random_images(1, 6, 7)
    one, two = spectral_function(x, steps=5), spectral_function(torch.cat([1 - x, x], 1), steps=5)
    assert torch.equal(one.poles, two.poles)


def test_open_images_are_mirrored_and_no_images_have_no_poles():
    x = random_images(1, 4, 5)
    doubled = torch.cat([x, x.flip(2)], 2)
    doubled = torch.cat([doubled, doubled.flip(3)], 3)
    found = spectral_function(x, steps=5, grid=Grid(periodic=False))
    assert found.boundary == "mirrored"
    assert torch.equal(found.poles, spectral_function(doubled, steps=5).poles)
    assert spectral_function(x[:0], steps=5).poles.shape == (0, 2, 6)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"steps": 0}, "steps should be 1 or more, got 0"),
        ({"axes": ("z",)}, "axes should be different ones of y, x for images of 2 axes, got z"),
        ({"axes": ("x", "x")}, "axes should be different ones"),
        ({"scheme": "fv"}, "effective_conductivity takes fv"),
        ({"scheme": "ms"}, "scheme should be one of q1, rot"),
    ],
)
def test_settings_out_of_range_are_refused(settings, said):
    with pytest.raises(ValueError, match=said):
        spectral_function(np.zeros((1, 1, 4, 4)), **settings)


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (torch.full((1, 3, 4, 4), 1 / 3), "Add up channels to two phases"),
        (torch.full((1, 1, 4, 4), torch.nan), "finite"),
        (torch.full((1, 2, 4, 4), 0.2), "add to 1"),
    ],
)
def test_images_that_are_not_of_two_phases_are_refused(images, said):
    with pytest.raises(EvaluationError, match=said):
        spectral_function(images)
