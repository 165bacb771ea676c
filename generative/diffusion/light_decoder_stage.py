"""Training of a light decoder on what the autoencoder's decoder makes of the same codes."""

from functools import partial

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from generative.batching import map_rows
from generative.diffusion.light_decoder import LightDecoder
from generative.diffusion.one_step import OneStepConfig
from generative.diffusion.prior_over_codes import PriorOverCodes
from generative.diffusion.student import Student
from generative.diffusion.taught_stage import (
    CARD_SEED,
    PROBE_SEED,
    PROBED,
    SOLVED,
    TaughtStage,
    differing,
)
from generative.stages.config import TrainConfig
from generative.stages.loss import Loss
from generative.stages.players import Batch, Player


class LightDecoderStage(TaughtStage):
    """Training of a decoder with half of the channels, which costs a third to decode by.

    The trained student makes codes of normal noise. What the autoencoder's decoder makes of a code
    the light one learns to make of it. Everything else stays as it is.

    Parameters
    ----------
    model
        Autoencoder and prior, both trained.
    student
        Taught where the flow of the prior ends.
    light
        What is trained.
    config
        How long, and by how many codes.

    References
    ----------
    .. [1] Hinton, Vinyals and Dean (2015), Distilling the knowledge in a neural network (cross
       entropy to what a larger network answers).
    """

    name, convolves = "one_step_decoder", True
    optimizes = "cross entropy to images of the autoencoder's decoder, minimized"

    def __init__(
        self, model: PriorOverCodes, student: Student, light: LightDecoder, config: OneStepConfig
    ) -> None:
        super().__init__(model, config)
        self.autoencoder, self.light = model.autoencoder, light
        self.code_of = partial(student_ends, model, student)

    def prepare(
        self, images: Float[np.ndarray, "n c *space"], config: TrainConfig
    ) -> tuple[Float[np.ndarray, "m d"], Int64[np.ndarray, " m"]]:
        """Codes by the student, and the image that the condition of each is of."""
        noise, condition, source = self.noise(self.drawn(config), config.seed)
        return self.code_of(noise, condition).numpy(), source

    def probe(self, images: Float[Tensor, "v c *space"]) -> Float[Tensor, "p d"]:
        """Codes of noise that is not trained on."""
        noise, condition, _ = self.noise(PROBED, PROBE_SEED)
        return self.code_of(noise, condition)

    @property
    def result(self) -> nn.Module:
        """The light decoder."""
        return self.light

    def players(self, config: TrainConfig) -> tuple[Player, ...]:
        """The light decoder."""
        return (Player("decoder", tuple(self.light.parameters())),)

    def train(self, mode: bool = True) -> "LightDecoderStage":
        """The autoencoder teaches as it is."""
        super().train(mode)
        self.autoencoder.eval()
        return self

    def loss(self, batch: Batch, player: str) -> Loss:
        """Cross entropy of a voxel."""
        with torch.no_grad():
            images = self.autoencoder.decode(batch.rows).float()
        logits = self.light(batch.rows).float()
        total = functional.binary_cross_entropy_with_logits(logits, images)
        return Loss(total, {"loss": total.item()})

    @torch.no_grad()
    def error(self, probe: Float[Tensor, "p d"]) -> float:
        """Share of voxels that differ from the autoencoder's decoder."""
        voxels = torch.Size(self.image_shape).numel()
        theirs = map_rows(self.autoencoder.decode, probe, voxels)
        return differing(map_rows(self.light, probe, voxels).sigmoid(), theirs)

    @torch.no_grad()
    def findings(self) -> dict[str, object]:
        """How far images are from those by flow and decoder, for noise not seen before."""
        noise, condition, _ = self.noise(PROBED, CARD_SEED)
        code, voxels = self.code_of(noise, condition), torch.Size(self.image_shape).numel()
        made = map_rows(self.light, code, voxels).sigmoid()
        alone = differing(made, map_rows(self.autoencoder.decode, code, voxels))
        both = differing(made, self.image_of(self.flow_of(noise, condition)))
        return {
            "One step with its decoder": f"of {PROBED} new noise points, {100 * alone:.2g} % of "
            f"voxels differ from the autoencoder's decoder, and {100 * both:.2g} % from flow and "
            "decoder"
        }


def student_ends(
    model: PriorOverCodes,
    student: Student,
    noise: Float[Tensor, "n d"],
    condition: Float[Tensor, "n f"],
) -> Float[Tensor, "n d"]:
    """Codes of the autoencoder, in one step each."""
    d = noise.shape[1]
    with torch.no_grad():
        return map_rows(
            lambda rows: model.prior.scaled(student(rows[:, :d], rows[:, d:])),
            torch.cat([noise, condition], dim=1),
            SOLVED,
        )
