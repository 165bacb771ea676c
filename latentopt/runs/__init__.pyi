from .baseline import Baseline, baseline_of
from .exports import export_candidates
from .journal import read_events
from .pareto import hypervolume, non_dominated
from .run import Run
from .status import Status, read_status
from .trial import Trial

__all__ = [
    "Baseline",
    "Run",
    "Status",
    "Trial",
    "baseline_of",
    "export_candidates",
    "hypervolume",
    "non_dominated",
    "read_events",
    "read_status",
]
