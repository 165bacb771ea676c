"""Results of simulations by what they depend on, so that equal structures are simulated once."""

import hashlib
import json
import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from generative.files.json_text import parse_json
from latentopt.files import explain_refusal, replacing
from latentopt.simulators.result import MAX_BYTES, SimulationResult, parse_result

_log = logging.getLogger(__name__)

_DIGITS = 16  # of the digest of a result
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
        """Result kept under a key; None if there is none, or its file is damaged or another's."""
        path = self._path(key)
        with suppress(OSError):
            if path.stat().st_size <= MAX_BYTES:
                return _of_record(path.read_bytes(), key, path.name)
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
        if result.sem:
            record["sem"] = dict(result.sem)
        record["id"] = _id_of(record, key)
        try:
            with replacing(self._path(key)) as file:
                file.write(json.dumps(record, allow_nan=False).encode() + b"\n")
        except OSError as error:
            _log.warning("a result is not kept for later: %s", explain_refusal(self.folder, error))

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.json"


def _of_record(data: bytes, key: str, name: str) -> SimulationResult | None:
    """The result in a file, if it was kept under this key and not changed since."""
    result = parse_result(data, (), name)
    if result.state not in KEPT:
        return None
    record = parse_json(data)
    if record.pop("id", None) != _id_of(record, key):
        _log.warning(
            "%s is not the result of this structure, was changed, or is of an older version that "
            "does not tell; the structure is simulated again.",
            name,
        )
        return None
    seconds = record.get("seconds")
    return SimulationResult(
        result.state,
        result.metrics,
        result.message,
        float(seconds) if isinstance(seconds, int | float) else None,
        result.sem,
    )


def _id_of(record: Mapping[str, Any], key: str) -> str:
    """Digest of a key and its result: a file copied to another key's name does not fit."""
    text = json.dumps({**record, "key": key}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]
