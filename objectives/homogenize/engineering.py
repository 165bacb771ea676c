"""Young's moduli, shear moduli, Poisson's ratios and anisotropy of a stiffness matrix."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from objectives.arrays import as_tensor
from objectives.homogenize.elasticity import VOIGT

# Below this part of the largest stiffness a direction has none: rounding, and no solid path.
NO_PATH = 1e-14
# Unless a stress keeps at least so much of itself in the range of the stiffness, nothing bears it.
BORNE = 1 - 1e-6


@dataclass(frozen=True)
class EngineeringConstants:
    r"""What a tensile or shear test along the axes of space would measure.

    Axes are those of the images: z, y, x or y, x. `shear` and `zener` have a column for each plane,
    in the order of Voigt's notation: xy, xz, yz or xy. Of a plane strain stiffness these
    are the constants *of the plane*: an isotropic phase has
    :math:`E / (1 - \nu^2)` and :math:`\nu / (1 - \nu)`.
    """

    young: Float64[Tensor, "n d"]
    poisson: Float64[Tensor, "n d d"]  # [i, j]: contraction along j over extension along i
    shear: Float64[Tensor, "n planes"]
    zener: Float64[Tensor, "n planes"]  # 1 where the plane is isotropic
    universal_anisotropy: Float64[Tensor, "n"]  # 0 where isotropic; infinite without a solid path


def engineering_constants(
    stiffness: Float64[Tensor, "n v v"] | Float64[np.ndarray, "n v v"],
) -> EngineeringConstants:
    r"""Engineering constants of Voigt matrices as `effective_stiffness` gives them; differentiable.

    A direction without a solid path has moduli and ratios 0. The universal anisotropy index is
    :math:`\bar C^V : \bar S^R` less its value at isotropy [1]_: :math:`5\,G_V/G_R + K_V/K_R - 6` in
    3-D and :math:`2\,G_V/G_R + K_V/K_R - 3` in 2-D.

    Raises
    ------
    ValueError
        The matrices are not 3 x 3 or 6 x 6.

    References
    ----------
    .. [1] Ranganathan & Ostoja-Starzewski (2008), Universal elastic anisotropy index, Physical
       Review Letters 101, 055504.

    Examples
    --------
    >>> from objectives.homogenize.stiffness import isotropic_stiffness
    >>> constants = engineering_constants(isotropic_stiffness(1.0, 1.0, dim=3)[None])
    >>> round(constants.young[0, 0].item(), 6), round(constants.poisson[0, 0, 1].item(), 6)
    (2.5, 0.25)
    """
    c = as_tensor(stiffness, "stiffness")
    dims = {3: 2, 6: 3}
    if c.ndim != 3 or c.shape[1] != c.shape[2] or c.shape[1] not in dims:
        raise ValueError(
            f"stiffness should have shape (n, 3, 3) or (n, 6, 6), got {tuple(c.shape)}. "
            "effective_stiffness returns such."
        )
    dim = dims[c.shape[1]]
    moduli, strains = _tests(c)
    young, shear = moduli[:, :dim], moduli[:, dim:]
    poisson = -strains[:, :dim, :dim] * (1 - torch.eye(dim, dtype=c.dtype, device=c.device))
    zener = [
        4 * c[:, place, place] / (c[:, i, i] + c[:, j, j] - 2 * c[:, i, j])
        for place, (i, j) in enumerate(VOIGT[dim])
        if i != j
    ]
    return EngineeringConstants(
        young, poisson, shear, torch.stack(zener, 1), _universal_anisotropy(c, dim)
    )


def _tests(
    c: Float64[Tensor, "n v v"],
) -> tuple[Float64[Tensor, "n v"], Float64[Tensor, "n v v"]]:
    """Stress of a test under strain 1 at each place and no other stress; row i: its strains.

    By the inverse, not by relaxing one strain after the other: where a structure is stiff along
    both axes and soft between them, that would be the difference of equal numbers.
    """
    # To a diagonal of ones: a stiff axis should not make rounding of a soft one.
    diagonal = c.diagonal(dim1=1, dim2=2)
    size = torch.where(diagonal > 0, diagonal, 1.0).sqrt()
    scaled = c / (size[:, :, None] * size[:, None, :])
    inverse = torch.linalg.pinv(scaled, rtol=NO_PATH, hermitian=True)
    borne = (scaled @ inverse).detach().diagonal(dim1=1, dim2=2) > BORNE
    borne &= diagonal.detach() > NO_PATH * diagonal.detach().amax(1, keepdim=True)
    own = torch.where(borne, inverse.diagonal(dim1=1, dim2=2), 1.0)
    moduli = torch.where(borne, size**2 / own, 0.0)
    strains = inverse * size[:, :, None] / (own[:, :, None] * size[:, None, :])
    return moduli, torch.where(borne[:, :, None], strains, 0.0)


def _universal_anisotropy(c: Float64[Tensor, "n v v"], dim: int) -> Float64[Tensor, "n"]:
    eigenvalues = torch.linalg.eigvalsh(c.detach())
    regular = eigenvalues[:, 0] > NO_PATH * eigenvalues[:, -1]
    safe = torch.where(regular[:, None, None], c, torch.eye(c.shape[1], dtype=c.dtype).to(c))
    s = torch.linalg.inv(safe)
    bulk_voigt = safe[:, :dim, :dim].sum((1, 2)) / dim**2
    bulk_reuss = 1 / s[:, :dim, :dim].sum((1, 2))
    # The mean over rotations keeps the trace of the tensor; engineering shear puts 2 and 1/2 there.
    deviators = dim * (dim + 1) // 2 - 1

    def trace(matrix, factor):
        diagonal = matrix.diagonal(dim1=1, dim2=2)
        return diagonal[:, :dim].sum(1) + factor * diagonal[:, dim:].sum(1)

    shear_voigt = (trace(safe, 2) - dim * bulk_voigt) / (2 * deviators)
    shear_reuss = deviators / (2 * (trace(s, 0.5) - 1 / (dim * bulk_reuss)))
    index = deviators * shear_voigt / shear_reuss + bulk_voigt / bulk_reuss - deviators - 1
    return torch.where(regular, index, torch.inf)
