"""Whether a structure can be made: rules with signed margins, presets, and a soft minimum size."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
