"""Surrogates by the name that config files give them."""

from objectives.surrogates.cnn import CNN
from objectives.surrogates.latent_gp import LatentGP
from objectives.surrogates.pymks_conduction import PymksConduction
from objectives.surrogates.pymks_pipeline import PymksPipeline
from objectives.surrogates.two_point_gp import TwoPointGP

SURROGATES = {
    "pymks_pipeline": PymksPipeline,
    "pymks_localization": PymksConduction,
    "two_point_gp": TwoPointGP,
    "cnn": CNN,
    "latent_gp": LatentGP,
}
