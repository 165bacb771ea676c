"""What a model goes on to learn beside the structures of a campaign: images that it knows."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from generative.data.read import read_dataset
from generative.errors import DataError
from latentopt.errors import ConfigError
from latentopt.settings.campaign import RetrainConfig
from latentopt.space.classes import Classes
from latentopt.space.files import SETTINGS
from latentopt.space.latent_space import LatentSpace
from latentopt.training.settings import FieldData, TrainingSettings
from latentopt.training.train_space import read_split
from objectives.phases import cut_phases

__all__ = ["KnownImages", "decoded_points", "training_images"]


@dataclass(frozen=True, eq=False)
class KnownImages:
    """Images that keep a model what it is.

    Parameters
    ----------
    images
        In [0, 1].
    source
        Where they come from, for people.
    classes
        The class of each; None where none are known.
    """

    images: Float[np.ndarray, "n c *space"]
    source: str
    classes: Classes | None

    def __len__(self) -> int:
        return len(self.images)

    def evenly(self, most: int) -> "KnownImages":
        """Those of rows from all over, `most` of them where there are more."""
        if len(self) <= most:
            return self
        rows = _evenly(len(self), most)
        classes = None if self.classes is None else self.classes.subset(rows)
        return KnownImages(self.images[rows], self.source, classes)


def training_images(space: LatentSpace, config: RetrainConfig) -> KnownImages:
    """At most `images` images, from all over.

    Those of `data` if it is given; else those that the space was trained on, if they can be had;
    else decoded structures of its kept training points.

    Raises
    ------
    ConfigError
        `data` cannot be read, or has images of another shape.
    """
    channels, dims = space.image_shape[0], len(space.image_shape) - 1
    if config.data is None:
        return _own_images(space, config.images).evenly(config.images)
    try:
        found = read_dataset(config.data, channels=channels, spatial_dims=dims)
    except DataError as error:
        raise ConfigError(str(error), at="campaign.retrain.data") from error
    if found.image_shape != space.image_shape:
        raise ConfigError(
            f"has images of shape {found.image_shape}, the space {space.image_shape}; give images "
            "of its size.",
            at="campaign.retrain.data",
        )
    source = Path(config.data).name
    return KnownImages(found.images, source, Classes.of_data(found)).evenly(config.images)


def decoded_points(space: LatentSpace, most: int) -> KnownImages:
    """What some of the kept training points decode to."""
    points, classes = space.reference_, space.reference_classes_
    rows = _evenly(len(points), min(most, len(points)))
    images = cut_phases(space.decode(points[rows])).cpu().numpy()
    if classes is not None:
        classes = classes.subset(rows)
    return KnownImages(images, "decoded training points", classes)


def _own_images(space: LatentSpace, most: int) -> KnownImages:
    """Images that the space was trained on, or decoded ones in their place."""
    try:
        data = TrainingSettings.recorded(space.documents[SETTINGS]).data
        if isinstance(data, FieldData):
            data = data.model_copy(update={"n": min(data.n, most), "held_out": 1})
        found = read_split(data)[0]
        if found.image_shape == space.image_shape:
            return KnownImages(found.images, "training images of the space", Classes.of_data(found))
    except (KeyError, ValueError, OSError):  # made in Python, or its images have moved
        pass
    decoded = decoded_points(space, most)
    return replace(decoded, source=f"{decoded.source}, in place of training images")


def _evenly(n: int, most: int) -> np.ndarray:
    """`most` of so many rows, from all over."""
    return np.arange(most) * n // max(1, most)
