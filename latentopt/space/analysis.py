"""What a space says of images: what each is, and where it lies in its image."""

from dataclasses import dataclass, fields
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from generative.batching import map_rows
from generative.model import Pose, Structured, decode_like
from latentopt.space.arguments import AnyArray, checked_images
from latentopt.space.decoder import Decoder
from latentopt.space.encoding import ASpace
from latentopt.space.model_tensors import device_of
from latentopt.space.whitening import Whitening


@dataclass(frozen=True, eq=False)
class Analysis:
    """Content and pose of images.

    Parameters
    ----------
    z
        Latent point of each: what it is, whatever its pose.
    angle
        Rotation in radians. In 2-D one number, counter-clockwise as images are shown; in 3-D a
        rotation vector along the axes of space (see `generative.model.Pose`). It is free up to one
        rotation for each kind of structure: what a network calls upright is its own choice.
    shift
        Offset from the centre of the image along each axis of space, in voxels.
    angle_spread, shift_spread
        Root-mean-square deviation that the encoder gives them, in the same units.
    """

    z: Float[Tensor, "n d"]
    angle: Float[Tensor, "n *free"]
    shift: Float[Tensor, "n axes"]
    angle_spread: Float[Tensor, " n"]
    shift_spread: Float[Tensor, "n axes"]

    def __len__(self) -> int:
        return len(self.z)

    def columns(self) -> dict[str, list[float]]:
        """Every number by the name of its column, such as ``z0`` and ``shift_y``."""
        axes = ("z", "y", "x")[-self.shift.shape[1] :]
        found: dict[str, list[float]] = {}
        for field in fields(self):
            values = getattr(self, field.name)
            if values.ndim == 1:
                found[field.name] = values.tolist()
                continue
            names = range(values.shape[1]) if field.name == "z" else axes
            joint = "" if field.name == "z" else "_"
            for name, column in zip(names, values.T, strict=True):
                found[f"{field.name}{joint}{name}"] = column.tolist()
        return found


def analyse(model: Decoder, whitening: Whitening, images: AnyArray) -> Analysis:
    """Content and pose of images, 10,000 in the same memory as 100.

    Raises
    ------
    TypeError
        For a model that does not keep the pose apart.
    ValueError
        For images of another shape, out of range or not finite.
    """
    if not isinstance(model, Structured):
        raise TypeError(without_pose(model))
    x = checked_images(images, tuple(model.image_shape))
    device, axes = device_of(model), x.ndim - 2
    free = 1 if axes == 2 else 3

    def found(part: Tensor) -> Tensor:
        code, pose = model.code_and_pose(part.to(device).float())
        return torch.cat([code, *(column.reshape(len(part), -1) for column in _numbers(pose))], 1)

    with torch.no_grad():
        numbers = map_rows(found, x, x[:1].numel() or 1)
    code, angle, shift, turned, moved = numbers.split([model.latent_dim, free, axes, 1, axes], 1)
    angle, shift, turned, moved = (told.double().cpu() for told in (angle, shift, turned, moved))
    z = whitening.to_z(code).cpu()
    return Analysis(z, angle[:, 0] if free == 1 else angle, shift, turned[:, 0], moved)


def decoded_like(
    space: ASpace, z: Float[Tensor, "n d"], images: Float[Tensor, "n c *space"]
) -> Float[Tensor, "n c *space"]:
    """Structures of points, each turned and shifted as the image of its row, without gradients.

    Of a model that does not keep the pose apart they are as they are decoded.
    """
    if not isinstance(space.model, Structured):
        return space.decode(z)
    device, code = device_of(space.model), space.whitening.to_code(z).float()
    return decode_like(space.model, code.to(device), images.float().to(device)).cpu()


def without_pose(model: Decoder) -> str:
    """What is wrong with a model that does not keep the pose apart, and the remedy."""
    return (
        f"a {type(model).__name__} does not keep the pose of a structure apart from its code; "
        "an rvae does. Train one: latentopt train --model rvae."
    )


def _numbers(pose: Pose) -> tuple[Any, ...]:
    """Its tensors; what is not known of it is 0."""
    turned = (
        pose.shift.new_zeros(len(pose.shift)) if pose.angle_spread is None else pose.angle_spread
    )
    moved = torch.zeros_like(pose.shift) if pose.shift_spread is None else pose.shift_spread
    return pose.angle, pose.shift, turned, moved
