"""Training of a diffusion prior on the codes of an autoencoder that is left as it is."""

from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Integer
from torch import Tensor, nn

from generative.autoencoders.variational import VariationalAutoencoder
from generative.batching import map_rows, to_tensor
from generative.diffusion.prior import random_time
from generative.diffusion.prior_over_codes import PriorOverCodes
from generative.stages.config import TrainConfig
from generative.stages.loss import Loss
from generative.stages.players import Batch
from generative.stages.stage import Stage
from generative.stages.thinning import thinned, uniform_of

CODES = 40_000  # codes the prior is trained on: images, and augmented copies of them
COPIES = 16  # at most
CPU = torch.device("cpu")


class PriorStage(Stage):
    """The denoiser, on codes of the training images and of augmented copies."""

    name, augments = "prior", False
    optimizes = "mean squared error of the predicted velocity, minimized"
    convolves = False  # small dense layers, whose answers the flow adds up twenty times
    irrelevant_options = ("coordinates", "solver_steps", "draws", "calibration", "one_step")

    def __init__(self, model: PriorOverCodes) -> None:
        super().__init__(model)
        self.prior, self.latent_dim = model.prior, model.latent_dim
        # Read and not trained: what a function holds is no submodule.
        self.codes_of = partial(encoded, model.autoencoder)
        self.groups = model.conditions.groups
        self.numbers = self.latent_dim + 1 + 1 + len(self.groups)  # random ones a row

    def defaults(self, config: TrainConfig) -> dict[str, Any]:
        """Larger batches of what is small, and smaller steps."""
        return {"batch_size": 3 * config.batch_size, "learning_rate": 4e-3}

    def prepare(
        self, images: Float[np.ndarray, "n c *space"], config: TrainConfig
    ) -> tuple[Float[np.ndarray, "m d"], Integer[np.ndarray, " m"]]:
        """Codes, and the image each was made of; the prior takes its scale from them."""
        rng = np.random.default_rng([config.seed, len(images)])
        copies = min(COPIES, -(-CODES // len(images)))
        codes_of = partial(self.codes_of, device=config.torch_device)
        codes = [codes_of(images)]
        codes += [codes_of(config.augmentation(images, rng)) for _ in range(1, copies)]
        rows = torch.cat(codes)
        self.prior.scale_to(rows)
        return rows.numpy(), np.tile(np.arange(len(images)), copies)

    def probe(self, images: Float[Tensor, "v c *space"]) -> Float[Tensor, "v d"]:
        """Codes of images."""
        return self.codes_of(images.numpy())

    @property
    def result(self) -> nn.Module:
        """The prior."""
        return self.prior

    def loss(self, batch: Batch, player: str) -> Loss:
        """Error of the predicted velocity at random times."""
        total = self.velocity_error(batch.rows, batch.noise(self.numbers), batch.condition)
        return Loss(total, {"loss": total.item()})

    def velocity_error(
        self,
        codes: Float[Tensor, "n d"],
        noise: Float[Tensor, "n r"],
        condition: Float[Tensor, "n f"] | None,
    ) -> Float[Tensor, ""]:
        """Mean squared error of the predicted velocity of codes at random times.

        Parameters
        ----------
        codes
            Of images.
        noise
            `numbers` standard normal numbers a row: for the noise, the time, and what of a
            condition is left out.
        condition
            What is known of each row.
        """
        d = self.latent_dim
        uniform = uniform_of(noise[:, d:])
        if condition is not None:
            condition = thinned(condition, self.groups, uniform[:, 1:])
        return self.prior.loss(
            codes, noise=noise[:, :d], time=random_time(uniform[:, 0]), condition=condition
        )

    @torch.no_grad()
    def error(self, probe: Float[Tensor, "v d"]) -> float:
        """Error of the velocity on codes the training has not seen, at fixed times and noise."""
        generator = torch.Generator().manual_seed(0)
        noise = torch.randn(len(probe), self.latent_dim, generator=generator).to(probe)
        time = random_time(torch.linspace(0, 1, len(probe))).to(probe)
        return float(self.prior.loss(probe, noise=noise, time=time))


def encoded(
    autoencoder: VariationalAutoencoder,
    images: Float[np.ndarray, "n c *space"],
    device: torch.device = CPU,
) -> Float[Tensor, "n d"]:
    """Codes of images, computed on a device; the autoencoder is back on the CPU afterwards."""
    autoencoder.to(device)
    try:
        with torch.no_grad():
            return map_rows(
                lambda rows: autoencoder.encode(rows.to(device)).cpu(),
                to_tensor(images),
                images[0].size,
            )
    finally:
        autoencoder.to(CPU)
