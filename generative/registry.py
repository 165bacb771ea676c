"""The models there are, by the name a configuration file uses."""

from generative.cvae import CVAE
from generative.latent_diffusion import LatentDiffusion
from generative.lsgm import LSGM
from generative.pca import PCA
from generative.vae import ConvVAE
from generative.vae_gan import VAEGAN

MODELS = {
    "pca": PCA,
    "vae": ConvVAE,
    "cvae": CVAE,
    "ldm": LatentDiffusion,
    "vae_gan": VAEGAN,
    "lsgm": LSGM,
}
