"""Run a network over many rows in a fixed amount of memory."""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from objectives.masks import refuse_masked

VOXELS_PER_CHUNK = 2**18  # 64 images of 64x64: small enough to stay near the cache


def map_rows(
    function: Callable[[Tensor], Tensor], rows: Shaped[Tensor, "n ..."], voxels_per_row: int
) -> Shaped[Tensor, "n ..."]:
    """``function(rows)`` computed a few rows at a time.

    Parameters
    ----------
    function
        Row-wise: row i of its answer depends on row i of its argument.
    rows
        Rows to go through.
    voxels_per_row
        Size of the larger of question and answer, which sets the rows a chunk may have.
    """
    size = max(1, VOXELS_PER_CHUNK // voxels_per_row)
    if len(rows) <= size:
        return function(rows)
    if torch.is_grad_enabled() and rows.requires_grad:
        return torch.cat([function(chunk) for chunk in rows.split(size)])
    first = function(rows[:size])
    answer = first.new_empty((len(rows), *first.shape[1:]))
    answer[:size] = first
    for start in range(size, len(rows), size):
        answer[start : start + size] = function(rows[start : start + size])
    return answer


def to_tensor(images: Float[np.ndarray, "n c *space"]) -> Float[Tensor, "n c *space"]:
    """Images as a float32 tensor, without a copy where they are float32 already."""
    refuse_masked(images, "images")
    return torch.from_numpy(np.ascontiguousarray(images, dtype=np.float32))
