from .exporters import EXPORTERS
from .verify import verify

__all__ = [
    "EXPORTERS",
    "verify",
]
