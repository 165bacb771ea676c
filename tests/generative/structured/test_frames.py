"""Structures that change into one another little by little get one frame."""

import math

import numpy as np
import pytest
import torch

from generative.structured.frames import common_frames
from generative.structured.resampling import points_of, resampled
from generative.structured.rotations import exponential


def wedges(n, spread, seed=0):
    """Wedges that open little by little, in a frame each: pictures and angles of the frames."""
    rng = np.random.default_rng(seed)
    points = points_of((32, 32)).numpy()
    x, y = points[..., 0], points[..., 1]
    opening = np.linspace(*spread, n)[:, None, None]
    inside = np.minimum(opening - np.abs(np.arctan2(y, x)), 8 * (0.7 - np.hypot(x, y)))
    upright = torch.from_numpy(1 / (1 + np.exp(-6 * inside))).float()[:, None]
    angles = torch.from_numpy(rng.uniform(-math.pi, math.pi, n)).float()
    turned = resampled(upright, points_of((32, 32)), exponential(angles[:, None])[:, None])
    return turned[:, 0], angles


def apart(a, b):
    """Angles between, about their mean direction."""
    difference = np.exp(1j * np.asarray(a - b))
    return np.angle(difference / difference.mean())


def test_frames_of_structures_that_are_alike_agree():
    pictures, angles = wedges(60, (0.4, 1.2))
    frames = common_frames(pictures)
    assert frames.group.tolist() == [0] * 60
    off = apart(frames.angle, -angles)
    assert np.degrees(np.abs(off)).max() < 4
    assert np.degrees(np.abs(apart(frames.angle, angles))).max() > 60  # of the other sense


def test_the_origin_is_one_place_of_the_structure():
    """Pictures that are shifted in their frames have an origin that is shifted as they are."""
    pictures, angles = wedges(40, (0.7, 0.9))
    rng = np.random.default_rng(1)
    shift = torch.from_numpy(rng.uniform(-0.15, 0.15, (40, 2))).float()
    one = torch.eye(2).expand(40, 1, -1, -1)
    moved = resampled(pictures, points_of((32, 32)), one, shift[:, None])[:, 0]
    frames = common_frames(moved)
    turned = exponential(-angles[:, None])  # of the structure, into the frame that is upright
    place = (turned @ (frames.origin - shift)[:, :, None])[..., 0]
    assert (place - place.mean(0)).norm(dim=1).max() < 0.06
    assert (frames.origin - frames.origin.mean(0)).norm(dim=1).max() > 0.12


def test_structures_that_do_not_change_into_one_another_are_groups():
    """Thin wedges and rings: each group has a frame of its own."""
    wedge, _ = wedges(30, (0.5, 0.8))
    radius = points_of((32, 32)).norm(dim=-1)
    rings = torch.stack([((radius - 0.5 - 0.004 * i).abs() < 0.12).float() for i in range(30)])
    found = common_frames(torch.cat([wedge, rings[:, None]]))
    assert found.group.tolist() == [0] * 30 + [1] * 30


@pytest.mark.parametrize("n", [1, 2, 5])
def test_few_pictures_have_frames_too(n):
    frames = common_frames(wedges(n, (0.5, 0.6))[0])
    assert frames.angle.shape == (n,)
    assert torch.isfinite(frames.origin).all()


def test_blank_pictures_are_no_error():
    frames = common_frames(torch.zeros(4, 1, 16, 16))
    assert torch.isfinite(frames.angle).all()
    assert torch.isfinite(frames.origin).all()
