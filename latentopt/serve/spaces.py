"""The spaces that are served: what is said of each, and its map."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from generative.model import Conditional, Control, Refining
from latentopt.errors import ConfigError
from latentopt.export.exporters import EXPORTERS
from latentopt.serve.problems import Problem
from latentopt.space.features import StructureFeatures
from latentopt.space.fitting import thinned
from latentopt.space.latent_space import LatentSpace
from latentopt.space.named import load_space
from latentopt.space.spacing import nearest_rows
from latentopt.space.traverses import controls_of

__all__ = ["ServedSpace", "Spaces"]


@dataclass(frozen=True, eq=False)
class ServedSpace:
    """A space under a name.

    Parameters
    ----------
    name
        Folder or name that it was given as, for people.
    space
        Decodes.
    """

    name: str
    space: LatentSpace

    @cached_property
    def id(self) -> str:
        """Of the space; it is a digest of all weights, and so computed once."""
        return self.space.id

    @cached_property
    def summary(self) -> dict[str, Any]:
        """What a client has to know of it."""
        space = self.space
        conditions = space.model.conditions if isinstance(space.model, Conditional) else None
        known = space.reference_classes_
        return {
            "id": self.id,
            "name": self.name,
            "kind": getattr(space.model, "kind", type(space.model).__name__),
            "image_shape": list(space.image_shape),
            "latent_dim": space.latent_dim,
            "radius": space.radius,
            "encodes": space.encodes,
            "refines": isinstance(space.model, Refining),
            "references": len(space.reference_),
            "class_names": list(known.class_names) if known is not None else [],
            "classes": list(conditions.classes) if conditions else [],
            "properties": (
                {name: about.model_dump() for name, about in conditions.properties.items()}
                if conditions
                else {}
            ),
        }

    @property
    def details(self) -> dict[str, Any]:
        """The summary, the model card as Markdown, control variables, formats of export."""
        card = self.space.documents.get("README.md", b"").decode(errors="replace")
        controls = [asdict(control) for control in self.space.controls]
        return {**self.summary, "card": card, "controls": controls, "formats": list(EXPORTERS)}

    @cached_property
    def _features(self) -> StructureFeatures:
        return StructureFeatures.of(self.space)

    @cached_property
    def map(self) -> dict[str, Any]:
        """Reference structures in two planes, of principal axes and structure scores; classes."""
        points, scores = self._features.reference, self._features.reference_scores
        placed = self._placed(points.numpy(), scores.numpy())
        return {"z": points.numpy(), **placed, **classes_of_map(self.space, points)}

    def place(self, z: Float64[np.ndarray, "n d"]) -> dict[str, Any]:
        """Points in the same planes, and the class of the nearest reference structure."""
        with torch.no_grad():
            scores = self._features.scores(torch.from_numpy(z)).numpy()
        return {**self._placed(z, scores), **classes_of_points(self.space, torch.from_numpy(z))}

    def _placed(
        self, z: Float64[np.ndarray, "n d"], scores: Float64[np.ndarray, "n k"]
    ) -> dict[str, Any]:
        fractions = sum(name.startswith("volume_fraction") for name in self._features.names)
        plane = scores[:, fractions : fractions + 2]
        return {
            "axes": z[:, :2],
            "structure": np.pad(plane, ((0, 0), (0, 2 - plane.shape[1]))),
            "volume_fraction": 0.5 + 0.2 * scores[:, 0],
            "distance_from_data": np.asarray(self.space.distance_from_data(z))
            if len(self.space.reference_) > 1
            else None,
        }


class Spaces(Mapping[str, ServedSpace]):
    """The spaces of a service by their id.

    Parameters
    ----------
    spaces
        Each once.

    Raises
    ------
    ConfigError
        Two are the same.
    """

    def __init__(self, spaces: Sequence[ServedSpace]) -> None:
        self._by_id: dict[str, ServedSpace] = {}
        for one in spaces:
            if (other := self._by_id.setdefault(one.id, one)) is not one:
                raise ConfigError(f"{one.name} and {other.name} are the same space; name it once.")

    @classmethod
    def load(cls, names: Sequence[str]) -> "Spaces":
        """Spaces of the folders or names that a user gives."""
        return cls([ServedSpace(name, load_space(name)) for name in names])

    def __getitem__(self, id: str) -> ServedSpace:
        return self._by_id[id]

    def __iter__(self) -> Any:
        return iter(self._by_id)

    def __len__(self) -> int:
        return len(self._by_id)

    def find(self, id: str) -> ServedSpace:
        """The space of an id; a `Problem` (404) if there is none."""
        if id not in self._by_id:
            raise Problem(404, "no space of this id is served; GET /v1/spaces lists them")
        return self._by_id[id]


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
