"""Stages whose teacher is the model itself: they learn from normal noise, and need no images."""

from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from generative.batching import map_rows
from generative.diffusion.one_step import OneStepConfig
from generative.diffusion.prior import DiffusionPrior
from generative.diffusion.prior_over_codes import PriorOverCodes
from generative.diffusion.prior_stage import CPU
from generative.stages.config import TrainConfig
from generative.stages.stage import Stage
from generative.stages.thinning import thinned
from objectives.phases import to_phases

SOLVED = 1024  # numbers that a point counts as: 256 points at a time stay near the cache
PROBED = 512  # points by which a moment is chosen, and others that the card tells of
MET = 4  # times, at least, that a point is learned from: the flow costs as much as four steps on it
PROBE_SEED, CARD_SEED = 2**63, 2**63 + 1  # no seed of a training


class TaughtStage(Stage):
    """A stage that learns what its trained model answers to normal noise.

    The noise of training follows from its seed; that by which moments are compared, and that of
    which the model card tells, is other noise. Conditions are those of the training images, thinned
    as they are for the prior.

    Parameters
    ----------
    model
        Autoencoder and prior, both trained.
    config
        How long it learns, and of how much noise.
    """

    augments, weighs, refines = False, False, True
    judged_on = "noise that was not trained on"
    irrelevant_options = ("coordinates", "one_step")

    def __init__(self, model: PriorOverCodes, config: OneStepConfig) -> None:
        super().__init__(model)
        self.config, self.latent_dim = config, model.latent_dim
        self.groups, self.told = model.conditions.groups, np.zeros((1, 0), np.float32)
        self.identity |= {"pairs": config.pairs, "evaluations": config.evaluations}
        # Read and not trained: what a function holds is no submodule.
        self.flow_of = partial(flow_ends, model.prior, model.config.solver_steps)
        self.image_of = partial(decoded_end, model)

    def defaults(self, config: TrainConfig) -> dict[str, Any]:
        """A share of the steps."""
        return {"steps": max(1, round(self.config.share * config.steps))}

    def tell(self, conditions: Float[np.ndarray, "n f"]) -> None:
        """Conditions of the images: it learns under the same."""
        self.told = conditions

    def drawn(self, config: TrainConfig) -> int:
        """Noise points that it learns from: as many as set, or fewer in a short training."""
        return min(self.config.pairs, -(-config.steps * config.batch_size // MET))

    def noise(
        self, n: int, seed: int
    ) -> tuple[Float[Tensor, "{n} d"], Float[Tensor, "{n} f"], Int64[np.ndarray, " {n}"]]:
        """Normal noise, a condition for each, and the image that the condition is of."""
        rng = np.random.default_rng([seed, n])
        source = rng.integers(len(self.told), size=n)
        uniform = torch.from_numpy(rng.random((n, 1 + len(self.groups)), dtype=np.float32))
        condition = thinned(torch.from_numpy(self.told[source]), self.groups, uniform)
        noise = torch.from_numpy(rng.standard_normal((n, self.latent_dim), dtype=np.float32))
        return noise, condition, source


def flow_ends(
    prior: DiffusionPrior,
    steps: int,
    noise: Float[Tensor, "n d"],
    condition: Float[Tensor, "n f"],
    *,
    device: torch.device = CPU,
) -> Float[Tensor, "n d"]:
    """Codes at the end of the flow in units of the prior's network.

    Computed on a device; the prior is back on the CPU afterwards.
    """
    d = noise.shape[1]

    def end(rows: Tensor) -> Tensor:
        given = rows.to(device)
        code = prior.to_code(given[:, :d], _or_none(given[:, d:]), steps=steps)
        return prior.standardize(code).cpu()

    prior.to(device)
    try:
        with torch.no_grad():
            return map_rows(end, torch.cat([noise, condition], dim=1), SOLVED)
    finally:
        prior.to(CPU)


def decoded_end(model: PriorOverCodes, code: Float[Tensor, "n d"]) -> Float[Tensor, "n c *space"]:
    """Images of codes that are in units of the prior's network."""
    voxels = torch.Size(model.image_shape).numel()
    return map_rows(model.autoencoder.decode, model.prior.scaled(code), voxels)


def differing(a: Float[Tensor, "n c *space"], b: Float[Tensor, "n c *space"]) -> float:
    """Share of voxels whose most likely phase is another."""
    return float((to_phases(a) != to_phases(b)).double().mean())


def _or_none(condition: Tensor) -> Tensor | None:
    """A condition of no numbers is none."""
    return condition if condition.shape[1] else None
