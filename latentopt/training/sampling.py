"""Points of new structures: draws from a space, or from what its model can be asked for."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from generative.model import ConditionalSampler
from latentopt.errors import ConfigError
from latentopt.evaluation.objectives import build_objectives
from latentopt.space.draws import truncated
from latentopt.space.files import SETTINGS
from latentopt.space.latent_space import LatentSpace
from objectives.phases import cut_phases

OF_A_MEAN = 256  # samples of a wish, whose mean truncated ones move to


def sample_points(
    space: LatentSpace,
    n: int,
    *,
    seed: int = 0,
    class_name: str | None = None,
    properties: Mapping[str, float] | None = None,
    guidance: float = 1.0,
    truncation: float = 1.0,
) -> Float[Tensor, "{n} d"]:
    """Latent points of new structures, of a class and with properties where they are named.

    Parameters
    ----------
    space
        Any; one whose model was trained with conditions, to name some.
    n, seed
        How many, and what fixes them.
    class_name, properties
        What they should be.
    guidance
        Above 1 holds to the wish more closely, if the model has guidance.
    truncation
        Above 0, at most 1: points move to the mean of what is asked for by that factor, see
        `truncated`.

    Returns
    -------
    float64 ``(n, d)`` inside the radius of the space.

    Raises
    ------
    ConfigError
        For a class or property the model was not trained on, a guidance that has no effect, or
        another truncation.

    Warns
    -----
    UserWarning
        For a property outside the range of the training images, naming the range.
    """
    asked = class_name is not None or bool(properties)
    if not asked and guidance != 1.0:
        raise ConfigError(
            "guidance holds to a class or property that is asked for; name one. Guidance needs "
            "a space trained with model: ldm and conditions."
        )
    if asked and not isinstance(space.model, ConditionalSampler):
        raise ConfigError(
            "this space's model draws no classes or properties; train one with model: ldm or gan, "
            "and conditions."
        )

    def drawn(n: int, seed: int) -> Float[Tensor, "n d"]:
        if not (asked and isinstance(space.model, ConditionalSampler)):
            return space.sample(n, seed=seed)
        code = space.model.sample(
            n, seed=seed, class_name=class_name, properties=properties, guidance=guidance
        )
        return space.project(space.whitening.to_z(code.cpu()))

    try:
        z = drawn(n, seed)
        if truncation == 1.0:
            return z
        mean = drawn(OF_A_MEAN, 0).mean(0) if asked else torch.zeros_like(z[0])
        return mean + truncated(z - mean, truncation)
    except ValueError as error:
        raise ConfigError(str(error)) from None


def obtained(
    space: LatentSpace, images: Float[np.ndarray, "n c *space"], names: Mapping[str, Any]
) -> dict[str, Float[np.ndarray, " n"]]:
    """The properties of structures, computed as they were for the training images of the space.

    Parameters
    ----------
    space
        Its settings tell which objectives computed the properties.
    images
        Structures ``(n, c, *space)`` in [0, 1]; they are cut into phases first.
    names
        The properties; those that the settings do not tell how to compute are left out.

    Returns
    -------
    A value a structure by name, in the unit of its objective.
    """
    settings = json.loads(space.documents.get(SETTINGS, b"{}"))
    specs = (settings.get("conditions") or {}).get("properties", [])
    if not specs or not names:
        return {}
    cut = cut_phases(torch.from_numpy(images))
    found = {}
    for objective in build_objectives(specs):
        found |= {k: np.asarray(v) for k, v in objective(cut).items() if k in names}
    return found
