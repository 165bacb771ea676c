from .pca import PCA
from .resnet_vae import CVAE
from .vae import ConvVAE
from .vae_gan import VAEGAN
from .variational import VariationalAutoencoder

__all__ = ["CVAE", "PCA", "VAEGAN", "ConvVAE", "VariationalAutoencoder"]
