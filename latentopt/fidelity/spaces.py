"""How faithful latent spaces are: held-out structures against reconstructions and samples."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from generative.data.dataset import Dataset
from generative.data.duplicates import image_digests, were_seen
from generative.data.representative import representative_rows
from generative.errors import DataError
from latentopt.errors import ConfigError
from latentopt.fidelity.reconstructions import (
    Cut,
    drawn_structures,
    halves_of_parents,
    reconstruction_figures,
    reconstructions,
)
from latentopt.space.latent_space import LatentSpace
from objectives.fidelity.draws import DrawFigures
from objectives.fidelity.ensemble import ensemble_test, fewest_units
from objectives.fidelity.feature_sets import memorization
from objectives.fidelity.feature_spaces import FeatureSpaces
from objectives.fidelity.histograms import kl_divergence
from objectives.fidelity.two_point_scores import components_of

__all__ = ["ALL", "FIGURES", "GroupFidelity", "SpaceFidelity", "evaluate_spaces"]

ALL = "all"
MOST_UNITS = 1000  # of a side in the ensemble test of samples
SHOWN = 6


def _with_floor_and_control(name: str, text: str) -> dict[str, str]:
    return {
        name: text,
        f"{name}_halves": "its floor: of the other half of the originals",
        f"{name}_shuffled": "its control: of these with shuffled voxels",
    }


def _figures_of(space: str, title: str) -> dict[str, str]:
    """Figures of samples in one feature space, each with its floor and its control."""
    figures = {
        "frechet": f"Frechet distance of samples and half of the originals on {title}",
        "precision": f"share of samples among that half of the originals (5 neighbours) on {title}",
        "recall": f"share of that half of the originals among the samples on {title}",
    }
    named = [_with_floor_and_control(f"{k}_{space}", text) for k, text in figures.items()]
    return {_present(name): text for of_one in named for name, text in of_one.items()}


def _present(name: str) -> str:
    """Name of a figure; the Frechet distance of Inception features is the FID."""
    return name.replace("frechet_inception", "fid")


FIGURES = {
    "mse": "mean squared error of a voxel, of the soft reconstruction",
    "psnr": "peak signal-to-noise ratio of the soft reconstruction, dB",
    "ssim": "structural similarity of the soft reconstruction, 1 if equal",
    "pixel_error": "share of voxels with another phase",
    "two_point_mae": "mean absolute error of the periodic two-point statistics, all shifts",
    "lineal_path_mae": "mean absolute error of the lineal path functions, all phases and axes",
    "interface_ratio": "interface of all reconstructions over that of all originals; 1 keeps it",
    "bar_original": "mean over originals of the mean of each one's two-point statistics",
    "bar_original_std": "standard deviation of that over the originals",
    "bar_reconstructed": "the same mean over reconstructions",
    "bar_reconstructed_std": "standard deviation of that over the reconstructions",
    "within_6_sigma": "share of the reconstructions' statistics within 6 sigma of the originals'",
    "within_6_sigma_shuffled": "the same share of originals with shuffled pixels (a control)",
    "p_reconstructed": "ensemble test: half of the originals against the other half reconstructed",
    "p_held_out": "ensemble test: the two halves of the originals (should be accepted)",
    "p_shuffled": "ensemble test: the other half with shuffled pixels (should be refused)",
    **_figures_of("two_point", "two-point scores"),
    **_figures_of("two_point_features", "two-point features of equal weight"),
    **_figures_of("random_cnn", "a random network"),
    **_figures_of("inception", "your Inception features"),
    **_with_floor_and_control("lone_voxels", "share of voxels unlike all face neighbours"),
    **_with_floor_and_control(
        "thin_voxels", "share of voxels unlike both neighbours along some axis"
    ),
    "undecided_voxels": "share of the samples' voxels more than 0.25 away from a phase",
    "p_samples": "ensemble test: samples against one original of each parent",
    "kl_levels": "divergence of the samples' grey levels from the originals', nats",
    "kl_fractions": "divergence of the samples' volume fractions from the originals', nats",
    "closer": "probability that a sample is nearer to a training structure than an original is",
    "copies": "share of samples nearer to one than 95 % of originals (0.05 if none is a copy)",
    "copied": "share of samples that are a training image, shifted, mirrored or turned",
    "copied_halves": "its floor: the same share of originals",
    "distance_ratio": "median distance to it, of samples over originals",
    "seen": "share of originals that are training images, or are one turned (should be 0)",
}

Progress = Callable[[str], None]
Features = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class GroupFidelity:
    """Figures of one class of the held-out images, or of all.

    Parameters
    ----------
    name
        Class, or `ALL`.
    images, parents
        How many there are.
    figures
        By the names of `FIGURES`; one that cannot be had (too few parents, no phases, no training
        images) is absent. Those of samples are in `ALL` only: a space knows no classes.
    """

    name: str
    images: int
    parents: int
    figures: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class SpaceFidelity:
    """Figures of one space, and some structures to look at.

    Parameters
    ----------
    name, id, latent_dim
        The space.
    groups
        All images first, then each class.
    held_out, reconstructed, samples
        A few images ``(k, c, *space)``, phases cut, spread over fractions and parents
        (`representative_rows`); none is reconstructed without an encoder.
    """

    name: str
    id: str
    latent_dim: int
    groups: tuple[GroupFidelity, ...]
    held_out: Float[Tensor, "k c *space"]
    reconstructed: Float[Tensor, "r c *space"]
    samples: Float[Tensor, "j c *space"]


def evaluate_spaces(
    spaces: Mapping[str, LatentSpace],
    held_out: Dataset,
    *,
    training: Dataset | None = None,
    samples: int = 1000,
    seed: int = 0,
    inception: Features | None = None,
    progress: Progress = lambda step: None,
) -> tuple[SpaceFidelity, ...]:
    """Figures of each space on the same held-out images.

    Parameters
    ----------
    spaces
        By the name they have in the table.
    held_out
        Images no space was trained on, of their size, with class and parent of each. All figures
        are optimistic if a space has seen them. Reconstructions have figures for each class.
    training
        Images the spaces were trained on: without them memorization is not measured. Whether
        held-out images are among them is known of spaces of ``latentopt train`` all the same.
    samples
        Structures drawn from each space.
    seed
        Fixes draws, halves and permutations.
    inception
        Features ``(n, f)`` of colour images ``(n, 3, h, w)`` in [0, 1], from an Inception-v3 with
        weights of your own: the Frechet distance on them is then the FID. Grey and two-phase images
        come with three equal channels. It resizes and normalizes as its weights want.
    progress
        Called with each step as it begins; there are `steps_of` in all.

    Raises
    ------
    DataError
        If the images do not have a space's shape, or are too few (two).
    """
    _check(spaces, held_out, training)
    cut = Cut(held_out.content == "phases")
    progress("features of the held-out images")
    originals = cut(torch.from_numpy(held_out.images))
    theirs = {} if inception is None else {"inception": _InceptionFeatures(inception, originals)}
    judge = _judge(originals, held_out.parents, theirs, training, cut, samples=samples, seed=seed)
    answers = []
    for name, space in spaces.items():
        progress(f"{name}: reconstructions")
        soft = reconstructions(space, held_out)
        groups = []
        for group, rows in _groups(held_out).items():
            progress(f"{name}: statistics of {group}")
            ours = None if soft is None else soft[rows]
            figures = reconstruction_figures(held_out.subset(rows), ours, cut, seed)
            parents = len(np.unique(held_out.parents[rows]))
            groups.append(GroupFidelity(group, len(rows), parents, figures))
        progress(f"{name}: samples")
        drawn = drawn_structures(space, held_out, samples, seed)
        figures = _sample_figures(drawn, held_out, judge, cut, seed)
        if training is not None:
            figures |= _memorization(cut(drawn), cut, training, originals)
        elif space.trained_on is not None:
            figures["seen"] = float(were_seen(held_out.images, space.trained_on).mean())
        groups[0] = replace(groups[0], figures={**groups[0].figures, **figures})
        shown = representative_rows(originals.numpy(), SHOWN, held_out.parents)
        again = originals[:0] if soft is None else cut(soft[shown])
        samples_shown = representative_rows(cut(drawn).numpy(), SHOWN)
        pictures = originals[shown], again, cut(drawn[samples_shown])
        answers.append(SpaceFidelity(name, space.id, space.latent_dim, tuple(groups), *pictures))
    return tuple(answers)


def steps_of(spaces: int, held_out: Dataset) -> int:
    """How often `evaluate_spaces` reports its progress."""
    return 1 + spaces * (2 + len(_groups(held_out)))


def feature_spaces(held_out: Dataset) -> dict[str, str]:
    """The feature spaces of Frechet distance, precision and recall, in words."""
    return {
        "two_point": f"the first {components_of(len(held_out))} scores of TwoPointPCA on the "
        "held-out images (not periodic, shifts up to a quarter of the shortest side), each over "
        "its standard deviation",
        "two_point_features": "mean square, periodic two-point correlations at shifts of 1, 3, 5 "
        "... voxels around and along each axis, and jumps along each axis "
        "(objectives.fidelity.two_point_features), each over its standard deviation over the "
        "held-out images",
        "random_cnn": "56 mean responses of a convolutional network of fixed random weights "
        "(objectives.fidelity.random_cnn_features, seed 0), each over its standard deviation over "
        "the held-out images",
    }


class _InceptionFeatures:
    """Features of the user's network, as they are: FID does not scale them."""

    def __init__(self, features: Features, images: Float[Tensor, "n c *space"]) -> None:
        if images.ndim != 4 or images.shape[1] not in (1, 3):
            raise ConfigError(
                "inception: sees 2-D images of one channel or three, got shape "
                f"{tuple(images.shape[1:])}; leave it out."
            )
        self.features = features
        self._rows(images[:1])  # refused now, not after the work

    def __call__(self, images: Float[Tensor, "n c *space"]) -> Float[Tensor, "n f"]:
        return torch.cat([self._rows(part) for part in images.split(64)])

    @torch.no_grad()
    def _rows(self, images: Float[Tensor, "n c *space"]) -> Float[Tensor, "n f"]:
        answer = torch.as_tensor(self.features(images.expand(-1, 3, -1, -1)))
        if answer.ndim != 2 or len(answer) != len(images) or not torch.isfinite(answer).all():
            raise ConfigError(
                f"inception: should answer {len(images)} images with as many finite rows of "
                f"features, got shape {tuple(answer.shape)}."
            )
        return answer.double()


def _check(spaces: Mapping[str, LatentSpace], held_out: Dataset, training: Dataset | None) -> None:
    for name, space in spaces.items():
        for what, data in (("held-out", held_out), ("training", training)):
            if data is not None and data.image_shape != space.image_shape:
                raise DataError(
                    f"{name}: expected {what} images of shape {space.image_shape}, got "
                    f"{data.image_shape}. Cut larger ones with --patch, or train a space on these."
                )
    if len(held_out) < 2:
        raise DataError(f"{held_out.sources[0]}: one held-out image has no statistics; give more.")


def _groups(data: Dataset) -> dict[str, Int64[np.ndarray, "r"]]:
    """Rows of all images, and of each class if there are several."""
    groups = {ALL: np.arange(len(data))}
    if len(data.class_names) > 1:
        for label, name in enumerate(data.class_names):
            rows = np.flatnonzero(data.labels == label)
            if len(rows):
                groups[f"class {name}" if name == ALL else name] = rows
    return groups


def _judge(
    originals: Tensor,
    parents: np.ndarray,
    theirs: Mapping[str, Features],
    training: Dataset | None,
    cut: Cut,
    *,
    samples: int,
    seed: int,
) -> DrawFigures:
    """Half of the originals to compare samples with, and the other as floor and control."""
    spaces = FeatureSpaces(originals, theirs)
    halves = halves_of_parents(parents, seed)
    first, second = (originals, None) if halves is None else (originals[rows] for rows in halves)
    known = None if training is None else cut(torch.from_numpy(training.images))
    return DrawFigures(first, second, training=known, spaces=spaces, size=samples, seed=seed)


def _sample_figures(
    soft: Tensor, held_out: Dataset, judge: DrawFigures, cut: Cut, seed: int
) -> dict[str, float]:
    images, drawn = torch.from_numpy(held_out.images), cut(soft)
    axes = tuple(range(2, images.ndim))
    figures = {
        "kl_levels": kl_divergence(images, soft),
        "kl_fractions": kl_divergence(cut(images).mean(axes), drawn.mean(axes)),
    }
    judged = {"": judge(drawn), "_halves": judge.floor, "_shuffled": judge.control}
    figures |= {_present(k + end): v for end, found in judged.items() for k, v in found.items()}
    # One image a parent: units then vary as samples do.
    order = np.random.default_rng(seed).permutation(len(held_out))
    rows = order[np.unique(held_out.parents[order], return_index=True)[1]][:MOST_UNITS]
    if min(len(rows), len(drawn)) >= fewest_units():
        answer = ensemble_test(cut(images[rows]), drawn[:MOST_UNITS], seed=seed)
        figures["p_samples"] = answer.p_value
    return figures


def _memorization(drawn: Tensor, cut: Cut, training: Dataset, originals: Tensor) -> dict[str, Any]:
    known = cut(torch.from_numpy(training.images))
    answer = memorization(drawn.flatten(1), known.flatten(1), originals.flatten(1))
    seen = were_seen(originals.numpy(), image_digests(known.numpy()))
    return {**vars(answer), "seen": float(seen.mean())}
