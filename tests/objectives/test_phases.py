"""One cut of images into phases: for one channel and several, torch and numpy, ties and all."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from objectives import fidelity
from objectives.manufacturability.robustness import process_drop
from objectives.phases import are_phases, cut_phases, to_images, to_phases
from objectives.two_point_cluster import two_point_cluster

# Few different values: ties and exact halves are common.
TENTHS = st.integers(0, 10).map(lambda k: k / 10)
SOFT = st.integers(1, 4).flatmap(
    lambda channels: arrays(np.float64, (2, channels, 3, 4), elements=TENTHS)
)


def by_hand(images):
    """Above one half of one channel; else the largest, the first of equals."""
    labels = np.zeros((len(images), *images.shape[2:]), np.uint8)
    for place in np.ndindex(labels.shape):
        shares = images[(place[0], slice(None), *place[1:])].tolist()
        labels[place] = shares[0] > 0.5 if len(shares) == 1 else shares.index(max(shares))
    return labels


@given(SOFT)
def test_the_cut_is_the_largest_share_in_numpy_and_in_torch(images):
    assert np.array_equal(to_phases(images), by_hand(images))
    assert np.array_equal(to_phases(torch.from_numpy(images)).numpy(), by_hand(images))


@given(SOFT)
def test_every_measure_of_phases_cuts_in_the_same_way(images):
    x = torch.from_numpy(images)
    cut = cut_phases(x)
    assert float(fidelity.pixel_error(x, cut).max()) == 0
    made = process_drop(x, lambda y: {}, resolution_um=0.0).images
    assert torch.equal(made.float(), cut)
    shares = [
        two_point_cluster(x, phase=k)[0, 0, 1, 2] for k in range(max(2, images.shape[1]))
    ]  # at shift zero
    counts = [float((to_phases(x)[0] == k).double().mean()) for k in range(len(shares))]
    assert [float(share) for share in shares] == pytest.approx(counts)


@given(SOFT)
def test_what_is_cut_is_phases_and_cutting_again_changes_nothing(images):
    cut = cut_phases(images)
    assert are_phases(cut)
    assert np.array_equal(cut_phases(cut), cut)
    assert np.array_equal(to_phases(cut), to_phases(images))


@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy], ids=["numpy", "torch"])
def test_phases_are_told_from_grey_levels_and_colours(kind):
    half, third = np.full((1, 1, 2, 2), 0.5), np.full((2, 3, 2, 2), 1 / 3)
    assert are_phases(kind(np.zeros((1, 1, 2, 2))))
    assert are_phases(kind(third))
    assert are_phases(kind(to_images(np.zeros((2, 4, 4), np.uint8), 2)))
    assert are_phases(kind(np.ones((1, 1, 2, 2)) + 1e-7))
    assert not are_phases(kind(half))
    assert not are_phases(kind(1.5 * third))
    assert not are_phases(kind(np.ones((1, 3, 2, 2))))
