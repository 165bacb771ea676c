"""Arrays as other libraries hand them over, as tensors of the same values; or refused by name."""

from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from objectives.masks import refuse_masked

__all__ = ["Array", "as_tensor"]

# Of a function that answers in the kind of its question: torch for torch, NumPy for NumPy.
Array = TypeVar("Array", Tensor, np.ndarray, Tensor | np.ndarray)

_HALF = (torch.float16, torch.bfloat16)


def as_tensor(
    values: Any, name: str = "images", *, integers: torch.dtype = torch.float64
) -> Tensor:
    """Tensor of the values, on their own device and graph, sharing their memory where it can.

    Flipped, strided, big-endian and read-only arrays, lists and whatever NumPy reads have the
    values of a plain copy. Half precision becomes float32 and long double float64, which everything
    here computes with; truth values and integers become float64, or what `integers` says.

    Parameters
    ----------
    values
        Torch tensor, NumPy array, or what NumPy makes an array of numbers of.
    name
        What the values are called in messages.
    integers
        Type of what comes as integers: float32 holds labels and 8 bits in half the memory.

    Raises
    ------
    TypeError
        A masked array, whose mask would be lost; complex numbers, text or other objects.

    Examples
    --------
    >>> as_tensor(np.arange(3.0, dtype=">f4")[::-1])
    tensor([2., 1., 0.])
    """
    if isinstance(values, Tensor):
        return _computable(values, name, integers)
    refuse_masked(values, name)
    try:
        array = np.asarray(values)
    except (TypeError, ValueError) as error:  # ragged lists, lists of tensors with a graph
        raise TypeError(f"{name} should be an array of numbers: {error}") from None
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} should be an array of numbers, got {_kind(values, array)}.")
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        array = array.astype(np.float64)
    elif array.dtype.kind == "u" and array.dtype.itemsize > 1:
        array = array.astype(np.float64)  # of these torch computes with few
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    if not array.flags.writeable or any(stride < 0 for stride in array.strides):
        array = array.copy()
    return _computable(torch.from_numpy(array), name, integers)


def _computable(x: Tensor, name: str, integers: torch.dtype) -> Tensor:
    if x.is_complex():
        raise TypeError(f"{name} should be real numbers, got {x.dtype}. Take .real or .abs().")
    if not x.is_floating_point():
        return x.to(integers)
    return x.float() if x.dtype in _HALF else x


def _kind(values: Any, array: np.ndarray) -> str:
    return f"{array.dtype}" if isinstance(values, np.ndarray) else type(values).__name__
