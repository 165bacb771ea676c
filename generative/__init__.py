"""Images to latent codes and back: the models, their training and their data."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from generative.autoencoders.pca import PCA
    from generative.autoencoders.resnet_vae import CVAE
    from generative.autoencoders.vae import ConvVAE
    from generative.autoencoders.vae_gan import VAEGAN
    from generative.diffusion.latent_diffusion import LatentDiffusion
    from generative.diffusion.lsgm import LSGM
    from generative.registry import MODELS

__all__ = ["CVAE", "LSGM", "MODELS", "PCA", "VAEGAN", "ConvVAE", "LatentDiffusion"]

# Loaded on first use: importing the package costs no torch.
_HOME = {
    "CVAE": "generative.autoencoders.resnet_vae",
    "LSGM": "generative.diffusion.lsgm",
    "LatentDiffusion": "generative.diffusion.latent_diffusion",
    "MODELS": "generative.registry",
    "PCA": "generative.autoencoders.pca",
    "VAEGAN": "generative.autoencoders.vae_gan",
    "ConvVAE": "generative.autoencoders.vae",
}


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'generative' has no attribute {name!r}")
