"""Two-point statistics in 2-D and 3-D, and their principal components."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
