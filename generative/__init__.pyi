from .autoencoders.pca import PCA
from .autoencoders.resnet_vae import ResNetVAE
from .autoencoders.vae import ConvVAE
from .autoencoders.vae_gan import VAEGAN
from .diffusion.latent_diffusion import LatentDiffusion
from .diffusion.lsgm import LSGM
from .gans.dcgan import DCGAN
from .gans.gan import GAN
from .gans.infogan import InfoGAN
from .gans.stylegan import StyleGAN
from .model import Model
from .model_files import load_model, save_model
from .registry import MODELS
from .structured.rvae import RVAE

__all__ = [
    "DCGAN",
    "GAN",
    "LSGM",
    "MODELS",
    "PCA",
    "RVAE",
    "VAEGAN",
    "ConvVAE",
    "InfoGAN",
    "LatentDiffusion",
    "Model",
    "ResNetVAE",
    "StyleGAN",
    "load_model",
    "save_model",
]
