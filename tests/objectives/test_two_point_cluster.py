import numpy as np
import pytest
import torch

from objectives.phases import to_images
from objectives.two_point import two_point_statistics
from objectives.two_point_cluster import label_clusters, two_point_cluster


def binary_images(space, channels=1, n=3, fraction=0.5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    noise = torch.rand(n, channels, *space, generator=generator, dtype=torch.float64)
    return (noise < fraction).double()


def clusters_by_walking(members, periodic, connectivity):
    """Flood from every voxel in turn."""
    labels, found = np.zeros(members.shape, int), 0
    steps = [
        s
        for s in np.ndindex(*[3] * members.ndim)
        if 0 < np.abs(np.subtract(s, 1)).sum() <= connectivity
    ]
    for start in zip(*np.nonzero(members), strict=True):
        if labels[start]:
            continue
        found += 1
        labels[start], todo = found, [start]
        while todo:
            here = todo.pop()
            for step in steps:
                there = np.add(here, step) - 1
                if periodic:
                    there %= members.shape
                elif (there < 0).any() or (there >= members.shape).any():
                    continue
                there = tuple(there)
                if members[there] and not labels[there]:
                    labels[there] = found
                    todo.append(there)
    return labels


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize(
    ("space", "connectivity"),
    [((7, 9), 1), ((7, 9), 2), ((4, 5, 6), 1), ((4, 5, 6), 3), ((1, 2, 5), 3)],
)
def test_clusters_are_those_one_can_walk_through(space, connectivity, periodic):
    for seed in range(10):
        members = binary_images(space, n=1, fraction=0.45, seed=seed)[0, 0].numpy() > 0
        labels = label_clusters(members, periodic=periodic, connectivity=connectivity)
        walked = clusters_by_walking(members, periodic, connectivity)
        pairs = set(zip(labels.ravel().tolist(), walked.ravel().tolist(), strict=True))
        assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})
        assert set(labels.ravel()) - {0} == set(range(1, labels.max() + 1))
        assert ((labels > 0) == members).all()


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("space", [(7, 10), (4, 6, 5)])
def test_it_is_the_sum_of_the_clusters_own_statistics(space, periodic):
    images = binary_images(space)
    ours = two_point_cluster(images, periodic=periodic)
    for row, image in enumerate(images):
        labels = clusters_by_walking(image[0].numpy() > 0, periodic, 1)
        alone = [torch.from_numpy(labels == k).double() for k in range(1, labels.max() + 1)]
        expected = two_point_statistics(torch.stack(alone)[:, None], periodic=periodic).sum(0)
        torch.testing.assert_close(ours[row], expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("periodic", [True, False])
def test_it_is_between_zero_and_the_two_point_statistic(periodic):
    images = binary_images((16, 17))
    ours, all_pairs = (
        f(images, periodic=periodic) for f in (two_point_cluster, two_point_statistics)
    )
    assert (ours >= 0).all()
    assert (ours <= all_pairs + 1e-12).all()
    torch.testing.assert_close(ours[:, 0, 8, 8], images.mean((1, 2, 3)))
    assert (ours < all_pairs - 1e-3).any()


@pytest.mark.parametrize("periodic", [True, False])
def test_one_cluster_has_the_two_point_statistic(periodic):
    image = torch.zeros(1, 1, 9, 10, dtype=torch.float64)
    image[..., 2:6, 1:9] = 1
    image[..., 4:9, 3] = 1
    torch.testing.assert_close(
        two_point_cluster(image, periodic=periodic), two_point_statistics(image, periodic=periodic)
    )


def test_a_cluster_over_the_border_is_one_if_the_image_repeats():
    image = torch.zeros(1, 1, 8, 8, dtype=torch.float64)
    image[:, :, [0, 1, 7]] = 1
    torch.testing.assert_close(two_point_cluster(image), two_point_statistics(image))
    parts = two_point_cluster(image, periodic=False)[0, 0, :, 4]
    assert parts[4 + 3] == parts[4 - 4] == 0


def test_layers_apart_never_meet():
    image = torch.zeros(1, 1, 12, 5, 5, dtype=torch.float64)
    image[:, :, 1:4] = 1
    image[:, :, 6:8] = 1
    expected = [(3 - abs(r)) * (abs(r) < 3) + (2 - abs(r)) * (abs(r) < 2) for r in range(-6, 6)]
    ours = two_point_cluster(image)[0, 0]
    torch.testing.assert_close(ours[:, 1, 3], torch.tensor(expected).double() / 12)


def test_a_checkerboard_is_separate_over_faces_and_one_over_corners():
    y, x = torch.meshgrid(torch.arange(6), torch.arange(8), indexing="ij")
    board = ((x + y) % 2).double()[None, None]
    alone = torch.zeros_like(board)
    alone[..., 3, 4] = 0.5
    torch.testing.assert_close(two_point_cluster(board), alone)
    torch.testing.assert_close(
        two_point_cluster(board, connectivity=2), two_point_statistics(board)
    )


def test_a_shift_by_a_period_and_a_mirror_change_nothing():
    images = binary_images((7, 8))
    ours = two_point_cluster(images)
    torch.testing.assert_close(two_point_cluster(images.roll((3, 5), (2, 3))), ours)
    mirrored = two_point_cluster(images.flip(2))
    torch.testing.assert_close(mirrored, ours.flip(2))  # odd: zero shift stays at the centre


@pytest.mark.parametrize("phase", [0, 1, 2])
def test_of_three_phases_each_is_as_its_indicator_also_where_none_is_above_one_half(phase):
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 3, (4, 6, 7), generator=generator).to(torch.uint8)
    images = to_images(labels, 3).double()
    soft = 0.275 + 0.175 * images
    indicator = two_point_cluster(images[:, phase : phase + 1])
    torch.testing.assert_close(two_point_cluster(images, phase=phase), indicator)
    torch.testing.assert_close(two_point_cluster(soft, phase=phase), indicator)


def test_a_voxel_of_one_half_is_of_phase_0_as_in_an_export():
    half = torch.full((1, 1, 4, 4), 0.5)
    assert two_point_cluster(half, phase=0).min() == 1
    assert two_point_cluster(half, phase=1).max() == 0


@pytest.mark.parametrize("value", [0.0, 1.0])
@pytest.mark.parametrize("periodic", [True, False])
def test_a_single_phase_is_one_cluster_or_none(value, periodic):
    image = torch.full((2, 1, 5, 6), value)
    torch.testing.assert_close(two_point_cluster(image, periodic=periodic), image)


def test_numpy_is_answered_in_numpy_and_float32_in_float32():
    ours = two_point_cluster(binary_images((6, 7)).float().numpy())
    assert isinstance(ours, np.ndarray)
    assert ours.dtype == np.float32


def test_a_connectivity_out_of_range_is_refused():
    with pytest.raises(ValueError, match="connectivity should be 1 to 2, got 3"):
        two_point_cluster(binary_images((6, 7)), connectivity=3)
