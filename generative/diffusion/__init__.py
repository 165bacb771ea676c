"""A diffusion prior over codes, and the ordinary differential equation that makes it a map."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
