r"""The probability-flow ODE of a diffusion on the circle: from data to noise and back.

Data :math:`x` and noise :math:`\epsilon` are mixed as
:math:`x_\varphi = \cos\varphi\, x + \sin\varphi\, \epsilon`, from :math:`\varphi = 0` (data) to
:math:`\pi/2` (noise). A network predicts the velocity
:math:`v = \cos\varphi\, \epsilon - \sin\varphi\, x`, and the probability flow is
:math:`dx_\varphi / d\varphi = v_\theta(x_\varphi, \varphi)` (Salimans and Ho 2022, appendix D).
"""

import math
from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor

# The ends are left out: next to them a network answers what it has hardly been asked.
NEAR_DATA, NEAR_NOISE = 0.0025 * math.pi, 0.4975 * math.pi

Velocity = Callable[[Tensor, Tensor], Tensor]  # (n, d) at one angle (1,) -> (n, d)


def mix(
    data: Float[Tensor, "n d"], noise: Float[Tensor, "n d"], angle: Float[Tensor, " n"]
) -> tuple[Float[Tensor, "n d"], Float[Tensor, "n d"]]:
    """Noisy data at each angle, and the velocity there: what a network is trained to predict."""
    cos, sin = angle.cos()[:, None], angle.sin()[:, None]
    return cos * data + sin * noise, cos * noise - sin * data


def heun(
    velocity: Velocity, x: Float[Tensor, "n d"], start: float, end: float, steps: int
) -> Float[Tensor, "n d"]:
    """Follow the flow by Heun's second-order method: two evaluations a step, either direction.

    >>> turn = lambda x, angle: torch.stack([-x[:, 1], x[:, 0]], dim=1)
    >>> end = heun(turn, torch.tensor([[1.0, 0.0]]), 0.0, math.pi / 2, 20)
    >>> [round(abs(v), 2) for v in end[0].tolist()]
    [0.0, 1.0]
    """
    size = (end - start) / steps
    for i in range(steps):
        now = x.new_full((1,), start + i * size)  # one for all rows
        first = velocity(x, now)
        second = velocity(x + size * first, now + size)
        x = x + size / 2 * (first + second)
    return x


def ddim(
    velocity: Velocity, x: Float[Tensor, "n d"], start: float, end: float, steps: int
) -> Float[Tensor, "n d"]:
    """The deterministic sampler of Song et al. (2021): one evaluation a step, first order.

    Each step keeps the data and noise that the network sees in ``x`` and turns them to the next
    angle: ``cos(step) x + sin(step) v``.
    """
    size = (end - start) / steps
    for i in range(steps):
        now = x.new_full((1,), start + i * size)  # one for all rows
        x = math.cos(size) * x + math.sin(size) * velocity(x, now)
    return x


SOLVERS = {"heun": heun, "ddim": ddim}
