"""How ``latentopt data prepare`` reads the options of a segmentation."""

from typing import Any, Literal, get_args

from generative.data.grey.segmentation import Method, Segmentation
from latentopt.errors import ConfigError

__all__ = ["segmentation_of"]


def segmentation_of(
    method: str, phases: int | None, thresholds: list[float] | None, seed: int | None
) -> Segmentation | Literal["auto", "labels", "keep"]:
    """What ``--segment`` and its options say; a `ConfigError` if they do not fit."""
    whole_set = ("auto", "labels", "keep")
    methods = (*get_args(Method), *whole_set)
    if method not in methods:
        raise ConfigError(f"--segment should be one of {', '.join(methods)}, got {method!r}.")
    for option, given, users in (
        ("--phases", phases, "multi_otsu, k_means"),
        ("--threshold", thresholds, "thresholds"),
    ):
        if method in whole_set and given:
            raise ConfigError(
                f"{option} has no effect with --segment {method}; leave it out, or take another "
                f"--segment ({users})."
            )
    if seed is not None and method != "k_means":
        raise ConfigError(f"--seed is for k_means, {method} draws nothing; leave it out.")
    if method in whole_set:
        return method
    levels = tuple(thresholds or ())
    default = len(levels) + 1 if method == "thresholds" else 2
    try:
        known: Any = method  # one of `Method`, as was seen above
        return Segmentation(known, phases or default, levels, seed or 0)
    except ValueError as error:
        raise ConfigError(f"--segment: {error}") from error
