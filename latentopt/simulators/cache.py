"""Results of simulations by what they depend on, so that equal structures are simulated once."""

import json
import logging
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from latentopt.disk import explain_refusal, replacing
from latentopt.simulators.result import MAX_BYTES, SimulationResult, parse_result

_log = logging.getLogger(__name__)

KEPT = ("ok", "infeasible", "invalid")  # the others may end otherwise the next time


@dataclass(frozen=True)
class ResultCache:
    """A folder with one small JSON file for each result, each there whole or not at all.

    Parameters
    ----------
    folder
        Made when the first result is kept. Delete it, or a file of it, to simulate again.
    """

    folder: Path

    def get(self, key: str) -> SimulationResult | None:
        """Result kept under a key; None if there is none, or its file is damaged."""
        path = self._path(key)
        with suppress(OSError):
            if path.stat().st_size <= MAX_BYTES:
                data = path.read_bytes()
                result = parse_result(data, (), path.name)
                if result.state in KEPT:
                    return SimulationResult(
                        result.state, result.metrics, result.message, _seconds(data)
                    )
        return None

    def put(self, key: str, result: SimulationResult) -> None:
        """Keep a result of a state in `KEPT`; a disk that refuses costs the reuse only."""
        if result.state not in KEPT:
            return
        record = {
            "state": result.state,
            "metrics": dict(result.metrics),
            "message": result.message,
            "seconds": result.seconds,
        }
        try:
            with replacing(self._path(key)) as file:
                file.write(json.dumps(record, allow_nan=False).encode() + b"\n")
        except OSError as error:
            _log.warning("a result is not kept for later: %s", explain_refusal(self.folder, error))

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.json"


def _seconds(data: bytes) -> float | None:
    seconds = json.loads(data).get("seconds")
    return float(seconds) if isinstance(seconds, int | float) else None
