"""Plain names of the figures of fidelity, as the heads of tables have them."""

__all__ = ["plain_name"]

_NAMES = {
    "mse": "mean squared error",
    "psnr": "signal-to-noise ratio [dB]",
    "ssim": "structural similarity",
    "pixel_error": "voxels of another phase",
    "two_point_mae": "two-point error",
    "lineal_path_mae": "lineal-path error",
    "interface_ratio": "interface kept",
    "bar_original": "mean statistics, originals",
    "bar_reconstructed": "mean statistics, reconstructions",
    "within_6_sigma": "statistics within 6 sigma",
    "p_reconstructed": "p of reconstructions",
    "p_held_out": "p of the other half",
    "p_shuffled": "p of shuffled voxels",
    "p_samples": "p of samples",
    "kl_levels": "divergence of grey levels",
    "kl_fractions": "divergence of phase fractions",
    "frechet": "Frechet distance",
    "fid": "Frechet inception distance",
    "precision": "precision",
    "recall": "recall",
    "lone_voxels": "voxels that stand alone",
    "thin_voxels": "voxels of thin parts",
    "undecided_voxels": "voxels of no clear phase",
    "closer": "nearer to training than originals",
    "copies": "near copies",
    "copied": "copies of training structures",
    "distance_ratio": "distance to training, over that of originals",
    "seen": "known from training",
}
_ENDS = {
    "_halves": ", other half of the originals",
    "_shuffled": ", shuffled voxels",
    "_std": ", standard deviation",
}
_FEATURES = ("two_point_features", "two_point", "random_cnn", "inception")  # a table each


def plain_name(figure: str) -> str:
    """The figure in words; where no words are known, its own name.

    >>> plain_name("frechet_two_point_halves")
    'Frechet distance, other half of the originals'
    """
    if figure in _NAMES:
        return _NAMES[figure]
    for end, words in _ENDS.items():
        if figure.endswith(end):
            return plain_name(figure.removesuffix(end)) + words
    for features in _FEATURES:
        if figure.endswith(f"_{features}"):
            return _NAMES.get(figure.removesuffix(f"_{features}"), figure)
    return figure
