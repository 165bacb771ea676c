"""Images to latent codes and back: the models, their training and their data."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from generative.cvae import CVAE
    from generative.latent_diffusion import LatentDiffusion
    from generative.lsgm import LSGM
    from generative.pca import PCA
    from generative.registry import MODELS
    from generative.vae import ConvVAE
    from generative.vae_gan import VAEGAN

__all__ = ["CVAE", "LSGM", "MODELS", "PCA", "VAEGAN", "ConvVAE", "LatentDiffusion"]

# Loaded on first use: importing the package costs no torch.
_HOME = {
    "CVAE": "generative.cvae",
    "LSGM": "generative.lsgm",
    "LatentDiffusion": "generative.latent_diffusion",
    "MODELS": "generative.registry",
    "PCA": "generative.pca",
    "VAEGAN": "generative.vae_gan",
    "ConvVAE": "generative.vae",
}


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'generative' has no attribute {name!r}")
