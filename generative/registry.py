"""The models there are, by the name a configuration file uses."""

from typing import Any

from generative.autoencoders.pca import PCA
from generative.autoencoders.resnet_vae import ResNetVAE
from generative.autoencoders.vae import ConvVAE
from generative.autoencoders.vae_gan import VAEGAN
from generative.diffusion.latent_diffusion import LatentDiffusion
from generative.diffusion.lsgm import LSGM
from generative.gans.dcgan import DCGAN
from generative.gans.gan import GAN
from generative.gans.infogan import InfoGAN
from generative.gans.stylegan import StyleGAN
from generative.model import Model
from generative.structured.rvae import RVAE

MODELS: dict[str, type[Model]] = {
    "pca": PCA,
    "vae": ConvVAE,
    "resnet_vae": ResNetVAE,
    "ldm": LatentDiffusion,
    "vae_gan": VAEGAN,
    "lsgm": LSGM,
    "dcgan": DCGAN,
    "gan": GAN,
    "stylegan": StyleGAN,
    "infogan": InfoGAN,
    "rvae": RVAE,
}
# Names in folders written before, and what has taken their place.
FORMER_NAMES = {"cvae": "resnet_vae"}


def present_names(kind: Any, options: Any) -> tuple[Any, Any]:
    """Kind and options of a saved model, former names of kinds replaced by those of `MODELS`.

    >>> present_names("vae_gan", {"autoencoder": "cvae"})
    ('vae_gan', {'autoencoder': 'resnet_vae'})
    """
    if isinstance(options, dict) and isinstance(inner := options.get("autoencoder"), str):
        options = options | {"autoencoder": FORMER_NAMES.get(inner, inner)}
    return (FORMER_NAMES.get(kind, kind) if isinstance(kind, str) else kind), options
