"""Whether a campaign has ended early, as its journal tells."""

from collections.abc import Mapping, Sequence
from typing import Any

from latentopt.runs.trial import REPEAT

__all__ = ["ended_early", "last_proposal"]


def ended_early(events: Sequence[Mapping[str, Any]], stop_gain: float | None) -> float | None:
    """Expected gain at which the campaign stopped; None while it may go on.

    It goes on after all with a `stop_gain` that is lower than that gain, with None, or when data
    were imported since.
    """
    last = last_proposal(events)
    if last is None or stop_gain is None or events[last]["kind"] != "stop":
        return None
    gain = events[last]["gain"]
    return gain if gain < stop_gain else None


def last_proposal(events: Sequence[Mapping[str, Any]]) -> int | None:
    """Place of the last event that says what became of new points."""
    places = range(len(events) - 1, -1, -1)
    return next((i for i in places if _proposes(events[i])), None)


def _proposes(event: Mapping[str, Any]) -> bool:
    if event["kind"] == "ask":
        return event["strategy"] != REPEAT  # those are no new points
    return event["kind"] == "stop"
