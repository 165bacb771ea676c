"""Many images ranked by a surrogate, the best of them evaluated by the solver."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from objectives.arrays import as_tensor
from objectives.grid import takes_grid
from objectives.surrogates.surrogate import Prediction, Surrogate

Score = Callable[[Prediction], Tensor | np.ndarray]


@dataclass(frozen=True, eq=False)
class Screened:
    """The images a surrogate kept, and what the solver says of them.

    Parameters
    ----------
    rows
        Which images were kept, the most promising first.
    values
        The **solver's** answer for ``images[rows]``; the surrogate's own numbers are not here.
    scores
        What the surrogate ranked all images by: a guess, to be compared with `values`.
    """

    rows: Int64[Tensor, "k"]
    values: Mapping[str, Tensor | np.ndarray]
    scores: Float64[Tensor, "n"]


def screen_then_solve(
    images: Float[Tensor, "n c *space"] | Float[np.ndarray, "n c *space"],
    surrogate: Surrogate,
    solver: Callable[..., Mapping[str, Tensor | np.ndarray]],
    keep: int,
    *,
    score: Score | None = None,
) -> Screened:
    """Rank images by a surrogate and evaluate the `keep` best ones by the solver.

    A surrogate errs most where it promises most, so it never decides alone: compare and report
    the values of the solver.

    Parameters
    ----------
    solver
        An objective of `OBJECTIVES`, or any function of images that returns values by name. It is
        given the surrogate's grid, if there is one and it takes one.
    keep
        How many images the solver evaluates.
    score
        ``(n,)`` of a `Prediction`, larger is better. By default the mean of the one output; for
        more outputs, or to give unsure images a chance, such as ``lambda p: p.mean + 2 * p.std``.

    Raises
    ------
    ValueError
        `keep` is no number of these images, or the score is not one finite number an image.
    """
    if not 1 <= keep <= len(images):
        raise ValueError(f"keep should be from 1 to the {len(images)} images, got {keep}.")
    prediction = surrogate.predict(images)
    scores = as_tensor(prediction.mean if score is None else score(prediction), "score").double()
    if scores.ndim == 2 and scores.shape[1] == 1:
        scores = scores[:, 0]
    if scores.shape != (len(images),) or not torch.isfinite(scores).all():
        raise ValueError(
            f"score should be one finite number for each of {len(images)} images, got shape "
            f"{tuple(scores.shape)}. Give score= to combine {', '.join(surrogate.outputs)}."
        )
    rows = scores.argsort(descending=True, stable=True)[:keep]
    chosen = images[rows.cpu().numpy()] if isinstance(images, np.ndarray) else images[rows]
    given = {"grid": surrogate.grid} if surrogate.grid is not None and takes_grid(solver) else {}
    return Screened(rows=rows.cpu(), values=solver(chosen, **given), scores=scores.cpu())
