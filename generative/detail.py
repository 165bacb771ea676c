"""Training of an autoencoder: by itself, then asked for the detail that it blurs."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from generative.reconstruction import reconstruct, reconstruction_errors
from generative.stage import Stage
from generative.variational import Loss, VariationalAutoencoder
from generative.variogram import variogram

if TYPE_CHECKING:
    from generative.train_config import TrainConfig

FAINTEST = 1e-3  # variogram below which errors no longer count relative to it
LARGEST_WEIGHT = 1e4  # of the adversarial term, where the reconstruction's gradient vanishes


class DetailConfig(BaseModel):
    """What asks an autoencoder for the detail that it blurs, and how much each counts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    variogram_weight: float = Field(
        35.0, ge=0, description="Of the relative error of each image's variogram at short shifts."
    )
    variogram_reach: int = Field(6, ge=1, description="Largest shift along each axis, in voxels.")
    fraction_weight: float = Field(
        2000.0, ge=0, description="Of the squared error of each image's phase fractions."
    )
    adversarial_weight: float = Field(
        0.5, ge=0, description="Gradient of the adversarial term over reconstruction's; 0: none."
    )
    width: int = Field(32, ge=2, description="Channels of the discriminator's first layer.")
    layers: int = Field(2, ge=1, description="Of the discriminator; more see larger patches.")
    sharpness: float = Field(
        16.0, gt=0, description="Factor of the logits of phases: what a cut at 1/2 would show."
    )
    share: float = Field(0.3, gt=0, le=1, description="Steps of this stage over all steps set.")


class AutoencoderStage(Stage):
    """Reconstruction and KL alone."""

    name = "autoencoder"

    def loss(
        self,
        rows: Float[Tensor, "n c *space"],
        *,
        noise: Float[Tensor, "n r"],
        kl_weight: float,
        **given: Float[Tensor, "n f"],
    ) -> Loss:
        """That of the autoencoder: it is told no condition."""
        return self.module.loss(rows, noise=noise, kl_weight=kl_weight)


class DetailStage(Stage):
    """Reconstruction, KL, statistics and a discriminator, all in one step of one optimizer.

    Parameters
    ----------
    autoencoder
        Already trained to reconstruct.
    config
        What is asked of it, and how much each counts.

    References
    ----------
    .. [1] Larsen et al. (2016), Autoencoding beyond pixels using a learned similarity metric.
    .. [2] Isola et al. (2017), Image-to-image translation with conditional adversarial networks
       (the discriminator of patches).
    .. [3] Esser et al. (2021), Taming transformers, eq. 7 (the weight of the adversarial term).
    """

    name = "detail"

    def __init__(self, autoencoder: VariationalAutoencoder, config: DetailConfig) -> None:
        super().__init__(autoencoder)
        self.config = config
        self.identity |= {"detail": config.model_dump()}
        self.discriminator = None
        if config.adversarial_weight:
            with torch.random.fork_rng(devices=[]):
                torch.default_generator.manual_seed(0)
                self.discriminator = patch_discriminator(self.image_shape, config)

    def defaults(self, config: "TrainConfig") -> Mapping[str, Any]:
        """Fewer steps, and smaller ones."""
        steps = max(1, round(self.config.share * config.steps))
        return {"steps": steps, "learning_rate": config.learning_rate / 3, "kl_warmup": 0.0}

    def loss(
        self,
        rows: Float[Tensor, "n c *space"],
        *,
        noise: Float[Tensor, "n r"],
        kl_weight: float,
        **given: Float[Tensor, "n f"],
    ) -> Loss:
        """The autoencoder's loss, the errors of the statistics, and the game if there is one."""
        drawn = self.module.draw(rows, noise)
        plain = self.module.loss_of(rows, drawn, kl_weight=kl_weight)
        phases = bool(((rows == 0) | (rows == 1)).all())
        made = ((self.config.sharpness if phases else 1.0) * drawn.logits).sigmoid()
        wrong = variogram_error(made, rows, self.config.variogram_reach)
        uneven = fraction_error(made, rows)
        total = plain.total + self.config.variogram_weight * wrong
        total = total + self.config.fraction_weight * uneven
        terms = {**plain.terms, "variogram": wrong.item(), "fraction": uneven.item()}
        if self.discriminator is not None:
            asked, game = self._play(rows, made, plain.total)
            total, terms = total + asked + game, terms | {"discriminator": game.item()}
        return Loss(total, terms)

    def error(self, probe: Float[Tensor, "v c *space"]) -> float:
        """Two-point error plus a tenth of the interface gone or added, relative."""
        errors = reconstruction_errors(probe.cpu(), reconstruct(self.module, probe).cpu())
        return errors.two_point_mae + 0.1 * abs(1 - errors.interface_ratio)

    def _play(self, rows: Tensor, made: Tensor, plain: Tensor) -> tuple[Tensor, Tensor]:
        """What the autoencoder loses to the discriminator, and the discriminator's own loss."""
        # The discriminator judges with its weights held: the first part of the game is not its own.
        held = {name: value.detach() for name, value in self.discriminator.named_parameters()}
        fooled = -functional_call(self.discriminator, held, (made,))[-1].float().mean()
        weight = self.config.adversarial_weight * self._balance(plain, fooled)
        real = self.discriminator(rows)[-1].float()
        fake = self.discriminator(made.detach())[-1].float()
        return weight * fooled, functional.relu(1 - real).mean() + functional.relu(1 + fake).mean()

    def _balance(self, reconstruction: Tensor, adversarial: Tensor) -> Tensor:
        """Ratio of the two gradients at the last layer (eq. 7 of Esser et al. 2021)."""
        last = self.module.decoder[-1].weight
        (one,) = torch.autograd.grad(reconstruction, last, retain_graph=True)
        (other,) = torch.autograd.grad(adversarial, last, retain_graph=True)
        return (one.norm() / (other.norm() + 1e-8)).clamp(max=LARGEST_WEIGHT).detach()


def patch_discriminator(image_shape: tuple[int, ...], config: DetailConfig) -> nn.Module:
    """MONAI's discriminator of patches, in 2-D and 3-D; its last answer is the score."""
    from monai.networks.nets.patchgan_discriminator import PatchDiscriminator  # takes 1.5 s

    channels, *space = image_shape
    return PatchDiscriminator(
        spatial_dims=len(space),
        channels=config.width,
        in_channels=channels,
        num_layers_d=config.layers,
    )


def variogram_error(
    made: Float[Tensor, "n c *space"], images: Float[Tensor, "n c *space"], reach: int
) -> Float[Tensor, ""]:
    """Mean squared relative error of `variogram` at short shifts.

    Of two phases, the shortest shifts are the amount of interface. A texture of the right amount
    of interface but the wrong size or direction is told by the other shifts.

    Parameters
    ----------
    made, images
        Values in [0, 1].
    reach
        Largest shift along each axis, in voxels.
    """
    ours, real = (variogram(x, reach) for x in (made, images))
    # A uniform image has no variogram: it asks for none, in units of a faint one.
    return ((ours - real) / real.clamp_min(FAINTEST)).pow(2).mean()


def fraction_error(
    made: Float[Tensor, "n c *space"], images: Float[Tensor, "n c *space"]
) -> Float[Tensor, ""]:
    """Mean squared error of the mean of each image, which no variogram sees."""
    return (made.flatten(2).mean(2) - images.flatten(2).mean(2)).pow(2).mean()
