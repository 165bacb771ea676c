"""Tortuosity: by how much a pore space slows diffusion down."""

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor
from torch.nn import functional

from objectives.arrays import Array
from objectives.grid import Grid
from objectives.homogenize.boundary import mirrored
from objectives.homogenize.phases import phase_mean
from objectives.homogenize.schemes import FaceScheme, unit_edges
from objectives.homogenize.solver import Problem, homogenize, scaled
from objectives.images import checked_images, in_kind, phase_indicator
from objectives.manufacturability.clusters import find_clusters

PORTS = ("open", "periodic")


def tortuosity(
    images: Float[Array, "n c *space"],
    axis: int,
    *,
    phase: int = 1,
    ports: str = "open",
    grid: Grid | None = None,
    tol: float = 1e-5,
) -> Float64[Array, "n"]:
    r"""Tortuosity factor :math:`\tau = \phi / D` of a phase along an axis, 1 or more.

    :math:`\phi` is the volume fraction of the phase and D the diffusivity that the structure leaves
    of 1 in the phase and 0 outside, by finite volumes (``fv``). Infinite where no path of voxels
    that share faces leads through, which connectivity decides and no number.

    Parameters
    ----------
    images
        As `effective_conductivity` takes them.
    axis
        Of space: 0 is the first of the images (z, or y in 2-D), -1 the last (x).
    phase
        The phase that conducts.
    ports
        ``"open"``: the concentration is held at the two faces across the axis, and nothing passes
        the others, as electrodes and membranes are measured (and as TauFactor and PoreSpy have it).
        ``"periodic"``: the image repeats in every direction; a path has to meet itself in the next
        image.
    grid
        Edges of the voxels, which may be boxes; its `periodic` has no part in this.
    tol
        Relative error of the concentration, in energy; :math:`\tau` errs by less than ten times its
        square.

    Raises
    ------
    EvaluationError
        (A ``ValueError``.) The images are not images, or have no such phase.
    ValueError
        There is no such axis, or `ports` is something else.
    ConvergenceError
        An image did not converge.

    References
    ----------
    .. [1] Cooper et al. (2016), TauFactor: an open-source application for calculating tortuosity
       factors from tomographic data, SoftwareX 5, 203.

    Examples
    --------
    Channels along the first axis are straight; across them there is no path.

    >>> channels = torch.tensor([[[[0.0, 1.0], [0.0, 1.0]]]])
    >>> tortuosity(channels, 0), tortuosity(channels, 1)
    (tensor([1.], dtype=torch.float64), tensor([inf], dtype=torch.float64))
    """
    x = checked_images(images)
    dim = x.ndim - 2
    if not -dim <= axis < dim:
        raise ValueError(f"axis should be from {-dim} to {dim - 1} for these images, got {axis}.")
    if ports not in PORTS:
        raise ValueError(f"ports should be one of {', '.join(PORTS)}, got {ports!r}.")
    axis %= dim
    conducting = phase_indicator(x, phase)
    fraction = conducting.double().flatten(1).mean(1)
    paths = [path_through(row[0] > 0, axis, periodic=ports == "periodic") for row in conducting]
    leads = torch.tensor([path.any() for path in paths], dtype=torch.bool, device=x.device)
    diffusivity = torch.ones_like(fraction)
    if leads.any():
        # What leads nowhere has no flux: left out, it costs no iterations.
        along = torch.from_numpy(np.stack(paths)).to(x.device)[leads, None]
        body = torch.where(along, conducting[leads], 0)
        edges = unit_edges((grid or Grid()).edges_um(dim))
        diffusivity[leads] = _diffusivity(body, axis, edges, ports=ports, tol=tol)
    answer = torch.where(leads, fraction / diffusivity, torch.inf)
    return in_kind(answer, images)


def path_through(
    conducting: Bool[Tensor, "*space"], axis: int, *, periodic: bool
) -> Bool[np.ndarray, "*space"]:
    """The voxels of all clusters that lead through along the axis; all False where none does."""
    clusters = find_clusters(conducting.cpu().numpy(), periodic=periodic)
    return clusters.spans[:, axis][clusters.labels]


def _diffusivity(
    conducting: Float[Tensor, "n 1 *space"],
    axis: int,
    edges: tuple[float, ...],
    *,
    ports: str,
    tol: float,
) -> Float64[Tensor, "n"]:
    scheme = FaceScheme(edges, loads=(axis,))
    body = conducting
    if ports == "open":
        # Held ends by the mirror image; closed sides by a layer that conducts nothing.
        sides = [(0, int(other != axis)) for other in range(len(edges))]
        body = functional.pad(
            mirrored(conducting, [axis]), [n for pair in reversed(sides) for n in pair]
        )
    k, scale = scaled(phase_mean(body.double(), (0.0, 1.0)).clamp_min(0), (0.0, 1.0))
    problem = Problem(scheme, ports, scheme.coefficients(k), scale, tol, max_iterations=5000)
    added = body[0].numel() / conducting[0].numel() / (2 if ports == "open" else 1)
    return homogenize(problem).tensor[:, 0, 0] * added
