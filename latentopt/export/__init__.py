"""Structures as files that other programs read, each with a JSON sidecar that says what it is."""

from latentopt.export.exporters import EXPORTERS
from latentopt.export.verify import verify

__all__ = ["EXPORTERS", "verify"]
