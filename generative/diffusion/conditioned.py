"""A model with a diffusion prior, seen under one condition."""

from typing import Any

from jaxtyping import Float
from torch import Tensor

from generative.autoencoders.variational import VariationalAutoencoder
from generative.diffusion.light_decoder import LightDecoder
from generative.diffusion.prior import DiffusionPrior
from generative.diffusion.student import Student
from generative.model import Model, check_code, check_images_shape
from generative.stages.stage import Stages
from objectives.settings import Settings


class ConditionedPrior(Model):
    """Standard normal noise to structures of one class, or with some properties, and back.

    A view that shares the weights of a model: it is not trained and not a row of `MODELS`.

    Parameters
    ----------
    autoencoder, prior
        Of the model.
    condition
        What is asked for, see `Conditions.ask`.
    solver_steps
        Steps of the midpoint rule between code and noise.

    A model that decodes in one step gives it ``student`` and ``light``; `encode` follows the flow.
    """

    kind = "conditioned"
    options_class = Settings
    condition: Tensor
    student: Student | None
    light: LightDecoder | None

    def __init__(
        self,
        autoencoder: VariationalAutoencoder,
        prior: DiffusionPrior,
        condition: Float[Tensor, " f"],
        solver_steps: int,
    ) -> None:
        super().__init__()
        self.autoencoder, self.prior, self.solver_steps = autoencoder, prior, solver_steps
        self.student = self.light = None
        self.register_buffer("condition", condition.to(prior.mean_))
        self.image_shape, self.latent_dim = autoencoder.image_shape, autoencoder.latent_dim
        self.eval()

    @property
    def standard_normal(self) -> bool:
        """Its codes are noise."""
        return True

    def options(self) -> dict[str, Any]:
        """None: it is made by `PriorOverCodes.at`."""
        return {}

    def stages(self) -> Stages:
        """None: the model is trained under all conditions at once."""
        return ()

    def encode(self, images: Float[Tensor, "n c *space"]) -> Float[Tensor, "n d"]:
        """Noise of each image, were it one that has what is asked for."""
        check_images_shape(images, self.image_shape)
        code = self.autoencoder.encode(images)
        return self.prior.to_noise(code, self._rows(len(code)), steps=self.solver_steps)

    def decode(self, code: Float[Tensor, "n d"]) -> Float[Tensor, "n c *space"]:
        """Images in [0, 1] of noise; differentiable."""
        check_code(code, self.latent_dim)
        rows = self._rows(len(code))
        if self.student is None:
            found = self.prior.to_code(code, rows, steps=self.solver_steps)
        else:
            found = self.prior.scaled(self.student(code, rows))
        return self.autoencoder.decode(found) if self.light is None else self.light(found).sigmoid()

    def _rows(self, n: int) -> Tensor:
        return self.condition.expand(n, -1)
