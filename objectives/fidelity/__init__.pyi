from .ensemble import EnsembleTest, ensemble_test, shuffled_pixels
from .feature_sets import Memorization, frechet_distance, memorization, precision, recall
from .histograms import kl_divergence
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

__all__ = [
    "EnsembleTest",
    "Memorization",
    "StatisticsBars",
    "ensemble_test",
    "frechet_distance",
    "interface_ratio",
    "kl_divergence",
    "lineal_path_mae",
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
    "two_point_mae",
]
