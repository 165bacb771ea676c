"""Training of an autoencoder: by itself, then asked for the detail that it blurs."""

from abc import abstractmethod
from typing import Any

from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from generative.autoencoders.variational import BoundStage, VariationalAutoencoder
from generative.losses.adversarial import (
    discriminator_loss,
    generator_loss,
    patch_discriminator,
)
from generative.losses.sharpened import nearly_cut
from generative.losses.variogram import fraction_error, variogram_error
from generative.model import Encoding, reconstruct
from generative.stages.config import TrainConfig
from generative.stages.loss import Loss
from generative.stages.players import Batch, Player
from generative.stages.reconstruction import reconstruction_errors
from generative.stages.stage import defaults_after_another
from objectives.settings import Settings


class DetailConfig(Settings):
    """What asks an autoencoder for the detail that it blurs, and how much each counts."""

    variogram_weight: float = Field(
        35.0,
        ge=0,
        description="Weight of the relative error of each reconstruction's variogram, which "
        "measures interface and texture. 0 leaves the term out.",
    )
    variogram_reach: int = Field(
        6, ge=1, description="Largest shift of the variogram along each axis, in voxels."
    )
    fraction_weight: float = Field(
        2000.0,
        ge=0,
        description="Weight of the squared error of each reconstruction's phase fractions. 0 "
        "leaves the term out.",
    )
    adversarial_weight: float = Field(
        0.5,
        ge=0,
        description="Weight of the adversarial loss, whose gradient is first scaled to the "
        "length of the autoencoder loss's (Esser et al. 2021, eq. 7). 0 trains without a "
        "discriminator.",
    )
    width: int = Field(
        32, ge=2, description="Number of channels of the discriminator's first layer."
    )
    layers: int = Field(
        2,
        ge=1,
        description="Number of convolution layers of the discriminator. With more layers it "
        "judges larger patches.",
    )
    sharpness: float = Field(
        16.0,
        gt=0,
        description="Factor on the decoder's logits before statistics and discriminator see "
        "them. Large values come close to segmented images. It is not used if the training "
        "images have grey levels.",
    )
    share: float = Field(
        0.3,
        gt=0,
        le=1,
        description="Steps of this stage as a fraction of the training steps. Steps that are set "
        "for this stage alone take precedence.",
    )


class AdversarialStage(BoundStage):
    """A stage whose decoder is trained by its own losses and against a discriminator, if any.

    Two players: what decodes moves first, and the discriminator then judges what that has made, so
    that each is moved from where both were, and neither's gradient shortens the other's.
    """

    discriminator: nn.Module | None
    autoencoder: VariationalAutoencoder

    @property
    def result(self) -> nn.Module:
        """The autoencoder: a discriminator has served when the training ends."""
        return self.autoencoder

    @abstractmethod
    def generator(self) -> Player:
        """What decodes."""

    @abstractmethod
    def generator_loss(self, batch: Batch) -> tuple[Loss, Float[Tensor, "m c *space"]]:
        """What it minimizes, and what it has made for the discriminator to judge."""

    def players(self, config: TrainConfig) -> tuple[Player, ...]:
        """What decodes, and the discriminator if there is one."""
        if self.discriminator is None:
            return (self.generator(),)
        return self.generator(), Player("discriminator", tuple(self.discriminator.parameters()))

    def loss(self, batch: Batch, player: str) -> Loss:
        """Hinge loss of the discriminator, or all that the other side minimizes."""
        if player == "discriminator" and self.discriminator is not None:
            found = discriminator_loss(self.discriminator, batch.rows, batch.shared["made"])
            return Loss(found, {"discriminator": found.item()})
        loss, made = self.generator_loss(batch)
        batch.shared["made"] = made.detach()
        return loss


class DetailStage(AdversarialStage):
    """Training of an autoencoder for the detail that its reconstructions blur.

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

    name, covers = "detail", ("autoencoder",)
    optimizes = (
        "evidence lower bound, errors of variograms and phase fractions, and the adversarial loss "
        "of a generator; by the discriminator its hinge loss"
    )

    def __init__(self, autoencoder: VariationalAutoencoder, config: DetailConfig) -> None:
        super().__init__(autoencoder)
        self.autoencoder, self.config = autoencoder, config
        self.identity |= {"detail": config.model_dump()}
        self.discriminator = discriminator_of(self.image_shape, config)

    def defaults(self, config: TrainConfig) -> dict[str, Any]:
        """Fewer steps, and smaller ones."""
        return defaults_after_another(config, self.config.share)

    def generator(self) -> Player:
        """The autoencoder."""
        return Player("autoencoder", tuple(self.autoencoder.parameters()))

    def generator_loss(self, batch: Batch) -> tuple[Loss, Float[Tensor, "m c *space"]]:
        """The autoencoder's loss, the errors of the statistics, and its side of the game."""
        drawn = self.autoencoder.draw(batch.rows, batch.noise(self.autoencoder.noise_size))
        plain = self.autoencoder.loss_of(batch.rows, drawn, kl_weight=self.kl_weight(batch))
        made = nearly_cut(drawn.logits, batch.rows, self.config.sharpness)
        last = self.autoencoder.last_weight
        return detail_loss(plain, batch.rows, made, self.config, self.discriminator, last), made

    def error(self, probe: Float[Tensor, "v c *space"]) -> float:
        """Two-point error plus a tenth of the interface gone or added, relative."""
        return detail_error(self.autoencoder, probe)


def detail_error(model: Encoding, probe: Float[Tensor, "v c *space"]) -> float:
    """`ReconstructionErrors.loss_of_detail` of images the training has not seen."""
    return reconstruction_errors(probe.cpu(), reconstruct(model, probe).cpu()).loss_of_detail


def discriminator_of(image_shape: tuple[int, ...], config: DetailConfig) -> nn.Module | None:
    """The discriminator that is asked for, if one is."""
    if not config.adversarial_weight:
        return None
    return patch_discriminator(image_shape, config.width, config.layers)


def detail_loss(
    plain: Loss,
    rows: Float[Tensor, "n c *space"],
    made: Float[Tensor, "m c *space"],
    config: DetailConfig,
    discriminator: nn.Module | None,
    last: Float[Tensor, "..."],
) -> Loss:
    """A loss, and with it the errors of the statistics and the adversarial term if there is one.

    Parameters
    ----------
    plain
        The autoencoder's own.
    rows, made
        Images, and what the decoder answered: reconstructions first, then any others, which only
        the discriminator judges.
    config
        What is asked, and how much each counts.
    discriminator, last
        The other side of the game, and the last weights of the decoder.
    """
    again = made[: len(rows)]
    wrong = variogram_error(again, rows, config.variogram_reach)
    uneven = fraction_error(again, rows)
    total = plain.total + config.variogram_weight * wrong + config.fraction_weight * uneven
    terms = {**plain.terms, "variogram": wrong.item(), "fraction": uneven.item()}
    if discriminator is not None:
        total = total + generator_loss(
            discriminator,
            made,
            reconstruction=plain.total,
            last=last,
            weight=config.adversarial_weight,
        )
    return Loss(total, terms)
