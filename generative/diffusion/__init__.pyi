from .denoiser import Denoiser
from .flow import SOLVERS
from .latent_diffusion import LatentDiffusion
from .lsgm import LSGM
from .prior import DiffusionPrior

__all__ = ["LSGM", "SOLVERS", "Denoiser", "DiffusionPrior", "LatentDiffusion"]
