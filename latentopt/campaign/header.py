"""First line of a campaign's journal: what its values mean, and whether a campaign may go on."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from latentopt.errors import CampaignError, ConfigError
from latentopt.evaluation.objectives import resolve_objectives
from latentopt.runs.journal import FORMAT_VERSION
from latentopt.settings.campaign import CampaignConfig
from latentopt.settings.credentials import with_secrets_hidden
from latentopt.simulators.registry import SIMULATORS
from latentopt.version import __version__

# With another of these, what the journal holds would mean something else.
_FIXED = ("objective", "constraints", "score", "seed")
# And with another of these, its values would: they may change as long as there are none.
MEASURING = frozenset({"evaluate", "voxel_size_um", "periodic"})
_LONGEST, _BEFORE = 200, 80  # characters of a setting in a message, before the first difference
_PACKAGES = ("torch", "botorch", "ax-platform", "numpy")


def new_header(
    config: CampaignConfig, space_id: str, units: Mapping[str, str], boundary: Mapping[str, str]
) -> dict[str, Any]:
    """First event of a new campaign."""
    return {
        "kind": "campaign",
        "format_version": FORMAT_VERSION,
        "config": config.model_dump(mode="json"),
        "space_id": space_id,
        "units": dict(units),
        "boundary": dict(boundary),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {"latentopt": __version__} | {name: _version(name) for name in _PACKAGES},
    }


def changed_settings(
    events: Iterable[Mapping[str, Any]], config: CampaignConfig, space_id: str, folder: Path
) -> dict[str, Any]:
    """Settings in which a campaign that goes on differs from its journal: trials, batch and others.

    Raises
    ------
    CampaignError
        The journal is of another space or goal.
    """
    header, *others = events
    old, new = dict(header["config"]), config.model_dump(mode="json")
    for event in others:
        if event["kind"] == "settings":
            old |= event["config"]
    if header["space_id"] != space_id:
        raise _differs(folder, "space", header["space_id"], space_id)
    for name in _FIXED:
        if old[name] != new[name]:
            raise _differs(folder, name, old[name], new[name])
    if any(_has_values(event) for event in others):
        _require_same_measure(header, old, config, folder)
    _require_same_files(old.get("screen"), new["screen"], folder)
    was, now = old.get("simulate", []), new["simulate"]
    if [_meaning(spec) for spec in was] != [_meaning(spec) for spec in now]:
        raise _differs(folder, "simulate", was, now)
    return {name: new[name] for name in new if name not in _FIXED and old.get(name) != new[name]}


def _has_values(event: Mapping[str, Any]) -> bool:
    """Whether an event brought values of a structure."""
    if event["kind"] == "ask":  # old data come with their values
        return any("metrics" in point for point in event["trials"])
    return event["kind"] == "tell"


def _require_same_measure(
    header: Mapping[str, Any], old: Mapping[str, Any], config: CampaignConfig, folder: Path
) -> None:
    new = config.model_dump(mode="json")
    before = "boundary" not in header  # there was no grid, and rules depended on orientation
    if before and any(spec["kind"] == "manufacturability" for spec in old["evaluate"]):
        raise CampaignError(
            f"{folder}: holds margins of rules as an earlier version measured them, which depended "
            "on how an image was turned; those of this version would not compare. Give this "
            "campaign another folder; reports and exports of this one can still be made."
        )
    for name in sorted(MEASURING):
        was, now = old[name], new[name]
        if name == "evaluate":
            was = [_complete(_without_periodic(spec, header, config)) for spec in was]
        elif before and config.grid.is_cubic and config.periodic:
            continue  # before there was a grid all values were those of cubes that repeat
        if was != now:
            raise _differs(folder, name, was, now)
    if before and not (config.grid.is_cubic and config.periodic):
        raise CampaignError(
            f"{folder}: holds values that an earlier version computed as if voxels were cubes of "
            "structures that repeat; with these voxel_size_um and periodic they would mean "
            "something else. Give this campaign another folder."
        )


def _require_same_files(
    old: Mapping[str, Any] | None, new: Mapping[str, Any] | None, folder: Path
) -> None:
    """A screen may change; but its metrics would mix if a file of it changed under one name."""
    for was in (old or {}).get("evaluate", ()):
        for now in (new or {}).get("evaluate", ()):
            if was != now and {**was, "version": None} == {**now, "version": None}:
                raise _differs(folder, "screen", was, now)


def _without_periodic(
    spec: Mapping[str, Any], header: Mapping[str, Any], config: CampaignConfig
) -> Mapping[str, Any]:
    """Before there was a grid, each target said whether it repeats; that is the campaign's now."""
    before = "boundary" not in header and spec.get("kind") == "two_point_target"
    if before and spec.get("periodic") == config.periodic:
        return {name: value for name, value in spec.items() if name != "periodic"}
    return spec


def _complete(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    """The spec with defaults that newer versions added."""
    try:
        return resolve_objectives([spec])[1][0]
    except ConfigError:
        return spec


def _meaning(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the values of a simulator depend on: a longer timeout, say, does not matter."""
    try:
        return SIMULATORS[spec["kind"]].model_validate(dict(spec)).identity()
    except (KeyError, ValidationError):
        return spec


def _differs(folder: Path, name: str, was: object, now: object) -> CampaignError:
    was, now = (with_secrets_hidden(settings) for settings in (was, now))
    was, now = _excerpts(f"{was}", f"{now}")
    return CampaignError(
        f"{folder}: holds a campaign with {name} {was}, not {now}; give it {was} again, or give "
        "this one another folder."
    )


def _excerpts(was: str, now: str) -> list[str]:
    """Both texts, or where they are long, what there is from shortly before they differ."""
    same = next((k for k, (a, b) in enumerate(zip(was, now, strict=False)) if a != b), 0)
    start = max(0, same - _BEFORE) if max(len(was), len(now)) > _LONGEST else 0
    return [
        ("..." if start else "")
        + text[start : start + _LONGEST]
        + ("..." if len(text) > start + _LONGEST else "")
        for text in (was, now)
    ]


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
