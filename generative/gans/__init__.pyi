from .dcgan import DCGAN
from .gan import GAN
from .infogan import InfoGAN
from .stylegan import StyleGAN

__all__ = ["DCGAN", "GAN", "InfoGAN", "StyleGAN"]
