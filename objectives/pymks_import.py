"""PyMKS 0.4.1, made to work with today's NumPy, scikit-learn and setuptools.

Since its last release NumPy took away ``np.complex``, ``np.stack`` of an iterator and
``np.quantile(interpolation=...)``, scikit-learn began to wrap ``transform`` as a method, and
setuptools dropped ``pkg_resources``. Everything is mended inside PyMKS's own modules: NumPy is
never touched, and ``sys.modules`` gains nothing but what PyMKS imports.
"""

import sys
import warnings
from functools import cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

# Modules of PyMKS that use what NumPy took away.
_MODULES_WITH_OLD_NUMPY = (
    "pymks.fmks.localization",
    "pymks.mks_localization_model",
    "pymks.fmks.data.multiphase",
)


def pymks_installed() -> bool:
    """Whether `import_pymks` has something to import; costs no import."""
    return find_spec("pymks") is not None


@cache
def import_pymks() -> ModuleType:
    """The module ``pymks``, mended.

    Takes seconds the first time (dask, pandas and scikit-learn come along), nothing after that.

    Raises
    ------
    ImportError
        PyMKS is not installed; the message says what to do instead.
    """
    if not pymks_installed():
        raise ImportError(
            "PyMKS is not installed: use engine='torch', which gives the same statistics, or on "
            "Python 3.11 (it cannot be built on 3.12 and later) run pip install 'pymks==0.4.1' "
            "'dask[dataframe]' scikit-learn."
        )
    theirs = sys.modules.get("pkg_resources")
    sys.modules["pkg_resources"] = _pkg_resources()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a dozen deprecations of its own making
            pymks: Any = import_module("pymks")
    finally:
        if theirs is None:
            del sys.modules["pkg_resources"]
        else:
            sys.modules["pkg_resources"] = theirs
    for name in _MODULES_WITH_OLD_NUMPY:
        vars(sys.modules[name])["np"] = _OldNumpy()
    # A static method turns into a wrapped method without self under scikit-learn >= 1.2.
    pymks.FlattenTransformer.transform = lambda self, x_data: x_data.reshape(len(x_data), -1)
    # Else scikit-learn looks for attributes ending in "_", and its pipeline refuses to predict.
    pymks.LocalizationRegressor.__sklearn_is_fitted__ = lambda self: self.coeff is not None
    return pymks


def _pkg_resources() -> ModuleType:
    """The three names PyMKS imports from ``pkg_resources``."""
    stub = ModuleType("pkg_resources")
    vars(stub).update(
        DistributionNotFound=PackageNotFoundError,
        get_distribution=lambda name: SimpleNamespace(version=version(name)),
        resource_string=_no_setup_cfg,
    )
    return stub


def _no_setup_cfg(package: str, path: str) -> bytes:
    # PyMKS looks for a setup.cfg beside itself, to choose its FFT; without one it takes NumPy's.
    raise FileNotFoundError(f"{package}/{path}")


class _OldNumpy:
    """NumPy with the names and arguments of 2021."""

    complex = complex

    @staticmethod
    def stack(arrays, *args, **kwargs):
        return np.stack(list(arrays), *args, **kwargs)

    @staticmethod
    def quantile(*args, interpolation="linear", **kwargs):
        return np.quantile(*args, method=interpolation, **kwargs)

    def __getattr__(self, name: str):
        return getattr(np, name)
