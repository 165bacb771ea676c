from .copies import Copies
from .draws import DrawFigures
from .ensemble import EnsembleTest, ensemble_test, shuffled_pixels
from .feature_sets import Memorization, frechet_distance, memorization, precision, recall
from .feature_spaces import FeatureSpaces
from .histograms import kl_divergence
from .lone_voxels import lone_voxels, thin_voxels
from .pixels import mse, pixel_error, psnr, ssim
from .random_features import random_cnn_features
from .statistics import (
    StatisticsBars,
    interface_ratio,
    lineal_path_mae,
    share_within_sigma,
    statistics_bars,
    two_point_mae,
)
from .two_point_features import two_point_features
from .two_point_scores import TwoPointScores
from .undecided_voxels import undecided_voxels

__all__ = [
    "Copies",
    "DrawFigures",
    "EnsembleTest",
    "FeatureSpaces",
    "Memorization",
    "StatisticsBars",
    "TwoPointScores",
    "ensemble_test",
    "frechet_distance",
    "interface_ratio",
    "kl_divergence",
    "lineal_path_mae",
    "lone_voxels",
    "memorization",
    "mse",
    "pixel_error",
    "precision",
    "psnr",
    "random_cnn_features",
    "recall",
    "share_within_sigma",
    "shuffled_pixels",
    "ssim",
    "statistics_bars",
    "thin_voxels",
    "two_point_features",
    "two_point_mae",
    "undecided_voxels",
]
