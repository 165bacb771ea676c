from .exporter import Exporter
from .exporters import EXPORTERS
from .verify import verify

__all__ = [
    "EXPORTERS",
    "Exporter",
    "verify",
]
