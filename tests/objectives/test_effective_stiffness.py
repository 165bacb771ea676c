"""Effective stiffness against closed forms, exact relations, finite elements and its symmetries."""

import math

import numpy as np
import pytest
import torch

from objectives.errors import ConvergenceError
from objectives.homogenize import (
    effective_conductivity,
    effective_stiffness,
    homogenize_conductivity,
    homogenize_stiffness,
    phase_fractions,
    stiffness_bounds,
)
from objectives.homogenize.stiffness import isotropic_stiffness, lame_parameters

SCHEMES = ["q1", "rot"]
YOUNG, POISSON = (1.0, 20.0), (0.35, 0.2)


def random_images(n, *space, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(n, 1, *space, generator=generator) > 0.5).float()


def smooth_images(n, *space):
    """Two phases with features of about three voxels."""
    generator, pool = torch.Generator().manual_seed(1), torch.nn.functional
    blur = pool.avg_pool2d if len(space) == 2 else pool.avg_pool3d
    noise = torch.rand(n, 1, *space, generator=generator)
    return (blur(noise, 3, 1, 1, count_include_pad=False) > 0.5).float()


def isotropic(young, poisson, dim, plane=None):
    return isotropic_stiffness(*lame_parameters(young, poisson, plane), dim)


def laminate(fraction, soft, stiff, dim):
    """Backus averages of layers normal to the first axis (Backus 1962, J. Geophys. Res. 67)."""
    weights, (lam, mu) = (1 - fraction, fraction), zip(soft, stiff, strict=True)

    def mean(values):
        return sum(w * v for w, v in zip(weights, values, strict=True))

    pairs = list(zip(lam, mu, strict=True))
    normal = 1 / mean([1 / (a + 2 * b) for a, b in pairs])
    ratio = mean([a / (a + 2 * b) for a, b in pairs])
    stiffness = torch.zeros(dim * (dim + 1) // 2, dim * (dim + 1) // 2, dtype=torch.float64)
    stiffness[:dim, :dim] = mean([2 * a * b / (a + 2 * b) for a, b in pairs]) + normal * ratio**2
    stiffness.diagonal()[1:dim] += 2 * mean(mu)
    stiffness[0, :dim] = stiffness[:dim, 0] = normal * ratio
    stiffness[0, 0] = normal
    shear = 1 / mean([1 / b for b in mu])  # of planes that hold the normal
    stiffness.diagonal()[dim:] = stiffness.new_tensor(
        [shear] if dim == 2 else [mean(mu), shear, shear]
    )
    return stiffness


def finite_elements(images, young, poisson, plane):
    """Stiffness by scikit-fem on the same voxels, opposite faces joined, by a direct solver."""
    import skfem
    from scipy.sparse import coo_matrix
    from scipy.sparse.linalg import splu
    from skfem.helpers import ddot, sym_grad, trace

    x = images[0, 0].double().numpy()
    dim, space = x.ndim, np.array(x.shape)
    mesh_type, element = (
        (skfem.MeshQuad, skfem.ElementQuad1()) if dim == 2 else (skfem.MeshHex, skfem.ElementHex1())
    )
    mesh = mesh_type.init_tensor(*[np.arange(n + 1.0) for n in space])
    basis = skfem.Basis(mesh, skfem.ElementVector(element), intorder=2)
    pairs = [lame_parameters(*pair, plane) for pair in zip(young, poisson, strict=True)]
    voxels = x[tuple(mesh.p[:, mesh.t].mean(1).astype(int))][:, None] * np.ones_like(basis.dx)
    lam, mu = ((1 - voxels) * soft + voxels * stiff for soft, stiff in zip(*pairs, strict=True))
    form = skfem.BilinearForm(
        lambda u, v, w: (
            w.lam * trace(sym_grad(u)) * trace(sym_grad(v))
            + 2 * w.mu * ddot(sym_grad(u), sym_grad(v))
        )
    )
    stiffness = form.assemble(basis, lam=lam, mu=mu)
    places = [(i, i) for i in range(dim)] + ([(0, 1)] if dim == 2 else [(1, 2), (0, 2), (0, 1)])
    strained = np.zeros((stiffness.shape[0], len(places)))
    for load, (i, j) in enumerate(places):
        strained[basis.nodal_dofs[i], load] += 0.5 * mesh.p[j]
        strained[basis.nodal_dofs[j], load] += 0.5 * mesh.p[i]
    nodes = np.ravel_multi_index(mesh.p.astype(int) % space[:, None], space)
    unknowns = np.zeros(stiffness.shape[0], dtype=int)
    for axis in range(dim):
        unknowns[basis.nodal_dofs[axis]] = nodes * dim + axis
    fold = coo_matrix((np.ones(len(unknowns)), (np.arange(len(unknowns)), unknowns))).tocsr()
    reduced, loads = (fold.T @ stiffness @ fold).tocsc(), -(fold.T @ (stiffness @ strained))
    u = np.zeros_like(loads)
    u[dim:] = splu(reduced[dim:, dim:]).solve(loads[dim:])  # node 0 stays
    total = fold @ u + strained
    return torch.from_numpy(total.T @ (stiffness @ total) / x.size)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    ("space", "plane"), [((8, 6), None), ((8, 5), "stress"), ((8, 5, 4), None)]
)
def test_layers_have_the_averages_of_backus(space, plane, scheme):
    images = torch.zeros(1, 1, *space)
    images[:, :, :3] = 1
    stiffness = effective_stiffness(
        images, (1, 10), (0.35, 0.2), plane=plane, scheme=scheme, tol=1e-8
    )
    pairs = [lame_parameters(1, 0.35, plane), lame_parameters(10, 0.2, plane)]
    expected = laminate(0.375, *pairs, len(space))
    torch.testing.assert_close(stiffness[0], expected, rtol=1e-8, atol=1e-10)


def test_layers_of_the_reference_table():
    """E 10, nu 0.2 in .375 of the volume, else E 1, nu 0.35; normal along the first axis."""
    images = torch.zeros(1, 1, 8, 3, 2)
    images[:, :, :3] = 1
    stiffness = effective_stiffness(images, (1, 10), (0.35, 0.2), tol=1e-8)[0]
    expected = [2.363099295614633, 5.056024199045671, 5.056024199045671]
    expected += [1.7939814814814814, 0.5625879043600562, 0.5625879043600562]
    torch.testing.assert_close(
        stiffness.diagonal(), stiffness.new_tensor(expected), rtol=1e-8, atol=0
    )
    assert stiffness[0, 1].item() == pytest.approx(1.0168143603726425, rel=1e-8)
    assert stiffness[1, 2].item() == pytest.approx(1.4680612360827083, rel=1e-8)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    ("space", "plane"), [((4, 5), None), ((4, 5), "strain"), ((4, 5), "stress"), ((3, 4, 5), None)]
)
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_single_phase_has_its_own_stiffness(value, space, plane, scheme):
    images = torch.full((1, 1, *space), value)
    stiffness = effective_stiffness(images, YOUNG, POISSON, plane=plane, scheme=scheme)[0]
    phase = int(value)
    expected = isotropic(YOUNG[phase], POISSON[phase], len(space), plane)
    torch.testing.assert_close(stiffness, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("space", [(31, 31), (15, 17), (9, 9, 11)])
def test_one_shear_modulus_throughout_makes_any_structure_isotropic(space):
    """Hill 1963: mu* = mu and 1 / (lambda* + 2 mu) is the mean of 1 / (lambda + 2 mu)."""
    images, poisson, shear = random_images(2, *space), (-0.3, 0.45), 0.7
    young = [2 * shear * (1 + ratio) for ratio in poisson]
    stiffness = effective_stiffness(images, young, poisson, scheme="rot", tol=1e-9)
    moduli = [lame_parameters(*pair)[0] + 2 * shear for pair in zip(young, poisson, strict=True)]
    for row, fraction in enumerate(images.double().flatten(1).mean(1).tolist()):
        modulus = 1 / ((1 - fraction) / moduli[0] + fraction / moduli[1])
        first = modulus - 2 * shear
        expected = isotropic(
            shear * (3 * first + 2 * shear) / (first + shear),
            first / (2 * (first + shear)),
            len(space),
        )
        torch.testing.assert_close(stiffness[row], expected, rtol=1e-8, atol=1e-8)


def test_the_compliance_moves_as_cherkaev_lurie_and_milton_say():
    """1992: 1/kappa + 2c and 1/mu - 2c in every point of a plane move S* by a constant."""
    images, c = random_images(2, 21, 23), 0.01

    def compliance(shift):
        young, poisson = [], []
        for modulus, ratio in zip(YOUNG, POISSON, strict=True):
            first, second = lame_parameters(modulus, ratio)
            kappa = 1 / (1 / (first + second) + 2 * shift)
            second = 1 / (1 / second - 2 * shift)
            first = kappa - second
            young.append(second * (3 * first + 2 * second) / (first + second))
            poisson.append(first / (2 * (first + second)))
        return torch.linalg.inv(
            effective_stiffness(images, young, poisson, scheme="rot", tol=1e-10)
        )

    expected = c * torch.tensor([[0, 1, 0], [1, 0, 0], [0, 0, -2.0]]).double()
    torch.testing.assert_close(
        compliance(c) - compliance(0), expected.expand(2, 3, 3), rtol=0, atol=1e-8 * c
    )


@pytest.mark.parametrize(
    ("space", "plane", "young"),
    [
        ((12, 9), "strain", YOUNG),
        ((7, 16), "stress", (1.0, 1000.0)),
        ((6, 5, 7), None, YOUNG),
        ((5, 4, 1), None, (100.0, 1.0)),
    ],
)
def test_q1_is_the_finite_element_method_of_scikit_fem(space, plane, young):
    images = random_images(1, *space)
    stiffness = effective_stiffness(images, young, POISSON, plane=plane, scheme="q1", tol=1e-7)
    expected = finite_elements(images, young, POISSON, plane)
    torch.testing.assert_close(stiffness[0], expected, rtol=1e-6, atol=1e-6 * expected.max().item())


@pytest.mark.parametrize("scheme", SCHEMES)
def test_fibres_of_square_symmetry_obey_the_relations_of_hill(scheme):
    """Hill 1964, J. Mech. Phys. Solids 12, 199: three constants along fibres hang on one."""
    images = torch.zeros(1, 1, 1, 10, 10)
    images[..., 3:8, 3:8] = 1
    c = effective_stiffness(images, (1, 10), (0.35, 0.2), scheme=scheme, tol=1e-8)[0]
    (l1, m1), (l2, m2) = lame_parameters(1, 0.35), lame_parameters(10, 0.2)
    bulk, cross, along = (c[1, 1] + c[1, 2]).item() / 2, c[0, 1].item(), c[0, 0].item()
    mean_l = 0.75 * l1 + 0.25 * l2
    mean_n = 0.75 * (l1 + 2 * m1) + 0.25 * (l2 + 2 * m2)
    ratio = 2.9838709677419355  # (k1 - k2) / (l1 - l2)
    assert (bulk - l1 - m1) / (cross - l1) == pytest.approx(ratio, rel=1e-9)
    assert (bulk - l2 - m2) / (cross - l2) == pytest.approx(ratio, rel=1e-9)
    assert (cross - mean_l) / (along - mean_n) == pytest.approx(ratio, rel=1e-9)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_shear_along_fibres_is_conduction_across_them(scheme):
    images = smooth_images(2, 9, 11)
    fibres = images[:, :, None].expand(2, 1, 2, 9, 11)  # along the first axis
    shear = [lame_parameters(*pair)[1] for pair in zip(YOUNG, POISSON, strict=True)]
    stiffness = effective_stiffness(fibres, YOUNG, POISSON, scheme=scheme, tol=1e-8)
    conductivity = effective_conductivity(images, shear, scheme=scheme, tol=1e-8)
    # Places 5 and 4 are the shears of the first axis with the second and with the third.
    block = stiffness[:, [5, 4]][:, :, [5, 4]]
    torch.testing.assert_close(block, conductivity, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    ("space", "plane"), [((8, 11), "strain"), ((9, 6), "stress"), ((5, 4, 6), None)]
)
def test_stiffness_is_symmetric_positive_and_between_reuss_and_voigt(space, plane, scheme):
    for seed in range(5):
        images = random_images(2, *space, seed=seed)
        generator = torch.Generator().manual_seed(seed)
        young = (10 ** torch.rand(2, generator=generator).mul(4).sub(2)).tolist()
        poisson = torch.rand(2, generator=generator).mul(1.2).sub(0.75).tolist()
        stiffness = effective_stiffness(images, young, poisson, plane=plane, scheme=scheme)
        size = stiffness.abs().amax()
        torch.testing.assert_close(stiffness, stiffness.mT, rtol=0, atol=1e-9 * size.item())
        reuss, voigt = stiffness_bounds(
            phase_fractions(images), young, poisson, dim=len(space), plane=plane
        )
        assert (torch.linalg.eigvalsh(stiffness) > 0).all()
        assert (torch.linalg.eigvalsh(voigt - stiffness) > -1e-8 * size).all()
        assert (torch.linalg.eigvalsh(stiffness - reuss) > -1e-8 * size).all()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_permuting_axes_of_a_volume_permutes_the_stiffness(scheme):
    images = random_images(1, 4, 5, 6)
    stiffness = effective_stiffness(images, YOUNG, POISSON, scheme=scheme, tol=1e-8)
    permuted = effective_stiffness(
        images.permute(0, 1, 4, 2, 3), YOUNG, POISSON, scheme=scheme, tol=1e-8
    )
    # New axes 0, 1, 2 are old 2, 0, 1: yz, xz, xy of the new become xy, yz, xz of the old.
    order = torch.tensor([2, 0, 1, 5, 3, 4])
    torch.testing.assert_close(permuted, stiffness[:, order][:, :, order], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_volume_one_voxel_thick_is_its_cross_section_in_plane_strain(scheme):
    images = random_images(2, 6, 7)
    flat = effective_stiffness(images, YOUNG, POISSON, plane="strain", scheme=scheme, tol=1e-8)
    thick = effective_stiffness(images[:, :, None], YOUNG, POISSON, scheme=scheme, tol=1e-8)
    places = torch.tensor([1, 2, 3])  # yy, xx, xy
    torch.testing.assert_close(thick[:, places][:, :, places], flat, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_unit_and_dual_channel_change_nothing_but_the_scale(scheme):
    images = random_images(2, 8, 9)
    stiffness = effective_stiffness(images, YOUNG, POISSON, scheme=scheme)
    pascal = effective_stiffness(images, [1e9 * e for e in YOUNG], POISSON, scheme=scheme)
    torch.testing.assert_close(pascal / 1e9, stiffness)
    two_channels = torch.cat([1 - images, images], 1)
    torch.testing.assert_close(
        effective_stiffness(two_channels, YOUNG, POISSON, scheme=scheme), stiffness
    )


def test_pores_weaken_and_leave_a_symmetric_stiffness():
    images = smooth_images(2, 16, 16)
    images[:, :, 0] = 1  # a plate, so that there is a path
    stiffness = effective_stiffness(images, (0, 1), (0.2, 0.3), tol=1e-7)
    softened = effective_stiffness(images, (1e-7, 1), (0.2, 0.3), scheme="q1", tol=1e-7)
    torch.testing.assert_close(stiffness, softened, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(stiffness, stiffness.mT)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("space", [(9, 9), (7, 6, 5)])
def test_a_stiff_island_in_a_void_carries_nothing(space, scheme):
    images = torch.zeros(2, 1, *space)  # the second: nothing but void
    images[(0, 0, *[slice(2, 4)] * len(space))] = 1
    stiffness = effective_stiffness(images, (0, 1), (0.2, 0.3), scheme=scheme, tol=1e-8)
    torch.testing.assert_close(stiffness, torch.zeros_like(stiffness), rtol=0, atol=1e-12)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    ("space", "plane"), [((6, 7), "strain"), ((6, 5), "stress"), ((3, 4, 5), None)]
)
@pytest.mark.parametrize("young", [(1.0, 100.0), (0.0, 1.0)])
def test_gradient_is_that_of_central_differences(young, space, plane, scheme):
    generator = torch.Generator().manual_seed(0)
    images = 0.1 + 0.8 * torch.rand(2, 1, *space, generator=generator, dtype=torch.float64)
    images.requires_grad_()
    direction = torch.randn(images.shape, generator=generator, dtype=torch.float64)

    def value(x):
        stiffness = effective_stiffness(x, young, POISSON, plane=plane, scheme=scheme, tol=1e-5)
        return (stiffness[:, 0, 0] - 0.5 * stiffness[:, 0, 1] + 2 * stiffness[:, -1, -1]).sum()

    (gradient,) = torch.autograd.grad(value(images), images)
    step = 1e-4 * direction
    with torch.no_grad():
        expected = (value(images + step) - value(images - step)) / 2e-4
    assert (gradient * direction).sum().item() == pytest.approx(expected.item(), rel=1e-4)


def test_rows_do_not_depend_on_each_other():
    images = random_images(12, 48, 48)  # more than are solved at once
    images[7] = 1.0
    together = effective_stiffness(images, YOUNG, POISSON, tol=1e-3)
    for row in (0, 7, 11):
        alone = effective_stiffness(images[row : row + 1], YOUNG, POISSON, tol=1e-3)
        torch.testing.assert_close(together[row : row + 1], alone, rtol=1e-11, atol=1e-11)


def test_no_images_have_no_stiffness_and_numpy_is_answered_in_numpy():
    assert effective_stiffness(torch.zeros(0, 1, 4, 4, 4), YOUNG, POISSON).shape == (0, 6, 6)
    answer = effective_stiffness(random_images(1, 4, 4).numpy(), YOUNG, POISSON)
    assert isinstance(answer, np.ndarray)


def test_an_answer_tells_scheme_boundary_tolerance_and_iterations():
    images = random_images(2, 8, 8)
    images[1] = 1
    for answer, scheme in (
        (homogenize_stiffness(images, YOUNG, POISSON, tol=1e-4), "q1"),
        (homogenize_conductivity(images, (1, 20), tol=1e-4), "rot"),
    ):
        assert (answer.scheme, answer.boundary, answer.tol) == (scheme, "periodic", 1e-4)
        first, second = answer.iterations.tolist()
        assert 0 == second < first
        assert (answer.error <= 1e-6).all()


def test_a_sample_that_does_not_converge_is_named():
    images = torch.ones(6, 1, 64, 64)
    images[5] = random_images(1, 64, 64)[0]
    message = r"sample 5 .* in 3 iterations at contrast 1e\+03 with scheme rot. Use scheme='q1'"
    with pytest.raises(ConvergenceError, match=message) as refusal:
        effective_stiffness(images, (1, 1000), (0.3, 0.3), scheme="rot", max_iterations=3)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("images", "arguments", "message"),
    [
        (torch.rand(1, 1, 4, 4), {"young": (1, -1)}, "young should be two or more finite"),
        (torch.rand(1, 1, 4, 4), {"young": (1, math.inf)}, "finite numbers >= 0"),
        (torch.rand(1, 1, 4, 4), {"young": (1, 2, 3)}, "2 phases, got 3 values of young"),
        (torch.rand(1, 1, 4, 4), {"poisson": (0.2, 0.5)}, "above -1 and below 0.5"),
        (torch.rand(1, 1, 4, 4), {"poisson": (math.nan, 0.2)}, "above -1 and below 0.5"),
        (torch.rand(1, 1, 4, 4), {"poisson": (0.3,)}, "2 phases, got 1 values of poisson"),
        (torch.full((1, 2, 4, 4), 0.3), {}, "add to 1 in every voxel"),
        (torch.rand(1, 1, 4, 4), {"scheme": "fv"}, "which is for conduction"),
        (torch.rand(1, 1, 4, 4), {"scheme": "fem"}, "scheme should be"),
        (torch.rand(1, 1, 4, 4), {"plane": "both"}, "plane should be 'strain', 'stress' or None"),
        (torch.rand(1, 1, 4, 4, 4), {"plane": "stress"}, "plane is for 2-D images"),
        (torch.rand(1, 1, 4, 4), {"tol": 1.0}, "tol should be between"),
        (torch.rand(1, 1, 4), {}, "should have shape"),
        (torch.full((1, 1, 4, 4), math.nan), {}, "should be finite"),
        (2 * torch.ones(1, 1, 4, 4), {}, r"should be in \[0, 1\]"),
    ],
)
def test_bad_arguments_are_refused_in_one_line(images, arguments, message):
    with pytest.raises(ValueError, match=message) as refusal:
        effective_stiffness(images, **{"young": YOUNG, "poisson": POISSON, **arguments})
    assert "\n" not in str(refusal.value)
