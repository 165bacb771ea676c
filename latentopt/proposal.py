"""What a strategy proposes next, as the event that a journal keeps of it."""

from collections.abc import Mapping, Sequence
from typing import Any

from latentopt.errors import CampaignError
from latentopt.history import History
from latentopt.protocols import Strategy
from latentopt.stop_rule import StopRule


def next_event(
    strategy: Strategy,
    stop_rule: StopRule,
    history: History,
    events: Sequence[Mapping[str, Any]],
    q: int,
) -> dict[str, Any] | None:
    """The event of asking for `q` points, or of stopping; None to wait for results first.

    Raises
    ------
    CampaignError
        The strategy proposes another number of points, or of latent numbers.
    """
    space = history.space
    name = getattr(strategy, "kind", type(strategy).__name__)
    z = space.project(strategy.propose(history, q).detach().double())
    if z.shape != (q, space.latent_dim):
        raise CampaignError(
            f"strategy {name} should propose shape ({q}, {space.latent_dim}), got {tuple(z.shape)}."
        )
    gain = stop_rule.gain(history, z)
    verdict = stop_rule.verdict(events, gain)
    if verdict != "go on":
        return {"kind": "stop", "gain": gain} if verdict == "stop" else None
    points = [{"index": history.next_index + i, "z": row} for i, row in enumerate(z.tolist())]
    expected = {} if gain is None else {"gain": gain}
    return {"kind": "ask", "strategy": name, "trials": points, **expected}
