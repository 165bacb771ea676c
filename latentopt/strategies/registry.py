"""Strategies by the name that config files give them."""

from latentopt.strategies.cmaes import CMAES
from latentopt.strategies.gp_typical import GPTypical
from latentopt.strategies.prior import Prior
from latentopt.strategies.sobol import Sobol
from latentopt.strategies.turbo import Turbo

STRATEGIES = {
    "prior": Prior,
    "sobol": Sobol,
    "cmaes": CMAES,
    "gp_typical": GPTypical,
    "turbo": Turbo,
}
