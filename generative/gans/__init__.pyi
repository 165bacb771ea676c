from .dcgan import DCGAN
from .gan import GAN

__all__ = ["DCGAN", "GAN"]
