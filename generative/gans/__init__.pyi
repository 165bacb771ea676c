from .dcgan import DCGAN
from .gan import GAN
from .stylegan import StyleGAN

__all__ = ["DCGAN", "GAN", "StyleGAN"]
