"""Objectives by the name that config files give them."""

from objectives.effective_conductivity import EffectiveConductivity
from objectives.effective_spectrum import EffectiveSpectrum
from objectives.effective_stiffness import EffectiveStiffness
from objectives.manufacturability.objective import Manufacturability
from objectives.surrogates.objective import SurrogateObjective
from objectives.two_point_target import TwoPointTarget
from objectives.volume_fraction import VolumeFraction

OBJECTIVES = {
    "volume_fraction": VolumeFraction,
    "effective_conductivity": EffectiveConductivity,
    "effective_stiffness": EffectiveStiffness,
    "effective_spectrum": EffectiveSpectrum,
    "two_point_target": TwoPointTarget,
    "manufacturability": Manufacturability,
    "surrogate": SurrogateObjective,
}
