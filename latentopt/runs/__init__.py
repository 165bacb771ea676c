"""A campaign's folder, read and written without torch."""

from latentopt.runs.exports import export_candidates
from latentopt.runs.run import Run, Trial

__all__ = ["Run", "Trial", "export_candidates"]
