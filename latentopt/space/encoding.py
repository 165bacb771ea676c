"""Points of images: what an encoder says, and what inversion makes of it."""

from collections.abc import Callable
from numbers import Integral
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from generative.batching import map_rows
from latentopt.space.decoder import Decoder, Encoder
from latentopt.space.descent import descend
from latentopt.space.model_tensors import device_of
from latentopt.space.whitening import Whitening

__all__ = ["ASpace", "checked_steps", "encoded", "first_points", "inverted"]


@runtime_checkable
class ASpace(Protocol):
    """What inversion needs of a `LatentSpace`."""

    model: Decoder
    whitening: Whitening
    latent_dim: int

    def decode(self, z: Tensor) -> Tensor:
        """Images of points."""
        ...

    def project(self, z: Tensor) -> Tensor:
        """The nearest points inside the radius."""
        ...


def checked_steps(steps: Any) -> int:
    """Steps of inversion; a `ValueError` if they are no whole number, or below 0."""
    if isinstance(steps, bool) or not isinstance(steps, Integral) or steps < 0:
        raise ValueError(f"steps of inversion should be a whole number from 0, got {steps!r}.")
    return int(steps)


def encoded(
    model: Decoder, whitening: Whitening, images: Float[Tensor, "n c *space"]
) -> Float64[Tensor, "n d"]:
    """What the encoder says, on the model's device; with a gradient if the images ask for one.

    Raises
    ------
    TypeError
        For a model without an encoder.
    """
    if not isinstance(model, Encoder):
        raise TypeError(
            f"{type(model).__name__} cannot encode; it has only decode(code). "
            "space.inverting(100) finds points by descent from the origin."
        )
    encode, device = model.encode, device_of(model)
    with torch.set_grad_enabled(torch.is_grad_enabled() and images.requires_grad):
        return map_rows(
            lambda rows: whitening.to_z(encode(rows.to(device).float())),
            images,
            images[0].numel() if len(images) else 1,
        )


def first_points(space: ASpace, images: Float[Tensor, "n c *space"]) -> Float64[Tensor, "n d"]:
    """Where inversion begins: what the encoder says, else the origin; inside the radius."""
    if not isinstance(space.model, Encoder):
        return images.new_zeros((len(images), space.latent_dim), dtype=torch.float64)
    with torch.no_grad():
        return space.project(encoded(space.model, space.whitening, images)).to(images.device)


def inverted(
    space: ASpace,
    images: Float[Tensor, "n c *space"],
    steps: int,
    progress: Callable[[int, int], None] | None = None,
) -> Float64[Tensor, "n d"]:
    """Points after so many steps of descent from `first_points`, by the defaults of `descend`.

    Raises
    ------
    ValueError
        For images that ask for a gradient: inversion has none.
    TypeError
        If the model decodes without a gradient.
    """
    if torch.is_grad_enabled() and images.requires_grad:
        raise ValueError(
            "inversion has no gradient with respect to images. Detach them, or take that of the "
            "encoder: space.inverting(0).encode(images)."
        )
    targets = images.detach().to(device_of(space.model)).float()
    start = first_points(space, targets)
    return descend(space.decode, space.project, start, targets, steps=steps, progress=progress)
