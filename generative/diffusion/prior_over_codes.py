"""An autoencoder with a diffusion prior over its codes, however the two are trained."""

from collections.abc import Mapping, Sequence
from typing import Any, Generic, Literal, TypeVar, cast

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from generative.autoencoders.vae import ConvVAE
from generative.conditions import Conditions
from generative.diffusion.conditioned import ConditionedPrior
from generative.diffusion.denoiser import DenoiserConfig
from generative.diffusion.flow import NEAR_NOISE, mix
from generative.diffusion.prior import DiffusionPrior
from generative.model import CoordinateName, Model, check_code, check_images_shape, copy_of, view_of
from objectives.settings import Settings


class PriorOverCodesConfig(Settings):
    """Networks and coordinates of an autoencoder with a diffusion prior, however it is trained."""

    image_shape: tuple[int, ...] = Field(
        description="Shape of one image in voxels: (channels, height, width), or (channels, "
        "depth, height, width) in 3-D."
    )
    autoencoder: dict[str, Any] = Field(
        default_factory=dict, description="Options of the autoencoder, a ConvVAE, by name."
    )
    prior: DenoiserConfig = Field(
        DenoiserConfig(), description="Settings of the denoising network of the diffusion prior."
    )
    coordinates: Literal["noise", "code"] = Field(
        "noise",
        description='Coordinates of the latent space. "noise" is standard normal noise, which '
        'the probability-flow ODE maps to codes; "code" is the code of the autoencoder itself.',
    )
    solver_steps: int = Field(
        10,
        ge=1,
        description="Number of midpoint steps that solve the probability-flow ODE between code "
        "and noise. More steps are slower and more accurate.",
    )


Config = TypeVar("Config", bound=PriorOverCodesConfig)


class PriorOverCodes(Model, Generic[Config]):
    """Images to 64 numbers and back, in coordinates where every point is a likely structure.

    An autoencoder makes codes, and a diffusion prior knows how they are distributed. Its
    probability-flow ODE maps codes to standard normal noise one-to-one and differentiably, so a
    search in the noise meets nothing that the decoder was not trained on. A class of this kind adds
    the ``stages`` by which the two are trained.

    Parameters
    ----------
    image_shape
        ``(c, h, w)`` with sides of 32 to 256, or ``(c, d, h, w)`` with sides of 16 to 64.
    **options
        Fields of its ``options_class``.

    Raises
    ------
    ValueError
        For a shape outside these limits or an option out of range.

    References
    ----------
    .. [1] Song et al. (2021), Score-based generative modeling through stochastic differential
       equations, section 4.3 (the flow that makes the noise a code).
    """

    def __init__(self, image_shape: Sequence[int], **options: Any) -> None:
        super().__init__()
        checked = self.options_class(**{"image_shape": tuple(image_shape), **options})
        self._build(cast("Config", checked))

    def _build(self, config: Config) -> None:
        """The networks of these settings, with random weights."""
        self.config = config
        self.autoencoder = ConvVAE(config.image_shape, **config.autoencoder)
        self.image_shape, self.latent_dim = config.image_shape, self.autoencoder.latent_dim
        grid = self.autoencoder.layout.code_grid
        self.prior = DiffusionPrior(grid, self.conditions.size, config.prior)
        self.eval()

    @property
    def conditions(self) -> Conditions:
        """Classes and properties it can be asked for; none where it is trained on images alone."""
        return Conditions()

    @property
    def standard_normal(self) -> bool:
        """Whether what `encode` answers is standard normal by construction."""
        return self.config.coordinates == "noise"

    def options(self) -> dict[str, Any]:
        """What builds this network again, as its keyword arguments."""
        return self.config.model_dump(mode="json")

    @property
    def coordinate_names(self) -> tuple[CoordinateName, ...]:
        """Both coordinates that it can be seen in."""
        return ("noise", "code")

    def in_coordinates(self, coordinates: Literal["noise", "code"]) -> "PriorOverCodes[Config]":
        """The same model, its weights shared, seen in other coordinates."""
        return view_of(self, coordinates=coordinates)

    def at(self, condition: Float[Tensor, " f"]) -> ConditionedPrior:
        """The same model, its weights shared, of structures under one condition.

        Parameters
        ----------
        condition
            As ``conditions.ask`` answers. Its coordinates are noise.

        Raises
        ------
        ValueError
            For a condition of another width.
        """
        self.conditions.check(condition)
        return ConditionedPrior(self.autoencoder, self.prior, condition, self.config.solver_steps)

    def unconditional(self) -> "PriorOverCodes[Config]":
        """A copy that is told no conditions, as this one is when asked for nothing."""
        return copy_of(self)

    # -- there and back --------------------------------------------------------------------------

    def encode(self, images: Float[Tensor, "n c *space"]) -> Float[Tensor, "n d"]:
        """Noise, or code, of each image: no randomness, row by row."""
        check_images_shape(images, self.image_shape)
        code = self.autoencoder.encode(images)
        return self.to_noise(code) if self.standard_normal else code

    def decode(self, code: Float[Tensor, "n d"]) -> Float[Tensor, "n c *space"]:
        """Images in [0, 1] of noise, or of codes; differentiable."""
        check_code(code, self.latent_dim)
        return self.autoencoder.decode(self.to_code(code) if self.standard_normal else code)

    def to_noise(self, code: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """Noise of codes, along the probability-flow ODE."""
        return self.prior.to_noise(code, steps=self.config.solver_steps)

    def to_code(self, noise: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """Codes of noise, the way back."""
        return self.prior.to_code(noise, steps=self.config.solver_steps)

    # -- new structures --------------------------------------------------------------------------

    def sample(
        self,
        n: int,
        *,
        seed: int = 0,
        class_name: str | None = None,
        properties: Mapping[str, float] | None = None,
        guidance: float = 1.0,
        steps: int | None = None,
        solver: Literal["midpoint", "heun", "ddim"] = "midpoint",
    ) -> Float[Tensor, "{n} d"]:
        """Points that decode to new structures, of a class and with properties if asked for.

        Parameters
        ----------
        n, seed
            How many, and what fixes them.
        class_name, properties
            What they should be; what is not named is left open.
        guidance
            1 samples the conditional distribution; larger holds to the wish more closely and
            varies less.
        steps, solver
            Of the ODE; ``solver_steps`` of the midpoint rule by default.

        Returns
        -------
        Points in the coordinates of the model, for `decode`.

        Raises
        ------
        ValueError
            For a class or property it was not trained on.

        Warns
        -----
        UserWarning
            For a property outside the range of the training images.
        """
        if guidance < 0:
            raise ValueError(f"guidance should be at least 0, got {guidance:g}.")
        asked = class_name is not None or properties
        condition = self.conditions.ask(class_name, properties)[None] if asked else None
        noise = torch.randn(n, self.latent_dim, generator=torch.Generator().manual_seed(seed))
        with torch.no_grad():
            code = self.prior.to_code(
                noise.to(self.prior.mean_.device),
                None if condition is None else condition.expand(n, -1).to(self.prior.mean_.device),
                guidance=guidance,
                steps=steps or self.config.solver_steps,
                solver=solver,
            )
            return self.to_noise(code) if self.standard_normal else code

    def refine(
        self, images: Float[Tensor, "n c *space"], strength: float = 0.3, *, seed: int = 0
    ) -> Float[Tensor, "n c *space"]:
        """Images moved towards those the model was trained on (Meng et al. 2022, SDEdit).

        Parameters
        ----------
        images
            Candidates, in [0, 1].
        strength
            Part of the way to noise they are taken, in [0, 1]: 0 only encodes and decodes, 1
            forgets them.
        seed
            Fixes the noise.

        Raises
        ------
        ValueError
            For a strength outside [0, 1], or images of another shape.
        """
        if not 0 <= strength <= 1:
            raise ValueError(f"strength should be between 0 and 1, got {strength:g}.")
        with torch.no_grad():
            code = self.autoencoder.encode(images)
            time = strength * NEAR_NOISE
            draws = torch.randn(code.shape, generator=torch.Generator().manual_seed(seed))
            noisy, _ = mix(
                self.prior.standardize(code),
                draws.to(code.device),
                code.new_full((len(code),), time),
            )
            if strength > 0:
                code = self.prior.to_code(noisy, start=time, steps=self.config.solver_steps)
            return self.autoencoder.decode(code)
