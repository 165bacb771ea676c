"""What a model is, and what it may offer beside its decoder."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, TypeGuard, TypeVar, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from generative.batching import map_rows
from generative.conditions import Conditions
from generative.stages.stage import Stages
from objectives.settings import Settings

__all__ = [
    "AModel",
    "Conditional",
    "ConditionalSampler",
    "Control",
    "Controlled",
    "CoordinateName",
    "Coordinates",
    "Drawn",
    "Encoding",
    "Flowing",
    "Model",
    "Pose",
    "Refining",
    "StandardNormal",
    "Structured",
    "check_code",
    "check_images_shape",
    "copy_of",
    "decode_like",
    "has_two_coordinates",
    "is_standard_normal",
    "reconstruct",
    "view_of",
]

CoordinateName = Literal["noise", "code", "style"]  # style: the code of a GAN


class Model(nn.Module, ABC):
    """Codes to images, and how that is learned: every row of `generative.MODELS` is one.

    It is built by ``kind(image_shape, **options)``, sets ``image_shape`` and ``latent_dim``, and is
    in evaluation mode. What else it can do it says by the protocols of this module: nothing asks
    for its class. Its ``decode`` answers row by row, without randomness.
    """

    kind: ClassVar[str]  # its name in the table, in settings and on disk
    options_class: ClassVar[type[Settings]]  # what its options are checked by
    image_shape: tuple[int, ...]  # (c, *space)
    latent_dim: int

    @abstractmethod
    def options(self) -> dict[str, Any]:
        """What builds this model again, as its keyword arguments; values that JSON can hold."""

    @abstractmethod
    def decode(self, code: Float[Tensor, "n d"]) -> Float[Tensor, "n c *space"]:
        """Images in [0, 1]; differentiable."""

    @abstractmethod
    def stages(self) -> Stages:
        """The parts of its training, in their order."""

    @property
    def least_images(self) -> int:
        """The fewest images that it learns from."""
        return 2

    def begin(self, source: "Model | Path") -> None:
        """Take first weights from another model, or from a file; most models refuse.

        Called before its weights are drawn, to take over what settings go with those weights, and
        again after that.

        Raises
        ------
        ValueError
            If it takes none, or not these.
        """
        raise ValueError(f"is not for model {self.kind}, which begins from nothing; leave it out.")


AModel = TypeVar("AModel", bound=Model)


@runtime_checkable
class Encoding(Protocol):
    """Has an encoder: it can be whitened over images, reconstruct them and be retrained."""

    def encode(self, images: Float[Tensor, "n c *space"]) -> Float[Tensor, "n d"]:
        """Code of each image, row by row, without randomness."""
        ...

    def decode(self, code: Float[Tensor, "n d"]) -> Float[Tensor, "n c *space"]:
        """Images in [0, 1]."""
        ...


@runtime_checkable
class StandardNormal(Protocol):
    """Says whether its codes are standard normal by construction, as a GAN's are."""

    @property
    def standard_normal(self) -> bool:
        """Whether they are: a space then needs no whitening, nor images to be fitted to."""
        ...


@runtime_checkable
class Coordinates(StandardNormal, Protocol):
    """Can be seen in standard normal noise, and perhaps in the code behind it.

    With two ``coordinate_names`` it maps each to the other, see `has_two_coordinates`.
    """

    @property
    def coordinate_names(self) -> tuple[CoordinateName, ...]:
        """Noise first, then what the code is called where there is one."""
        ...

    def in_coordinates(self, coordinates: Any) -> "Model":
        """The same model, its weights shared, seen in the coordinates of this name."""
        ...

    def to_noise(self, code: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """Noise of codes."""
        ...

    def to_code(self, noise: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """Codes of noise."""
        ...


@runtime_checkable
class Flowing(Protocol):
    """Has a flow between noise and code, by which it can decode even where a student stands in."""

    def by_flow(self) -> "Model":
        """The same model, its weights shared, which decodes noise by the flow alone."""
        ...


@runtime_checkable
class Drawn(Protocol):
    """Its encoder only guesses: how its codes are distributed is known from its prior."""

    def draw_codes(self, n: int, seed: int) -> Float[Tensor, "{n} d"]:
        """Codes of draws of its prior, the same for the same seed."""
        ...


@runtime_checkable
class Refining(Protocol):
    """Moves images towards those it was trained on."""

    def refine(
        self, images: Float[Tensor, "n c *space"], strength: float = ..., *, seed: int = 0
    ) -> Float[Tensor, "n c *space"]:
        """Images in [0, 1] of the same shape; a strength of 1 forgets the images given."""
        ...


@runtime_checkable
class Conditional(Protocol):
    """Can be asked for classes and properties of its training images."""

    @property
    def conditions(self) -> Conditions:
        """What it can be asked for; of size 0 if it was trained without any."""
        ...

    def at(self, condition: Float[Tensor, " f"]) -> "Model":
        """The same model, its weights shared, of structures under one condition.

        Parameters
        ----------
        condition
            As `Conditions.ask` answers.
        """
        ...

    def unconditional(self) -> "Model":
        """A copy that is told no conditions, and answers as this one does when asked for nothing.

        It can be trained on with images whose conditions nobody knows.
        """
        ...


@runtime_checkable
class ConditionalSampler(Conditional, Protocol):
    """A `Conditional` whose structures of all classes are points of one space."""

    def sample(
        self,
        n: int,
        *,
        seed: int = 0,
        class_name: str | None = None,
        properties: Mapping[str, float] | None = None,
        guidance: float = 1.0,
    ) -> Float[Tensor, "{n} d"]:
        """Points of that space which decode to structures of a class, with properties."""
        ...


@dataclass(frozen=True)
class Control:
    """A control variable of a model: a function of some numbers of its code.

    Parameters
    ----------
    name
        Such as "category 1" or "continuous 1".
    numbers
        Places in the code. A category is that of the largest of its numbers; a continuous control
        rises with its one number.
    categories
        How many there are; 0 for a continuous control.
    """

    name: str
    numbers: tuple[int, ...]
    categories: int


@runtime_checkable
class Controlled(StandardNormal, Protocol):
    """Has control variables, which its training has given a meaning in structures."""

    @property
    def controls(self) -> tuple[Control, ...]:
        """All of them, in the order of their numbers."""
        ...


@dataclass(frozen=True, eq=False)
class Pose:
    """Where a structure lies in its image: what a code of a `Structured` model leaves out.

    Parameters
    ----------
    angle
        Rotation in radians. In 2-D one number, counter-clockwise as the first axis of space points
        down; in 3-D a rotation vector along the axes of space, right-handed for axes that are
        called z, y, x in their order.
    shift
        Offset of its centre from that of the image along each axis of space, in voxels.
    angle_spread, shift_spread
        Root-mean-square deviation from these, where it is known: of the rotation in radians, of
        the shift along each axis in voxels.
    """

    angle: Float[Tensor, "n *free"]
    shift: Float[Tensor, "n axes"]
    angle_spread: Float[Tensor, " n"] | None = None
    shift_spread: Float[Tensor, "n axes"] | None = None


@runtime_checkable
class Structured(Protocol):
    """Keeps the pose of a structure apart from its code, which then tells what it is."""

    def pose(self, images: Float[Tensor, "n c *space"]) -> Pose:
        """Angle and shift of each image, row by row."""
        ...

    def code_and_pose(
        self, images: Float[Tensor, "n c *space"]
    ) -> tuple[Float[Tensor, "n d"], Pose]:
        """Both at the cost of one of them, which is that of the encoder."""
        ...

    def decode_at(self, code: Float[Tensor, "n d"], pose: Pose) -> Float[Tensor, "n c *space"]:
        """Structures turned and shifted to where the pose says they lie, in [0, 1]."""
        ...


def copy_of(model: AModel, **changes: Any) -> AModel:
    """The model built again, with the same weights, its parameters open to training.

    Parameters
    ----------
    model
        Is left as it is.
    changes
        Options that the copy has otherwise. Weights of parts that it does not have are left out.
    """
    copy = type(model)(**{**model.options(), **changes})
    known = copy.state_dict().keys()
    copy.load_state_dict({name: v for name, v in model.state_dict().items() if name in known})
    return copy


def view_of(model: AModel, **changes: Any) -> AModel:
    """The model built again, with the same parts, their weights shared.

    Parameters
    ----------
    model
        Is left as it is.
    changes
        Options that the view has otherwise. Parts that it does not have are left out.
    """
    view = type(model)(**{**model.options(), **changes})
    parts = dict(view.named_children())
    for name, part in model.named_children():
        if name in parts:
            setattr(view, name, part)
    return view


def is_standard_normal(model: object) -> bool:
    """Whether codes of this model are standard normal by construction."""
    return isinstance(model, StandardNormal) and model.standard_normal


def has_two_coordinates(model: object) -> TypeGuard[Coordinates]:
    """Whether a model has standard normal noise, a code behind it, and exact maps between them."""
    return isinstance(model, Coordinates) and len(model.coordinate_names) == 2


def reconstruct(
    model: Encoding, images: Float[Tensor, "n c *space"]
) -> Float[Tensor, "n c *space"]:
    """Each image encoded and decoded, without gradients, in a fixed amount of memory.

    Of a `Structured` model the structure is decoded where the image has it.
    """

    def again(chunk: Float[Tensor, "n c *space"]) -> Float[Tensor, "n c *space"]:
        if isinstance(model, Structured):
            return model.decode_at(*model.code_and_pose(chunk))
        return model.decode(model.encode(chunk))

    with torch.no_grad():
        return map_rows(again, images, images[0].numel())


def decode_like(
    model: Structured, code: Float[Tensor, "n d"], images: Float[Tensor, "n c *space"]
) -> Float[Tensor, "n c *space"]:
    """Structures of codes, each turned and shifted as the image of its row, without gradients."""
    width = code.shape[1]

    def placed(rows: Float[Tensor, "n both"]) -> Float[Tensor, "n c *space"]:
        shown = rows[:, width:].reshape(-1, *images.shape[1:])
        return model.decode_at(rows[:, :width], model.pose(shown))

    both = torch.cat([code, images.flatten(1)], 1)
    with torch.no_grad():
        return map_rows(placed, both, both.shape[1])


def check_code(code: Tensor, latent_dim: int) -> None:
    """Refuse codes of another width by a `ValueError` that gives both."""
    if code.ndim != 2 or code.shape[1] != latent_dim:
        raise ValueError(f"code should have shape (n, {latent_dim}), got {tuple(code.shape)}.")


def check_images_shape(images: Tensor, image_shape: tuple[int, ...]) -> None:
    """Refuse images of another shape by a `ValueError` that gives both."""
    if tuple(images.shape[1:]) != image_shape:
        raise ValueError(
            f"images should have shape (n, {', '.join(map(str, image_shape))}), got "
            f"{tuple(images.shape)}. This model was made for one image size; train another "
            "for a new one."
        )
