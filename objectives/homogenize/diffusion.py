"""Tortuosity: by how much a pore space slows diffusion down."""

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from objectives.homogenize.conductivity import effective_conductivity
from objectives.images import checked_images, in_kind, phase_indicator

# Below this part of the free diffusivity there is no path, only what the solver leaves.
NO_PATH = 1e-9


def tortuosity(
    images: Float[Tensor, "n c *space"] | Float[np.ndarray, "n c *space"],
    axis: int,
    *,
    phase: int = 1,
    tol: float = 1e-5,
) -> Float64[Tensor, "n"] | Float64[np.ndarray, "n"]:
    r"""Tortuosity factor :math:`\tau = \phi / D` of a phase along an axis, 1 or more.

    :math:`\phi` is the volume fraction of the phase and D the diffusivity that the structure leaves
    of 1 in the phase and 0 outside, by finite volumes (``fv``). Infinite without a path.

    The boundary condition is **periodic**: the image repeats in every direction. Programs that hold
    the concentration at two faces and close the others (TauFactor) have values some percent off, as
    3 to 9 % on small images.

    Parameters
    ----------
    images
        As `effective_conductivity` takes them.
    axis
        Of space: 0 is the first of the images (z, or y in 2-D), -1 the last (x).
    phase
        The phase that conducts.
    tol
        Relative residual at which the solver stops.

    Raises
    ------
    EvaluationError
        (A ``ValueError``.) The images are not images, or have no such phase.
    ValueError
        There is no such axis.
    ConvergenceError
        An image did not converge.

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
    conducting = phase_indicator(x, phase)
    diffusivity = effective_conductivity(conducting, (0, 1), scheme="fv", tol=tol)[:, axis, axis]
    fraction = conducting.double().flatten(1).mean(1)
    path = diffusivity > NO_PATH
    answer = torch.where(path, fraction / torch.where(path, diffusivity, 1), torch.inf)
    return in_kind(answer, images)
