"""Training of a decoder on what its prior draws: sets of them should be as sets of images are."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float, Integer
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from generative.batching import map_rows, to_tensor
from generative.detail import (
    FAINTEST,
    DetailConfig,
    detail_error,
    detail_loss,
    discriminator_of,
)
from generative.stage import Stage, defaults_after_another
from generative.variational import Drawn, Loss
from generative.variogram import variogram

if TYPE_CHECKING:
    from generative.latent_diffusion import LatentDiffusion
    from generative.train_config import TrainConfig

FITTED = 4096  # images, at most, that fix components of their statistics
ROWS = 256  # at once


class DrawsConfig(BaseModel):
    """What asks a decoder that sets of drawn structures be as sets of images are."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    weight: float = Field(20.0, ge=0, description="Of the energy distance of the two sets.")
    reach: int = Field(6, ge=1, description="Largest shift of the variograms, in voxels.")
    components: int = Field(4, ge=1, description="Principal components they are compared in.")
    detail: DetailConfig = Field(
        DetailConfig(), description="What is asked of reconstructions meanwhile."
    )
    share: float = Field(0.1, gt=0, le=1, description="Steps of this stage over all steps set.")


class DrawsStage(Stage):
    """The decoder alone, on codes of images and on codes that the prior draws.

    A prior is not exact, and a decoder that has seen only codes of images answers to the rest as it
    may. Here the discriminator sees structures of both (Larsen et al. 2016), and statistics of
    drawn ones should be distributed as those of images. Codes and prior stay as they are, and so
    does the way between them.

    Parameters
    ----------
    model
        Autoencoder and prior, both trained.
    config
        What is asked of drawn structures and of reconstructions, and how much each counts.

    References
    ----------
    .. [1] Larsen et al. (2016), Autoencoding beyond pixels using a learned similarity metric.
    """

    name = "draws"

    def __init__(self, model: "LatentDiffusion", config: DrawsConfig) -> None:
        super().__init__(model, model.autoencoder)
        self.config = config
        self.prior, self.solver_steps = model.prior, model.config.solver_steps
        self.statistics = Statistics(config.reach, config.components)
        self.discriminator = discriminator_of(self.image_shape, config.detail)

    def defaults(self, config: "TrainConfig") -> Mapping[str, Any]:
        """Fewer steps, and smaller ones."""
        return defaults_after_another(config, self.config.share)

    def prepare(
        self, images: Float[np.ndarray, "n c *space"], config: "TrainConfig"
    ) -> tuple[Float[np.ndarray, "m ..."], Integer[np.ndarray, " m"]]:
        """The images, whose statistics fix the components."""
        self.statistics.fit(to_tensor(images[:: -(-len(images) // FITTED)]))
        return super().prepare(images, config)

    def train(self, mode: bool = True) -> "DrawsStage":
        """All norms keep what they know: the decoder is trained as it will serve, row by row."""
        super().train(mode)
        self.module.eval()
        self.prior.eval()
        return self

    def loss(
        self,
        rows: Float[Tensor, "n c *space"],
        *,
        noise: Float[Tensor, "n r"],
        kl_weight: float,
        **given: Float[Tensor, "n f"],
    ) -> Loss:
        """That of the stage before on the codes of images, and the distance of the two sets."""
        with torch.no_grad():
            mean, log_variance = self.module.posterior(rows)
            codes = self.prior.to_code(noise, steps=self.solver_steps)
        logits = self.module.logits(torch.cat([mean, codes])).float()
        again = Drawn(mean, log_variance, mean, logits[: len(rows)])
        plain = self.module.loss_of(rows, again, kl_weight=kl_weight)
        made, last = self.config.detail.nearly_cut(logits, rows), self.module.decoder[-1].weight
        loss = detail_loss(plain, rows, made, self.config.detail, self.discriminator, last)
        far = energy_distance(self.statistics(made[len(rows) :]), self.statistics(rows))
        return Loss(loss.total + self.config.weight * far, {**loss.terms, "draws": far.item()})

    @torch.no_grad()
    def error(self, probe: Float[Tensor, "v c *space"]) -> float:
        """That of the stage of detail, and the distance of as many drawn structures."""
        generator = torch.Generator().manual_seed(0)
        noise = torch.randn(len(probe), self.latent_dim, generator=generator).to(probe)
        logits = map_rows(self._drawn, noise, probe[0].numel())
        made = self.config.detail.nearly_cut(logits, probe)
        far = energy_distance(self.statistics(made), self.statistics(probe))
        return detail_error(self.module, probe) + float(far)

    def _drawn(self, noise: Tensor) -> Tensor:
        return self.module.logits(self.prior.to_code(noise, steps=self.solver_steps)).float()


class Statistics(nn.Module):
    """Phase fractions and logarithms of variograms, in whitened principal components of images.

    Parameters
    ----------
    reach
        Largest shift of the variograms along each axis, in voxels.
    components
        How many; the last ones of many are noise of single images, which no decoder can meet.
    """

    def __init__(self, reach: int, components: int) -> None:
        super().__init__()
        self.reach, self.components = reach, components

    @torch.no_grad()
    def fit(self, images: Float[Tensor, "n c *space"]) -> "Statistics":
        """Take mean, spread and components from images; constant statistics count for nothing."""
        found = torch.cat([self._of(rows) for rows in images.split(ROWS)])
        mean, spread = found.mean(0), found.std(0).clamp_min(1e-6)
        _, lengths, axes = torch.linalg.svd((found - mean) / spread, full_matrices=False)
        kept = min(self.components, int((lengths > 1e-3 * lengths[0]).sum()))
        whitening = axes[:kept].T * math.sqrt(len(images)) / lengths[:kept]
        self.register_buffer("mean_", mean, persistent=False)
        self.register_buffer("axes_", whitening / spread[:, None], persistent=False)
        return self

    def forward(self, images: Float[Tensor, "n c *space"]) -> Float[Tensor, "n k"]:
        """Components of images, of mean 0 and variance 1 over those that fixed them."""
        return (self._of(images) - self.mean_) @ self.axes_

    def _of(self, images: Tensor) -> Tensor:
        found = variogram(images, self.reach)
        half = found[..., : found.shape[-1] // 2]  # the other shifts are the same backwards
        fractions = images.flatten(2).mean(2)
        found = torch.cat([fractions, half.clamp_min(FAINTEST).log().flatten(1)], dim=1)
        return found.double()  # which no automatic half precision touches


def energy_distance(x: Float[Tensor, "n k"], y: Float[Tensor, "m k"]) -> Float[Tensor, ""]:
    r"""How far two sets are apart, without bias: 0 on average for two sets of one distribution.

    .. math:: 2\,E|X - Y| - E|X - X'| - E|Y - Y'|

    Székely and Rizzo (2013), Energy statistics: A class of statistics based on distances, J. Stat.
    Plan. Inference 143.
    """
    between = torch.cdist(x, y).mean()
    return 2 * between - _mean_distance(x) - _mean_distance(y)


def _mean_distance(x: Tensor) -> Tensor:
    return torch.pdist(x).mean()
