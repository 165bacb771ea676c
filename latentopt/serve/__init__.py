"""Spaces and campaigns over HTTP, for programs and for the pages that people look at."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
