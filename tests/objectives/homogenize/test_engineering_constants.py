"""Engineering constants against their definitions, and the objective that names them."""

import pytest
import torch
from pydantic import ValidationError

from objectives.effective_stiffness import EffectiveStiffness
from objectives.errors import EvaluationError
from objectives.homogenize import effective_stiffness, engineering_constants
from objectives.homogenize.stiffness import isotropic_stiffness, lame_parameters


@pytest.mark.parametrize(("dim", "plane"), [(2, "stress"), (3, None)])
def test_an_isotropic_phase_gets_its_constants_back(dim, plane):
    stiffness = isotropic_stiffness(*lame_parameters(70.0, 0.22, plane), dim)
    constants = engineering_constants(stiffness[None])
    torch.testing.assert_close(constants.young[0], torch.full((dim,), 70.0).double())
    ratios = 0.22 * (1 - torch.eye(dim).double())
    torch.testing.assert_close(constants.poisson[0], ratios)
    planes = dim * (dim - 1) // 2
    torch.testing.assert_close(constants.shear[0], torch.full((planes,), 70 / 2.44).double())
    torch.testing.assert_close(constants.zener[0], torch.ones(planes).double())
    assert constants.universal_anisotropy.item() == pytest.approx(0, abs=1e-12)


def test_plane_strain_gives_the_constants_of_the_plane():
    constants = engineering_constants(isotropic_stiffness(*lame_parameters(2.0, 0.3), 2)[None])
    assert constants.young[0, 0].item() == pytest.approx(2 / (1 - 0.09))
    assert constants.poisson[0, 0, 1].item() == pytest.approx(0.3 / 0.7)


def test_constants_are_those_of_the_compliance():
    factor = torch.randn(3, 6, 6, generator=torch.Generator().manual_seed(0)).double()
    stiffness = factor @ factor.mT + torch.eye(6).double()
    s, constants = torch.linalg.inv(stiffness), engineering_constants(stiffness)
    torch.testing.assert_close(constants.young, 1 / s.diagonal(dim1=1, dim2=2)[:, :3])
    torch.testing.assert_close(constants.shear, 1 / s.diagonal(dim1=1, dim2=2)[:, 3:])
    torch.testing.assert_close(constants.poisson[:, 0, 2], -s[:, 2, 0] / s[:, 0, 0])
    torch.testing.assert_close(constants.poisson[:, 2, 1], -s[:, 1, 2] / s[:, 2, 2])


@pytest.mark.parametrize("dim", [2, 3])
def test_a_square_or_cubic_material_has_the_index_of_its_zener_ratio(dim):
    """6/5 (sqrt A - 1/sqrt A)^2 in 3-D (Ranganathan & Ostoja-Starzewski), 1/2 of it in 2-D."""
    c11, c12, c44 = 5.0, 2.0, 4.0
    stiffness = isotropic_stiffness(c12, (c11 - c12) / 2, dim)
    stiffness.diagonal()[dim:] = c44
    constants = engineering_constants(stiffness[None])
    ratio = 2 * c44 / (c11 - c12)
    torch.testing.assert_close(constants.zener[0], torch.full_like(constants.zener[0], ratio))
    square = (ratio**0.5 - ratio**-0.5) ** 2
    expected = 6 / 5 * square if dim == 3 else square / 2
    assert constants.universal_anisotropy.item() == pytest.approx(expected)


def test_the_index_does_not_see_the_frame():
    images = torch.rand(1, 1, 9, 9, generator=torch.Generator().manual_seed(0)).round()
    stiffness = effective_stiffness(images, (1, 30), (0.3, 0.2))
    angle = torch.tensor(0.4).double()
    c, s = angle.cos(), angle.sin()
    turn = torch.stack(
        [
            torch.stack([c * c, s * s, 2 * c * s]),
            torch.stack([s * s, c * c, -2 * c * s]),
            torch.stack([-c * s, c * s, c * c - s * s]),
        ]
    )
    index = engineering_constants(turn @ stiffness @ turn.T).universal_anisotropy
    torch.testing.assert_close(index, engineering_constants(stiffness).universal_anisotropy)


def test_without_a_solid_path_moduli_are_zero():
    images = torch.zeros(2, 1, 6, 6)
    images[1, :, 2] = 1  # a fibre along x
    constants = engineering_constants(effective_stiffness(images, (0, 6), (0.2, 0.0)))
    expected = torch.tensor([[0, 0], [0, 1]]).double()
    torch.testing.assert_close(constants.young, expected, rtol=1e-9, atol=1e-12)
    assert (constants.shear == 0).all()
    assert torch.isfinite(constants.poisson).all()
    assert torch.isinf(constants.universal_anisotropy).all()


def test_constants_have_a_gradient():
    images = torch.full((1, 1, 4, 5), 0.5, dtype=torch.float64, requires_grad=True)
    constants = engineering_constants(
        effective_stiffness(images, (1, 3), (0.3, 0.3), plane="stress")
    )
    (gradient,) = torch.autograd.grad(constants.young[:, 0].sum(), images)
    torch.testing.assert_close(gradient, torch.full_like(images, 2 / 20))


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"shape \(n, 3, 3\) or \(n, 6, 6\), got \(1, 4, 4\)"):
        engineering_constants(torch.eye(4).double()[None])


def test_the_objective_names_directions_by_the_axes_of_the_image():
    images = torch.zeros(1, 1, 4, 5, 6)
    images[:, :, :2] = 1  # layers normal to z
    values = EffectiveStiffness(young=(1, 10), poisson=(0.3, 0.3), dim=3)(images)
    constants = ["E_x", "E_y", "E_z", "G_xy", "G_xz", "G_yz", "nu_xy", "nu_xz", "nu_yz"]
    assert list(values) == [*constants, "stiffness_error"]
    assert values["E_x"].item() == pytest.approx(5.5, rel=1e-3)
    assert values["E_y"].item() == pytest.approx(5.5, rel=1e-3)
    assert 1.8 < values["E_z"].item() < 2.5
    assert values["G_xz"].item() == pytest.approx(2 / 1.1 / 2.6, rel=1e-6)
    assert values["G_xy"].item() == pytest.approx(5.5 / 2.6, rel=1e-6)


def test_the_objective_refuses_images_of_another_dimension_and_odd_settings():
    with pytest.raises(EvaluationError, match="Set dim: 3"):
        EffectiveStiffness(dim=2)(torch.rand(1, 1, 4, 4, 4))
    with pytest.raises(ValueError, match="3 values of young"):
        EffectiveStiffness(young=(1, 2, 3), poisson=(0.3, 0.3, 0.3)).for_images((1, 4, 4))
    with pytest.raises(ValueError, match="plane is for 2-D"):
        EffectiveStiffness(plane="stress").for_images((1, 4, 4, 4))
    with pytest.raises(ValidationError, match="one number a phase each, got 3 and 2"):
        EffectiveStiffness(young=(1, 2, 3))
    with pytest.raises(ValidationError, match="plane is for dim: 2"):
        EffectiveStiffness(dim=3, plane="stress")
