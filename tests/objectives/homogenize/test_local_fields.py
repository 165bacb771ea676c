"""Local fields: their means, closed forms, and derivatives by the adjoint."""

import pytest
import torch

from objectives.homogenize import (
    conduction_fields,
    effective_conductivity,
    effective_stiffness,
    elastic_fields,
)
from objectives.homogenize.stiffness import lame_parameters

YOUNG, POISSON = (1.0, 20.0), (0.35, 0.2)


def random_images(n, *space):
    return torch.rand(n, 1, *space, generator=torch.Generator().manual_seed(0)).round()


def grey_images(n, *space):
    generator = torch.Generator().manual_seed(0)
    return 0.1 + 0.8 * torch.rand(n, 1, *space, generator=generator, dtype=torch.float64)


def directional(value, images):
    """Derivative along a random direction: by autograd, and by central differences."""
    images = images.requires_grad_()
    direction = torch.randn(images.shape, generator=torch.Generator().manual_seed(1)).double()
    (gradient,) = torch.autograd.grad(value(images), images)
    with torch.no_grad():
        step = 1e-4 * direction
        expected = (value(images + step) - value(images - step)) / 2e-4
    return (gradient * direction).sum().item(), expected.item()


@pytest.mark.parametrize("scheme", ["q1", "rot"])
@pytest.mark.parametrize("space", [(7, 8), (4, 5, 3)])
def test_mean_gradient_is_what_was_asked_and_mean_flux_what_the_tensor_says(space, scheme):
    images, mean = random_images(30, *space), [0.3, -1.0, 2.0][: len(space)]
    options = {"scheme": scheme, "tol": 1e-9}
    fields = conduction_fields(images, (1, 20), mean_gradient=mean, **options)
    asked = torch.tensor(mean, dtype=torch.float64)
    torch.testing.assert_close(fields.gradient.flatten(2).mean(2), asked.expand(30, -1))
    flux = -effective_conductivity(images, (1, 20), **options) @ asked
    torch.testing.assert_close(fields.flux.flatten(2).mean(2), flux)


@pytest.mark.parametrize("scheme", ["q1", "rot"])
@pytest.mark.parametrize(
    ("space", "plane"), [((7, 8), "strain"), ((6, 5), "stress"), ((4, 5, 3), None)]
)
def test_mean_stress_is_what_the_stiffness_says(space, plane, scheme):
    images, mean = random_images(3, *space), [0.3, -1, 2, 0.5, 0, 1][: 3 * (len(space) - 1)]
    options = {"plane": plane, "scheme": scheme, "tol": 1e-9}
    fields = elastic_fields(images, YOUNG, POISSON, mean_strain=mean, **options)
    asked = torch.tensor(mean, dtype=torch.float64)
    torch.testing.assert_close(fields.strain.flatten(2).mean(2), asked.expand(3, -1))
    stress = effective_stiffness(images, YOUNG, POISSON, **options) @ asked
    torch.testing.assert_close(fields.stress.flatten(2).mean(2), stress)


def test_layers_in_series_share_the_stress_and_layers_in_parallel_the_strain():
    images = torch.zeros(1, 1, 4, 3)
    images[:, :, :2] = 1
    across = elastic_fields(images, YOUNG, POISSON, mean_strain=(1, 0, 0), tol=1e-8).stress[0, 0]
    torch.testing.assert_close(across, across[0, 0].expand(4, 3))
    along = elastic_fields(images, YOUNG, POISSON, mean_strain=(0, 1, 0), tol=1e-8).strain[0, 1]
    torch.testing.assert_close(along, torch.ones(4, 3).double())


def test_von_mises_of_pure_shear_and_of_uniaxial_strain():
    images = torch.zeros(1, 1, 3, 3)
    first, second = lame_parameters(YOUNG[0], POISSON[0])
    shear = elastic_fields(images, YOUNG, POISSON, mean_strain=(0, 0, 1))
    assert shear.largest_von_mises().item() == pytest.approx(3**0.5 * second)
    flat = elastic_fields(images, YOUNG, POISSON, mean_strain=(1, 0, 0))
    solid = elastic_fields(images[:, :, None], YOUNG, POISSON, mean_strain=(0, 1, 0, 0, 0, 0))
    assert flat.largest_von_mises().item() == pytest.approx(2 * second)
    assert solid.largest_von_mises().item() == pytest.approx(2 * second)
    assert flat.stress_across[0, 0, 0].item() == pytest.approx(first)
    sheet = elastic_fields(images, YOUNG, POISSON, mean_strain=(1, -POISSON[0], 0), plane="stress")
    assert sheet.largest_von_mises().item() == pytest.approx(YOUNG[0])


def test_pores_carry_nothing():
    images = random_images(1, 9, 9)
    images[:, :, 0] = 1
    assert (
        conduction_fields(images, (0, 1), mean_gradient=(0, 1)).flux[0, :, images[0, 0] == 0] == 0
    ).all()
    stress = elastic_fields(images, (0, 1), (0.2, 0.3), mean_strain=(0, 1, 0)).stress
    assert (stress[0, :, images[0, 0] == 0] == 0).all()


@pytest.mark.parametrize("scheme", ["q1", "rot"])
@pytest.mark.parametrize("space", [(6, 7), (3, 4, 5)])
def test_functions_of_the_flux_have_the_gradient_of_central_differences(space, scheme):
    def value(x):
        mean = [1.0, 0.5, 0.0][: len(space)]
        fields = conduction_fields(x, (1, 50), mean_gradient=mean, scheme=scheme, tol=1e-8)
        return (fields.flux**4).mean() + 1e-3 * fields.largest_flux().sum()

    ours, expected = directional(value, grey_images(2, *space))
    assert ours == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("scheme", ["q1", "rot"])
@pytest.mark.parametrize(
    ("space", "plane"), [((6, 7), "strain"), ((6, 5), "stress"), ((3, 4, 5), None)]
)
def test_functions_of_the_stress_have_the_gradient_of_central_differences(space, plane, scheme):
    def value(x):
        mean = [1, 0.5, -0.3, 0, 0.2, 0][: 3 * (len(space) - 1)]
        fields = elastic_fields(
            x, (1, 50), POISSON, mean_strain=mean, plane=plane, scheme=scheme, tol=1e-8
        )
        return (fields.von_mises() ** 3).mean() + fields.strain[:, 0].square().mean()

    ours, expected = directional(value, grey_images(2, *space))
    assert ours == pytest.approx(expected, rel=1e-4)


def test_no_images_have_no_fields():
    assert conduction_fields(torch.zeros(0, 1, 4, 5), (1, 2), mean_gradient=(1, 0)).flux.shape == (
        0,
        2,
        4,
        5,
    )
    empty = elastic_fields(torch.zeros(0, 1, 4, 5), YOUNG, POISSON, mean_strain=(1, 0, 0))
    assert empty.von_mises().shape == (0, 4, 5)


def test_a_mean_of_another_length_and_faces_are_refused():
    images = random_images(1, 4, 4)
    with pytest.raises(ValueError, match="mean_gradient should have 2 numbers"):
        conduction_fields(images, (1, 2), mean_gradient=(1, 0, 0))
    with pytest.raises(ValueError, match="mean_strain should have 3 numbers"):
        elastic_fields(images, YOUNG, POISSON, mean_strain=(1, 0))
    with pytest.raises(ValueError, match="fluxes live on faces"):
        conduction_fields(images, (1, 2), mean_gradient=(1, 0), scheme="fv")
