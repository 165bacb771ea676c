"""Figures of reconstructed structures against the held-out structures they are made of."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from generative.data.dataset import Dataset
from generative.model import Structured
from latentopt.space.analysis import decoded_like
from latentopt.space.latent_space import LatentSpace
from objectives.fidelity.ensemble import ensemble_test, fewest_units, shuffled_pixels
from objectives.fidelity.pixels import mse, pixel_error, psnr, ssim
from objectives.fidelity.statistics import (
    interface_ratio,
    lineal_path_mae,
    share_within_sigma,
    statistics_bars,
    two_point_mae,
)
from objectives.phases import cut_phases


class Cut:
    """Images as phases, where they are phases."""

    def __init__(self, phases: bool) -> None:
        self.phases = phases

    def __call__(self, images: Float[Tensor, "n c *space"]) -> Float[Tensor, "n c *space"]:
        """What of the images is compared."""
        return cut_phases(images) if self.phases else images


def reconstructions(space: LatentSpace, held_out: Dataset) -> Tensor | None:
    """The held-out images encoded and decoded where they lie; None without an encoder."""
    if not space.encodes:
        return None
    images = torch.from_numpy(held_out.images)
    return decoded_like(space, space.encode(images), images).clamp(0, 1)


def drawn_structures(space: LatentSpace, held_out: Dataset, n: int, seed: int) -> Tensor:
    """Samples of a space; where it keeps the pose apart, turned as held-out images are."""
    z = space.sample(n, seed=seed)
    if not isinstance(space.model, Structured):
        return space.decode(z).clamp(0, 1)
    rows = np.random.default_rng(seed).integers(len(held_out), size=n)
    return decoded_like(space, z, torch.from_numpy(held_out.images[rows])).clamp(0, 1)


def reconstruction_figures(
    held_out: Dataset, soft: Tensor | None, cut: Cut, seed: int
) -> dict[str, float]:
    """Without reconstructions only those of the images themselves and of shuffled pixels."""
    images, parents = torch.from_numpy(held_out.images), held_out.parents
    originals = cut(images)
    shuffled = shuffled_pixels(originals, seed)
    cases = {"held_out": originals, "shuffled": shuffled}
    figures: dict[str, float] = {}
    if soft is not None:
        cases["reconstructed"] = cut(soft)
        figures = _errors_of(images, soft, cut)
        bars = statistics_bars(originals, cases["reconstructed"])
        figures |= {f"bar_{name}": value for name, value in vars(bars).items()}
    if len(images) > 1:
        for name, case in (("", "reconstructed"), ("_shuffled", "shuffled")):
            if case in cases:
                share = share_within_sigma(originals, cases[case])
                figures[f"within_6_sigma{name}"] = float(share.mean())
    halves = halves_of_parents(parents, seed)
    if halves is not None:
        first, second = halves
        for name, others in cases.items():
            answer = ensemble_test(
                originals[first],
                others[second],
                parents=(parents[first], parents[second]),
                seed=seed,
            )
            figures[f"p_{name}"] = answer.p_value
    return figures


def _errors_of(images: Tensor, soft: Tensor, cut: Cut) -> dict[str, float]:
    """Mean errors of reconstructions against their images."""
    reconstructed, originals = cut(soft), cut(images)
    figures = {
        name: float(measure(images, soft).mean())
        for name, measure in (("mse", mse), ("psnr", psnr), ("ssim", ssim))
    }
    per_image = {"two_point_mae": two_point_mae}
    if cut.phases:
        per_image |= {"pixel_error": pixel_error, "lineal_path_mae": lineal_path_mae}
        kept = interface_ratio(originals, reconstructed)
        figures |= {"interface_ratio": kept} if kept == kept else {}
    for name, measure in per_image.items():
        figures[name] = float(measure(originals, reconstructed).mean())
    return figures


def halves_of_parents(parents: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Rows of a random half of the parents and of the other, shuffled; None if they are too few."""
    rng = np.random.default_rng(seed)
    unique = rng.permutation(np.unique(parents))
    if len(unique) < 2 * fewest_units():
        return None
    first = np.isin(parents, unique[: len(unique) // 2])
    return rng.permutation(np.flatnonzero(first)), rng.permutation(np.flatnonzero(~first))
