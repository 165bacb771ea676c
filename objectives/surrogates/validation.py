"""How well a surrogate predicts images it has not seen, and how well it knows that."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from objectives.arrays import as_tensor
from objectives.surrogates.surrogate import Prediction, Surrogate
from objectives.surrogates.targets import Targets, as_columns


@dataclass(frozen=True)
class Accuracy:
    """Figures of one output.

    Parameters
    ----------
    r2
        Share of the variance that is explained: 1 is perfect, 0 no better than the mean, NaN where
        all values are equal.
    mae
        Mean absolute error, in the output's unit.
    within_one_sigma, within_two_sigma
        Share of values within one and two standard deviations of the predicted mean: .68 and .95
        for a normal error that the surrogate knows exactly; less is overconfidence.
    """

    r2: float
    mae: float
    within_one_sigma: float
    within_two_sigma: float


def accuracy(prediction: Prediction, y: Targets) -> dict[str, Accuracy]:
    """Accuracy of predictions of images whose property is known, by output.

    Parameters
    ----------
    prediction
        What `Surrogate.predict` answers.
    y
        The known values: ``(n,)``, ``(n, m)``, or a mapping of names to ``(n,)``.

    Raises
    ------
    ValueError
        The values are not finite, or of another number of outputs than the prediction.

    Examples
    --------
    >>> known = torch.tensor([1.0, 2.0, 3.0])
    >>> accuracy(Prediction(known.double() + 0.5, torch.full((3,), 0.4).double()), known)["y"]
    Accuracy(r2=0.625, mae=0.5, within_one_sigma=0.0, within_two_sigma=1.0)
    """
    mean, std = (as_tensor(a, "prediction").detach().cpu().reshape(len(a), -1) for a in prediction)
    targets, names = as_columns(y, len(mean))
    if targets.shape != mean.shape:
        raise ValueError(
            f"y should have {mean.shape[1]} outputs as the prediction, got {targets.shape[1]}."
        )
    errors = (targets - mean).abs()
    total = (targets - targets.mean(0)).square().sum(0)
    r2 = torch.where(total > 0, 1 - errors.square().sum(0) / total, torch.nan)
    shares = [(errors <= k * std).double().mean(0) for k in (1, 2)]
    figures = zip(*(f.tolist() for f in (r2, errors.mean(0), *shares)), strict=True)
    return {name: Accuracy(*row) for name, row in zip(names, figures, strict=True)}


def cross_validate(
    surrogate: Surrogate,
    images: Float[Tensor, "n c *space"] | Float[np.ndarray, "n c *space"],
    y: Targets,
    *,
    folds: int = 5,
    groups: Shaped[np.ndarray, "n"] | None = None,
    on_fold: Callable[[int, int], None] | None = None,
) -> Prediction[Tensor]:
    """What the surrogate predicts for every image when the image's fold is left out of its fit.

    Parameters
    ----------
    surrogate
        Its settings and seed are used; it is not fitted itself.
    folds
        Parts the images are dealt to at random, by the surrogate's seed.
    groups
        Images of one group are correlated (patches of one specimen) and stay in one fold.
    on_fold
        Called with the number of folds done and in all.

    Raises
    ------
    ValueError
        There are fewer groups (or images) than folds, or too few images to fit without a fold.
    """
    targets, names = as_columns(y, len(images))
    labels = np.arange(len(images)) if groups is None else np.asarray(groups)
    fold_of = _deal(labels, folds, surrogate.seed)
    mean, std = torch.zeros_like(targets), torch.zeros_like(targets)
    for fold in range(folds):
        out = np.flatnonzero(fold_of == fold)
        rest = np.flatnonzero(fold_of != fold)
        columns = dict(zip(names, targets[rest].T, strict=True))
        fitted = surrogate.model_copy().fit(images[rest], columns)
        prediction = fitted.predict(images[out])
        mean[out], std[out] = (torch.as_tensor(a).cpu() for a in prediction)
        if on_fold is not None:
            on_fold(fold + 1, folds)
    return Prediction(mean, std)


def _deal(labels: Sequence[int] | np.ndarray, folds: int, seed: int) -> np.ndarray:
    """Fold of every row: groups in random order, each to the smallest fold so far."""
    names, members, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    if not 2 <= folds <= len(names):
        if len(names) < 2:
            raise ValueError(
                f"the {len(labels)} images are of one specimen, or are one image: none can be held "
                "out to test on. Give images of two specimens or more."
            )
        raise ValueError(
            f"folds should be 2 to {len(names)}, the number of independent images (patches of one "
            f"specimen count once), got {folds}. Ask for fewer folds, or give more specimens."
        )
    fold_of_group, filled = np.empty(len(names), np.int64), np.zeros(folds, np.int64)
    for group in np.random.default_rng(seed).permutation(len(names)):
        fold_of_group[group] = filled.argmin()
        filled[filled.argmin()] += sizes[group]
    return fold_of_group[members]
