"""Surrogates by the name that config files give them."""

from objectives.surrogates.cnn import CNN
from objectives.surrogates.latent_gp import LatentGP
from objectives.surrogates.two_point_gp import TwoPointGP

SURROGATES = {
    "cnn": CNN,
    "two_point_gp": TwoPointGP,
    "latent_gp": LatentGP,
}
