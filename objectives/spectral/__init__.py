"""Two-phase properties at all contrasts, real and complex, from one run of Lanczos."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
