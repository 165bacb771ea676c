"""Latent score-based generative model: autoencoder and diffusion prior trained together."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Integer
from pydantic import Field, field_validator
from torch import Tensor
from torch.func import functional_call

from generative.autoencoders.variational import (
    AutoencoderStage,
    BoundStage,
    reconstruction_mse,
)
from generative.diffusion.flow import mix
from generative.diffusion.prior import random_time
from generative.diffusion.prior_over_codes import PriorOverCodes, PriorOverCodesConfig
from generative.diffusion.prior_stage import encoded
from generative.stages.config import TrainConfig
from generative.stages.loss import Loss
from generative.stages.players import Batch
from generative.stages.stage import Stages, defaults_after_another
from generative.stages.thinning import uniform_of

# Noise level at which the cross entropy begins: a posterior cannot be told to be narrower.
SMALLEST_NOISE = 0.02


class LSGMConfig(PriorOverCodesConfig):
    """Networks, coordinates and training of an `LSGM`."""

    autoencoder: dict[str, Any] = Field(
        default_factory=dict,
        validate_default=True,
        description="Options of the autoencoder, a ConvVAE, by name. Its beta is 1 unless given.",
    )
    joint_share: float = Field(
        0.5,
        gt=0,
        le=1,
        description="Steps in which autoencoder and prior are trained together, as a fraction of "
        "the training steps.",
    )

    @field_validator("autoencoder")
    @classmethod
    def _of_beta_1(cls, options: dict[str, Any]) -> dict[str, Any]:
        return {"beta": 1.0} | options


class LSGM(PriorOverCodes[LSGMConfig]):
    """A `PriorOverCodes` whose autoencoder learns codes that its prior finds easy.

    The autoencoder is trained alone against a standard normal first, then together with the prior,
    which takes the place of the normal in the evidence bound.

    Parameters
    ----------
    image_shape
        ``(c, h, w)`` with sides of 32 to 256, or ``(c, d, h, w)`` with sides of 16 to 64.
    **options
        Fields of `LSGMConfig`.

    Raises
    ------
    ValueError
        For a shape outside these limits or an option out of range.

    References
    ----------
    .. [1] Vahdat, Kreis and Kautz (2021), Score-based generative modeling in latent space.
    """

    kind = "lsgm"
    options_class = LSGMConfig

    def stages(self) -> Stages:
        """The autoencoder alone, then both together."""
        return (AutoencoderStage(self.autoencoder), JointStage(self))


class JointStage(BoundStage):
    """Evidence bound with the diffusion prior in it, and the prior's own loss, in one step."""

    name, covers = "joint", ("autoencoder",)
    optimizes = "evidence lower bound under the diffusion prior, and the prior's velocity error"

    def __init__(self, model: LSGM) -> None:
        super().__init__(model)
        self.autoencoder, self.prior = model.autoencoder, model.prior
        self.share, self.latent_dim = model.config.joint_share, model.latent_dim

    def defaults(self, config: TrainConfig) -> dict[str, Any]:
        """Fewer steps than the autoencoder's, and smaller."""
        return defaults_after_another(config, self.share)

    def prepare(
        self, images: Float[np.ndarray, "n c *space"], config: TrainConfig
    ) -> tuple[Float[np.ndarray, "m ..."], Integer[np.ndarray, " m"]]:
        """The images; the prior takes its scale from the codes of some, once and for all."""
        some = images[:: max(1, len(images) // 2048)]
        self.prior.scale_to(encoded(self.autoencoder, some, config.torch_device))
        return super().prepare(images, config)

    def loss(self, batch: Batch, player: str) -> Loss:
        """Eq. 8 of Vahdat et al. for the autoencoder; the plain denoising error for the prior."""
        rows = batch.rows
        d, autoencoder, prior = self.latent_dim, self.autoencoder, self.prior
        size = autoencoder.noise_size
        noise = batch.noise(size + 2 * d + 2)
        drawn = autoencoder.draw(rows, noise[:, :size])
        noise = noise[:, size:]
        uniform = uniform_of(noise[:, 2 * d :])
        error = autoencoder.reconstruction_error(rows, drawn)
        entropy = 0.5 * drawn.log_variance.sum(1).mean()
        crossing = self._cross_entropy(drawn.code, noise[:, :d], uniform[:, 0])
        beta = autoencoder.config.beta * self.kl_weight(batch)
        bound = (error + beta * (crossing - entropy)) / rows[0].numel()
        fit = prior.loss(
            drawn.code.detach(),
            noise=noise[:, d : 2 * d],
            time=random_time(uniform[:, 1]),
        )
        terms = {"loss": (bound + fit).item(), "reconstruction": error.item(), "prior": fit.item()}
        return Loss(bound + fit, terms)

    def error(self, probe: Float[Tensor, "v c *space"]) -> float:
        """Mean squared error of a voxel, of images the training has not seen."""
        return reconstruction_mse(self.autoencoder, probe)

    def _cross_entropy(self, code: Tensor, noise: Tensor, uniform: Tensor) -> Tensor:
        r"""Of the posterior and the prior, up to a constant; its gradient is the codes' alone.

        With the log-signal-to-noise ratio :math:`2 \ln\cot t`, eq. 7 of Vahdat et al. is
        :math:`\int \cot t\, |v - v_\theta|^2\, dt`. Times drawn with a density proportional to the
        cotangent leave a constant factor (their section 3.3).
        """
        low = torch.tensor(SMALLEST_NOISE)
        time = torch.asin(low ** (1 - uniform))
        prior = self.prior
        held = {name: value.detach() for name, value in prior.denoiser.named_parameters()}
        noisy, velocity = mix(prior.standardize(code), noise, time)
        predicted = functional_call(prior.denoiser, held, (noisy, time))
        return -low.log() * (predicted - velocity).pow(2).sum(1).mean()
