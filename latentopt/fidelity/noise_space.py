"""How good a noise space is: there and back, its shape, and what its points decode to."""

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from generative.autoencoders.gaussian_codes import gaussian_codes
from generative.batching import map_rows
from generative.model import Drawn
from objectives.fidelity.feature_sets import frechet_distance, recall
from objectives.fidelity.two_point_scores import COMPONENTS, TwoPointScores
from objectives.phases import are_phases, cut_phases

NEIGHBOURS = 5
POINTS = 1000  # drawn from each distribution
KNOWN = 8192  # training images, at most, that the Gaussian is fitted to
JACOBIANS = 8
DRAWN_SEED = 987_654_321
FIGURES = {
    "round_trip_rms": "code to noise and back, rms over the spread of codes",
    "noise_std": "standard deviation of the noise of held-out images (1)",
    "noise_norm": "mean norm of the noise of held-out images",
    "gain_5": "5 % quantile of the gains of the map noise to code, over the spread of codes",
    "gain_95": "95 % quantile of these gains",
    "condition": "median condition number of its Jacobian",
    "ms_a_point": "milliseconds of the map noise to code of one point, in batches of 250",
    "frechet_reconstructions": "Frechet distance in two-point scores: reconstructions, held-out",
    "frechet_training": "the same of reconstructions of training images: the floor of new draws",
    "frechet_noise": "the same of decoded standard normal noise",
    "frechet_gaussian": "the same of a full-covariance Gaussian in code space, decoded",
    "recall_reconstructions": "share of held-out structures among reconstructions (5 neighbours)",
    "recall_training": "the same among reconstructions of training images",
    "recall_noise": "the same among decoded noise",
    "recall_gaussian": "the same among the decoded Gaussian",
}


def noise_space_figures(
    model: Any, training: Float[Tensor, "n c *space"], held_out: Float[Tensor, "m c *space"]
) -> dict[str, float]:
    """The figures of `FIGURES` for a model with ``to_noise`` and ``to_code``.

    Parameters
    ----------
    model
        A trained model with two coordinates, such as a `generative.LatentDiffusion`.
    training
        Images that the Gaussian in code space is fitted to; of many, 8,192 or fewer. It is fitted
        to draws, and the spread of codes is theirs, where an encoder only guesses.
    held_out
        Images of other parents; for the distances more than 20, and not too much alike.
    """
    code_model = model.in_coordinates(model.coordinate_names[1])
    training = training[:: max(1, -(-len(training) // KNOWN))]
    with torch.no_grad():
        codes, known = (map_rows(code_model.encode, x, x[0].numel()) for x in (held_out, training))
        # Codes that an encoder only guesses lie too near the origin: what is known are draws.
        drawn = isinstance(code_model, Drawn)
        prior = code_model.draw_codes(KNOWN, DRAWN_SEED).to(known) if drawn else known
        spread = float(prior.std())
        noise = map_rows(model.to_noise, codes, 1000)
        started = time.process_time()
        again = map_rows(model.to_code, noise, 1000)
        seconds = time.process_time() - started
    figures = {
        "round_trip_rms": float((again - codes).pow(2).mean().sqrt()) / spread,
        "noise_std": float(noise.std(correction=0)),
        "noise_norm": float(noise.norm(dim=1).mean()),
        "ms_a_point": 1000 * seconds / len(codes),
        **_gains(model, noise[:JACOBIANS], spread),
    }
    if len(held_out) > 2 * COMPONENTS:
        figures |= _distances(code_model, model, codes, known, prior, held_out)
    return {name: figures[name] for name in FIGURES if name in figures}


def _gains(model: Any, noise: Tensor, spread: float) -> dict[str, float]:
    """Singular values of the Jacobian of the map noise to code."""
    each = torch.eye(noise.shape[1], dtype=noise.dtype, device=noise.device)
    jacobians = []
    for point in noise:  # a copy of the point for each number of its code
        copies = point.repeat(len(each), 1).requires_grad_()
        jacobians += torch.autograd.grad(model.to_code(copies), copies, each)
    values = torch.linalg.svdvals(torch.stack(jacobians).double()) / spread
    return {
        "gain_5": float(values.quantile(0.05)),
        "gain_95": float(values.quantile(0.95)),
        "condition": float((values[:, 0] / values[:, -1]).median()),
    }


def _distances(
    code_model: Any, model: Any, codes: Tensor, known: Tensor, prior: Tensor, held_out: Tensor
) -> dict[str, float]:
    generator = torch.Generator().manual_seed(0)
    n = min(POINTS, len(held_out))
    draws = torch.randn(n, model.latent_dim, generator=generator)
    sources = {
        "reconstructions": codes[:n],
        "training": known[torch.randperm(len(known), generator=generator)[:n]],
        "noise": map_rows(lambda w: model.to_code(w).detach(), draws, 1000),
        "gaussian": gaussian_codes(prior, n),
    }
    cut = cut_phases if are_phases(held_out) else _as_they_are
    real = cut(held_out)
    try:
        features = TwoPointScores(real)
    except ValueError:  # they differ in too few directions
        return {}
    target, figures = features(real[:n]), {}
    for name, code in sources.items():
        with torch.no_grad():
            images = map_rows(lambda c: cut(code_model.decode(c)), code, held_out[0].numel())
        found = features(images)
        figures[f"frechet_{name}"] = frechet_distance(found, target)
        figures[f"recall_{name}"] = recall(found, target, k=NEIGHBOURS)
    return figures


def _as_they_are(images: Tensor) -> Tensor:
    return images


def noise_space_section(figures: Mapping[str, float], model: Any) -> str:
    """The figures as a section of a model card, in the words of the model's coordinates."""
    other, d = model.coordinate_names[1], model.latent_dim
    lines = "\n".join(
        f"| {FIGURES[name].replace('code', other)} | "
        f"{np.format_float_positional(value, 3, fractional=False, trim='-')} |"
        for name, value in figures.items()
    )
    flow = """; of a model that decodes in
one step, the first figure is the error of that step"""
    return f"""
## Noise space

Standard normal noise is mapped to {other}s. Noise of {d} numbers has a norm of about {d**0.5:.2g}.
The map of {other}s to noise is exact{flow if other == "code" else ""}.

| figure | value |
|---|---|
{lines}
"""
