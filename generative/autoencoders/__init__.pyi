from .pca import PCA
from .resnet_vae import ResNetVAE
from .vae import ConvVAE
from .vae_gan import VAEGAN
from .variational import VariationalAutoencoder

__all__ = ["PCA", "VAEGAN", "ConvVAE", "ResNetVAE", "VariationalAutoencoder"]
