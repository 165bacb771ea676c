"""One frame for structures that are alike: which way up the pictures of a decoder are."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import breadth_first_order, connected_components, minimum_spanning_tree
from torch import Tensor

from generative.structured.resampling import points_of, resampled, turned_back, within_ball
from generative.structured.rotations import exponential

ANGLES = 72  # at which two pictures are compared
NEIGHBOURS = 8
SAME = 1e-9  # distance of equal pictures, which a sparse matrix would take for no edge


@dataclass(frozen=True, eq=False)
class Frames:
    """How each picture is to be turned and moved, so that those that are alike agree.

    Parameters
    ----------
    angle
        In radians, x to y: a point of the picture lies there in the common frame.
    origin
        Of the common frame, in the picture's coordinates (half sides, x and y).
    group
        Number of the group that hangs together; each has a frame of its own.
    """

    angle: Float[Tensor, " n"]
    origin: Float[Tensor, "n 2"]
    group: Int64[np.ndarray, " n"]


def common_frames(pictures: Float[Tensor, "n c h w"]) -> Frames:
    """Frames in which neighbours in shape are turned alike.

    An autoencoder that takes the pose apart may draw two structures, one nearly like the other, in
    frames that are far apart: its bound is the same. Each picture is compared with each other at
    all angles about their centres of mass. Relative angles of nearest neighbours are summed along
    a spanning tree of least distances: a structure that changes little by little into another
    keeps its frame. (Synchronization of rotations, Singer 2011, by a tree.)

    Parameters
    ----------
    pictures
        Upright structures, values in [0, 1], sides alike.

    Returns
    -------
    Frames; a mean origin of each group stays where it is.
    """
    n, points = len(pictures), points_of(tuple(pictures.shape[2:])).to(pictures)
    ball = within_ball(points)
    mass = (pictures * ball).sum(1)
    centre = torch.einsum("nhw,hwd->nd", mass, points) / mass.sum((1, 2)).clamp_min(1e-6)[:, None]
    one = torch.eye(2).to(pictures).expand(n, 1, -1, -1)
    upright = resampled(pictures, points, one, -centre[:, None])[:, 0] * ball
    distance, relative = _distances(upright, points, ball)
    tree, group = _tree(distance)
    angle = np.zeros(n)
    for root in np.unique(group, return_index=True)[1]:
        order, before = breadth_first_order(tree, root, directed=False)
        for i in order[1:]:
            angle[i] = angle[before[i]] + relative[i, before[i]]
    angles = torch.from_numpy(angle).to(pictures)
    there = (exponential(angles[:, None]) @ centre[:, :, None])[..., 0]
    mean = torch.stack(
        [there[torch.from_numpy(group == g)].mean(0) for g in range(group.max() + 1)]
    )
    back = exponential(-angles[:, None]) @ mean[torch.from_numpy(group).long()][:, :, None]
    return Frames(angles, centre - back[..., 0], group.astype(np.int64))


def _distances(
    upright: Tensor, points: Tensor, ball: Tensor
) -> tuple[Float[np.ndarray, "n n"], Float[np.ndarray, "n n"]]:
    """Least squared distance of two pictures over all angles, and the angle of it.

    Picture i at r is picture j at r turned by the angle (i, j), x to y.
    """
    turns = exponential(torch.arange(ANGLES)[:, None] * (2 * math.pi / ANGLES)).to(upright)
    turned = (turned_back(upright, points, turns) * ball).flatten(2)
    flat = upright.flatten(1)
    squares, step = (flat**2).sum(1), 2 * math.pi / ANGLES
    distance, relative = [], []
    for one, square in zip(flat, squares, strict=True):  # a row at once: n x angles numbers
        apart = square + (turned**2).sum(-1) - 2 * turned @ one
        best = apart.argmin(1)
        around = torch.stack([best - 1, best, best + 1], 1) % ANGLES
        left, least, right = apart.gather(1, around).double().unbind(1)
        bend = (left + right - 2 * least).clamp_min(1e-12)
        part = (0.5 * (left - right) / bend).clamp(-0.5, 0.5)  # vertex of a parabola
        relative.append(((best + part) * step).cpu().numpy())
        distance.append(least.clamp_min(0).cpu().numpy())
    return np.array(distance) + SAME, np.array(relative)


def _tree(distance: Float[np.ndarray, "n n"]) -> tuple[csr_matrix, Int64[np.ndarray, " n"]]:
    """Spanning tree of the graph of nearest neighbours, and the part of it each belongs to."""
    n = len(distance)
    others = distance.copy()
    np.fill_diagonal(others, np.inf)
    near = np.argsort(others, 1)[:, : min(NEIGHBOURS, n - 1)]
    rows = np.repeat(np.arange(n), near.shape[1])
    graph = csr_matrix((others[rows, near.ravel()], (rows, near.ravel())), (n, n))
    tree = minimum_spanning_tree(graph.maximum(graph.T))
    return tree, connected_components(tree, directed=False)[1].astype(np.int64)
