"""Training of a decoder on samples of its prior: sets of them should be as sets of images are."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Integer
from pydantic import Field
from torch import Tensor

from generative.autoencoders.detail import (
    AdversarialStage,
    DetailConfig,
    detail_error,
    detail_loss,
    discriminator_of,
)
from generative.autoencoders.variational import Drawn
from generative.batching import map_rows, to_tensor
from generative.diffusion.prior_over_codes import PriorOverCodes
from generative.losses.set_distance import SetStatistics, set_distance, texture
from generative.losses.sharpened import nearly_cut
from generative.stages.config import TrainConfig
from generative.stages.loss import Loss
from generative.stages.players import Batch, Player
from generative.stages.stage import defaults_after_another
from objectives.settings import Settings


class DrawsConfig(Settings):
    """What asks a decoder that sets of drawn structures be as sets of images are."""

    weight: float = Field(
        20.0,
        ge=0,
        description="Weight of the energy distance between sampled and training structures. 0 "
        "leaves the term out.",
    )
    reach: int = Field(
        6,
        ge=1,
        description="Largest shift of the variograms that sampled and training structures are "
        "compared by, in voxels.",
    )
    components: int = Field(
        4,
        ge=1,
        description="Number of principal components of phase fractions and logarithms of "
        "variograms that the energy distance is computed from.",
    )
    detail: DetailConfig = Field(
        DetailConfig(),
        description="Discriminator and loss weights that keep reconstructions sharp during this "
        "stage.",
    )
    share: float = Field(
        0.1,
        gt=0,
        le=1,
        description="Steps of this stage as a fraction of the training steps. Steps that are set "
        "for this stage alone take precedence.",
    )


class DrawsStage(AdversarialStage):
    """Training of the decoder alone, on codes of images and on codes sampled from the prior.

    A prior is not exact, and a decoder that has seen only codes of images is not trained on the
    rest. Here the discriminator sees structures of both (Larsen et al. 2016), and the energy
    distance between statistics of samples and of images is a loss. Codes and prior stay as they
    are, and so does the map between code and noise.

    Parameters
    ----------
    model
        Autoencoder and prior, both trained.
    config
        Weights of the losses of samples and of reconstructions.

    References
    ----------
    .. [1] Larsen et al. (2016), Autoencoding beyond pixels using a learned similarity metric.
    """

    name, refines = "draws", True
    optimizes = (
        "reconstruction error, errors of statistics, energy distance of samples and images, and "
        "the adversarial loss of a generator; by the discriminator its hinge loss"
    )
    irrelevant_options = ("coordinates", "calibration", "one_step")

    def __init__(self, model: PriorOverCodes, config: DrawsConfig) -> None:
        super().__init__(model)
        self.config, self.solver_steps = config, model.config.solver_steps
        self.latent_dim = model.latent_dim
        self.autoencoder, self.prior = model.autoencoder, model.prior
        self.statistics = SetStatistics(texture, config.reach, config.components, equal=True)
        self.discriminator = discriminator_of(self.image_shape, config.detail)

    def defaults(self, config: TrainConfig) -> dict[str, Any]:
        """Fewer steps, and smaller ones."""
        return defaults_after_another(config, self.config.share)

    def prepare(
        self, images: Float[np.ndarray, "n c *space"], config: TrainConfig
    ) -> tuple[Float[np.ndarray, "m ..."], Integer[np.ndarray, " m"]]:
        """The images, whose statistics fix the components."""
        self.statistics.fit(to_tensor(images))
        return super().prepare(images, config)

    def train(self, mode: bool = True) -> "DrawsStage":
        """All norms keep what they know: the decoder is trained as it will serve, row by row."""
        super().train(mode)
        self.autoencoder.eval()
        self.prior.eval()
        return self

    def generator(self) -> Player:
        """The decoder."""
        return Player("decoder", tuple(self.autoencoder.decoder.parameters()))

    def generator_loss(self, batch: Batch) -> tuple[Loss, Float[Tensor, "m c *space"]]:
        """That of the detail stage on codes of images, and the energy distance of the two sets."""
        rows, noise = batch.rows, batch.noise(self.latent_dim)
        with torch.no_grad():
            mean, log_variance = self.autoencoder.posterior(rows)
            codes = self.prior.to_code(noise, steps=self.solver_steps)
        logits = self.autoencoder.logits(torch.cat([mean, codes])).float()
        again = Drawn(mean, log_variance, mean, logits[: len(rows)])
        plain = self.autoencoder.loss_of(rows, again, kl_weight=self.kl_weight(batch))
        made = nearly_cut(logits, rows, self.config.detail.sharpness)
        last = self.autoencoder.last_weight
        loss = detail_loss(plain, rows, made, self.config.detail, self.discriminator, last)
        far = set_distance(self.statistics(made[len(rows) :]), self.statistics(rows))
        total = loss.total + self.config.weight * far
        return Loss(total, {**loss.terms, "energy distance": far.item()}), made

    @torch.no_grad()
    def error(self, probe: Float[Tensor, "v c *space"]) -> float:
        """That of the detail stage, and the energy distance of as many samples."""
        generator = torch.Generator().manual_seed(0)
        noise = torch.randn(len(probe), self.latent_dim, generator=generator).to(probe)
        logits = map_rows(self._sampled, noise, probe[0].numel())
        made = nearly_cut(logits, probe, self.config.detail.sharpness)
        far = set_distance(self.statistics(made), self.statistics(probe))
        return detail_error(self.autoencoder, probe) + float(far)

    def _sampled(self, noise: Tensor) -> Tensor:
        return self.autoencoder.logits(self.prior.to_code(noise, steps=self.solver_steps)).float()
