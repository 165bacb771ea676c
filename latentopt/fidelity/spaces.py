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
from generative.errors import DataError
from latentopt.errors import ConfigError
from latentopt.fidelity.reconstructions import (
    Cut,
    halves_of_parents,
    reconstruction_figures,
    reconstructions,
)
from latentopt.fidelity.two_point_scores import TwoPointScores, components_of
from latentopt.space.latent_space import LatentSpace
from objectives.fidelity.ensemble import ensemble_test, fewest_units
from objectives.fidelity.feature_sets import frechet_distance, memorization, precision, recall
from objectives.fidelity.histograms import kl_divergence
from objectives.fidelity.random_features import random_cnn_features

__all__ = ["ALL", "FIGURES", "GroupFidelity", "SpaceFidelity", "evaluate_spaces"]

ALL = "all"
NEIGHBOURS = 5
MOST_UNITS = 1000  # of a side in the ensemble test of samples
SMALLEST_SPREAD = 1e-6
SHOWN = 6

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
    "frechet_two_point": "Frechet distance of samples and originals on two-point scores",
    "frechet_two_point_halves": "its floor: between halves of the originals, equally many",
    "precision_two_point": "share of samples among the originals (5 neighbours)",
    "recall_two_point": "share of originals among the samples",
    "frechet_random_cnn": "Frechet distance of samples and originals on a random network",
    "frechet_random_cnn_halves": "its floor: between halves of the originals, equally many",
    "precision_random_cnn": "share of samples among the originals (5 neighbours)",
    "recall_random_cnn": "share of originals among the samples",
    "fid": "Frechet distance of samples and originals on your Inception features",
    "fid_halves": "its floor: between halves of the originals, equally many",
    "precision_inception": "share of samples among the originals (5 neighbours)",
    "recall_inception": "share of originals among the samples",
    "p_samples": "ensemble test: samples against one original of each parent",
    "kl_levels": "divergence of the samples' grey levels from the originals', nats",
    "kl_fractions": "divergence of the samples' volume fractions from the originals', nats",
    "closer": "probability that a sample is nearer to a training structure than an original is",
    "copies": "share of samples nearer to one than 95 % of originals (0.05 if none is a copy)",
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
        A few images ``(k, c, *space)``, phases cut; none is reconstructed without an encoder.
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
    features: dict[str, _FeatureSpace] = {
        name: kind(originals) for name, kind in _FEATURE_SPACES.items()
    }
    if inception is not None:
        features["inception"] = _InceptionFeatures(inception, originals)
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
        drawn = space.decode(space.sample(samples, seed=seed)).clamp(0, 1)
        figures = _sample_figures(drawn, held_out, features, cut, seed)
        if training is not None:
            figures |= _memorization(cut(drawn), cut, training, originals)
        elif space.trained_on is not None:
            figures["seen"] = float(were_seen(held_out.images, space.trained_on).mean())
        groups[0] = replace(groups[0], figures={**groups[0].figures, **figures})
        shown = np.linspace(0, len(originals) - 1, min(SHOWN, len(originals))).astype(int)
        again = originals[:0] if soft is None else cut(soft[shown])
        pictures = originals[shown], again, cut(drawn[:SHOWN])
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
        "random_cnn": "56 mean responses of a convolutional network of fixed random weights "
        "(objectives.fidelity.random_cnn_features, seed 0), each over its standard deviation over "
        "the held-out images",
    }


class _TwoPointScores:
    """Two-point scores of unit variance over the held-out images, the same for every space."""

    def __init__(self, images: Float[Tensor, "n c *space"]) -> None:
        try:
            self.scores = TwoPointScores(images)
        except ValueError:  # the images are too few, or differ in fewer directions
            self.scores = None
        self.usable = self.scores is not None

    def __call__(self, images: Float[Tensor, "n c *space"]) -> Float[Tensor, "n f"]:
        assert self.scores is not None  # it is usable
        return self.scores(images)


class _RandomResponses:
    """Responses of the random network, of unit variance over the held-out images."""

    def __init__(self, images: Float[Tensor, "n c *space"]) -> None:
        self.spread = random_cnn_features(images).double().std(0)
        self.usable = bool((self.spread > SMALLEST_SPREAD).any())

    def __call__(self, images: Float[Tensor, "n c *space"]) -> Float[Tensor, "n f"]:
        varies = self.spread > SMALLEST_SPREAD  # a channel may never respond
        return random_cnn_features(images).double()[:, varies] / self.spread[varies]


class _InceptionFeatures:
    """Features of the user's network, as they are: FID does not scale them."""

    usable = True

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


_FeatureSpace = _TwoPointScores | _RandomResponses | _InceptionFeatures
_FEATURE_SPACES = {"two_point": _TwoPointScores, "random_cnn": _RandomResponses}


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


def _sample_figures(
    soft: Tensor, held_out: Dataset, features: Mapping[str, Any], cut: Cut, seed: int
) -> dict[str, float]:
    images, drawn = torch.from_numpy(held_out.images), cut(soft)
    axes = tuple(range(2, images.ndim))
    figures = {
        "kl_levels": kl_divergence(images, soft),
        "kl_fractions": kl_divergence(cut(images).mean(axes), drawn.mean(axes)),
    }
    halves = halves_of_parents(held_out.parents, seed)
    for name, space in features.items():
        if space.usable:
            found = _feature_figures(space(cut(images)), space(drawn), halves)
            figures |= {
                key.format(name).replace("frechet_inception", "fid"): value
                for key, value in found.items()
            }
    # One image a parent: units then vary as samples do.
    order = np.random.default_rng(seed).permutation(len(held_out))
    rows = order[np.unique(held_out.parents[order], return_index=True)[1]][:MOST_UNITS]
    if min(len(rows), len(drawn)) >= fewest_units():
        answer = ensemble_test(cut(images[rows]), drawn[:MOST_UNITS], seed=seed)
        figures["p_samples"] = answer.p_value
    return figures


def _feature_figures(
    real: Tensor, ours: Tensor, halves: tuple[np.ndarray, np.ndarray] | None
) -> dict[str, float]:
    first, others = real, ours
    figures = {}
    if halves is not None:
        # Equally many in each set: the distance of few points is biased by how few they are.
        k = min(len(halves[0]), len(halves[1]), len(ours))
        first, second, others = real[halves[0][:k]], real[halves[1][:k]], ours[:k]
        figures["frechet_{}_halves"] = frechet_distance(second, first)
    figures["frechet_{}"] = frechet_distance(others, first)
    if min(len(real), len(ours)) > NEIGHBOURS:
        figures["precision_{}"] = precision(ours, real, k=NEIGHBOURS)
        figures["recall_{}"] = recall(ours, real, k=NEIGHBOURS)
    return figures


def _memorization(drawn: Tensor, cut: Cut, training: Dataset, originals: Tensor) -> dict[str, Any]:
    known = cut(torch.from_numpy(training.images))
    answer = memorization(drawn.flatten(1), known.flatten(1), originals.flatten(1))
    seen = were_seen(originals.numpy(), image_digests(known.numpy()))
    return {**vars(answer), "seen": float(seen.mean())}
