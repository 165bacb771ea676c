"""Weights that a training begins from instead of random ones: a backbone, or an autoencoder."""

from collections.abc import Callable
from typing import Any

from generative.autoencoders.vae import ConvVAE
from latentopt.errors import ConfigError
from latentopt.space.named import load_space
from latentopt.training.settings import TrainingSettings

Begin = Callable[[Any], object]


def first_weights(
    settings: TrainingSettings, image_shape: tuple[int, ...]
) -> tuple[dict[str, Any], Begin | None]:
    """Options that the model then has, and what gives it the weights.

    Raises
    ------
    ConfigError
        For weights of another kind of model, or for other images.
    ModelFileError
        For a file or folder that cannot be read.
    """
    if settings.backbone_weights is not None:
        if settings.model != "resnet_vae":
            raise ConfigError(
                f"is for model resnet_vae, got {settings.model}; leave it out.",
                at="train.backbone_weights",
            )
        return {}, lambda model: model.load_backbone(settings.backbone_weights)
    if settings.autoencoder_from is None:
        return {}, None
    where = "train.autoencoder_from"
    if settings.model != "ldm":
        raise ConfigError(f"is for model ldm, got {settings.model}; leave it out.", at=where)
    source = load_space(settings.autoencoder_from).model
    if not isinstance(source, ConvVAE) or source.image_shape != image_shape:
        raise ConfigError(
            f"expected the space of a vae for images of shape {image_shape}, got "
            f"{getattr(source, 'kind', type(source).__name__)} for {tuple(source.image_shape)}.",
            at=where,
        )
    options = {name: value for name, value in source.options().items() if name != "image_shape"}
    taken = {"autoencoder": options, "pretrained": True}
    return taken, lambda model: model.autoencoder.load_state_dict(source.state_dict())
