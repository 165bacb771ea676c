"""Lineal path function: how far one goes along an axis without leaving a phase."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from objectives.arrays import Array
from objectives.grid import Grid
from objectives.images import checked_images, in_kind, phase_indicator

ROUNDING = 1e-9


def lineal_path(
    images: Float[Array, "n c *space"],
    *,
    phase: int = 1,
    periodic: bool = True,
    cutoff: int | None = None,
    voxel_size_um: float | int | Sequence[float | int] = 1.0,
) -> Float[Array, "n axes r"]:
    r"""Probability :math:`L(r)` that a line of r steps along an axis lies in the phase.

    .. math:: L_a(r) = \Big\langle \prod_{t=0}^{r} m(s + t\, e_a) \Big\rangle_s

    One row an axis, in the order of the images' axes (z, y, x); ``.mean(1)`` is the average over
    them. L(0) is the volume fraction, L never grows with r and is at most the two-point statistic
    at the same shift. Differentiable; values between 0 and 1 count as probabilities. A step is the
    edge of a voxel, of longer ones the shortest: rows tell of equal lengths, and are what they are
    for the voxels cut into cubes.

    Parameters
    ----------
    images
        One channel is the indicator of phase 1; of more, each is the indicator of its phase.
    phase
        Whose paths are counted.
    periodic
        Whether the image repeats. If not, only lines that are in the image are counted.
    cutoff
        Largest r. By default as far as it goes along every axis: one less than the shortest has
        voxels, if they are cubes.
    voxel_size_um
        Edge of a voxel, or one for each axis of the images.

    Returns
    -------
    Dimensionless, in [0, 1], for r = 0, 1, ... cutoff.

    Raises
    ------
    EvaluationError
        (A ``ValueError``.) The images are not images, or have no such phase.
    ValueError
        The cutoff is negative, or longer than the shortest axis; or the voxel size does not fit the
        images.

    References
    ----------
    .. [1] Lu, Torquato (1992), Lineal-path function for random heterogeneous materials, Physical
       Review A 45, 922.

    Examples
    --------
    A layer two voxels thick in a period of four, along its normal and in its plane:

    >>> layer = torch.zeros(1, 1, 4, 4)
    >>> layer[:, :, :2] = 1
    >>> lineal_path(layer)
    tensor([[[0.5000, 0.2500, 0.0000, 0.0000],
             [0.5000, 0.5000, 0.5000, 0.5000]]])
    """
    x = checked_images(images)
    m = phase_indicator(x, phase)[:, 0]
    edges = Grid(voxel_size_um, periodic).steps(m.ndim - 1)
    lengths = [(n - 1) * edge for n, edge in zip(m.shape[1:], edges, strict=True)]
    longest = int(min(lengths) + ROUNDING)
    cutoff = longest if cutoff is None else cutoff
    if not 0 <= cutoff <= longest:
        raise ValueError(
            f"cutoff should be from 0 to {longest} for images of {tuple(m.shape[1:])}, "
            f"got {cutoff}."
        )
    paths = [_paths_along(m, axis, cutoff, periodic, edge) for axis, edge in enumerate(edges, 1)]
    return in_kind(torch.stack(paths, 1), images)


def times_ahead(run: Tensor, field: Tensor, steps: int, axis: int, periodic: bool) -> Tensor:
    """`run` of every voxel times the `field` so many steps ahead, where that is in the image."""
    if periodic:
        return run * field.roll(-steps, axis)
    room = field.shape[axis] - steps
    return run.narrow(axis, 0, room) * field.narrow(axis, steps, room)


def _paths_along(
    m: Float[Tensor, "n *space"], axis: int, cutoff: int, periodic: bool, edge: float
) -> Float[Tensor, "n r"]:
    n = m.shape[axis]
    steps = torch.arange(cutoff + 1, dtype=torch.float64, device=m.device) / edge
    before = (steps + ROUNDING).floor()
    share = (steps - before).clamp_min(0).to(m)  # of the lines that enter one more voxel
    before = before.long()
    furthest = min(int(before[-1]) + bool(share.any()), n - 1)
    run, values = m, [m.flatten(1).mean(1)]
    for r in range(1, furthest + 1):
        if not (run.requires_grad or run.any()):
            values += [torch.zeros_like(values[0])] * (furthest + 1 - r)
            break
        run = times_ahead(run, m, r, axis, periodic)
        values.append(run.flatten(1).mean(1))
    paths, after = torch.stack(values, 1), (before + 1).clamp_max(furthest)
    room = (n - torch.arange(furthest + 1, device=m.device)).to(m)
    places = torch.ones_like(room) if periodic else room
    shorter, longer = (1 - share) * places[before], share * places[after]
    return (paths[:, before] * shorter + paths[:, after] * longer) / (shorter + longer)
