"""Strategies by the name that config files give them."""

from latentopt.strategies.gp_typical import GPTypical
from latentopt.strategies.prior import Prior

STRATEGIES = {
    "prior": Prior,
    "gp_typical": GPTypical,
}
