"""What variational autoencoders share: the evidence bound, the way through them, their stage."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

import numpy as np
from jaxtyping import Float, Integer
from torch import Tensor, nn
from torch.nn import functional

from generative.model import Model, check_code, check_images_shape, reconstruct
from generative.stages.config import TrainConfig
from generative.stages.loss import Loss
from generative.stages.players import Batch
from generative.stages.stage import Stage, Stages


@dataclass(frozen=True)
class Drawn:
    """Images on their way through an autoencoder, with a code drawn from its posterior."""

    mean: Float[Tensor, "n d"]
    log_variance: Float[Tensor, "n d"]
    code: Float[Tensor, "n d"]
    logits: Float[Tensor, "n c *space"]


@runtime_checkable
class BoundConfig(Protocol):
    """Settings of the evidence bound, which those of each network have among others."""

    @property
    def reconstruction(self) -> str:
        """Name of the likelihood, of `RECONSTRUCTIONS`."""
        ...

    @property
    def sigma(self) -> float:
        """Spread of a voxel around its reconstruction."""
        ...

    @property
    def beta(self) -> float:
        """Weight of KL."""
        ...

    def model_dump(self) -> dict[str, Any]:
        """All settings."""
        ...


Config = TypeVar("Config", bound=BoundConfig)


class VariationalAutoencoder(Model, Generic[Config]):
    """Images to a code and back, trained with the evidence bound; its networks are another's.

    A class of this kind sets ``config``, ``image_shape``, ``latent_dim`` and ``decoder``, whose
    last layer makes the logits.
    """

    config: Config
    decoder: nn.Sequential

    @abstractmethod
    def posterior(
        self, images: Float[Tensor, "n c *space"]
    ) -> tuple[Float[Tensor, "n d"], Float[Tensor, "n d"]]:
        """Mean and log-variance of the code of images whose shape has been checked."""

    @abstractmethod
    def logits(
        self, code: Float[Tensor, "n d"], texture: Float[Tensor, "n k"] | None = None
    ) -> Float[Tensor, "n c *space"]:
        """What the sigmoid makes images of, for codes whose shape has been checked.

        ``texture`` is noise for the decoder; without it the decoder has its own, or none.
        """

    @property
    def last_weight(self) -> Tensor:
        """Weight of the decoder's last layer, at which gradients of losses are compared."""
        weight = self.decoder[-1].weight
        assert isinstance(weight, Tensor)
        return weight

    def penalties(
        self, images: Float[Tensor, "n c *space"], drawn: Drawn
    ) -> dict[str, Float[Tensor, ""]]:
        """What is added to the bound, each times the setting ``NAME_weight``; nothing here."""
        return {}

    def options(self) -> dict[str, Any]:
        """What builds this network again, as its keyword arguments."""
        return self.config.model_dump()

    def stages(self) -> Stages:
        """The evidence bound, of all of it."""
        return (EvidenceBoundStage(self),)

    def encode(self, images: Float[Tensor, "n c *space"]) -> Float[Tensor, "n d"]:
        """Mean of the code's posterior: no randomness, row by row."""
        return self._checked_posterior(images)[0]

    def decode(self, code: Float[Tensor, "n d"]) -> Float[Tensor, "n c *space"]:
        """Images in [0, 1]; differentiable. Each channel by itself: phases add to 1 only nearly."""
        check_code(code, self.latent_dim)
        return self.logits(code).sigmoid()

    def loss(
        self, images: Float[Tensor, "n c *space"], *, noise: Float[Tensor, "n d"], kl_weight: float
    ) -> Loss:
        """Reconstruction + beta KL (eq. 4 of Higgins et al. 2017), and the penalty if any.

        Parameters
        ----------
        images
            Values in [0, 1]; in training mode at least two of them, as batch norms need.
        noise
            Standard normal draws that the code is sampled with.
        kl_weight
            Factor of beta in [0, 1], for a warm-up.
        """
        return self.loss_of(images, self.draw(images, noise), kl_weight=kl_weight)

    @property
    def noise_size(self) -> int:
        """Random numbers that `draw` takes a row."""
        return self.latent_dim

    def draw(self, images: Float[Tensor, "n c *space"], noise: Float[Tensor, "n r"]) -> Drawn:
        """Images encoded, a code drawn from the posterior, and decoded to logits.

        With more noise than numbers in a code, the rest is for the decoder.
        """
        mean, log_variance = self._checked_posterior(images)
        noise, texture = noise[:, : self.latent_dim], noise[:, self.latent_dim :]
        code = mean + noise * (0.5 * log_variance).exp()  # Kingma and Welling 2014, section 2.4
        logits = self.logits(code, texture) if texture.shape[1] else self.logits(code)
        return Drawn(mean, log_variance, code, logits.float())

    def loss_of(
        self, images: Float[Tensor, "n c *space"], drawn: Drawn, *, kl_weight: float
    ) -> Loss:
        """`loss` of what `draw` answered."""
        error = self.reconstruction_error(images, drawn)
        kl = 0.5 * (drawn.mean**2 + drawn.log_variance.exp() - 1 - drawn.log_variance)
        kl = kl.sum(1).mean()
        total = (error + self.config.beta * kl_weight * kl) / images[0].numel()
        terms = {"reconstruction": error.item(), "kl": kl.item()}
        for name, penalty in self.penalties(images, drawn).items():
            total = total + getattr(self.config, f"{name}_weight") * penalty
            terms[name] = penalty.item()
        return Loss(total, {"loss": total.item(), **terms})

    def reconstruction_error(
        self, images: Float[Tensor, "n c *space"], drawn: Drawn
    ) -> Float[Tensor, ""]:
        """Negative log-likelihood of an image, up to a constant; mean over images."""
        kind = RECONSTRUCTIONS[self.config.reconstruction]
        return kind(drawn.logits, images, self.config.sigma) / len(images)

    def _checked_posterior(self, images: Tensor) -> tuple[Tensor, Tensor]:
        check_images_shape(images, self.image_shape)
        mean, log_variance = self.posterior(images)
        return mean, log_variance.clamp(-12.0, 8.0)


class BoundStage(Stage):
    """A stage with an evidence bound in its loss, whose KL term grows over the first steps."""

    warms_up = True
    _kl_steps = 1.0  # until it counts in full

    def prepare(
        self, images: Float[np.ndarray, "n c *space"], config: TrainConfig
    ) -> tuple[Float[np.ndarray, "m ..."], Integer[np.ndarray, " m"]]:
        """The images."""
        self._kl_steps = max(1.0, config.kl_warmup * config.steps)
        return super().prepare(images, config)

    def kl_weight(self, batch: Batch) -> float:
        """Factor of KL at a step, in [0, 1]."""
        return min(1.0, (batch.step + 1) / self._kl_steps)


class EvidenceBoundStage(BoundStage):
    """Training of an autoencoder by itself, by the evidence bound."""

    optimizes = "evidence lower bound: reconstruction error and beta times KL, minimized"

    def __init__(self, autoencoder: VariationalAutoencoder) -> None:
        super().__init__(autoencoder)
        self.autoencoder = autoencoder

    @property
    def result(self) -> nn.Module:
        """The autoencoder."""
        return self.autoencoder

    def loss(self, batch: Batch, player: str) -> Loss:
        """That of the autoencoder: it is told no condition."""
        noise = batch.noise(self.autoencoder.noise_size)
        return self.autoencoder.loss(batch.rows, noise=noise, kl_weight=self.kl_weight(batch))

    def error(self, probe: Float[Tensor, "v c *space"]) -> float:
        """Mean squared error of a voxel, of images the training has not seen."""
        return reconstruction_mse(self.autoencoder, probe)


class AutoencoderStage(EvidenceBoundStage):
    """The same as the first part of a longer training."""

    name = "autoencoder"


def reconstruction_mse(model: VariationalAutoencoder, images: Float[Tensor, "v c *space"]) -> float:
    """Mean squared error of a voxel."""
    return float(((reconstruct(model, images) - images) ** 2).mean())


def _gaussian(logits: Tensor, images: Tensor, sigma: float) -> Tensor:
    """Negative log-likelihood of a Gaussian around the sigmoid, up to a constant."""
    return ((logits.sigmoid() - images) ** 2).sum() / (2 * sigma**2)


def _bernoulli(logits: Tensor, images: Tensor, sigma: float) -> Tensor:
    return functional.binary_cross_entropy_with_logits(logits, images, reduction="sum")


RECONSTRUCTIONS = {"mse": _gaussian, "bce": _bernoulli}
