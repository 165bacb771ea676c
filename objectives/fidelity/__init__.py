"""How faithful reconstructed and sampled structures are to real ones: one function a metric."""

from importlib import import_module

_HOMES = {
    "mse": "pixels",
    "psnr": "pixels",
    "ssim": "pixels",
    "pixel_error": "pixels",
    "two_point_mae": "statistics",
    "lineal_path_mae": "statistics",
    "interface_ratio": "statistics",
    "share_within_sigma": "statistics",
    "statistics_bars": "statistics",
    "StatisticsBars": "statistics",
    "ensemble_test": "ensemble",
    "EnsembleTest": "ensemble",
    "shuffled_pixels": "ensemble",
    "frechet_distance": "feature_sets",
    "precision": "feature_sets",
    "recall": "feature_sets",
    "memorization": "feature_sets",
    "Memorization": "feature_sets",
    "kl_divergence": "histograms",
    "random_cnn_features": "random_features",
}

__all__ = [  # noqa: RUF022  in the order of the table above
    "mse",
    "psnr",
    "ssim",
    "pixel_error",
    "two_point_mae",
    "lineal_path_mae",
    "interface_ratio",
    "share_within_sigma",
    "statistics_bars",
    "StatisticsBars",
    "ensemble_test",
    "EnsembleTest",
    "shuffled_pixels",
    "frechet_distance",
    "precision",
    "recall",
    "memorization",
    "Memorization",
    "kl_divergence",
    "random_cnn_features",
]


def __getattr__(name: str) -> object:
    # Loaded on first use: importing the package costs no torch.
    if name in _HOMES:
        return getattr(import_module(f"objectives.fidelity.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'objectives.fidelity' has no attribute {name!r}")
