"""Masked arrays are refused by name: what computes with them would lose the mask in silence."""

from typing import Any

import numpy as np

__all__ = ["refuse_masked"]


def refuse_masked(values: Any, name: str) -> None:
    """A ``TypeError`` if the values are a masked array of NumPy's."""
    if isinstance(values, np.ma.MaskedArray):
        raise TypeError(
            f"{name} should be a plain array, got a masked one, whose mask would be lost. Fill it "
            "(x.filled(0)); two-point statistics take the mask as an argument of its own."
        )
