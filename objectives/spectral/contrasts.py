"""Properties of two phases along a curve, and the contrasts that a spectral function takes."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Complex128
from torch import Tensor

from objectives.masks import refuse_masked

# Relative imaginary part that is rounding: a property with less of it has no loss.
LOSSLESS = 1e-12
LARGEST_CONTRAST = 1e10  # beyond which float64 does not tell a pole at 0 or 1 from one beside it


def checked_contrasts(contrasts: Any, name: str = "contrast") -> Complex128[Tensor, "c"]:
    """Contrasts as complex128 (c,); a number is a curve of one point.

    Raises
    ------
    TypeError
        They are no numbers.
    ValueError
        One is not finite, or 0 or a negative real number, where a structure without loss may be in
        resonance, or beyond 1e10 or 1e-10; the message says which and what to do.
    """
    h = _numbers(contrasts, name)
    if len(h) == 0:
        raise ValueError(f"{name} should be one number or more, got none.")
    if not (finite := torch.isfinite(h.abs())).all():
        raise ValueError(f"{name} should be finite, got {_first(h, ~finite)}.")
    resonant = (h.real <= 0) & (h.imag.abs() <= LOSSLESS * h.abs())
    if resonant.any():
        raise ValueError(
            f"{name} should be positive or have an imaginary part, got {_first(h, resonant)}: "
            "there a structure without loss may be in resonance. Add loss to a phase (an imaginary "
            "part of 1e-3, say), or give an insulator 1e-6 of the other phase."
        )
    size = h.abs()
    beyond = (size > LARGEST_CONTRAST) | (size < 1 / LARGEST_CONTRAST)
    if beyond.any():
        raise ValueError(
            f"{name} should be from {1 / LARGEST_CONTRAST:.0e} to {LARGEST_CONTRAST:.0e} in size, "
            f"got {_first(h, beyond)}. Bring the phases closer, or use effective_conductivity."
        )
    return h


def checked_properties(
    properties: Any, device: torch.device | None = None
) -> tuple[Complex128[Tensor, "c"], Complex128[Tensor, "c"]]:
    """Property of phase 0 and of phase 1 at each point of a curve, and so their contrast.

    Raises
    ------
    TypeError
        They are no numbers.
    ValueError
        There are not two, of one length (or a number); one is 0 or not finite; their losses have
        two signs; or their contrast is one that `checked_contrasts` refuses.
    """
    if isinstance(properties, str) or len(properties) != 2:
        raise ValueError(
            "properties should be two, of phase 0 and of phase 1, each a number or one a point of "
            "the curve."
        )
    first, second = (_numbers(part, f"properties[{i}]") for i, part in enumerate(properties))
    if len(first) != len(second) and 1 not in (len(first), len(second)):
        raise ValueError(
            f"properties of both phases should be of one length, got {len(first)} and "
            f"{len(second)}."
        )
    first, second = (part.to(device) for part in torch.broadcast_tensors(first, second))
    for i, part in enumerate((first, second)):
        bad = ~torch.isfinite(part.abs()) | (part == 0)
        if bad.any():
            raise ValueError(
                f"properties[{i}] should be finite and not 0, got {_first(part, bad)}. Give an "
                "insulator 1e-6 of the other phase."
            )
    losses = torch.stack([first.imag, second.imag])
    if (losses > 0).any() and (losses < 0).any():
        raise ValueError(
            "properties should all have imaginary parts of one sign (loss), got both signs. Take "
            "the complex conjugate of the phase that is given for the other sign of time."
        )
    checked_contrasts(second / first, "the contrast properties[1] / properties[0]")
    return first.contiguous(), second.contiguous()


def _numbers(values: Any, name: str) -> Complex128[Tensor, "c"]:
    if isinstance(values, Tensor):
        found = values.detach()
    else:
        refuse_masked(values, name)
        array = np.asarray(values)
        if array.dtype.kind not in "fiuc":
            raise TypeError(f"{name} should be numbers, got {array.dtype}.")
        found = torch.as_tensor(array.astype(np.complex128))
    if found.ndim > 1:
        raise ValueError(f"{name} should be a number or have shape (c,), got {tuple(found.shape)}.")
    return found.to(torch.complex128).reshape(-1).resolve_conj()


def _first(values: Complex128[Tensor, "c"], bad: Tensor) -> str:
    place = int(bad.nonzero()[0, 0])
    value = complex(values[place])
    shown = f"{value.real:g}" if value.imag == 0 else f"{value:g}"
    return f"{shown} at point {place}"
