"""A Gaussian process on latent points: for properties that vary smoothly in the space itself."""

from collections.abc import Callable
from typing import Any, Literal

import torch
from jaxtyping import Float, Float64
from pydantic import Field
from pydantic.json_schema import SkipJsonSchema
from torch import Tensor

from objectives.arrays import as_tensor
from objectives.surrogates.gaussian_process import ask_gp, build_gp, fit_gp
from objectives.surrogates.surrogate import Surrogate


class LatentGP(Surrogate):
    """Gaussian process on z = encode(images), one lengthscale a coordinate.

    Whitened coordinates are poor inputs for physics (their scale is the data's, not the
    property's): compare with `TwoPointGP` before relying on it. Nothing of `encode` is saved but
    its answer to one image: give it again to `load`, and another one is refused.

    >>> images = torch.rand(12, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    >>> surrogate = LatentGP(encode=lambda images: images.mean((2, 3)))
    >>> mean, std = surrogate.fit(images, images.mean((1, 2, 3))).predict(images)
    >>> mean.shape, bool((std > 0).all())
    (torch.Size([12]), True)
    """

    kind: Literal["latent_gp"] = "latent_gp"
    encode: SkipJsonSchema[Callable[[Any], Any]] = Field(
        exclude=True,
        description="Function from images to latent points (n, d), such as LatentSpace.encode.",
    )

    def _least_images(self) -> int:
        return 2

    def _learn(
        self, images: Float[Tensor, "n c *space"], targets: Float64[Tensor, "n m"]
    ) -> dict[str, Tensor]:
        z = self._points(images)
        scale = z.std(0)
        scale = torch.where(scale > 1e-9, scale, torch.ones_like(scale))
        offset = z.mean(0)
        process = fit_gp((z - offset) / scale, targets)
        return {"offset": offset, "scale": scale, "probe": images[:1], **process}

    def _prepare(self, state: dict[str, Tensor]) -> Any:
        z = (self._points(state["probe"]) - state["offset"]) / state["scale"]
        expected = state["features"][:1]
        if z.shape != expected.shape or not torch.allclose(z, expected, rtol=1e-2, atol=1e-2):
            raise ValueError("encode is not the one it was fitted with; give that space's encode")
        return state["offset"], state["scale"], build_gp(state)

    def _ask(
        self, ready: Any, images: Float[Tensor, "n c *space"]
    ) -> tuple[Float64[Tensor, "n m"], Float64[Tensor, "n m"]]:
        offset, scale, process = ready
        return ask_gp(process, (self._points(images) - offset) / scale)

    def _points(self, images: Float[Tensor, "n c *space"]) -> Float64[Tensor, "n d"]:
        with torch.no_grad():
            z = self.encode(images)
        z = as_tensor(z, "what encode answers").detach()
        if z.ndim != 2 or len(z) != len(images):
            raise ValueError(
                f"encode should answer ({len(images)}, d) for {len(images)} images, got "
                f"{tuple(z.shape)}."
            )
        return z.double().cpu()
