"""A Gaussian process on what two-point statistics and phase fractions say of a structure."""

from typing import Any, Literal

import torch
from jaxtyping import Float, Float64
from pydantic import Field
from torch import Tensor

from objectives.surrogates.gaussian_process import ask_gp, build_gp, fit_gp
from objectives.surrogates.surrogate import Surrogate
from objectives.two_point.pca import TwoPointPCA

PCA = "pca."


class TwoPointGP(Surrogate):
    """Gaussian process on principal scores of the two-point statistics and the phase fractions.

    Fits in seconds for a thousand images; the cost grows with the cube of their number.

    >>> images = torch.rand(12, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    >>> mean, std = TwoPointGP(components=2).fit(images, images.mean((1, 2, 3))).predict(images)
    >>> mean.shape, bool((std > 0).all())
    (torch.Size([12]), True)
    """

    kind: Literal["two_point_gp"] = "two_point_gp"
    components: int = Field(
        default=20,
        ge=1,
        description="Number of principal components of the two-point statistics that enter the "
        "Gaussian process.",
    )
    periodic: bool | None = Field(
        default=None,
        description="Whether the images repeat beyond their faces. null takes what the grid "
        "says, or periodic if there is no grid.",
    )
    cutoff: int | None = Field(
        default=None,
        ge=0,
        description="Largest shift of the two-point statistics along each axis, in voxels. null "
        "goes up to half the image.",
    )

    def _least_images(self) -> int:
        return self.components + 1

    def _learn(
        self, images: Float[Tensor, "n c *space"], targets: Float64[Tensor, "n m"]
    ) -> dict[str, Tensor]:
        pca = self._pca().fit(images)
        raw = _raw_features(pca, images)
        scale = raw.std(0)
        scale = torch.where(scale > 1e-9, scale, torch.ones_like(scale))
        learned = {f"{PCA}{name}": tensor for name, tensor in pca.state_dict().items()}
        offset = raw.mean(0)
        process = fit_gp((raw - offset) / scale, targets)
        return {**learned, "offset": offset, "scale": scale, **process}

    def _prepare(self, state: dict[str, Tensor]) -> Any:
        learned = {n.removeprefix(PCA): t for n, t in state.items() if n.startswith(PCA)}
        pca = self._pca().load_state_dict(learned)
        return pca, state["offset"], state["scale"], build_gp(state)

    def _ask(
        self, ready: Any, images: Float[Tensor, "n c *space"]
    ) -> tuple[Float64[Tensor, "n m"], Float64[Tensor, "n m"]]:
        pca, offset, scale, process = ready
        raw = _raw_features(pca, images).cpu()
        return ask_gp(process, (raw - offset) / scale)

    def _pca(self) -> TwoPointPCA:
        return TwoPointPCA(self.components, periodic=self.images_repeat, cutoff=self.cutoff)


def _raw_features(pca: TwoPointPCA, images: Float[Tensor, "n c *space"]) -> Float64[Tensor, "n d"]:
    fractions = images.double().flatten(2).mean(2)
    return torch.cat([pca.transform(images.double()), fractions], 1)
