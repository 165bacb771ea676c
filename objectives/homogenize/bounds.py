"""Bounds on effective properties from the phase fractions alone: guards, and cheap features.

Voigt and Reuss hold for every structure: for the eigenvalues of the conductivity tensor, and for
the stiffness matrix. Those of Hashin and Shtrikman are tighter, and hold where the *effective*
property is isotropic (in 2-D: in the plane). Fractions are (n, p), one column a phase, adding to 1.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from objectives.homogenize.stiffness import isotropic_stiffness, lame_parameters
from objectives.images import checked_images


class Bounds(NamedTuple):
    """Lower and upper bound of every row."""

    lower: Float64[Tensor, "n *rest"]
    upper: Float64[Tensor, "n *rest"]


def phase_fractions(images: Float[Tensor, "n c *space"]) -> Float64[Tensor, "n p"]:
    """Volume fraction of each phase; of one channel that of phase 0 and of phase 1.

    Parameters
    ----------
    images
        ``(n, c, *space)`` in [0, 1]. One channel: share of phase 1. More: one for each phase.

    Raises
    ------
    EvaluationError
        (A ``ValueError``.) The images are not images.

    Examples
    --------
    >>> phase_fractions(torch.tensor([[[[0.0, 0.0], [0.0, 1.0]]]]))
    tensor([[0.7500, 0.2500]], dtype=torch.float64)
    """
    fractions = checked_images(images).double().flatten(2).mean(2)
    return torch.cat([1 - fractions, fractions], 1) if fractions.shape[1] == 1 else fractions


def conductivity_bounds(
    fractions: Float64[Tensor, "n p"], conductivity: Sequence[float | int]
) -> Bounds:
    """Bounds of Reuss (phases in series) and Voigt (in parallel) of the conductivity.

    Parameters
    ----------
    fractions
        ``(n, p)``, one column a phase, adding to 1, as `phase_fractions` gives them.
    conductivity
        One number a phase, 0 or more: the unit of the bounds.

    Returns
    -------
    Lower and upper bound of every row, each ``(n,)``.

    Examples
    --------
    >>> lower, upper = conductivity_bounds(torch.tensor([[0.5, 0.5]]).double(), (1, 3))
    >>> lower.item(), upper.item()
    (1.5, 2.0)
    """
    k = fractions.new_tensor(conductivity)
    return Bounds(_shifted_mean(fractions, k, 0.0), fractions @ k)


def hashin_shtrikman_conductivity(
    fractions: Float64[Tensor, "n p"], conductivity: Sequence[float | int], dim: int
) -> Bounds:
    """Bounds of the conductivity of isotropic structures, for any number of phases [1]_.

    Parameters
    ----------
    fractions
        ``(n, p)``, one column a phase, adding to 1, as `phase_fractions` gives them.
    conductivity
        One number a phase, 0 or more: the unit of the bounds.
    dim
        Axes of space, 2 or 3.

    Returns
    -------
    Lower and upper bound of every row, each ``(n,)``.

    References
    ----------
    .. [1] Hashin & Shtrikman (1962), J. Appl. Phys. 33, 3125.
    """
    k = fractions.new_tensor(conductivity)
    low, high = ((dim - 1) * extreme for extreme in torch.aminmax(k))
    return Bounds(_shifted_mean(fractions, k, low), _shifted_mean(fractions, k, high))


def stiffness_bounds(
    fractions: Float64[Tensor, "n p"],
    young: Sequence[float | int],
    poisson: Sequence[float | int],
    *,
    dim: int,
    plane: str | None = None,
) -> Bounds:
    """Bounds of Reuss and Voigt of the stiffness, as Voigt matrices; with pores Reuss is 0.

    No stiffness less the lower, nor the upper less a stiffness, has a negative eigenvalue.

    Parameters
    ----------
    fractions
        ``(n, p)``, one column a phase, adding to 1, as `phase_fractions` gives them.
    young, poisson
        Young's modulus (the unit of the bounds) and Poisson's ratio, one number a phase.
    dim
        Axes of space, 2 or 3.
    plane
        Of 2-D: ``"strain"`` (the default) or ``"stress"``.

    Returns
    -------
    Lower and upper bound of every row, each ``(n, v, v)`` in the order of `effective_stiffness`.
    """
    pairs = [lame_parameters(*pair, plane) for pair in zip(young, poisson, strict=True)]
    phases = torch.stack([isotropic_stiffness(*pair, dim) for pair in pairs]).to(fractions)
    voigt = torch.einsum("np,pij->nij", fractions, phases)
    if min(young) == 0:
        return Bounds(torch.zeros_like(voigt), voigt)
    compliance = torch.einsum("np,pij->nij", fractions, torch.linalg.inv(phases))
    return Bounds(torch.linalg.inv(compliance), voigt)


def hashin_shtrikman_moduli(
    fractions: Float64[Tensor, "n p"],
    young: Sequence[float | int],
    poisson: Sequence[float | int],
    *,
    dim: int,
    plane: str | None = None,
) -> tuple[Bounds, Bounds]:
    r"""Bounds of the bulk and of the shear modulus, for any number of phases.

    In 3-D those of Hashin & Shtrikman 1963 (J. Mech. Phys. Solids 11, 127), in 2-D those of Hashin
    1965 (ibid. 13, 119) for the bulk modulus of the plane, :math:`\lambda + \mu`. Where one phase
    is the stiffer in bulk and another in shear they are Walpole's (1966, ibid. 14, 151).

    Parameters
    ----------
    fractions
        ``(n, p)``, one column a phase, adding to 1, as `phase_fractions` gives them.
    young, poisson
        Young's modulus (the unit of the bounds) and Poisson's ratio, one number a phase.
    dim
        Axes of space, 2 or 3.
    plane
        Of 2-D: ``"strain"`` (the default) or ``"stress"``.

    Returns
    -------
    Bounds of the bulk and bounds of the shear modulus, each of a lower and an upper ``(n,)``.
    """
    pairs = [lame_parameters(*pair, plane) for pair in zip(young, poisson, strict=True)]
    bulk = fractions.new_tensor([first + 2 * second / dim for first, second in pairs])
    shear = fractions.new_tensor([second for _, second in pairs])
    bounds = []
    for k, g in zip(torch.aminmax(bulk), torch.aminmax(shear), strict=True):
        if dim == 3:
            for_bulk = 4 / 3 * g
            for_shear = g / 6 * (9 * k + 8 * g) / (k + 2 * g) if g > 0 else g
        else:
            for_bulk = g
            for_shear = k * g / (k + 2 * g) if g > 0 else g
        bounds.append(
            (_shifted_mean(fractions, bulk, for_bulk), _shifted_mean(fractions, shear, for_shear))
        )
    (bulk_low, shear_low), (bulk_high, shear_high) = bounds
    return Bounds(bulk_low, bulk_high), Bounds(shear_low, shear_high)


def _shifted_mean(
    fractions: Float64[Tensor, "n p"], values: Float64[Tensor, "p"], shift: Tensor | float
) -> Float64[Tensor, "n"]:
    """Harmonic mean of values + shift, less the shift; a phase that is not there has no say."""
    terms = torch.where(fractions > 0, fractions / (values + shift), 0)
    return 1 / terms.sum(1) - shift
