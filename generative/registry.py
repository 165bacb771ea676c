"""The models there are, by the name a configuration file uses."""

from generative.autoencoders.pca import PCA
from generative.autoencoders.resnet_vae import CVAE
from generative.autoencoders.vae import ConvVAE
from generative.autoencoders.vae_gan import VAEGAN
from generative.diffusion.latent_diffusion import LatentDiffusion
from generative.diffusion.lsgm import LSGM

MODELS = {
    "pca": PCA,
    "vae": ConvVAE,
    "cvae": CVAE,
    "ldm": LatentDiffusion,
    "vae_gan": VAEGAN,
    "lsgm": LSGM,
}
