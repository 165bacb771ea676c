"""Principal components: the baseline that every learned model must beat."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from generative.batching import to_tensor
from generative.model import Model, check_code, check_images_shape
from generative.stages.resampling import resampled_rows
from generative.stages.stage import SolvingStage, Stages
from objectives.settings import Settings


class PCAConfig(Settings):
    """Size of a `PCA`."""

    image_shape: tuple[int, ...] = Field(
        description="Shape of one image in voxels: (channels, height, width), or (channels, "
        "depth, height, width) in 3-D."
    )
    components: int = Field(
        64, description="Number of principal components, which is the number of values in a code."
    )


class PCA(Model):
    """Images to their scores on the leading principal components, and back.

    Parameters
    ----------
    image_shape
        ``(c, *space)``.
    **options
        Fields of `PCAConfig`.

    Raises
    ------
    ValueError
        For fewer components than 1, or more than an image has voxels.

    Examples
    --------
    >>> images = torch.rand(10, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    >>> model = PCA((1, 8, 8), components=4).fit(images)
    >>> model.encode(images).shape
    torch.Size([10, 4])
    """

    kind = "pca"
    options_class = PCAConfig
    mean_: Tensor
    components_: Tensor

    def __init__(self, image_shape: Sequence[int], **options: Any) -> None:
        super().__init__()
        self.config = PCAConfig(image_shape=tuple(image_shape), **options)
        self.image_shape, self.latent_dim = self.config.image_shape, self.config.components
        voxels = torch.Size(self.image_shape).numel()
        if not 1 <= self.latent_dim <= voxels:
            raise ValueError(
                f"components should be between 1 and the {voxels} voxels of an image, "
                f"got {self.latent_dim}."
            )
        self.register_buffer("mean_", torch.zeros(voxels))
        self.register_buffer("components_", torch.zeros(self.latent_dim, voxels))
        self.eval()

    def options(self) -> dict[str, Any]:
        """What `PCA(**options)` needs to build this model again."""
        return self.config.model_dump()

    def stages(self) -> Stages:
        """One that is solved at once."""
        return (PCAStage(self),)

    @property
    def least_images(self) -> int:
        """As many as it has components."""
        return max(2, self.latent_dim)

    def fit(self, images: Float[Tensor, "n c *space"], *, seed: int = 0) -> "PCA":
        """Learn mean and components by randomized singular value decomposition.

        Raises
        ------
        ValueError
            If there are fewer images than components, or they have another shape.
        """
        from sklearn.decomposition import PCA as ExactPCA  # imports for two seconds

        check_images_shape(images, self.image_shape)
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
        check_images_shape(images, self.image_shape)
        return (images.flatten(1) - self.mean_) @ self.components_.T

    def decode(self, code: Float[Tensor, "n d"]) -> Float[Tensor, "n c *space"]:
        """Images, clipped to [0, 1]."""
        check_code(code, self.latent_dim)
        flat = code @ self.components_ + self.mean_
        return flat.clamp(0, 1).reshape(-1, *self.image_shape)


class PCAStage(SolvingStage):
    """Least squared error of the reconstruction: the leading singular vectors of the images."""

    optimizes = "squared error of the reconstruction, minimized"

    def __init__(self, model: PCA) -> None:
        self.model = model

    def solve(
        self,
        images: Float[np.ndarray, "n c *space"],
        *,
        seed: int,
        weights: Float[np.ndarray, " n"] | None = None,
    ) -> None:
        """Fit the components, to images drawn by their weights where there are any."""
        if weights is not None:
            images = images[resampled_rows(weights, seed, least=self.model.latent_dim + 1)]
        self.model.fit(to_tensor(images), seed=seed)
