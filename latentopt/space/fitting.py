"""The coordinates of a space: whitening, radius and the points that stand for the data."""

from typing import TypedDict

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from generative.model import Drawn, StandardNormal, is_standard_normal
from latentopt.space.arguments import AnyArray, checked_images
from latentopt.space.decoder import Decoder, Encoder
from latentopt.space.draws import normal_draws
from latentopt.space.encoding import encoded
from latentopt.space.whitening import Whitening, typical_radius, whitened
from objectives.arrays import Array

__all__ = [
    "REFERENCE_ROWS",
    "White",
    "as_kept",
    "codes_of_draws",
    "of_prior",
    "thinned",
    "white_over",
]

OWN_SEED = 987_654_321  # of reference points that are drawn; samples have others
DRAWS = 8192  # of a prior, over which codes are whitened that an encoder only guesses
REFERENCE_ROWS = 2048  # latent points of training structures kept with the space


class White(TypedDict):
    """Arguments of `LatentSpace` that follow from a model and its data."""

    whitening: Whitening
    reference: Float64[Tensor, "r d"]
    radius: float


def of_prior(model: Decoder) -> White:
    """Of standard normal codes: no whitening, and draws for a reference.

    Raises
    ------
    ValueError
        For a model that says of its codes that they are not standard normal.
    """
    if isinstance(model, StandardNormal) and not model.standard_normal:
        raise ValueError(
            f"codes of this {type(model).__name__} are not standard normal, and a space from its "
            "prior would be wrong. Use LatentSpace.fit(model, images), or the model with "
            "coordinates: noise."
        )
    dim = int(model.latent_dim)
    draws = normal_draws(REFERENCE_ROWS, dim, OWN_SEED)
    radius = typical_radius(draws, standard_normal=True)
    return {"whitening": Whitening.identity(dim), "reference": as_kept(draws), "radius": radius}


def white_over(model: Decoder, images: AnyArray, reference: AnyArray) -> White:
    """White over the points of images, around those of the reference.

    None is needed for standard normal codes. Where an encoder only guesses (`Drawn`), codes of
    draws take the place of both.

    Parameters
    ----------
    model
        Encodes and decodes.
    images
        That the space is whitened over; of a model with standard normal codes 2,048 at most are
        encoded.
    reference
        Images whose points are kept, perhaps the same.

    Raises
    ------
    TypeError
        For a model without an encoder.
    """
    if not isinstance(model, Encoder):
        raise TypeError(
            f"{type(model).__name__} has no encode(images), so its codes cannot be whitened. "
            "If its codes are standard normal, use LatentSpace.from_prior(model)."
        )
    normal = is_standard_normal(model)
    if isinstance(model, Drawn):
        if normal:
            return of_prior(model)
        codes = codes_of_draws(model)
    else:
        codes = _codes(model, thinned(images, REFERENCE_ROWS) if normal else images)
    z, whitening = whitened(model, codes)
    radius = typical_radius(z, standard_normal=normal)
    if not isinstance(model, Drawn) and reference is not images:
        z = whitening.to_z(_codes(model, thinned(reference, REFERENCE_ROWS)))
    kept = as_kept(thinned(z, REFERENCE_ROWS))
    return {"whitening": whitening, "reference": kept, "radius": radius}


def codes_of_draws(model: Drawn) -> Float[Tensor, "n d"]:
    """Codes, on the CPU, that a model is whitened over whose encoder only guesses."""
    return model.draw_codes(DRAWS, OWN_SEED).cpu()


def thinned(rows: Array, most: int) -> Array:
    """Rows from all over, at most so many, in equal steps.

    As many as are left, asked for again, are the same rows.
    """
    return rows[:: max(1, -(-len(rows) // most))]


def as_kept(z: Float[Tensor, "r d"]) -> Float64[Tensor, "r d"]:
    """Rounded to float32, as on disk: a space is the same before and after it is saved."""
    return z.float().double()


def _codes(model: Decoder, images: AnyArray) -> Float64[Tensor, "n d"]:
    as_they_are = Whitening.identity(model.latent_dim)
    with torch.no_grad():
        return encoded(model, as_they_are, checked_images(images, tuple(model.image_shape))).cpu()
