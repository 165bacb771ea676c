"""Training of a prior on its decoded samples: sets of them should be as sets of images are."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Integer
from pydantic import Field
from torch import Tensor, nn

from generative.autoencoders.detail import DetailConfig
from generative.batching import map_rows, to_tensor
from generative.diffusion.prior_over_codes import PriorOverCodes
from generative.diffusion.prior_stage import PriorStage
from generative.losses.set_distance import (
    Recent,
    SetStatistics,
    amount,
    amount_and_interface,
    interface,
    moment_kernel,
    set_distance,
    texture,
    two_point,
)
from generative.stages.config import TrainConfig
from generative.stages.loss import Loss
from generative.stages.players import Batch
from generative.stages.stage import Stage, defaults_after_another
from objectives.settings import Settings


class CalibrationConfig(Settings):
    """What asks a prior that sets of decoded draws be as sets of images are."""

    weight: float = Field(
        2.0,
        ge=0,
        description="Weight of the energy distances between sampled and training structures, "
        "beside the prior's velocity error. They compare phase fractions, interface, texture "
        "and two-point correlations. 0 leaves them out.",
    )
    moments_weight: float = Field(
        0.5,
        ge=0,
        description="Weight of the differences in mean and second moments of the two-point "
        "correlations of sampled and training structures. 0 leaves them out.",
    )
    interface_weight: float = Field(
        0.5,
        ge=0,
        description="Weight of the differences in mean and second moments of the interface in "
        "each direction and the phase fractions, taken together. 0 leaves them out.",
    )
    fraction_weight: float = Field(
        60.0,
        ge=0,
        description="Weight of the differences in mean and second moments of phase fractions "
        "alone, which most other statistics depend on. 0 leaves them out.",
    )
    round_trip_weight: float = Field(
        300.0,
        ge=0,
        description="Weight of the squared round-trip error of codes mapped to noise and back, "
        "in units of their standard deviation. 0 leaves it out.",
    )
    interface_components: int = Field(
        3,
        ge=1,
        description="Number of principal components that describe the interface in each "
        "direction (variograms at shifts of one voxel).",
    )
    texture_reach: int = Field(
        6, ge=1, description="Largest shift of the variograms that describe texture, in voxels."
    )
    texture_components: int = Field(
        4,
        ge=1,
        description="Number of principal components that describe texture (phase fractions and "
        "logarithms of variograms).",
    )
    two_point_reach: int = Field(
        16,
        ge=1,
        description="Largest shift of the two-point correlations, in voxels. A quarter of the "
        "shortest side of the image is the most that is used.",
    )
    two_point_components: int = Field(
        10,
        ge=1,
        description="Number of principal components that describe the two-point correlations.",
    )
    recent: int = Field(
        16,
        ge=1,
        description="Number of steps, the present one and those before it, whose training images "
        "the samples of a step are compared with. More steps make the comparison less noisy.",
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
    irrelevant_options = ("coordinates",)

    def __init__(
        self, model: PriorOverCodes, config: CalibrationConfig, detail: DetailConfig | None = None
    ) -> None:
        super().__init__(model)
        self.config, self.autoencoder = config, model.autoencoder
        self.solver_steps = model.config.solver_steps
        self.cut = (detail or DetailConfig()).cut
        reach = max(1, min(config.two_point_reach, min(self.image_shape[1:]) // 4))
        self.statistics = nn.ModuleList(
            [
                SetStatistics(amount, 0, self.image_shape[0], equal=True),
                SetStatistics(interface, 1, config.interface_components, equal=True),
                SetStatistics(texture, config.texture_reach, config.texture_components, equal=True),
                SetStatistics(two_point, reach, config.two_point_components, equal=False),
                SetStatistics(amount_and_interface, 1, config.interface_components + 1, equal=True),
            ]
        )
        # Distances see what single structures are, moments how wide and how far along sets are.
        weights = config.fraction_weight, config.moments_weight, config.interface_weight
        fractions, moments, crossed = ((weight, moment_kernel) for weight in weights)
        energy = (config.weight, torch.cdist)
        self.asked = ((energy, fractions), (energy,), (energy,), (energy, moments), (crossed,))

    def defaults(self, config: TrainConfig) -> dict[str, Any]:
        """Fewer steps, smaller ones, and the larger sets that distances between them take."""
        after = defaults_after_another(config, self.config.share)
        small = config.learning_rate / 6
        return after | {"batch_size": 2 * config.batch_size, "learning_rate": small}

    def prepare(
        self, images: Float[np.ndarray, "n c *space"], config: TrainConfig
    ) -> tuple[Float[np.ndarray, "m ..."], Integer[np.ndarray, " m"]]:
        """The images, whose statistics fix the components."""
        some, size = to_tensor(images), self.config.recent * config.batch_size
        widths = [taken.fit(some)(some[:1]).shape[1] for taken in self._measures]
        self.recent = nn.ModuleList([Recent(size, width) for width in widths])
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
        far = self._distances(self._decoded(drawn, rows), rows, recent=True)
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
        far = float(self._distances(self._decoded(drawn, probe), probe))
        off = float(self._round_trip(codes))
        return super().error(codes) + far + self.config.round_trip_weight * off

    @property
    def _measures(self) -> list[SetStatistics]:
        return [part for part in self.statistics if isinstance(part, SetStatistics)]

    @property
    def _rows_before(self) -> list[Recent]:
        return [part for part in self.recent if isinstance(part, Recent)]

    def _round_trip(self, codes: Tensor) -> Tensor:
        """Squared error of codes taken to noise and back, in units of their spread."""
        there = self.prior.to_noise(codes, steps=self.solver_steps)
        back = self.prior.to_code(there, steps=self.solver_steps)
        return ((back - codes) / self.prior.spread_).square().mean()

    def _distances(self, made: Tensor, images: Tensor, *, recent: bool = False) -> Tensor:
        """The weighted distances of the statistics, with images of the last steps if ``recent``.

        Samples of the last steps are left out: they are not of the present prior, which would run
        away from where it was if it were pushed apart from them.
        """
        far = made.new_zeros((), dtype=torch.float64)
        for taken, seen, asked in zip(self._measures, self._rows_before, self.asked, strict=True):
            x, y = taken(made), taken(images)
            among = seen.put(y) if recent else y
            for weight, between in asked:
                distance = set_distance(x, y, between, among=among, antithetic=True)
                far = far + weight * distance
        return far

    def _decoded(self, codes: Tensor, images: Tensor) -> Tensor:
        logits = map_rows(self.autoencoder.logits, codes, images[0].numel()).float()
        return self.cut(logits, images)


def antithetic(noise: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
    """The first half of some noise and its negative: antithetic variates.

    The mean of an odd function of them is exact, and phase fractions are nearly odd, so that the
    samples of a step say more of their mean (Hammersley and Morton 1956, A new Monte Carlo
    technique: antithetic variates).
    """
    half = noise[: -(-len(noise) // 2)]
    return torch.cat([half, -half])[: len(noise)]
