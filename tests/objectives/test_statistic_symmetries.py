"""Statistics are the same for an image that is mirrored, turned, or shifted where it repeats."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from objectives.chord_length import chord_length_distribution
from objectives.lineal_path import lineal_path
from objectives.pair_correlation import pair_correlation
from objectives.specific_surface import specific_surface
from objectives.two_point import radial_average, two_point_statistics
from objectives.two_point_cluster import two_point_cluster

SCALARS = {
    "crofton": specific_surface,
    "faces": lambda x, **options: specific_surface(x, method="faces", **options),
    "pairs": pair_correlation,
    "clusters": lambda x, periodic, voxel_size_um: radial_average(
        two_point_cluster(x, periodic=periodic), voxel_size_um=voxel_size_um
    ),
}
ROWS = {"paths": lineal_path, "chords": chord_length_distribution}  # one an axis
FIELDS = {"two points": two_point_statistics, "one cluster": two_point_cluster}


@st.composite
def cases(draw):
    """An image of a few levels, edges of its voxels, and the same image and edges moved."""
    dim = draw(st.sampled_from([2, 3]))
    shape = tuple(draw(st.integers(2, 7 if dim == 2 else 4)) for _ in range(dim))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    image = np.round(generator.random(shape) * draw(st.sampled_from([1, 4])))
    image = image / max(image.max(), 1)
    image.flat[0] = 1.0
    edges = draw(st.sampled_from([(1.0, 1.0, 1.0), (2.0, 1.0, 1.0), (1.0, 0.3, 0.7)]))[:dim]
    periodic = draw(st.booleans())
    order = tuple(draw(st.permutations(range(dim))))
    mirrored = tuple(axis for axis in range(dim) if draw(st.booleans()))
    other = np.flip(image.transpose(order), mirrored)
    if periodic:
        other = np.roll(other, [draw(st.integers(-3, 3)) for _ in range(dim)], range(dim))
    return image, other.copy(), edges, periodic, order, mirrored


def as_images(image):
    return torch.from_numpy(image)[None, None]


@settings(max_examples=40, deadline=None)
@given(case=cases())
def test_values_stay_and_rows_go_with_their_axis(case):
    image, other, edges, periodic, order, _ = case
    options = {"periodic": periodic, "voxel_size_um": edges}
    moved = {"periodic": periodic, "voxel_size_um": tuple(edges[axis] for axis in order)}
    for statistic in SCALARS.values():
        before, after = statistic(as_images(image), **options), statistic(as_images(other), **moved)
        torch.testing.assert_close(after, before)
    for statistic in ROWS.values():
        before, after = statistic(as_images(image), **options), statistic(as_images(other), **moved)
        torch.testing.assert_close(after, before[:, list(order)])


@pytest.mark.parametrize("name", FIELDS)
@settings(max_examples=30, deadline=None)
@given(case=cases())
def test_fields_of_shifts_move_with_the_image(name, case):
    image, other, _, periodic, order, mirrored = case
    cutoff = (min(image.shape) - 1) // 2

    def inner(x):
        field = FIELDS[name](as_images(x), periodic=periodic)[0, 0].numpy()
        return field[tuple(slice(n // 2 - cutoff, n // 2 + cutoff + 1) for n in field.shape)]

    expected = np.flip(inner(image).transpose(order), mirrored)
    np.testing.assert_allclose(inner(other), expected, atol=1e-12)
