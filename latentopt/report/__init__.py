"""A run as one HTML page: what it found, what it learned, where it looked and what went wrong."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
