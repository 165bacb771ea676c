"""Rules by the name that config files give them."""

from typing import Annotated

from pydantic import Field

from objectives.manufacturability.enclosed_void import EnclosedVoid
from objectives.manufacturability.islands import Islands
from objectives.manufacturability.local_packing import LocalPacking
from objectives.manufacturability.min_gap import MinGap
from objectives.manufacturability.min_solid import MinSolid
from objectives.manufacturability.min_void import MinVoid
from objectives.manufacturability.overhang import Overhang
from objectives.manufacturability.percolation import Percolation
from objectives.manufacturability.periodic_seam import PeriodicSeam
from objectives.manufacturability.phase_fraction import PhaseFraction
from objectives.manufacturability.training_distance import TrainingDistance

RULES = {
    "min_solid": MinSolid,
    "min_void": MinVoid,
    "percolation": Percolation,
    "islands": Islands,
    "enclosed_void": EnclosedVoid,
    "overhang": Overhang,
    "local_packing": LocalPacking,
    "min_gap": MinGap,
    "periodic_seam": PeriodicSeam,
    "phase_fraction": PhaseFraction,
    "training_distance": TrainingDistance,
}

AnyRule = Annotated[
    MinSolid
    | MinVoid
    | Percolation
    | Islands
    | EnclosedVoid
    | Overhang
    | LocalPacking
    | MinGap
    | PeriodicSeam
    | PhaseFraction
    | TrainingDistance,
    Field(discriminator="kind"),
]
