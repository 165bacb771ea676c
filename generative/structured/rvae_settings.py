"""Settings of a pose-aware autoencoder, and those that do not go together."""

from pydantic import Field

from objectives.settings import Settings

SIZES = {2: (16, 96), 3: (12, 32)}


class RVAEConfig(Settings):
    """Network and bound of an `RVAE`."""

    image_shape: tuple[int, ...] = Field(
        description="Shape of one image in voxels: (channels, height, width), or (channels, "
        "depth, height, width) in 3-D."
    )
    latent_dim: int = Field(
        2,
        ge=1,
        le=64,
        description="How many numbers tell what a structure is, apart from its pose.",
    )
    rotation: bool = Field(
        True,
        description="Whether structures are turned. false leaves the angle out of the pose.",
    )
    turns: int | None = Field(
        None,
        ge=2,
        le=64,
        description="Number of turns over which the bound is summed in 2-D. null takes 8. In 3-D "
        "they are the 24 turns of a cube.",
    )
    fold: int = Field(
        1,
        ge=1,
        le=12,
        description="Rotational symmetry of every structure in 2-D: 3 for one that looks the same "
        "after a third of a turn. Angles are then known within one period.",
    )
    shift: float = Field(
        0.1,
        ge=0,
        le=0.5,
        description="Standard deviation of the shift of a structure along each axis, over half the "
        "side of the image. 0 leaves the shift out of the pose.",
    )
    beta: float = Field(
        1.0,
        gt=0,
        description="Weight of the Kullback-Leibler divergences. 1 is the evidence lower bound.",
    )
    canvas: float | None = Field(
        None,
        ge=1,
        le=2,
        description="Side of the picture that the decoder draws, over that of the image. null "
        "takes 1.45 in 2-D and 1.25 in 3-D with rotation, else 1. A structure without an outside, "
        "such as a lattice, needs 1.6 (1.9 in 3-D), or its corners are missing when it is turned.",
    )
    width: int = Field(16, ge=2, le=128, description="Number of channels of the finest layer.")
    hidden: int = Field(128, ge=4, le=1024, description="Number of features of the dense layers.")


def check(config: RVAEConfig) -> None:
    """Refuse by a `ValueError` shapes and settings that do not go together."""
    channels, *space = config.image_shape
    if channels < 1 or len(space) not in SIZES:
        raise ValueError(
            f"image_shape should be (c, h, w) or (c, d, h, w), got {config.image_shape}."
        )
    least, most = SIZES[len(space)]
    if not all(least <= side <= most for side in space):
        raise ValueError(
            f"model rvae takes sides of {least} to {most} in {len(space)}-D, got {tuple(space)}. "
            "Cut windows of such a size around points of the images: latentopt data prepare."
        )
    if config.rotation and len({*space}) > 1:
        raise ValueError(
            f"model rvae turns images, so their sides should be alike, got {tuple(space)}. Cut "
            "square windows, or set rotation: false."
        )
    without_effect = []
    if len(space) == 3 or not config.rotation:
        without_effect = [name for name in ("turns", "fold") if name in config.model_fields_set]
        without_effect = [name for name in without_effect if getattr(config, name) not in (None, 1)]
    if without_effect:
        why = "in 3-D" if config.rotation else "without rotation"
        raise ValueError(f"{' and '.join(without_effect)} have no effect {why}; leave them out.")
