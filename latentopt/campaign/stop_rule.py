"""When to stop before the budget is spent: when no gain is expected of what would come next."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from jaxtyping import Float
from torch import Tensor

from latentopt.campaign.strategy_name import strategy_name
from latentopt.errors import ConfigError
from latentopt.history import History
from latentopt.runs.ending import ended_early, last_proposal

__all__ = ["StopRule"]

Verdict = Literal["go on", "wait", "stop"]
_ENDS = ("tell", "fail")


class StopRule:
    """Stops a campaign when less than `stop_gain` is expected twice in a row.

    That is: of a batch, and again when results of it are known and nothing is under way that could
    raise hopes. It depends on the journal alone, so a campaign that is resumed stops where an
    undisturbed one does.

    Parameters
    ----------
    stop_gain
        Least gain that is worth an evaluation, in the unit of the objective (of several, in the
        product of their units: a hypervolume). None: never stop.
    strategy
        What is asked for the gain it expects.

    Raises
    ------
    ConfigError
        The strategy expects no gain, having no model.
    """

    def __init__(self, stop_gain: float | None, strategy: Any) -> None:
        if stop_gain is not None and not hasattr(strategy, "expected_gain"):
            raise ConfigError(
                f"strategy {strategy_name(strategy)} has no model that would expect a gain; leave "
                "it out, or choose a strategy with a model, such as structure.",
                at="campaign.stop_gain",
            )
        self.stop_gain, self.strategy = stop_gain, strategy
        self._waits_after: int | None = None

    def rests(self, events: Sequence[Mapping[str, Any]]) -> bool:
        """Whether nothing should be proposed: it has stopped, or waits for results."""
        stopped = ended_early(events, self.stop_gain) is not None
        return stopped or self._waits_after == len(events)

    def gain(self, history: History, z: Float[Tensor, "q d"]) -> float | None:
        """What the strategy expects of evaluating these points.

        None while it expects nothing in particular: among its initial points, which are spread and
        not chosen for their gain, and until a point is known that meets the constraints.
        """
        if self.stop_gain is None or history.next_index < getattr(self.strategy, "initial", 0):
            return None
        gain = float(self.strategy.expected_gain(history, z))
        return gain if math.isfinite(gain) else None

    def verdict(self, events: Sequence[Mapping[str, Any]], gain: float | None) -> Verdict:
        """Whether points of this gain are evaluated, not yet, or not at all."""
        if not self._is_low(gain):
            return "go on"
        last = last_proposal(events)
        if last is None or not self._is_low(events[last].get("gain")):
            return "go on"
        if not any(event["kind"] in _ENDS for event in events[last:]):
            return "go on"
        if _under_way(events):
            self._waits_after = len(events)
            return "wait"
        return "stop"

    def _is_low(self, gain: float | None) -> bool:
        return gain is not None and self.stop_gain is not None and gain < self.stop_gain


def _under_way(events: Sequence[Mapping[str, Any]]) -> bool:
    """Whether trials were asked for that have no end yet."""
    evaluated: set[int] = set()
    waiting: set[int] = set()
    for event in events:
        if event["kind"] == "ask":
            asked = {trial["index"] for trial in event["trials"] if _is_evaluated(trial)}
            evaluated |= asked
            waiting |= asked
        elif event["kind"] == "retry":
            waiting |= evaluated.intersection(event["trials"])
        elif event["kind"] in _ENDS:
            waiting.discard(event["trial"])
    return bool(waiting)


def _is_evaluated(point: Mapping[str, Any]) -> bool:
    """Whether a point of an ask is: it is no old data, has no known structure and passed."""
    known = point.keys() & {"metrics", "same_as"}
    return not known and point.get("screen", {}).get("passed", True)
