"""Training of a prior on its decoded samples: sets of them should be as sets of images are."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Integer
from pydantic import Field
from torch import Tensor

from generative.autoencoders.detail import DetailConfig
from generative.batching import map_rows, to_tensor
from generative.diffusion.prior_over_codes import PriorOverCodes
from generative.diffusion.prior_stage import PriorStage
from generative.losses.sharpened import cut
from generative.losses.structure_distances import (
    StructureDistances,
    StructureDistancesConfig,
    antithetic,
)
from generative.stages.config import TrainConfig
from generative.stages.loss import Loss
from generative.stages.players import Batch
from generative.stages.stage import Stage, defaults_after_another


class CalibrationConfig(StructureDistancesConfig):
    """What asks a prior that sets of decoded draws be as sets of images are."""

    round_trip_weight: float = Field(
        300.0,
        ge=0,
        description="Weight of the squared round-trip error of codes mapped to noise and back, "
        "in units of their standard deviation. 0 leaves it out.",
    )
    share: float = Field(
        0.1,
        gt=0,
        le=1,
        description="Steps of this stage as a fraction of the training steps. Steps that are set "
        "for this stage alone take precedence.",
    )


class CalibrationStage(PriorStage):
    """Training of the prior alone, on codes as before and on statistics of its decoded samples.

    The error of a denoiser weighs all that a code says alike, whether a decoded structure shows it
    or not. Here samples are followed through the flow and the decoder. Energy distances and
    differences of moments between their statistics and those of images are a loss beside that
    error, and so is the round-trip error from code to noise and back. The autoencoder and the codes
    stay as they are; the noise of an image changes.

    Parameters
    ----------
    model
        Autoencoder and prior, both trained.
    config
        What is asked, and how much it counts.
    detail
        How the decoder was trained to be cut into phases.

    References
    ----------
    .. [1] Székely and Rizzo (2013), Energy statistics: A class of statistics based on distances.
    .. [2] Clark et al. (2024), Directly fine-tuning diffusion models on differentiable rewards (the
       gradient of what is drawn, through the sampler).
    .. [3] Li et al. (2015), Generative moment matching networks (moments of sets as a loss).
    """

    name, augments, convolves, refines = "calibration", True, True, True
    optimizes = "velocity error, round-trip error, energy distances and moments, minimized"
    irrelevant_options = ("coordinates", "one_step")

    def __init__(
        self, model: PriorOverCodes, config: CalibrationConfig, detail: DetailConfig | None = None
    ) -> None:
        super().__init__(model)
        self.config, self.autoencoder = config, model.autoencoder
        self.solver_steps = model.config.solver_steps
        self.sharpness = (detail or DetailConfig()).sharpness
        self.distances = StructureDistances(self.image_shape, config)

    def defaults(self, config: TrainConfig) -> dict[str, Any]:
        """Fewer steps, smaller ones, and the larger sets that distances between them take."""
        after = defaults_after_another(config, self.config.share)
        small = config.learning_rate / 6
        return after | {"batch_size": 2 * config.batch_size, "learning_rate": small}

    def prepare(
        self, images: Float[np.ndarray, "n c *space"], config: TrainConfig
    ) -> tuple[Float[np.ndarray, "m ..."], Integer[np.ndarray, " m"]]:
        """The images, whose statistics fix the components."""
        self.distances.fit(to_tensor(images), config.batch_size)
        return Stage.prepare(self, images, config)

    def probe(self, images: Float[Tensor, "v c *space"]) -> Float[Tensor, "v c *space"]:
        """The images."""
        return images

    def train(self, mode: bool = True) -> "CalibrationStage":
        """The autoencoder serves as it is."""
        super().train(mode)
        self.autoencoder.eval()
        return self

    def loss(self, batch: Batch, player: str) -> Loss:
        """Errors of the velocity and of the round trip, and distances of as many samples."""
        d, rows = self.latent_dim, batch.rows
        noise = batch.noise(d + self.numbers)
        with torch.no_grad():
            codes = self.autoencoder.encode(rows).float()
        with torch.autocast(rows.device.type, enabled=False):
            velocity = self.velocity_error(codes, noise[:, d:], batch.condition)
            drawn = self.prior.to_code(antithetic(noise[:, :d]), steps=self.solver_steps)
            off = self._round_trip(codes[: len(codes) // 2])
        far = self.distances(self._decoded(drawn, rows), rows, recent=True)
        # As far as the codes and no further: the decoder's weights are to have no gradient.
        (towards,) = torch.autograd.grad(far, drawn)
        plain = velocity + self.config.round_trip_weight * off
        total = plain + (drawn * towards).sum()
        terms = {"velocity": velocity.item(), "set distances": far.item(), "round trip": off.item()}
        return Loss(total, {"loss": plain.item() + far.item(), **terms})

    @torch.no_grad()
    def error(self, probe: Float[Tensor, "v c *space"]) -> float:
        """The same on images that the training has not seen, and as many samples."""
        generator = torch.Generator().manual_seed(0)
        noise = antithetic(torch.randn(len(probe), self.latent_dim, generator=generator))
        codes = map_rows(self.autoencoder.encode, probe, probe[0].numel())
        drawn = map_rows(
            lambda rows: self.prior.to_code(rows, steps=self.solver_steps),
            noise.to(probe),
            probe[0].numel(),
        )
        far = float(self.distances(self._decoded(drawn, probe), probe))
        off = float(self._round_trip(codes))
        return super().error(codes) + far + self.config.round_trip_weight * off

    def _round_trip(self, codes: Tensor) -> Tensor:
        """Squared error of codes taken to noise and back, in units of their spread."""
        there = self.prior.to_noise(codes, steps=self.solver_steps)
        back = self.prior.to_code(there, steps=self.solver_steps)
        return ((back - codes) / self.prior.spread_).square().mean()

    def _decoded(self, codes: Tensor, images: Tensor) -> Tensor:
        logits = map_rows(self.autoencoder.logits, codes, images[0].numel()).float()
        return cut(logits, images, self.sharpness)
