"""Principal components: the baseline that every learned model must beat."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn


class PCA(nn.Module):
    """Images to their scores on the leading principal components, and back.

    Parameters
    ----------
    image_shape
        ``(c, *space)``.
    components
        Length of the code.

    Examples
    --------
    >>> images = torch.rand(10, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    >>> model = PCA((1, 8, 8), components=4).fit(images)
    >>> model.encode(images).shape
    torch.Size([10, 4])
    """

    kind = "pca"

    def __init__(self, image_shape: Sequence[int], components: int = 64) -> None:
        super().__init__()
        self.image_shape = tuple(image_shape)
        self.latent_dim = components
        voxels = torch.Size(self.image_shape).numel()
        if not 1 <= components <= voxels:
            raise ValueError(
                f"components should be between 1 and the {voxels} voxels of an image, "
                f"got {components}."
            )
        self.register_buffer("mean_", torch.zeros(voxels))
        self.register_buffer("components_", torch.zeros(components, voxels))

    def options(self) -> dict[str, object]:
        """What `PCA(**options)` needs to build this model again."""
        return {"image_shape": self.image_shape, "components": self.latent_dim}

    def fit(self, images: Float[Tensor, "n c *space"], *, seed: int = 0) -> "PCA":
        """Learn mean and components by randomized singular value decomposition.

        Raises
        ------
        ValueError
            If there are fewer images than components, or they have another shape.
        """
        from sklearn.decomposition import PCA as ExactPCA  # imports for two seconds

        self._check(images)
        if len(images) < self.latent_dim:
            raise ValueError(
                f"{self.latent_dim} components need at least {self.latent_dim} images, got "
                f"{len(images)}. Ask for fewer components."
            )
        rows = np.asarray(images, dtype=np.float32).reshape(len(images), -1)
        fitted = ExactPCA(self.latent_dim, svd_solver="randomized", random_state=seed).fit(rows)
        self.mean_.copy_(torch.from_numpy(fitted.mean_))
        self.components_.copy_(torch.from_numpy(fitted.components_))
        return self

    def encode(self, images: Float[Tensor, "n c *space"]) -> Float[Tensor, "n d"]:
        """Scores of each image."""
        self._check(images)
        return (images.flatten(1) - self.mean_) @ self.components_.T

    def decode(self, code: Float[Tensor, "n d"]) -> Float[Tensor, "n c *space"]:
        """Images, clipped to [0, 1]."""
        if code.ndim != 2 or code.shape[1] != self.latent_dim:
            raise ValueError(
                f"code should have shape (n, {self.latent_dim}), got {tuple(code.shape)}."
            )
        flat = code @ self.components_ + self.mean_
        return flat.clamp(0, 1).reshape(-1, *self.image_shape)

    def _check(self, images: Tensor) -> None:
        if tuple(images.shape[1:]) != self.image_shape:
            raise ValueError(
                f"images should have shape (n, {', '.join(map(str, self.image_shape))}), got "
                f"{tuple(images.shape)}."
            )
