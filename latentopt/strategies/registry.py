"""Strategies by the name that config files give them."""

from latentopt.strategies.ax_default import AxDefault
from latentopt.strategies.cmaes import CMAES
from latentopt.strategies.data import Data
from latentopt.strategies.gp import GP
from latentopt.strategies.gp_typical import GPTypical
from latentopt.strategies.prior import Prior
from latentopt.strategies.saas import Saas
from latentopt.strategies.sobol import Sobol
from latentopt.strategies.structure import Structure
from latentopt.strategies.turbo import Turbo

STRATEGIES = {
    "prior": Prior,
    "sobol": Sobol,
    "data": Data,
    "cmaes": CMAES,
    "gp": GP,
    "gp_typical": GPTypical,
    "structure": Structure,
    "turbo": Turbo,
    "saas": Saas,
    "ax": AxDefault,
}
