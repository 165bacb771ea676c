"""Training of the encoder alone, behind a generator that is as it will serve."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Integer
from torch import Tensor, nn

from generative.batching import map_rows
from generative.gans.adversarial_stage import Played
from generative.gans.asked import AskedConditions
from generative.gans.parts import centred
from generative.stages.config import TrainConfig
from generative.stages.loss import Loss
from generative.stages.players import Batch, Player, held
from generative.stages.stage import Stage

REGRESSION, RECONSTRUCTION = 0.25, 2.0


class EncoderStage(Stage):
    """Styles of made structures are known; real images should come back (Zhu et al. 2020).

    Parameters
    ----------
    model
        Its generator is trained, and left as it is.

    References
    ----------
    .. [1] Donahue et al. (2017), Adversarial feature learning (the latent regressor).
    .. [2] Zhu et al. (2020), In-domain GAN inversion for real image editing.
    """

    name = "encoder"
    optimizes = "squared errors of the codes of made images and of reconstructions, minimized"
    irrelevant_options = (
        *("game", "penalty", "sets"),
        *("style_mixing", "path_length_weight", "augment"),  # of a stylegan
    )

    def __init__(self, model: Played) -> None:
        super().__init__(model)
        self.parts, self.latent_dim = model.parts, model.latent_dim
        self.share = model.config.encoder.share
        self.asked = AskedConditions(model.conditions)

    def defaults(self, config: TrainConfig) -> dict[str, Any]:
        """A part of the steps."""
        steps = max(1, round(self.share * config.steps))
        return {"steps": steps, "batch_size": max(2, config.batch_size // 2)}

    def prepare(
        self, images: Float[np.ndarray, "n c *space"], config: TrainConfig
    ) -> tuple[Float[np.ndarray, "m ..."], Integer[np.ndarray, " m"]]:
        """The images, whose number says how far from known properties structures are asked for."""
        self.asked.fit(len(images))
        return super().prepare(images, config)

    @property
    def result(self) -> nn.Module:
        """The encoder."""
        return self.parts.encoder

    def players(self, config: TrainConfig) -> tuple[Player, ...]:
        """The encoder."""
        encoder = tuple(self.parts.encoder.parameters())
        return (Player("encoder", encoder, betas=(0.9, 0.99)),)

    def train(self, mode: bool = True) -> "EncoderStage":
        """The generator serves as it is."""
        super().train(mode)
        self.parts.generator.eval()
        return self

    def loss(self, batch: Batch, player: str) -> Loss:
        """Errors of known codes and of reconstructions."""
        noise = batch.noise(self.latent_dim)
        with held(self.parts.generator.parameters()):
            with torch.no_grad():
                style = self.parts.style(noise, self.asked.of(batch))
                made = self._decoded(style)
            regression = self.parts.code_error(self.parts.encode(made).float(), style)
            again = self._decoded(self.parts.encode(batch.rows).float())
        wrong = (centred(again) - centred(batch.rows)).square().mean()
        total = REGRESSION * regression + RECONSTRUCTION * wrong
        return Loss(total, {"code": regression.item(), "reconstruction": wrong.item() / 4})

    @torch.no_grad()
    def error(self, probe: Float[Tensor, "v c *space"]) -> float:
        """Mean squared error of reconstructions."""

        def again(rows: Tensor) -> Tensor:
            return self._decoded(self.parts.encode(rows).float())

        return float((map_rows(again, probe, probe[0].numel()) - probe).square().mean())

    def _decoded(self, code: Tensor) -> Tensor:
        return self.parts.logits(code).float().sigmoid()
