"""Effective values against a direct solver, at any contrast and on boxes, and their errors."""

import itertools
import math

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from scipy import ndimage
from scipy.sparse.linalg import splu

from objectives.effective_conductivity import EffectiveConductivity
from objectives.effective_stiffness import EffectiveStiffness
from objectives.errors import EvaluationError
from objectives.grid import Grid
from objectives.homogenize import (
    effective_conductivity,
    effective_stiffness,
    engineering_constants,
    homogenize_conductivity,
    homogenize_stiffness,
)
from objectives.homogenize.stiffness import lame_parameters

GAUSS = (0.5 - 0.5 / 3**0.5, 0.5 + 0.5 / 3**0.5)
POINTS = {"q1": GAUSS, "rot": (0.5,)}
VOIGT = {2: ((0, 0), (1, 1), (0, 1)), 3: ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))}
CONTRASTS = (1e2, 1e6, 1e10)


def shape_gradients(point, edges):
    """Gradients of the (tri)linear shape functions at a point of a box, corner by corner."""
    rows = []
    for corner in itertools.product((0, 1), repeat=len(point)):
        values = [x if c else 1 - x for x, c in zip(point, corner, strict=True)]
        slopes = [(1 if c else -1) / h for c, h in zip(corner, edges, strict=True)]
        rows.append([s * math.prod(values[:j] + values[j + 1 :]) for j, s in enumerate(slopes)])
    return np.array(rows).T


def strain_rows(gradients):
    """Voigt strain of corner displacements, from the gradients of their shape functions."""
    dim, corners = gradients.shape
    rows = np.zeros((len(VOIGT[dim]), corners, dim))
    for row, (i, j) in zip(rows, VOIGT[dim], strict=True):
        row[:, i] += gradients[j] * (i != j)
        row[:, j] += gradients[i]
    return rows.reshape(len(rows), -1)


def direct(media, edges, scheme):
    """Effective tensor by finite elements and sparse LU; media are pairs of matrix and factors."""
    space = media[0][1].shape
    dim, components = len(space), 1 if len(media) == 1 else len(space)
    number = np.arange(math.prod(space)).reshape(space)
    corners = [
        np.roll(number, [-c for c in corner], axis=range(dim)).ravel()
        for corner in itertools.product((0, 1), repeat=dim)
    ]
    nodes = (np.stack(corners, 1)[:, :, None] * components + np.arange(components)).reshape(
        number.size, -1
    )
    points = list(itertools.product(POINTS[scheme], repeat=dim))
    gradients = [shape_gradients(point, edges) for point in points]
    rows = gradients if components == 1 else [strain_rows(g) for g in gradients]
    element = sum(
        factor.ravel()[:, None, None] * sum(b.T @ c @ b for b in rows)[None] / len(points)
        for c, factor in media
    )
    force = sum(
        factor.ravel()[:, None, None] * sum(b.T @ c for b in rows)[None] / len(points)
        for c, factor in media
    )
    size = number.size * components
    first = np.repeat(nodes, nodes.shape[1], 1).ravel()
    second = np.tile(nodes, (1, nodes.shape[1])).ravel()
    matrix = sp.csc_matrix((element.ravel(), (first, second)), shape=(size, size))
    load = np.zeros((size, force.shape[2]))
    np.add.at(load, nodes.ravel(), -force.reshape(-1, force.shape[2]))
    free = np.arange(components, size)  # one node held
    scale = 1 / np.sqrt(matrix.diagonal()[free])
    scaled = (sp.diags(scale) @ matrix[free][:, free] @ sp.diags(scale)).tocsc()
    factors, right = splu(scaled), scale[:, None] * load[free]
    answer = factors.solve(right)
    for _ in range(3):
        answer += factors.solve(right - scaled @ answer)
    u = np.zeros_like(load)
    u[free] = scale[:, None] * answer
    tensor = 0
    for b in rows:
        total = b @ u[nodes] + np.eye(len(b))
        for c, factor in media:
            parts = np.einsum("n,nvl,vw,nwm->lm", factor.ravel(), total, c, total, optimize=True)
            tensor = tensor + parts / number.size / len(points)
    return tensor


def conductors(image, contrast):
    return [(np.eye(image.ndim), 1 / contrast + (1 - 1 / contrast) * image)]


def solids(image, contrast, poisson):
    """Lame's two parts of the stiffness, of phases 1 / contrast and 1."""
    size, dim = len(VOIGT[image.ndim]), image.ndim
    dilation = np.zeros((size, size))
    dilation[:dim, :dim] = 1
    shear = np.diag([2.0] * dim + [1.0] * (size - dim))
    soft, stiff = (
        lame_parameters(young, ratio)
        for young, ratio in zip((1 / contrast, 1.0), poisson, strict=True)
    )
    pairs = zip((dilation, shear), soft, stiff, strict=True)
    return [(matrix, low + (high - low) * image) for matrix, low, high in pairs]


def structure(kind, *space):
    noise, index = np.random.default_rng(3).random(space), np.indices(space)
    match kind:
        case "islands":  # stiff ones, none of which touches another
            return ((index % 5 > 0) & (index % 5 < 4)).all(0).astype(float)
        case "holes":  # soft ones in a stiff matrix
            return 1 - ((index % 5 > 0) & (index % 5 < 4)).all(0).astype(float)
        case "slanted":  # stiff along both axes, soft between them
            return (index.sum(0) % space[0] < space[0] // 2).astype(float)
        case "sparse":
            return (noise < 0.3).astype(float)
        case _:
            smooth = ndimage.gaussian_filter(noise, 1.2, mode="wrap")
            return (smooth > np.median(smooth)).astype(float)


def largest_error(tensor, exact):
    """Of any value x C x, relative: the largest eigenvalue of the difference over the exact one."""
    half = np.linalg.inv(np.linalg.cholesky(exact))
    return np.abs(np.linalg.eigvalsh(half @ (tensor - exact) @ half.T)).max()


def structures(kinds, *space):
    """Structures as the rows of one batch."""
    return [structure(kind, *space) for kind in kinds]


def as_images(rows):
    return np.stack(rows)[:, None]


@pytest.mark.parametrize("contrast", CONTRASTS)
@pytest.mark.parametrize("edges", [(1.0, 1.0), (5.0, 1.0)])
@pytest.mark.parametrize("scheme", ["q1", "rot"])
def test_conduction_is_within_its_bound_of_a_direct_solution(scheme, edges, contrast):
    rows = structures(["islands", "holes", "slanted", "sparse", "smooth"], 15, 15)
    answer = homogenize_conductivity(
        as_images(rows), (1 / contrast, 1), grid=Grid(edges), scheme=scheme, tol=1e-4
    )
    rounding = 1e-16 * contrast  # of the direct solution
    for image, tensor, error in zip(rows, answer.tensor, answer.error.tolist(), strict=True):
        exact = direct(conductors(image, contrast), edges, scheme)
        assert largest_error(tensor, exact) < error + 10 * rounding
        assert error < 1e-6 + 10 * rounding


@pytest.mark.parametrize("contrast", CONTRASTS)
@pytest.mark.parametrize(
    ("poisson", "edges"), [((0.45, 0.3), (1.0, 2.0)), ((0.2, 0.49), (1.0, 1.0))]
)
def test_stiffness_is_within_its_bound_of_a_direct_solution(poisson, edges, contrast):
    kinds = ["islands", "slanted", "smooth"]
    rows = structures(kinds, 10, 10)
    answer = homogenize_stiffness(
        as_images(rows), (1 / contrast, 1), poisson, grid=Grid(edges), tol=1e-4
    )
    rounding = 1e-16 * contrast
    errors = answer.error.tolist()
    for kind, image, tensor, error in zip(kinds, rows, answer.tensor, errors, strict=True):
        exact = direct(solids(image, contrast, poisson), edges, "q1")
        assert largest_error(tensor, exact) < error + 100 * rounding
        assert error < 1e-5 + 100 * rounding
        if kind == "slanted" and contrast == 1e10:
            continue  # so soft between its axes that the direct solution has no digits left there
        ours, theirs = engineering_constants(tensor[None]), engineering_constants(exact[None])
        for value, other in ((ours.young, theirs.young), (ours.shear, theirs.shear)):
            torch.testing.assert_close(
                value, torch.as_tensor(other), rtol=1e-5 + 1e-15 * contrast, atol=0
            )


@pytest.mark.parametrize("contrast", [1e2, 1e10])
def test_volumes_are_within_their_bound_too(contrast):
    rows, edges = structures(["islands", "smooth"], 5, 6, 5), (2.0, 1.0, 1.0)
    grid, young, poisson = Grid(edges), (1 / contrast, 1), (0.45, 0.3)
    flows = homogenize_conductivity(as_images(rows), young, grid=grid, tol=1e-4)
    solid = homogenize_stiffness(as_images(rows), young, poisson, grid=grid, tol=1e-4)
    for row, image in enumerate(rows):
        exact = direct(conductors(image, contrast), edges, "q1")
        assert largest_error(flows.tensor[row], exact) < flows.error[row].item() < 1e-6
        exact = direct(solids(image, contrast, poisson), edges, "q1")
        error = solid.error[row].item()
        assert largest_error(solid.tensor[row], exact) < error + 1e-14 * contrast
        assert error < 1e-5


def faces(image, edges, contrast, ends=None):
    """Finite volumes by sparse LU: periodic, or held at the ends of an axis and closed else."""
    k = 1 / contrast + (1 - 1 / contrast) * image
    number, size = np.arange(k.size).reshape(k.shape), k.size
    matrix, load, total = sp.lil_matrix((size, size)), np.zeros(size), 0.0
    links = []
    for axis, h in enumerate(edges):
        for a in np.ndindex(k.shape):
            b = list(a)
            b[axis] += 1
            if b[axis] == k.shape[axis] and ends is not None:
                continue
            b[axis] %= k.shape[axis]
            b = tuple(b)
            links.append((number[a], number[b], 2 * k[a] * k[b] / (k[a] + k[b]) / h**2, axis))
    for i, j, c, _ in links:
        for row, column, sign in ((i, i, 1), (j, j, 1), (i, j, -1), (j, i, -1)):
            matrix[row, column] += sign * c
    if ends is None:
        for i, j, c, axis in links:
            if axis == 0:
                load[i] += c * edges[0]
                load[j] -= c * edges[0]
        matrix = matrix.tocsc()[1:, 1:]
        u = np.concatenate([[0.0], splu(matrix).solve(load[1:])])
        for i, j, c, axis in links:
            total += c * (u[j] - u[i] + (edges[0] if axis == 0 else 0)) ** 2
        return total / size
    # Half a voxel from the outer centres to the faces, held at 0 and at the length.
    first, last = np.take(number, 0, ends).ravel(), np.take(number, -1, ends).ravel()
    length, h = k.shape[ends] * edges[ends], edges[ends]
    for nodes, held in ((first, 0.0), (last, length)):
        for i in nodes:
            c = 2 * k.ravel()[i] / h**2
            matrix[i, i] += c
            load[i] += c * held
    u = splu(matrix.tocsc()).solve(load)
    flux = sum(2 * k.ravel()[i] / h**2 * (u[i] - 0.0) for i in first)
    return flux * h * k.shape[ends] / size


@pytest.mark.parametrize("contrast", [1e2, 1e6])
@pytest.mark.parametrize("edges", [(1.0, 1.0), (5.0, 1.0)])
@pytest.mark.parametrize("kind", ["islands", "smooth"])
def test_finite_volumes_are_those_of_a_direct_solution(kind, edges, contrast):
    image = structure(kind, 10, 12)
    tensor = effective_conductivity(
        image[None, None], (1 / contrast, 1), grid=Grid(edges), scheme="fv"
    )
    assert tensor[0, 0, 0] == pytest.approx(faces(image, edges, contrast), rel=1e-8)


@pytest.mark.parametrize("edges", [(1.0, 1.0), (2.0, 1.0)])
def test_an_image_that_does_not_repeat_is_held_at_its_ends_and_closed_at_its_sides(edges):
    image = structure("smooth", 9, 11)
    grid = Grid(edges, periodic=False)
    tensor = effective_conductivity(image[None, None], (0.01, 1), grid=grid, scheme="fv", tol=1e-7)
    for axis in (0, 1):
        exact = faces(image, edges, 100.0, ends=axis)
        assert tensor[0, axis, axis] == pytest.approx(exact, rel=1e-10)


@pytest.mark.parametrize("scheme", ["q1", "rot", "fv"])
def test_an_image_that_does_not_repeat_is_its_mirror_images_repeated(scheme):
    image = torch.from_numpy(structure("smooth", 5, 6))[None, None]
    four = torch.cat([image, image.flip(2)], 2)
    four = torch.cat([four, four.flip(3)], 3)
    closed, options = Grid(periodic=False), {"scheme": scheme, "tol": 1e-8}
    alone = homogenize_conductivity(image, (1, 30), grid=closed, **options)
    assert alone.boundary == "mirrored"
    expected = effective_conductivity(four, (1, 30), **options)
    torch.testing.assert_close(alone.tensor, expected, rtol=1e-10, atol=1e-10)
    if scheme != "fv":
        alone = effective_stiffness(image, (1, 30), (0.3, 0.2), grid=closed, **options)
        expected = effective_stiffness(four, (1, 30), (0.3, 0.2), **options)
        torch.testing.assert_close(alone, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("ratio", [1.0, 5.0])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_layers_of_boxes_are_exact_across_and_along(axis, ratio):
    image = torch.zeros(1, 1, 3, 4, 5, dtype=torch.float64)
    image.narrow(2 + axis, 0, 1).fill_(1)
    share = 1 / image.shape[2 + axis]
    edges = [1.0, 1.0, 1.0]
    edges[axis] = ratio
    grid = Grid(tuple(edges))
    for scheme in ("q1", "rot", "fv"):
        tensor = effective_conductivity(image, (2, 300), grid=grid, scheme=scheme)[0]
        expected = torch.full((3,), 2 + 298 * share, dtype=torch.float64)
        expected[axis] = 1 / ((1 - share) / 2 + share / 300)
        torch.testing.assert_close(tensor, torch.diag(expected), rtol=1e-8, atol=1e-8)
    stiffness = effective_stiffness(image, (2, 300), (0, 0), grid=grid)[0]
    torch.testing.assert_close(stiffness.diagonal()[:3], expected, rtol=1e-8, atol=1e-8)


def test_boxes_have_the_values_of_the_same_body_on_cubes():
    """The finer grid differs by its resolution only; ignoring the edges would be far off."""
    image = np.kron(structure("smooth", 12, 12), np.ones((4, 4)))[None, None]
    boxes, cubes = Grid((3, 1)), np.repeat(image, 3, 2)
    for values in (
        lambda x, grid: effective_conductivity(x, (1, 20), grid=grid, scheme="q1"),
        lambda x, grid: effective_stiffness(x, (1, 20), (0.3, 0.3), grid=grid),
    ):
        expected = values(cubes, Grid())
        scale = np.abs(expected).max()
        assert np.abs(values(image, boxes) - expected).max() < 0.03 * scale
        assert np.abs(values(image, Grid()) - expected).max() > 0.09 * scale


def test_only_the_ratio_of_the_edges_matters():
    image = torch.from_numpy(structure("smooth", 8, 9))[None, None]
    one = effective_stiffness(image, (1, 20), (0.3, 0.3), grid=Grid((0.4, 0.1)))
    other = effective_stiffness(image, (1, 20), (0.3, 0.3), grid=Grid((4, 1)))
    torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)
    cubes = effective_stiffness(image, (1, 20), (0.3, 0.3), grid=Grid(7))
    assert torch.equal(cubes, effective_stiffness(image, (1, 20), (0.3, 0.3)))


def test_a_phase_that_no_voxel_has_changes_nothing():
    first = torch.from_numpy(structure("smooth", 8, 8))
    images = torch.stack([first, 1 - first, torch.zeros(8, 8)])[None]
    conductivity = effective_conductivity(images[:, :2], (1, 50))
    stiffness = effective_stiffness(images[:, :2], (1, 50), (0.3, 0.3))
    for unused in (0.0, 1e-18, 1e18):
        tensor = effective_conductivity(images, (1, 50, unused))
        torch.testing.assert_close(tensor, conductivity, rtol=1e-9, atol=1e-9)
        tensor = effective_stiffness(images, (1, 50, unused), (0.3, 0.3, 0.4))
        torch.testing.assert_close(tensor, stiffness, rtol=1e-9, atol=1e-9)


def test_units_change_nothing_but_the_scale():
    image = torch.from_numpy(structure("smooth", 8, 8))[None, None]
    conductivity = homogenize_conductivity(image, (1, 50))
    stiffness = effective_stiffness(image, (1, 50), (0.3, 0.3))
    for unit in (1e-30, 1e-12, 1e30):
        other = homogenize_conductivity(image, (unit, 50 * unit))
        torch.testing.assert_close(other.tensor / unit, conductivity.tensor, rtol=1e-12, atol=1e-12)
        assert torch.equal(conductivity.iterations, other.iterations)
        other = effective_stiffness(image, (unit, 50 * unit), (0.3, 0.3))
        torch.testing.assert_close(other / unit, stiffness, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("poisson", [0.0, 0.3, 0.49])
@pytest.mark.parametrize("pores", ["none listed", "listed", "there"])
def test_a_phase_that_rounding_would_lose_is_refused_whatever_else_is_listed(pores, poisson):
    labels = torch.zeros(8, 8, dtype=torch.long)
    labels[:4] = 1
    if pores == "there":
        labels[:, 0] = 2
    phases = 2 if pores == "none listed" else 3
    image = torch.nn.functional.one_hot(labels, phases).movedim(-1, 0)[None].double()
    values = (1e-13, 1, 0)[:phases]
    with pytest.raises(EvaluationError, match="contrast 1e\\+13"):
        effective_conductivity(image, values)
    with pytest.raises(EvaluationError, match="contrast 1e\\+13"):
        effective_stiffness(image, values, (poisson,) * phases)


def test_a_trace_of_a_solid_in_a_pore_is_rounding():
    solid = torch.zeros(1, 1, 8, 8).double()
    solid[..., :4] = 1
    for values in ((0, 1), (0, 1e-30), (0, 1e30)):
        clean = effective_conductivity(solid, values)
        torch.testing.assert_close(effective_conductivity(solid.clamp_min(1e-14), values), clean)


@pytest.mark.parametrize("space", [(10, 10), (4, 4, 4)])
def test_properties_are_continuous_in_the_property_of_a_phase_and_never_fall(space):
    kinds = ["sparse", "smooth", "islands", "holes"]
    images = 1 - torch.from_numpy(as_images(structures(kinds, *space)))
    soft = [0, 1e-11, 1e-6, 1e-3, 0.1, 1]
    for objective in (
        lambda e: EffectiveConductivity(conductivity=(e, 1)),
        lambda e: EffectiveStiffness(young=(e, 1), poisson=(0.3, 0.3)),
    ):
        answers = [objective(e)(images) for e in soft]
        names = [name for name in answers[0] if name.startswith("E_") or name in ("k_xx", "k_yy")]
        assert names
        for name in names:
            values = torch.stack([answer[name] for answer in answers])
            for row, kind in enumerate(kinds):
                along = values[:, row].tolist()
                for low, high in itertools.pairwise(along):
                    assert high >= low - 1e-7 * high, (kind, name, along)
                assert along[1] - along[0] < 1e-4 * along[-1], (kind, name, along)


@pytest.mark.parametrize("space", [(12, 12), (4, 4, 4)])
def test_the_scheme_does_not_depend_on_the_properties(space):
    shape = (1, *space)
    schemes = {
        EffectiveConductivity(conductivity=(k, 1)).for_images(shape).scheme
        for k in (0, 1e-9, 0.01, 0.5, 1)
    }
    assert schemes == {"rot" if len(space) == 2 else "q1"}
    assert EffectiveStiffness(young=(0, 1)).for_images(shape).scheme == "q1"
    image = torch.from_numpy(structure("smooth", *space))[None, None]
    for pores in (0, 1e-9, 0.1):
        assert homogenize_stiffness(image, (pores, 1), (0.3, 0.3), tol=0.1).scheme == "q1"
        answer = homogenize_conductivity(image, (pores, 1), tol=0.1)
        assert {answer.scheme} == schemes


def test_the_objectives_tell_the_error_of_their_values():
    image = torch.from_numpy(structure("sparse", 14, 14))[None, None]
    close = {"tol": 1e-7}
    for objective, error in (
        (EffectiveConductivity(conductivity=(1e-4, 1)), "conductivity_error"),
        (EffectiveStiffness(young=(1e-4, 1), poisson=(0.3, 0.3)), "stiffness_error"),
    ):
        values = objective(image)
        exact = objective.model_copy(update=close)(image)
        said = values.pop(error).item()
        assert 0 < said < 1e-6
        for name, value in values.items():
            if name.startswith(("k_x", "k_y", "E_", "G_")) and name != "k_xy":
                assert abs(value.item() / exact[name].item() - 1) <= said + 1e-12
    loose = objective.model_copy(update={"tol": 1e-2})(image)["stiffness_error"].item()
    assert 1e-6 < loose < 1e-2
