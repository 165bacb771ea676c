"""Lines, arcs and grids of latent points."""

import math

import pytest
import torch

from latentopt.space.paths import arc, grid, line


def point(seed, d=8):
    return torch.randn(d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


A, B = point(0), point(1)


@pytest.mark.parametrize("path", [line, arc])
@pytest.mark.parametrize("n", [2, 3, 10])
def test_a_path_has_n_points_from_a_to_b(path, n):
    points = path(A, B, n)
    assert points.shape == (n, 8)
    torch.testing.assert_close(points[0], A)
    torch.testing.assert_close(points[-1], B)


def test_a_line_has_equal_steps():
    steps = line(A, B, 7).diff(dim=0)
    torch.testing.assert_close(steps, ((B - A) / 6).expand(6, -1))


def test_an_arc_turns_by_equal_angles_and_its_norm_changes_evenly():
    points = arc(A, B, 7)
    norms = points.norm(dim=1)
    torch.testing.assert_close(norms, torch.linspace(*norms[[0, -1]].tolist(), 7).double())
    unit = points / norms[:, None]
    cosines = (unit[1:] * unit[:-1]).sum(1)
    torch.testing.assert_close(cosines, cosines[:1].expand(6))


def test_an_arc_stays_in_the_plane_of_its_ends():
    basis = torch.linalg.qr(torch.stack([A, B]).T).Q
    points = arc(A, B, 5)
    torch.testing.assert_close(points @ basis @ basis.T, points)


def test_a_quarter_circle_has_its_middle_at_45_degrees():
    a, b = torch.eye(2, dtype=torch.float64)
    expected = torch.tensor([[1, 0], [math.sqrt(0.5)] * 2, [0, 1]], dtype=torch.float64)
    torch.testing.assert_close(arc(a, b, 3), expected)


@pytest.mark.parametrize("factor", [1.0, 2.5, -1.0, -0.3])
@pytest.mark.parametrize("seed", range(5))
def test_between_parallel_or_opposite_points_the_arc_is_the_line(factor, seed):
    a = point(seed)
    torch.testing.assert_close(arc(a, factor * a, 5), line(a, factor * a, 5))


def test_from_the_origin_the_arc_is_the_line():
    origin = torch.zeros(8, dtype=torch.float64)
    assert torch.equal(arc(origin, B, 4), line(origin, B, 4))
    assert torch.equal(arc(A, origin, 4), line(A, origin, 4))


@pytest.mark.parametrize("axes", [(0,), (2, 1), (0, 3, 2)])
def test_a_grid_sets_its_axes_to_every_combination_of_ticks(axes):
    at, ticks = point(3, 4), torch.tensor([-1.0, 0.0, 2.0], dtype=torch.float64)
    points = grid(at, axes, ticks)
    assert points.shape == (*[3] * len(axes), 4)
    index = (2, 0, 1)[: len(axes)]
    expected = at.clone()
    for axis, i in zip(axes, index, strict=True):
        expected[axis] = ticks[i]
    torch.testing.assert_close(points[index], expected)


def test_a_grid_leaves_the_point_it_starts_from_alone():
    at = point(3, 4)
    before = at.clone()
    grid(at, (0, 1), torch.linspace(-1, 1, 3, dtype=torch.float64))
    assert torch.equal(at, before)
