from .spectral_function import SpectralFunction, spectral_function
from .spectrum import Spectrum, effective_spectrum

__all__ = ["SpectralFunction", "Spectrum", "effective_spectrum", "spectral_function"]
