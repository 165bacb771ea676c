"""What strategies that learn share before they have anything to learn from."""

import torch
from jaxtyping import Float64
from torch import Tensor

from latentopt.errors import ConfigError
from latentopt.history import History
from latentopt.strategies.prior import draw
from latentopt.strategies.spread import spread_points


def first_points(history: History, q: int) -> Float64[Tensor, "q d"]:
    """Training structures far apart in structure; when the space has no more of them, draws."""
    start = history.next_index
    points = spread_points(history.space, start + q, seed=history.seed)[start:]
    return torch.cat([points, draw(history, q)[len(points) :]])


def check_one_objective(history: History, kind: str) -> None:
    """Refuse a goal of several objectives, on behalf of the strategy called `kind`."""
    objectives = len(history.goal.objectives)
    if objectives != 1:
        raise ConfigError(
            f"{kind} takes one objective, got {objectives}; join them into one sum, or use "
            "strategy prior."
        )
