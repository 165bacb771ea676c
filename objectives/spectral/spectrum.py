"""Effective property over a curve of contrasts, real or complex, with a gradient."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Complex128, Float, Float64, Int
from torch import Tensor

from objectives.arrays import Array
from objectives.errors import ConvergenceError
from objectives.grid import Grid
from objectives.images import in_kind
from objectives.spectral.contrasts import checked_properties
from objectives.spectral.curve_gradient import Curve
from objectives.spectral.lanczos import Watch, chunks, lanczos
from objectives.spectral.two_phases import question

# A smaller tolerance is taken for this one: the rest is rounding.
SMALLEST_TOL = 1e-13


@dataclass(frozen=True)
class Spectrum:
    """Effective property of n structures along l axes at c points of a curve."""

    values: Any  # complex128 (n, l, c), in the unit of the properties: torch for torch
    error: Float64[Tensor, "n l c"]  # upper bound of what `values` err by, relative
    steps: Int[Tensor, "n"]  # of Lanczos
    axes: tuple[str, ...]
    scheme: str
    boundary: str


def effective_spectrum(
    images: Float[Array, "n c *space"],
    properties: Sequence[Any],
    *,
    axes: Sequence[str] | None = None,
    grid: Grid | None = None,
    scheme: str | None = None,
    tol: float = 1e-6,
    max_steps: int = 1000,
) -> Spectrum:
    r"""Effective permittivity (conductivity, ...) of two-phase images over a whole curve.

    One run of Lanczos serves every point of the curve, at about the cost of one solve; each value
    is that of `effective_conductivity` with the same scheme, to `tol`. Only the components along
    the axes (:math:`K_{xx}`, ...) are there.

    Differentiable once in the images: :math:`\partial K / \partial \epsilon` in a voxel is the
    square of its gradient (without conjugate), of which the vectors of the run hold all. So the
    gradient of all points takes no solve and half to twice as long as the run, and
    no step of Lanczos is differentiated, which would be unstable. It errs by about the root of what
    the values do: 1e-3 at the default `tol`, and 1e-6 at 1e-12, which takes about twice the steps.
    The vectors are kept for it: an image of float64 for each step, axis and image.

    Parameters
    ----------
    images
        Two phases in [0, 1]: one channel with the share of phase 1, or two channels. Between, the
        property is linear in the share.
    properties
        Property of phase 0 and of phase 1, each a number or (c,) numbers, real or complex. Losses
        are imaginary parts of one sign.
    axes
        Of ``"z"``, ``"y"``, ``"x"``; all that images have, in their order, unless given.
    grid
        As `effective_conductivity` takes it.
    scheme
        ``"rot"`` or ``"q1"``; by default ``rot`` in 2-D and ``q1`` in 3-D.
    tol
        Relative error of every value at which the run ends: a bound, not an estimate
        (`objectives.spectral.resolvent`).
    max_steps
        After which a `ConvergenceError` is raised. 20 to 60 are usual; the number grows as the
        contrast nears the negative real axis, 0 or infinity.

    Raises
    ------
    EvaluationError
        (A ``ValueError``.) The images are not images, or not of two phases.
    ValueError
        `properties`, `axes`, `scheme` or `tol` is out of range, among them a contrast that is real
        and not positive, or the grid has other axes.
    ConvergenceError
        An image needs more steps.

    Examples
    --------
    Layers across and along the field, at a real and at a complex permittivity of phase 1:

    >>> layers = torch.tensor([[[[0.0, 0.0], [1.0, 1.0]]]])
    >>> found = effective_spectrum(layers, (1.0, [3.0, -2 + 1j]))
    >>> found.values[0].numpy().round(6).tolist()
    [[(1.5+0j), (3+1j)], [(2+0j), (-0.5+0.5j)]]
    """
    if not 0 < tol < 1:
        raise ValueError(f"tol should be between 0 and 1, got {tol}.")
    if max_steps < 1:
        raise ValueError(f"max_steps should be 1 or more, got {max_steps}.")
    asked = question(images, axes, grid, scheme)
    background, inclusion = checked_properties(properties, asked.chi.device)
    contrasts = inclusion / background
    shape = (0, len(asked.axes), len(contrasts))
    values, errors = [contrasts.new_zeros(shape)], [contrasts.real.new_zeros(shape)]
    steps = [torch.zeros(0, dtype=torch.long, device=contrasts.device)]
    goal = contrasts, max(tol, SMALLEST_TOL)
    keep = asked.chi.requires_grad and torch.is_grad_enabled()
    for chi, inverse in chunks(asked.chi, asked.scheme):
        found = lanczos(
            chi.detach(), asked.scheme, inverse, most_steps=max_steps, goal=goal, keep=keep
        )
        watch = found.watch
        if watch is None:
            raise ValueError("the run should have had a goal.")
        if len(watch.rows):
            before = sum(map(len, steps))
            raise ConvergenceError(_what_did_not_converge(watch, contrasts, max_steps, before))
        values.append(Curve.apply(chi, found, contrasts, asked.scheme))
        errors.append(watch.errors)
        steps.append(found.steps)
    found_values = torch.cat(values) * background
    return Spectrum(
        in_kind(found_values, images),
        torch.cat(errors),
        torch.cat(steps),
        asked.axes,
        asked.scheme.name,
        asked.boundary,
    )


def _what_did_not_converge(
    watch: Watch, contrasts: Complex128[Tensor, "c"], steps: int, before: int
) -> str:
    row = int(watch.rows[0])
    errors = watch.errors[row].amax(0).nan_to_num(torch.inf)
    worst = int(errors.argmax())
    contrast = complex(contrasts[worst])
    return (
        f"sample {before + row} did not converge to tol {watch.tol:.1e} in {steps} "
        f"steps: at contrast {contrast:.4g} (point {worst}) the error is at most "
        f"{float(errors[worst]):.1e}. Use more max_steps, a larger tol, or more loss near the "
        "resonance."
    )
