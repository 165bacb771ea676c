"""What a notebook shows of a latent space: what it is, and some structures drawn from it."""

import math
import time
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, UInt8
from torch import Tensor

from latentopt.notebook import card, never_raising, picture
from latentopt.pictures import image_grid_png, panels
from latentopt.space.classes import Classes
from latentopt.space.decoder import Decoder
from objectives.phases import to_phases

__all__ = ["space_html", "space_png", "space_text"]

_DRAWS = 6
_SECONDS = 0.2  # after which no further structure is decoded
_MOST_VOXELS = 2**21  # of an image; a larger one may cost seconds


@runtime_checkable
class Shown(Protocol):
    """A latent space, as far as it is shown."""

    model: Decoder
    latent_dim: int
    image_shape: tuple[int, ...]
    radius: float
    reference_: Float[Tensor, "m d"]
    reference_classes_: Classes | None

    @property
    def id(self) -> str:
        """Its name."""
        ...

    @property
    def encodes(self) -> bool:
        """Whether it has points of given images."""
        ...

    def sample(self, n: int, seed: int = 0) -> Float[Tensor, "n d"]:
        """Points of its prior."""
        ...

    def decode(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n c *space"]:
        """Images of points."""
        ...


def space_text(space: Shown) -> str:
    """One line: the kind of model, how many numbers, the shape of an image."""
    numbers, shape = space.latent_dim, space.image_shape
    return f"<LatentSpace of a {_kind(space)}: {numbers} numbers, images {shape}>"


@never_raising
def space_html(space: Shown) -> str | None:
    """A card with a picture of a few draws; the reason where they cannot be decoded."""
    known = space.reference_classes_
    facts = {
        "id": space.id,
        "numbers": space.latent_dim,
        "images": f"{space.image_shape} (channels, {'z, ' * (len(space.image_shape) > 3)}y, x)",
        "radius": f"{space.radius:.3g}",
        "reference structures": len(space.reference_),
        **({"classes": ", ".join(known.class_names)} if known is not None else {}),
        "encodes": "yes" if space.encodes else "no",
    }
    png = space_png(space)
    said = "structures drawn from the space" if png else "its draws cannot be decoded quickly"
    return card(f"LatentSpace of a {_kind(space)}", facts, pictures=picture(png, said))


@never_raising
def space_png(space: Shown) -> bytes | None:
    """A picture of a few draws, the same each time but for how many; None of very large images."""
    if math.prod(space.image_shape) > _MOST_VOXELS:
        return None
    images, titles = [], []
    for phases in _draws(space):
        drawn, names = panels(phases)
        images += drawn
        titles += names
    return image_grid_png(images, titles, columns=3)


def _draws(space: Shown) -> list[UInt8[np.ndarray, "*space"]]:
    """As many draws as can be decoded in a short time, at least one; of volumes, at most two."""
    points = space.sample(_DRAWS if len(space.image_shape) == 3 else 2)
    drawn, end = [], time.perf_counter() + _SECONDS
    for point in points:
        drawn.append(to_phases(space.decode(point[None]).cpu().numpy())[0])
        if time.perf_counter() > end:
            break
    return drawn


def _kind(space: Shown) -> str:
    return getattr(space.model, "kind", type(space.model).__name__)
