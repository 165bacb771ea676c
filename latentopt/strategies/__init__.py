"""How a campaign chooses its next points: `propose(history, q)` of one entry of `STRATEGIES`."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
