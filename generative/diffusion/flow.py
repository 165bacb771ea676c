r"""The probability-flow ODE of a diffusion on the circle: from data to noise and back.

Data :math:`x` and noise :math:`\epsilon` are mixed as
:math:`x_\varphi = \cos\varphi\, x + \sin\varphi\, \epsilon`, from :math:`\varphi = 0` (data) to
:math:`\pi/2` (noise). A network predicts the velocity
:math:`v = \cos\varphi\, \epsilon - \sin\varphi\, x`, and the probability flow is
:math:`dx_\varphi / d\varphi = v_\theta(x_\varphi, \varphi)` (Salimans and Ho 2022, appendix D).
"""

import math
from collections.abc import Callable, Iterator
from itertools import pairwise

from jaxtyping import Float
from torch import Tensor

# The ends are left out: next to them a network answers what it has hardly been asked.
HALF_PI = math.pi / 2
NEAR_DATA, NEAR_NOISE = 0.005 * HALF_PI, 0.995 * HALF_PI
CROWDING = 1.3  # power that spaces the angles of a solver's steps

Velocity = Callable[[Tensor, Tensor], Tensor]  # (n, d) at one angle (1,) -> (n, d)


def mix(
    data: Float[Tensor, "n d"], noise: Float[Tensor, "n d"], angle: Float[Tensor, " n"]
) -> tuple[Float[Tensor, "n d"], Float[Tensor, "n d"]]:
    """Noisy data at each angle, and the velocity there: what a network is trained to predict."""
    cos, sin = angle.cos()[:, None], angle.sin()[:, None]
    return cos * data + sin * noise, cos * noise - sin * data


def midpoint(
    velocity: Velocity, x: Float[Tensor, "n d"], start: float, end: float, steps: int
) -> Float[Tensor, "n d"]:
    """Follow the flow by the midpoint rule, of second order: two evaluations a step, either way.

    >>> import torch
    >>> turn = lambda x, angle: torch.stack([-x[:, 1], x[:, 0]], dim=1)
    >>> end = midpoint(turn, torch.tensor([[1.0, 0.0]]), 0.0, math.pi / 2, 20)
    >>> [round(abs(v), 2) for v in end[0].tolist()]
    [0.0, 1.0]
    """
    for now, then in _steps(start, end, steps):
        size = then - now
        half = x + size / 2 * velocity(x, _angle(x, now))
        x = x + size * velocity(half, _angle(x, now + size / 2))
    return x


def heun(
    velocity: Velocity, x: Float[Tensor, "n d"], start: float, end: float, steps: int
) -> Float[Tensor, "n d"]:
    """The same by Heun's method."""
    for now, then in _steps(start, end, steps):
        size = then - now
        first = velocity(x, _angle(x, now))
        second = velocity(x + size * first, _angle(x, then))
        x = x + size / 2 * (first + second)
    return x


def ddim(
    velocity: Velocity, x: Float[Tensor, "n d"], start: float, end: float, steps: int
) -> Float[Tensor, "n d"]:
    """The deterministic sampler of Song et al. (2021): one evaluation a step, first order.

    Each step keeps the data and noise that the network sees in ``x`` and turns them to the next
    angle: ``cos(step) x + sin(step) v``.
    """
    for now, then in _steps(start, end, steps):
        x = math.cos(then - now) * x + math.sin(then - now) * velocity(x, _angle(x, now))
    return x


def _steps(start: float, end: float, steps: int) -> Iterator[tuple[float, float]]:
    """Angles from start to end, closer together near the data, where the flow turns faster."""
    first, last = ((angle / HALF_PI) ** (1 / CROWDING) for angle in (start, end))
    places = [first + (last - first) * i / steps for i in range(steps + 1)]
    return pairwise(HALF_PI * place**CROWDING for place in places)


def _angle(x: Tensor, value: float) -> Tensor:
    return x.new_full((1,), value)  # one for all rows


SOLVERS = {"midpoint": midpoint, "heun": heun, "ddim": ddim}
