from .ax_default import AxDefault
from .ax_node import StrategyNode, generation_strategy
from .cmaes import CMAES
from .data import Data
from .gp import GP
from .gp_typical import GPTypical
from .prior import Prior
from .registry import STRATEGIES
from .replay import Replay
from .saas import Saas
from .sobol import Sobol
from .strategy import Strategy
from .structure import Structure
from .turbo import Turbo

__all__ = [
    "CMAES",
    "GP",
    "STRATEGIES",
    "AxDefault",
    "Data",
    "GPTypical",
    "Prior",
    "Replay",
    "Saas",
    "Sobol",
    "Strategy",
    "StrategyNode",
    "Structure",
    "Turbo",
    "generation_strategy",
]
