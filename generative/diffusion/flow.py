r"""The probability-flow ODE in the TrigFlow parametrization: from data to noise and back.

Data :math:`x` and noise :math:`\epsilon` are mixed at a time :math:`t` from 0 (data) to
:math:`\pi/2` (noise) as :math:`x_t = \cos t\, x + \sin t\, \epsilon` (Lu and Song 2024,
Simplifying, stabilizing and scaling continuous-time consistency models, section 3.1). A network
predicts the velocity :math:`v = \cos t\, \epsilon - \sin t\, x`, and the probability flow is
:math:`dx_t / dt = v_\theta(x_t, t)` (Salimans and Ho 2022, appendix D). The noise level, noise over
data, is :math:`\tan t`.
"""

import math
from collections.abc import Callable, Iterator
from itertools import pairwise

from jaxtyping import Float
from torch import Tensor

# The ends are left out: next to them a network answers what it has hardly been asked.
HALF_PI = math.pi / 2
NEAR_DATA, NEAR_NOISE = 0.005 * HALF_PI, 0.995 * HALF_PI
CROWDING = 1.3  # power that spaces the times of a solver's steps

Velocity = Callable[[Tensor, Tensor], Tensor]  # (n, d) at one time (1,) -> (n, d)


def mix(
    data: Float[Tensor, "n d"], noise: Float[Tensor, "n d"], time: Float[Tensor, " n"]
) -> tuple[Float[Tensor, "n d"], Float[Tensor, "n d"]]:
    """Noisy data at each time, and the velocity there: what a network is trained to predict."""
    cos, sin = time.cos()[:, None], time.sin()[:, None]
    return cos * data + sin * noise, cos * noise - sin * data


def midpoint(
    velocity: Velocity, x: Float[Tensor, "n d"], start: float, end: float, steps: int
) -> Float[Tensor, "n d"]:
    """Follow the flow by the midpoint rule, of second order: two evaluations a step, either way.

    >>> import torch
    >>> turn = lambda x, time: torch.stack([-x[:, 1], x[:, 0]], dim=1)
    >>> end = midpoint(turn, torch.tensor([[1.0, 0.0]]), 0.0, math.pi / 2, 20)
    >>> [round(abs(v), 2) for v in end[0].tolist()]
    [0.0, 1.0]
    """
    for now, then in _steps(start, end, steps):
        size = then - now
        half = x + size / 2 * velocity(x, _time(x, now))
        x = x + size * velocity(half, _time(x, now + size / 2))
    return x


def heun(
    velocity: Velocity, x: Float[Tensor, "n d"], start: float, end: float, steps: int
) -> Float[Tensor, "n d"]:
    """The same by Heun's method."""
    for now, then in _steps(start, end, steps):
        size = then - now
        first = velocity(x, _time(x, now))
        second = velocity(x + size * first, _time(x, then))
        x = x + size / 2 * (first + second)
    return x


def ddim(
    velocity: Velocity, x: Float[Tensor, "n d"], start: float, end: float, steps: int
) -> Float[Tensor, "n d"]:
    """The deterministic sampler of Song et al. (2021): one evaluation a step, first order.

    Each step keeps the data and noise that the network sees in ``x`` and mixes them anew at the
    next time: ``cos(step) x + sin(step) v``.
    """
    for now, then in _steps(start, end, steps):
        x = math.cos(then - now) * x + math.sin(then - now) * velocity(x, _time(x, now))
    return x


def _steps(start: float, end: float, steps: int) -> Iterator[tuple[float, float]]:
    """Times from start to end, closer together near the data, where the flow turns faster."""
    first, last = ((time / HALF_PI) ** (1 / CROWDING) for time in (start, end))
    places = [first + (last - first) * i / steps for i in range(steps + 1)]
    return pairwise(HALF_PI * place**CROWDING for place in places)


def _time(x: Tensor, value: float) -> Tensor:
    return x.new_full((1,), value)  # one for all rows


SOLVERS = {"midpoint": midpoint, "heun": heun, "ddim": ddim}
