"""Families of synthetic microstructures: seeded, in 2-D and 3-D, with their settings as labels."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
