"""How far images and their reconstructions are apart."""

import math
from dataclasses import asdict, dataclass

from jaxtyping import Float
from torch import Tensor

from objectives.fidelity.pixels import mse, ssim
from objectives.fidelity.statistics import interface_ratio, two_point_mae
from objectives.phases import are_phases, cut_phases


@dataclass(frozen=True)
class ReconstructionErrors:
    """Averages over a set of held-out images, by the metrics of `objectives.fidelity`.

    Parameters
    ----------
    mse
        Mean squared error of a voxel, of the soft reconstruction.
    ssim
        Structural similarity (Wang et al. 2004), of the soft reconstruction; 1 is equal.
    two_point_mae
        Mean absolute error of the periodic two-point statistics over all shifts. Of the most likely
        phase of each voxel where the images are phases; of the levels as they are where they are
        grey.
    interface_ratio
        Interface of the reconstructions over that of the images, cut in the same way; 1 keeps it
        all. Of grey levels, the jumps between neighbours. A mean decoder smooths texture finer than
        its code can carry and stays below. NaN for images without any.
    """

    mse: float
    ssim: float
    two_point_mae: float
    interface_ratio: float

    def asdict(self) -> dict[str, float]:
        """The four figures by name."""
        return asdict(self)

    @property
    def loss_of_detail(self) -> float:
        """Two-point error plus a tenth of the interface gone or added, relative.

        Images without an interface ask for none: the two-point error sees what is added.
        """
        kept = self.interface_ratio
        return self.two_point_mae + (0.0 if math.isnan(kept) else 0.1 * abs(1 - kept))


def reconstruction_errors(
    images: Float[Tensor, "n c *space"], reconstructed: Float[Tensor, "n c *space"]
) -> ReconstructionErrors:
    """Mean errors of reconstructed images against the images."""
    real, ours = images, reconstructed
    if are_phases(images):
        real, ours = cut_phases(images), cut_phases(reconstructed)
    return ReconstructionErrors(
        mse=float(mse(images, reconstructed).mean()),
        ssim=float(ssim(images, reconstructed).mean()),
        two_point_mae=float(two_point_mae(real, ours).mean()),
        interface_ratio=interface_ratio(real, ours),
    )
