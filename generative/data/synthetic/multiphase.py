"""PyMKS's multiphase structures: blurred noise, cut at its quantiles."""

from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from jaxtyping import UInt8

from generative.data.synthetic.family import Family, Ranges, Settings, span


@dataclass(frozen=True)
class MultiphaseRanges(Ranges):
    """Ranges the settings of each structure are drawn from.

    Parameters
    ----------
    grain_px
        Side of the window of the blur along each axis; 1/8 to 1/2 of the shortest side if
        ``None``.
    volume_fraction
        Fraction of voxels outside phase 0, shared equally by the other phases.
    phases
        Number of phases.
    """

    grain_px: tuple[float, float] | None = span(1 / 8, 1 / 2, of_side=True)
    volume_fraction: tuple[float, float] = span(0.3, 0.8, most=1.0)
    phases: int = 3


def _settle(
    drawn: Settings, spare: np.ndarray, shape: tuple[int, ...], limits: MultiphaseRanges
) -> Settings:
    grain = np.maximum(np.round(drawn["grain_px"]), 1).astype(np.int64)
    if len(grain) and grain.max() > min(shape):
        raise ValueError(
            f"grains of {grain.max()} px are larger than the shortest side of {min(shape)} px; "
            "lower grain_px."
        )
    return drawn | {"grain_px": grain}


def _build(
    row: dict[str, Any], shape: tuple[int, ...], rng: np.random.Generator, limits: MultiphaseRanges
) -> UInt8[np.ndarray, "*space"]:
    """One structure by PyMKS's own generator, its noise drawn here; NumPy's seed is left alone."""
    theirs = _pymks_multiphase()
    others = float(row["volume_fraction"]) / (limits.phases - 1)
    fractions = (1 - float(row["volume_fraction"]), *[others] * (limits.phases - 1))
    state = np.random.get_state()  # noqa: NPY002  PyMKS draws from it, times zero
    try:
        generate = theirs.np_generate((int(row["grain_px"]),) * len(shape), fractions, 0.0)
        return generate(rng.random((1, *shape)))[0].astype(np.uint8)
    finally:
        np.random.set_state(state)  # noqa: NPY002


def _pymks_multiphase() -> Any:
    """PyMKS's module, with the names and arguments that NumPy has since taken away."""
    try:
        import pymks  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "the family multiphase is made by PyMKS, which cannot be imported here: on Python 3.11 "
            "(it cannot be built on 3.12 and later) run pip install 'pymks==0.4.1' "
            "'dask[dataframe]' 'setuptools<81', or make gaussian_random_field with phases=3."
        ) from error
    module = import_module("pymks.fmks.data.multiphase")
    if module.np is np:
        module.np = _NumPyOf2021()
    return module


class _NumPyOf2021:
    """NumPy whose ``stack`` takes an iterator and ``quantile`` an ``interpolation``."""

    @staticmethod
    def stack(arrays, *args, **kwargs):
        return np.stack(list(arrays), *args, **kwargs)

    @staticmethod
    def quantile(*args, interpolation="linear", **kwargs):
        return np.quantile(*args, method=interpolation, **kwargs)

    def __getattr__(self, name: str):
        return getattr(np, name)


MULTIPHASE = Family("multiphase", MultiphaseRanges, _settle, _build)
