"""Targets of a surrogate: what a solver computed of images, as columns of finite numbers."""

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from objectives.arrays import as_tensor

Targets = np.ndarray | Tensor | Mapping[str, np.ndarray | Tensor]


def as_columns(y: Targets, n: int) -> tuple[Float64[Tensor, "n m"], tuple[str, ...]]:
    """Targets as finite columns on the CPU, and the name of each."""
    if isinstance(y, Mapping):
        names = tuple(y)
        columns = [as_tensor(y[name], name).detach().cpu().double() for name in names]
        if not names or any(column.shape != (n,) for column in columns):
            shapes = {name: tuple(c.shape) for name, c in zip(names, columns, strict=True)}
            raise ValueError(f"y should map names to values of shape ({n},), got {shapes}.")
        targets = torch.stack(columns, 1)
    else:
        targets = as_tensor(y, "y").detach().cpu().double()
        if targets.ndim not in (1, 2) or len(targets) != n or 0 in targets.shape[1:]:
            raise ValueError(
                f"y should have shape ({n},) or ({n}, m), a row an image, got "
                f"{tuple(targets.shape)}."
            )
        one = targets.ndim == 1
        targets = targets.reshape(n, -1)
        names = ("y",) if one else tuple(f"y{i}" for i in range(targets.shape[1]))
    broken = (~torch.isfinite(targets)).nonzero()
    if len(broken):
        row, column = broken[0].tolist()
        raise ValueError(
            f"y should be finite, got {float(targets[row, column])} for {names[column]} in row "
            f"{row}. Leave that row out, or evaluate it again."
        )
    return targets, names


def check_positive(targets: Float64[Tensor, "n m"], names: tuple[str, ...]) -> None:
    """Refuse a target that has no logarithm."""
    broken = (targets <= 0).nonzero()
    if len(broken):
        row, column = broken[0].tolist()
        raise ValueError(
            f"y should be above 0 with log_target, got {float(targets[row, column]):.4g} for "
            f"{names[column]} in row {row}. Set log_target to false, or leave that output out."
        )
