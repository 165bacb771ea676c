"""The classes that points of a map are coloured by."""

from typing import Any

from jaxtyping import Float64
from torch import Tensor

from generative.model import Control
from latentopt.space.fitting import thinned
from latentopt.space.latent_space import LatentSpace
from latentopt.space.spacing import nearest_rows
from latentopt.space.traverses import controls_of

__all__ = ["classes_of_map", "classes_of_points"]


def classes_of_map(space: LatentSpace, points: Float64[Tensor, "n d"]) -> dict[str, Any]:
    """Labels and class names of the reference structures that a map shows.

    Parameters
    ----------
    space
        Knows the classes of its reference structures, or has a categorical control; the map of
        another one has ``{"labels": None, "class_names": []}``.
    points
        `thinned` from the reference, or samples of a space that keeps none.
    """
    known = space.reference_classes_
    if known is None or len(known) < 2:
        return classes_of_points(space, points)
    labels = thinned(known.labels, len(points))
    return {"labels": labels.numpy(), "class_names": list(known.class_names)}


def classes_of_points(space: LatentSpace, z: Float64[Tensor, "n d"]) -> dict[str, Any]:
    """As `classes_of_map`: the class of the reference structure that is nearest to each point."""
    known, control = space.reference_classes_, _categorical(space)
    if known is not None and len(known):
        labels = known.labels[nearest_rows(z, space.reference_)]
        return {"labels": labels.numpy(), "class_names": list(known.class_names)}
    if control is not None:
        names = [f"{control.name}: {k + 1}" for k in range(control.categories)]
        return {"labels": z[:, list(control.numbers)].argmax(1).numpy(), "class_names": names}
    return {"labels": None, "class_names": []}


def _categorical(space: LatentSpace) -> Control | None:
    """The first control with categories: a model has made classes of its own."""
    return next((one for one in controls_of(space.model) if one.categories), None)
