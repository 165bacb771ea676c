"""Training of a network that tells in one evaluation where the flow of a prior ends."""

from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from generative.diffusion.one_step import OneStepConfig
from generative.diffusion.prior_over_codes import PriorOverCodes
from generative.diffusion.prior_stage import CPU
from generative.diffusion.student import Student
from generative.diffusion.taught_stage import (
    CARD_SEED,
    PROBE_SEED,
    PROBED,
    TaughtStage,
    differing,
)
from generative.stages.config import TrainConfig
from generative.stages.loss import Loss
from generative.stages.players import Batch


class OneStepStage(TaughtStage):
    """Training of the student alone: the code at the end of the flow, from the noise at its start.

    The flow of the trained prior takes normal noise to codes, once, before the first step; the
    student learns these pairs by their squared error. It begins from the weights of the prior's
    network. Autoencoder, prior, and the noise of an image stay as they are.

    Parameters
    ----------
    model
        Autoencoder and prior, both trained.
    student
        What is taught.
    config
        How long, and by how many pairs.

    References
    ----------
    .. [1] Luhman and Luhman (2021), Knowledge distillation in iterative generative models for
       improved sampling speed.
    """

    name, convolves = "one_step", False
    optimizes = "mean squared error of the codes at the end of the flow, minimized"

    def __init__(self, model: PriorOverCodes, student: Student, config: OneStepConfig) -> None:
        super().__init__(model, config)
        self.student = student
        self.begin = partial(student.begin, model.prior.denoiser)

    def defaults(self, config: TrainConfig) -> dict[str, Any]:
        """A share of the steps, larger ones, as the target has no noise: twice as large diverge."""
        return super().defaults(config) | {
            "batch_size": 2 * config.batch_size,
            "learning_rate": 4 / 3 * config.learning_rate,
        }

    def prepare(
        self, images: Float[np.ndarray, "n c *space"], config: TrainConfig
    ) -> tuple[Float[np.ndarray, "m r"], Int64[np.ndarray, " m"]]:
        """Noise, condition and code of each pair, and the image that the condition is of."""
        self.begin()
        return self._pairs(self.drawn(config), config.seed, config.torch_device)

    def probe(self, images: Float[Tensor, "v c *space"]) -> Float[Tensor, "p r"]:
        """Pairs of noise that is not trained on."""
        return torch.from_numpy(self._pairs(PROBED, PROBE_SEED)[0])

    @property
    def result(self) -> nn.Module:
        """The student."""
        return self.student

    def loss(self, batch: Batch, player: str) -> Loss:
        """Squared error of codes, in units of their spread."""
        made, code = self._answers(batch.rows)
        total = (made - code).square().mean()
        return Loss(total, {"loss": total.item()})

    @torch.no_grad()
    def error(self, probe: Float[Tensor, "p r"]) -> float:
        """Distance of codes from those of the flow, in units of their spread."""
        made, code = self._answers(probe)
        return float((made - code).square().mean().sqrt())

    @torch.no_grad()
    def findings(self) -> dict[str, object]:
        """How far the student is from the flow, for noise that has not been seen before."""
        made, code = self._answers(torch.from_numpy(self._pairs(PROBED, CARD_SEED)[0]))
        off = float((made - code).square().mean().sqrt())
        other = differing(self.image_of(made), self.image_of(code))
        return {
            "One step": f"codes of {PROBED} new noise points are {off:.3f} of their spread away "
            f"from those of the flow, and {100 * other:.2g} % of decoded voxels differ"
        }

    def _answers(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Codes of the student, and of the flow."""
        d = self.latent_dim
        return self.student(rows[:, :d], rows[:, d:-d]), rows[:, -d:]

    def _pairs(
        self, n: int, seed: int, device: torch.device = CPU
    ) -> tuple[Float[np.ndarray, "{n} r"], Int64[np.ndarray, " {n}"]]:
        noise, condition, source = self.noise(n, seed)
        code = self.flow_of(noise, condition, device=device)
        return torch.cat([noise, condition, code], dim=1).numpy(), source
