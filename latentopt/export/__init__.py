"""Structures as files that other programs read, each with a JSON sidecar that says what it is."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
