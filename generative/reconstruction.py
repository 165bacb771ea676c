"""How far images and their reconstructions are apart."""

from dataclasses import asdict, dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from generative.batching import map_rows
from generative.vae import autocorrelation


@dataclass(frozen=True)
class ReconstructionErrors:
    """Averages over a set of held-out images.

    Parameters
    ----------
    mse
        Mean squared error of a voxel, of the soft reconstruction.
    ssim
        Structural similarity (Wang et al. 2004), of the soft reconstruction; 1 is equal.
    two_point_mae
        Mean absolute error of the periodic autocorrelation over all shifts. Of the reconstruction
        cut at 1/2 where the images are phases, of the soft one where they are grey.
    interface_ratio
        Interface of the reconstruction over that of the image, cut in the same way; 1 keeps it
        all. A mean decoder smooths texture finer than its code can carry and stays below.
    """

    mse: float
    ssim: float
    two_point_mae: float
    interface_ratio: float

    def asdict(self) -> dict[str, float]:
        """The four figures by name."""
        return asdict(self)


def reconstruct(model: object, images: Float[Tensor, "n c *space"]) -> Float[Tensor, "n c *space"]:
    """Each image encoded and decoded, without gradients, in a fixed amount of memory."""
    with torch.no_grad():
        return map_rows(lambda chunk: model.decode(model.encode(chunk)), images, images[0].numel())


def reconstruction_errors(
    images: Float[Tensor, "n c *space"], reconstructed: Float[Tensor, "n c *space"]
) -> ReconstructionErrors:
    """Mean errors of reconstructed images against the images."""
    from skimage.metrics import structural_similarity

    similarities = [
        structural_similarity(a, b, data_range=1.0, channel_axis=0, win_size=_window(a.shape[1:]))
        for a, b in zip(np.asarray(images), np.asarray(reconstructed), strict=True)
    ]
    phases = bool(((images == 0) | (images == 1)).all())
    cut = (reconstructed > 0.5).float() if phases else reconstructed
    rows = torch.stack([images, cut], dim=1)
    two_point = map_rows(_two_point_mae, rows, 2 * images[0].numel())
    return ReconstructionErrors(
        mse=float(((images - reconstructed) ** 2).mean()),
        ssim=float(np.mean(similarities)),
        two_point_mae=float(two_point.mean()),
        interface_ratio=_interface(cut) / max(_interface(images), 1e-12),
    )


def _window(space: tuple[int, ...]) -> int:
    """Odd SSIM window of 7 voxels, less where the image is smaller."""
    return min(7, (min(space) - 1) // 2 * 2 + 1)


def _two_point_mae(pairs: Tensor) -> Tensor:
    difference = autocorrelation(pairs[:, 0]) - autocorrelation(pairs[:, 1])
    return difference.abs().flatten(1).mean(1)


def _interface(images: Tensor) -> float:
    """Mean jump between neighbours, over all axes."""
    return sum(float(images.diff(dim=axis).abs().mean()) for axis in range(2, images.ndim))
