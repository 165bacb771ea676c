"""Statistics by length on voxels that are no cubes: as of the same body cut into cubes."""

import numpy as np
import pytest
import torch

from objectives.chord_length import chord_length_distribution
from objectives.errors import EvaluationError
from objectives.lineal_path import lineal_path
from objectives.pair_correlation import pair_correlation
from objectives.specific_surface import NEAREST_DIRECTIONS, specific_surface
from objectives.two_point import TwoPointPCA, radial_average, two_point_statistics

BOXES = [(5, 1), (1, 2), (3, 1, 1), (1, 2, 3)]
each_box = pytest.mark.parametrize("edges", BOXES, ids=str)


def random_images(space, n=2):
    generator = torch.Generator().manual_seed(0)
    return (torch.rand(n, 1, *space, generator=generator, dtype=torch.float64) > 0.5).double()


def cut_into_cubes(images, edges):
    for axis, edge in enumerate(edges, 2):
        images = images.repeat_interleave(edge, axis)
    return images


@each_box
@pytest.mark.parametrize("periodic", [True, False])
def test_paths_and_chords_are_those_of_cubes(edges, periodic):
    images = random_images((5, 6, 4)[: len(edges)])
    cubes = cut_into_cubes(images, edges)
    for statistic in (lineal_path, chord_length_distribution):
        boxes = statistic(images, periodic=periodic, voxel_size_um=edges)
        expected = statistic(cubes, periodic=periodic)
        torch.testing.assert_close(boxes, expected[..., : boxes.shape[-1]])
        assert boxes.shape[-1] == expected.shape[-1] or statistic is lineal_path


@each_box
def test_averages_over_directions_are_those_of_cubes(edges):
    images = random_images((6, 8, 6)[: len(edges)])
    boxes = pair_correlation(images, voxel_size_um=edges)
    expected = pair_correlation(cut_into_cubes(images, edges))
    assert boxes.shape[-1] >= 3
    torch.testing.assert_close(boxes, expected[..., : boxes.shape[-1]])
    statistics = two_point_statistics(images)
    torch.testing.assert_close(
        radial_average(statistics, voxel_size_um=[3.0 * edge for edge in edges]),
        radial_average(statistics, voxel_size_um=edges),
    )


def test_a_chord_of_no_whole_number_of_steps_keeps_the_mean_length():
    layers = torch.zeros(1, 1, 6, 6)
    layers[:, :, :2] = 1  # 2 x 0.7 along the first axis, in steps of 0.4
    chords = chord_length_distribution(layers, voxel_size_um=(0.7, 0.4))[0, 0]
    assert chords.sum().item() == pytest.approx(1)
    assert (chords * torch.arange(len(chords))).sum().item() * 0.4 == pytest.approx(1.4)


@each_box
@pytest.mark.parametrize("periodic", [True, False])
def test_layers_along_each_axis_have_their_faces(edges, periodic):
    for axis, edge in enumerate(edges):
        images = torch.zeros(1, 1, *[8] * len(edges)).double()
        images.movedim(axis + 2, 0)[2:5] = 1
        surface = specific_surface(
            images, periodic=periodic, method="faces", voxel_size_um=edges
        ).item()
        steps = 8 if periodic else 7
        assert surface == pytest.approx(2 / (steps * edge))


@pytest.mark.parametrize("edges", [(2, 1), (5, 1), (2, 1, 1), (3, 1, 1), (1, 2, 3)], ids=str)
def test_crofton_measures_balls_of_boxes_within_two_percent_and_flat_ones_within_eight(edges):
    side, radius, dim = (120.0, 36.0, 2) if len(edges) == 2 else (54.0, 17.0, 3)
    shape = [round(side / edge) for edge in edges]
    generator = np.random.default_rng(0)
    axes = [
        (np.arange(n) + generator.random() - n / 2) * edge
        for n, edge in zip(shape, edges, strict=True)
    ]
    points = np.meshgrid(*axes, indexing="ij")
    ball = (sum(p**2 for p in points) <= radius**2).astype(float)
    volume = np.prod([n * edge for n, edge in zip(shape, edges, strict=True)])
    exact = {2: 2 * np.pi * radius, 3: 4 * np.pi * radius**2}[dim] / volume
    found = specific_surface(ball[None, None], voxel_size_um=edges)[0]
    assert found == pytest.approx(exact, rel=0.02)
    # Half as large along the first axis, on voxels half as long: most of it faces one way.
    half = (edges[0] / 2, *edges[1:])
    found = specific_surface(ball[None, None], voxel_size_um=half)[0]
    assert found == pytest.approx(oblate(radius, dim) / (volume / 2), rel=0.08)


def oblate(radius, dim):
    """Length of an ellipse, area of a spheroid, with one half-axis of half the radius."""
    eccentricity = np.sqrt(3) / 2
    if dim == 3:
        ring = (1 - eccentricity**2) / eccentricity * np.arctanh(eccentricity)
        return 2 * np.pi * radius**2 * (1 + ring)
    angles = np.linspace(0, np.pi / 2, 4001)
    speed = np.sqrt(np.sin(angles) ** 2 + (np.cos(angles) / 2) ** 2)
    return 4 * radius * np.trapezoid(speed, angles)


def test_almost_cubes_have_almost_the_surface_of_cubes():
    for dim in NEAREST_DIRECTIONS:
        images = random_images([8] * dim)
        edges = [1 + 1e-7, *[1.0] * (dim - 1)]
        torch.testing.assert_close(
            specific_surface(images, voxel_size_um=edges),
            specific_surface(images),
            rtol=1e-5,
            atol=0,
        )


def test_values_by_length_scale_with_the_voxel():
    images = random_images((8, 9))
    torch.testing.assert_close(
        specific_surface(images, voxel_size_um=0.5), 2 * specific_surface(images)
    )
    for statistic in (lineal_path, chord_length_distribution, pair_correlation):
        torch.testing.assert_close(statistic(images, voxel_size_um=0.5), statistic(images))


def test_radial_scores_do_not_depend_on_how_the_body_is_cut():
    images = random_images((6, 12), n=8)
    boxes = TwoPointPCA(3, radial=True, voxel_size_um=(2, 1)).fit(images)
    cubes = TwoPointPCA(3, radial=True).fit(cut_into_cubes(images, (2, 1)))
    n = boxes.mean_.shape[-1]
    torch.testing.assert_close(boxes.mean_, cubes.mean_[..., :n])
    again = TwoPointPCA(**boxes.options()).load_state_dict(boxes.state_dict())
    torch.testing.assert_close(again.transform(images), boxes.transform(images))
    with pytest.raises(ValueError, match="voxel_size_um has no effect"):
        TwoPointPCA(3, voxel_size_um=(2, 1))


@pytest.mark.parametrize(
    "statistic", [specific_surface, lineal_path, chord_length_distribution, pair_correlation]
)
def test_edges_that_do_not_fit_the_images_are_refused(statistic):
    images = random_images((6, 6))
    with pytest.raises(EvaluationError, match="2 for images of 2 axes"):
        statistic(images, voxel_size_um=(1, 1, 1))
    with pytest.raises(ValueError, match="one positive length"):
        statistic(images, voxel_size_um=0.0)
