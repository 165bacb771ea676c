"""A space seen in other coordinates of its model."""

import torch
from jaxtyping import Float
from torch import Tensor

from generative.batching import map_rows
from generative.model import (
    CoordinateName,
    Coordinates,
    Drawn,
    Flowing,
    has_two_coordinates,
    is_standard_normal,
)
from latentopt.space.decoder import Decoder
from latentopt.space.fitting import as_kept, codes_of_draws
from latentopt.space.model_tensors import device_of
from latentopt.space.whitening import Whitening, typical_radius, whitened


def two_coordinates(model: Decoder, asked: CoordinateName) -> Coordinates:
    """The model, which has the coordinates that are asked for.

    Raises
    ------
    TypeError
        For a model with one coordinate system alone.
    ValueError
        For coordinates that this model has not.
    """
    if not has_two_coordinates(model):
        raise TypeError(
            f"{type(model).__name__} has one coordinate system; a model with a diffusion prior "
            "(ldm, lsgm) has two, and so has a gan or stylegan with mapping_layers."
        )
    if asked not in model.coordinate_names:
        names = " or ".join(model.coordinate_names)
        raise ValueError(f"coordinates should be {names}, got {asked!r}.")
    return model


def flowing(model: Decoder) -> Decoder:
    """The model, its weights shared, which decodes noise by its flow alone.

    Raises
    ------
    TypeError
        For a model that has no flow.
    """
    if not isinstance(model, Flowing):
        raise TypeError(f"{type(model).__name__} has no flow; a model ldm has one.")
    return model.by_flow()


def turned(
    model: Coordinates, other: Decoder, points: Float[Tensor, "m d"], whitening: Whitening
) -> tuple[Float[Tensor, "m d"], Whitening, float]:
    """Latent points of one coordinate system in the other one, with its whitening and radius.

    It is white over the points; where an encoder only guesses (`Drawn`), over draws, as after
    `LatentSpace.fit`.

    Parameters
    ----------
    model, other
        The same model, seen in either.
    points, whitening
        Points of ``model`` and the map to its codes.
    """
    normal = is_standard_normal(other)
    turn = model.to_noise if normal else model.to_code
    with torch.no_grad():
        before = whitening.to_code(points).to(device_of(other))
        codes = map_rows(turn, before, points.shape[1]).cpu()
    drawn = isinstance(other, Drawn) and not normal
    spread, new = whitened(other, codes_of_draws(other) if drawn else codes)
    z = new.to_z(codes) if drawn else spread
    return as_kept(z), new, typical_radius(spread, standard_normal=normal)
