"""Points along one axis of a latent space, or along a control variable of its model."""

from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Float64
from scipy.special import ndtri
from torch import Tensor

from generative.model import Control, Controlled
from latentopt.space.decoder import Decoder

__all__ = ["Traversed", "controls_of", "traverse"]

SPAN = 3.0  # standard deviations, to either side of an axis
EXTREME = 0.95  # share of the distribution of a continuous control, which is passed through


@runtime_checkable
class Traversed(Protocol):
    """A latent space, as far as it is needed here."""

    @property
    def model(self) -> Decoder:
        """Its decoder."""
        ...

    def sample(self, n: int, seed: int = 0) -> Float[Tensor, "n d"]:
        """Points of its prior."""
        ...

    def manifold(
        self, axes: tuple[int, ...] = (0, 1), n: int = 9, *, span: float = SPAN
    ) -> Float[Tensor, "*grid d"]:
        """Points over some axes."""
        ...


def controls_of(model: object) -> tuple[Control, ...]:
    """Control variables of a model; none of most."""
    return model.controls if isinstance(model, Controlled) else ()


def traverse(
    space: Traversed,
    axis: int | str,
    n: int = 9,
    *,
    span: float | None = None,
    seed: int | None = None,
) -> Float[Tensor, "n d"]:
    """Points along an axis of a space, or along a control variable of its model.

    Parameters
    ----------
    space
        Where the points lie.
    axis
        Number of an axis: the origin is moved along it. Or the name of a control, such as
        ``"continuous 1"`` or ``"category 1"``: a sample is moved along that, the rest of it held.
    n
        How many points. Along a categorical control there is one for each category instead.
    span
        Of an axis: from -span to span standard deviations; 3 unless given. A continuous control
        goes through the middle 95 % of its distribution.
    seed
        Of the sample that is moved along a control; 0 unless given.

    Raises
    ------
    ValueError
        For an axis or control that there is not, fewer than two points along a control, a span of
        a control or a seed of an axis, which would have no effect.
    """
    if not isinstance(axis, str):
        if seed is not None:
            raise ValueError(f"axis {axis} starts at the origin, without a seed; leave seed out.")
        return space.manifold((axis,), n, span=SPAN if span is None else span)
    control = _named(space.model, axis)
    if span is not None:
        raise ValueError(f"{axis} has a distribution of its own; leave span out.")
    # The codes of such a model are standard normal, so that points are codes.
    return _along(control, space.sample(1, seed=seed or 0)[0], n)


def _named(model: object, name: str) -> Control:
    known = {control.name: control for control in controls_of(model)}
    if name not in known:
        names = ", ".join(known) if known else "none; model infogan has some"
        raise ValueError(f"{name!r} is no control of this model. It has: {names}.")
    return known[name]


def _along(control: Control, at: Float64[Tensor, " d"], n: int) -> Float64[Tensor, "n d"]:
    """A point with a control at values from one end to the other.

    To be of a category, the largest of the control's numbers changes places with the category's
    own: the norm stays.
    """
    if control.categories:
        points = at.repeat(control.categories, 1)
        largest = control.numbers[int(at[list(control.numbers)].argmax())]
        for row, number in zip(points, control.numbers, strict=True):
            row[largest], row[number] = at[number], at[largest]
        return points
    if n < 2:
        raise ValueError(f"n should be at least 2, got {n}.")
    points = at.repeat(n, 1)
    shares = np.linspace((1 - EXTREME) / 2, (1 + EXTREME) / 2, n)
    points[:, control.numbers[0]] = torch.from_numpy(ndtri(shares))
    return points
