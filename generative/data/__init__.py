"""Images in: reading, checking, segmenting, cutting, splitting, augmenting and synthesizing."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
