"""Two-point cluster function: how likely two points are in one connected piece of a phase."""

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int
from scipy import fft, ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from objectives.arrays import Array
from objectives.images import check_phase, checked_images, in_kind
from objectives.phases import to_phases

Space = tuple[int, ...]


def two_point_cluster(
    images: Float[Array, "n c *space"],
    *,
    phase: int = 1,
    periodic: bool = True,
    connectivity: int = 1,
) -> Float[Array, "n 1 *shifts"]:
    r"""Probability :math:`C_2(r)` that a point and the one r further are in one cluster.

    A cluster is a connected piece of the phase; a voxel is of its most likely phase
    (`objectives.phases.to_phases`). Shift zero is at the centre, as in `two_point_statistics`, so
    `radial_average` takes the answer. C2 is the two-point statistic less the pairs in different
    clusters: at shift zero the volume fraction, nowhere larger than the two-point statistic, and
    equal to it where all is one cluster. Computed on the CPU, without a gradient.

    Parameters
    ----------
    images
        One channel is the indicator of phase 1; of more, each is the indicator of its phase.
    phase
        Whose clusters are meant.
    periodic
        Whether the image repeats: clusters then go on at the opposite side. If not, each shift
        is averaged over the voxels that have their partner in the image.
    connectivity
        Voxels are connected over faces (1), edges too (2), or in 3-D corners too (3).

    Returns
    -------
    One field of shifts an image, dimensionless, in [0, 1], of the images' type.

    Raises
    ------
    EvaluationError
        (A ``ValueError``.) The images are not images, or have no such phase.
    ValueError
        The connectivity is less than 1 or more than the number of axes.

    References
    ----------
    .. [1] Torquato, Beasley, Chiew (1988), Two-point cluster function for continuum percolation,
       Journal of Chemical Physics 88, 6540.

    Examples
    --------
    Two layers in one period, one voxel thick and two apart, never meet:

    >>> layers = torch.zeros(1, 1, 6, 6)
    >>> layers[:, :, [1, 3]] = 1
    >>> two_point_cluster(layers)[0, 0, :, 3]
    tensor([0.0000, 0.0000, 0.0000, 0.3333, 0.0000, 0.0000])
    """
    x = checked_images(images)
    check_phase(x.shape[1], phase)
    members = (to_phases(x.detach()) == phase).cpu().numpy()
    if not 1 <= connectivity <= members.ndim - 1:
        raise ValueError(f"connectivity should be 1 to {members.ndim - 1}, got {connectivity}.")
    fields = [
        _same_cluster(label_clusters(m, periodic=periodic, connectivity=connectivity), periodic)
        for m in members
    ]
    answer = np.stack(fields)[:, None] if fields else np.zeros((0, 1, *members.shape[1:]))
    return in_kind(torch.as_tensor(answer, dtype=x.dtype, device=x.device), images)


def label_clusters(
    members: Bool[np.ndarray, "*space"], *, periodic: bool, connectivity: int = 1
) -> Int[np.ndarray, "*space"]:
    """Number of every voxel's cluster, from 1; 0 outside of the phase."""
    structure = ndimage.generate_binary_structure(members.ndim, connectivity)
    if not periodic:
        return ndimage.label(members, structure)[0]
    # One more voxel of the next period along each axis: it has every neighbour across the border.
    inside, border = (slice(-1),) * members.ndim, [(0, 1)] * members.ndim
    labels, count = ndimage.label(np.pad(members, border, mode="wrap"), structure)
    copies = np.pad(labels[inside], border, mode="wrap")
    same = (np.ones(labels.size, bool), (labels.ravel(), copies.ravel()))
    _, merged = connected_components(coo_array(same, (count + 1,) * 2), directed=False)
    return _renumbered(merged[labels[inside]])  # 0 stands first, and stays 0


def _renumbered(labels: Int[np.ndarray, "*space"]) -> Int[np.ndarray, "*space"]:
    """The same clusters with no number left out."""
    present, numbers = np.unique(labels, return_inverse=True)
    return numbers.reshape(labels.shape) + int(present[0] > 0)


def _same_cluster(
    labels: Int[np.ndarray, "*space"], periodic: bool
) -> Float64[np.ndarray, "*space"]:
    """Share of voxels that meet their own cluster, at every shift."""
    space = labels.shape
    sums = np.zeros(space)  # shift zero at index 0, negative ones from the end
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        _add_autocorrelation(sums, labels[box] == number, periodic)
    sums = np.fft.fftshift(sums)
    if periodic:
        return sums / labels.size
    counts = np.ones(())
    for n in space:
        counts = counts[..., None] * (n - np.abs(np.arange(n) - n // 2))
    return sums / counts


def _add_autocorrelation(
    sums: Float64[np.ndarray, "*space"], piece: Bool[np.ndarray, "*box"], periodic: bool
) -> None:
    """Add a cluster's number of pairs at every shift, computed in its own box."""
    sizes, spots = [], []
    for n, b in zip(sums.shape, piece.shape, strict=True):
        back, ahead = min(b - 1, n // 2), min(b - 1, (n - 1) // 2)
        if periodic and 2 * b - 1 > n:
            sizes.append(n)
            spots.append(np.arange(n))
        else:
            sizes.append(fft.next_fast_len(b + back, real=True))
            spots.append(np.arange(-back, ahead + 1))
    wave = fft.rfftn(piece.astype(float), sizes)
    pairs = fft.irfftn(np.abs(wave) ** 2, sizes)
    sums[np.ix_(*spots)] += np.rint(pairs[np.ix_(*spots)])
