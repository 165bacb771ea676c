from .curves import band_integral, distance_to_curve, peak
from .spectral_function import SpectralFunction, spectral_function
from .spectrum import Spectrum, effective_spectrum

__all__ = [
    "SpectralFunction",
    "Spectrum",
    "band_integral",
    "distance_to_curve",
    "effective_spectrum",
    "peak",
    "spectral_function",
]
