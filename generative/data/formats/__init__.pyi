from .readers import READERS, open_source

__all__ = [
    "READERS",
    "open_source",
]
