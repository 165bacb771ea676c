"""What a strategy proposes next, as the event that a journal keeps of it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from latentopt.campaign.stop_rule import StopRule
from latentopt.campaign.strategy_name import strategy_name
from latentopt.errors import CampaignError
from latentopt.history import History
from latentopt.strategies.strategy import Strategy

_ROUNDING = 1e-9  # of points that are projected into the radius, on another machine


def next_event(
    strategy: Strategy,
    stop_rule: StopRule,
    history: History,
    events: Sequence[Mapping[str, Any]],
    q: int,
    *,
    start: Float[np.ndarray, "s d"] | None = None,
) -> dict[str, Any] | None:
    """The event of asking for `q` points, or of stopping; None to wait for results first.

    Points of `start` come before any that the strategy proposes, and then in a batch of their own.

    Raises
    ------
    CampaignError
        The strategy proposes another number of points, or of latent numbers; or `start` does not
        begin with the points of it that were asked for, or has others after a retraining.
    """
    waiting = not_yet_asked(start, events)[:q]
    if len(waiting):
        return {"kind": "ask", "strategy": "start", "trials": indexed(history, waiting)}
    points = proposed_points(strategy, history, q)
    z = torch.tensor([point["z"] for point in points], dtype=torch.float64)
    gain = stop_rule.gain(history, z)
    verdict = stop_rule.verdict(events, gain)
    if verdict != "go on":
        return {"kind": "stop", "gain": gain} if verdict == "stop" else None
    expected = {} if gain is None else {"gain": gain}
    return {"kind": "ask", "strategy": strategy_name(strategy), "trials": points, **expected}


def proposed_points(strategy: Strategy, history: History, q: int) -> list[dict[str, Any]]:
    """The next `q` points of a strategy inside the radius, with the index of each.

    Raises
    ------
    CampaignError
        The strategy proposes another number of points, or of latent numbers.
    """
    space = history.space
    z = space.project(strategy.propose(history, q).detach().double())
    if z.shape != (q, space.latent_dim):
        raise CampaignError(
            f"strategy {strategy_name(strategy)} should propose shape ({q}, {space.latent_dim}), "
            f"got {tuple(z.shape)}."
        )
    return indexed(history, z.tolist())


def indexed(history: History, rows: list[list[float]]) -> list[dict[str, Any]]:
    """Points as an event has them, with the indices of the next trials."""
    return [{"index": history.next_index + i, "z": row} for i, row in enumerate(rows)]


def not_yet_asked(
    start: Float[np.ndarray, "s d"] | None, events: Sequence[Mapping[str, Any]]
) -> list[list[float]]:
    """Rows of `start` after those that were asked for, which should be its first ones.

    Raises
    ------
    CampaignError
        They are not; or some are left although the space was retrained.
    """
    if start is None:
        return []
    asks = [event for event in events if event["kind"] == "ask" and event["strategy"] == "start"]
    asked = [trial["z"] for event in asks for trial in event["trials"]]
    done = np.array(asked).reshape(-1, start.shape[1])
    if len(done) > len(start) or not np.allclose(start[: len(done)], done, rtol=0, atol=_ROUNDING):
        raise CampaignError(
            f"campaign.start: the file has changed since its first {len(done)} points were asked "
            "for. Put the file back as it was (more points at its end are welcome), or leave start "
            "out to go on without the others."
        )
    left = start[len(done) :].tolist()
    if left and any(event["kind"] == "space" for event in events):
        raise CampaignError(
            f"campaign.start: {len(left)} of its points have not been asked for, and the model was "
            "retrained since: they are points of the space before, and would decode to other "
            f"structures. Leave the first {len(done)} points in the file, or leave start out."
        )
    return left
