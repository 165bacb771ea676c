"""The schemes against finite elements assembled here from shape functions and quadrature."""

import itertools
import math

import numpy as np
import pytest
import torch

from objectives.homogenize import effective_conductivity
from objectives.homogenize.cg import conjugate_gradients
from objectives.homogenize.preconditioner import Preconditioner
from objectives.homogenize.schemes import conduction_scheme, make_scheme


def shape_gradients(point):
    """Gradients of the (tri)linear shape functions at a point of the cell, corner by corner."""
    gradients = []
    for corner in itertools.product((0, 1), repeat=len(point)):
        values = [x if c else 1 - x for x, c in zip(point, corner, strict=True)]
        slopes = [1.0 if c else -1.0 for c in corner]
        gradients.append(
            [slope * math.prod(values[:j] + values[j + 1 :]) for j, slope in enumerate(slopes)]
        )
    return np.array(gradients).T  # (dim, corners)


def dense_finite_elements(k, points):
    """Effective tensor of k (*space), repeated periodically, by dense linear algebra."""
    dim, weight = k.ndim, 1 / len(points)
    number = np.arange(k.size).reshape(k.shape)
    corners = np.array(list(itertools.product((0, 1), repeat=dim)))
    stiffness, loads, mean = (
        np.zeros((k.size, k.size)),
        np.zeros((k.size, dim)),
        np.zeros((dim, dim)),
    )
    for voxel in np.ndindex(k.shape):
        nodes = [number[tuple((np.array(voxel) + c) % k.shape)] for c in corners]
        for point in points:
            gradient = shape_gradients(point)
            # Nodes repeat where an axis is one voxel long, so add one by one.
            np.add.at(stiffness, np.ix_(nodes, nodes), weight * k[voxel] * gradient.T @ gradient)
            np.add.at(loads, nodes, -weight * k[voxel] * gradient.T)
            mean += weight * k[voxel] * np.eye(dim)
    u = np.linalg.lstsq(stiffness, loads, rcond=1e-12)[0]
    return (mean - loads.T @ u) / k.size


GAUSS = (0.5 - 0.5 / 3**0.5, 0.5 + 0.5 / 3**0.5)


@pytest.mark.parametrize("space", [(4, 5), (6, 3), (3, 4, 2), (3, 3, 3)])
@pytest.mark.parametrize("phases", [(1.0, 30.0), (0.0, 1.0)])
@pytest.mark.parametrize(("scheme", "points"), [("q1", GAUSS), ("rot", (0.5,))])
def test_q1_and_rot_are_finite_elements_with_full_and_reduced_integration(
    scheme, points, phases, space
):
    images = torch.rand(1, 1, *space, generator=torch.Generator().manual_seed(3)).round().double()
    k = phases[0] + (phases[1] - phases[0]) * images[0, 0].numpy()
    expected = dense_finite_elements(k, list(itertools.product(points, repeat=len(space))))
    tensor = effective_conductivity(images, phases, scheme=scheme, tol=1e-9)[0]
    np.testing.assert_allclose(tensor.numpy(), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", ["q1", "rot", "fv"])
@pytest.mark.parametrize("space", [(5, 8), (4, 3, 6)])
def test_transpose_and_symbol_belong_to_the_gradient(name, space):
    scheme = make_scheme(name, (1.0,) * len(space))
    u, v = torch.randn(2, 1, 1, *space, dtype=torch.float64)
    fields = scheme.gradient(u)
    others = [torch.randn_like(u) for _ in fields]
    inner = sum((f * g).sum() for f, g in zip(fields, others, strict=True))
    torch.testing.assert_close(inner, (scheme.transpose(others) * u).sum())

    weighted = scheme.weighted(scheme.coefficients(torch.ones(1, *space, dtype=torch.float64)))
    axes = tuple(range(2, u.ndim))
    by_symbol = torch.fft.irfftn(
        torch.fft.rfftn(v, dim=axes) * scheme.symbol(space), s=space, dim=axes
    )
    torch.testing.assert_close(scheme.apply(weighted, v), by_symbol)


def test_a_homogeneous_medium_takes_one_iteration():
    scheme, space = make_scheme("q1", (1.0, 1.0)), (7, 9)
    weighted = scheme.weighted(torch.ones(2, 1, *space, dtype=torch.float64))
    b = torch.randn(2, 3, *space, dtype=torch.float64)
    b -= b.mean((2, 3), keepdim=True)
    solve = Preconditioner(scheme, space, b.device)
    solution = conjugate_gradients(
        scheme.apply,
        solve,
        weighted,
        b,
        lowest=torch.ones(2, dtype=torch.float64),
        tol=1e-10,
        max_iterations=5,
    )
    assert solution.iterations.tolist() == [1, 1]
    torch.testing.assert_close(scheme.apply(weighted, solution.u), b)


def test_samples_leave_the_batch_as_they_converge():
    scheme, space = make_scheme("q1", (1.0, 1.0)), (16, 16)
    k = torch.rand(3, *space, generator=torch.Generator().manual_seed(0)).double().round()
    k = 1 + k * torch.tensor([0.0, 1.0, 99.0]).double()[:, None, None]
    weighted = scheme.weighted(scheme.coefficients(k))
    none = scheme.zeros(3, space, k.device)
    tensor = scheme.tensor(weighted, none)
    solution = conjugate_gradients(
        scheme.apply,
        Preconditioner(scheme, space, k.device),
        weighted,
        scheme.remainder(weighted, none),
        lowest=torch.ones(3, dtype=torch.float64),
        energy=tensor.diagonal(dim1=1, dim2=2) * 16**2,
        tol=1e-6,
        max_iterations=100,
    )
    first, second, third = solution.iterations.tolist()
    assert first == 0 < second < third
    assert solution.converged.all()
    after = scheme.tensor(weighted, solution.u)
    exact = effective_conductivity((k[:, None] - 1) / 99, (1, 100), scheme="q1", tol=1e-12)
    over = (after - exact).diagonal(dim1=1, dim2=2) * 16**2
    assert (over <= solution.error + 1e-12).all()
    assert (solution.error <= 1.01e-11 * after.diagonal(dim1=1, dim2=2) * 16**2).all()


def test_the_scheme_of_conduction_goes_by_dimension_alone():
    assert [conduction_scheme(dim) for dim in (2, 3)] == ["rot", "q1"]
