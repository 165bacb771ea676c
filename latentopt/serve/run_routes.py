"""The routes of campaigns: what they have found, and what is new, as they run.

Nothing in their folders is changed.
"""

import asyncio
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Header, Query, Request, Response
from fastapi import Path as PathParameter
from fastapi.responses import StreamingResponse
from pydantic_core import to_json

from latentopt.errors import CampaignError
from latentopt.pictures import structure_png
from latentopt.printable import one_line
from latentopt.runs.journal_lock import JOURNAL
from latentopt.runs.run import Run
from latentopt.runs.status import status_of
from latentopt.runs.trial import Trial
from latentopt.serve.answers import NPY, PNG, as_json, as_npy, form_of
from latentopt.serve.context import Context
from latentopt.serve.following import Followed
from latentopt.serve.problems import Problem

__all__ = ["run_router"]

LOOK_S = 0.5  # from one look at a journal to the next
STREAMS = 32  # that are open at a time


@dataclass(eq=False)
class Watched:
    """A campaign, and who looks at it: one at a time."""

    followed: Followed
    lock: threading.Lock = field(default_factory=threading.Lock)

    def look(self) -> tuple[Run, list[Any]]:
        """The campaign and its events; the thread holds the lock, also if nobody waits for it."""
        with self.lock:
            return self.followed.run(), list(self.followed.events)


class Runs:
    """The campaigns of a folder, by the names of their folders.

    Parameters
    ----------
    folder
        Of one campaign or of several; None if none are shown.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.streams = 0
        self._watched: dict[str, Watched] = {}

    def ids(self) -> list[str]:
        """Those that are there now: a folder that has a journal."""
        return sorted(self._folders())

    async def look(self, id: str) -> tuple[Run, list[Any]]:
        """A campaign and its events, as they are now.

        Raises
        ------
        Problem
            (404.) There is none of this name, or (409) its journal is damaged.
        """
        folders = await asyncio.to_thread(self._folders)
        if id not in folders:  # it is looked for among those that are there, and no path is made
            raise Problem(404, "there is no campaign of this name; GET /v1/runs lists them")
        watched = self._watched.setdefault(id, Watched(Followed(folders[id])))
        try:
            return await asyncio.to_thread(watched.look)
        except CampaignError as error:
            raise Problem(409, without(folders[id], error)) from None

    def _folders(self) -> dict[str, Path]:
        if self.folder is None:
            return {}
        if (self.folder / JOURNAL).is_file():
            name = self.folder.resolve().name
            return {name if name and is_text(name) else "campaign": self.folder}
        try:
            inside = [one for one in self.folder.iterdir() if (one / JOURNAL).is_file()]
        except OSError:
            return {}
        # One whose name is no text (not UTF-8) cannot be named in JSON.
        return {one.name: one for one in inside if is_text(one.name)}


def without(folder: Path, error: Exception) -> str:
    """What is wrong with a campaign, without the place where it lies."""
    return one_line(str(error).replace(str(folder), folder.name or "the campaign"))


def is_text(name: str) -> bool:
    """Whether a name can be written in UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def run_router(context: Context) -> APIRouter:
    """Routes under ``/v1/runs``."""
    router = APIRouter(prefix="/v1/runs", tags=["runs"])
    runs = Runs(context.runs)

    @router.get("")
    async def list_runs() -> Response:
        """Names of the campaigns."""
        return as_json([{"id": id} for id in await asyncio.to_thread(runs.ids)])

    @router.get("/{run}")
    async def read_run(
        run: str, since: Annotated[int, Query(ge=0)] = 0, points: bool = False
    ) -> Response:
        """A campaign: its status, and the trials that changed since so many events."""
        found, events = await runs.look(run)
        return as_json(
            await asyncio.to_thread(_told, found, events, min(since, len(events)), points)
        )

    @router.get("/{run}/events")
    async def follow_run(
        run: str,
        since: Annotated[int, Query(ge=0)] = 0,
        last_event_id: Annotated[str | None, Header(max_length=20)] = None,
    ) -> Response:
        """The same as server-sent events, each time something has happened."""
        if last_event_id is not None and last_event_id.isdecimal():
            since = int(last_event_id)
        await runs.look(run)
        if runs.streams >= STREAMS:
            raise Problem(429, "too many watch already; ask for /v1/runs/{run} now and then")
        return StreamingResponse(_stream(runs, run, since), media_type="text/event-stream")

    @router.get("/{run}/trials/{trial}/structure")
    async def structure_of_trial(
        run: str,
        trial: Annotated[int, PathParameter(ge=0)],
        request: Request,
        accept: str | None = Header(None, include_in_schema=False),
    ) -> Response:
        """The structure of a trial, as a PNG or as phases in an NPY file."""
        form = form_of(accept, PNG, NPY)
        found, _ = await runs.look(run)
        one = next((t for t in found.trials if t.index == trial), None)
        if one is None:
            raise Problem(404, "the campaign has no such trial")
        try:
            phases = await asyncio.to_thread(found.structure, one)
        except CampaignError as error:
            raise Problem(409, without(found.folder, error)) from None
        if form == NPY:
            return as_npy(phases)
        picture = await context.rendered(lambda: structure_png(phases))
        return Response(picture, media_type=PNG)

    return router


async def _stream(runs: Runs, id: str, since: int) -> AsyncIterator[bytes]:
    """Events of a campaign as they come; a comment now and then keeps the connection open."""
    runs.streams += 1
    driver, silent = object(), 0.0
    try:
        while True:
            try:
                run, events = await runs.look(id)
            except Problem as problem:
                yield b"event: problem\ndata: " + to_json({"detail": problem.reason}) + b"\n\n"
                return
            told = None
            since = min(since, len(events))
            status = await asyncio.to_thread(status_of, run, events)
            if len(events) > since or status.driver != driver:
                told = await asyncio.to_thread(_told, run, events, since, False)
                since, driver = len(events), status.driver
            if told is not None:
                data = to_json(told, inf_nan_mode="null")
                yield b"id: %d\nevent: run\ndata: %s\n\n" % (since, data)
                silent = 0.0
            elif silent > 10:
                yield b": nothing new\n\n"
                silent = 0.0
            await asyncio.sleep(LOOK_S)
            silent += LOOK_S
    finally:
        runs.streams -= 1


def _told(run: Run, events: list[Any], since: int, points: bool) -> dict[str, Any]:
    """Status, and the trials that events from `since` on have changed."""
    status = status_of(run, events).as_data()
    del status["folder"]  # where it lies is nobody's business
    changed = _changed(run, events[since:])
    return {
        "events": len(events),
        "space_id": run.retrained[-1][0] if run.retrained else run.space_id,
        "units": dict(run.units),
        "phase_names": run.config.phase_names,
        "status": status,
        "front": [t.index for t in run.pareto()] if len(run.config.goal.objectives) > 1 else [],
        "trials": [_trial(run, t, points) for t in run.trials if t.index in changed],
    }


def _changed(run: Run, events: list[Any]) -> set[int]:
    """Indices of trials that events change, with those that take over their results."""
    changed: set[int] = set()
    for event in events:
        match event["kind"]:
            case "ask":
                changed |= {point["index"] for point in event["trials"]}
            case "retry":
                changed |= set(event["trials"])
            case "tell" | "fail" | "structure":
                changed.add(event["trial"])
            case "space" | "settings":  # values and margins of all may be others
                return {trial.index for trial in run.trials}
    return changed | {t.index for t in run.trials if t.same_as in changed}


def _trial(run: Run, trial: Trial, points: bool) -> dict[str, Any]:
    completed = trial.status == "completed"
    return {
        "index": trial.index,
        "status": trial.status,
        "strategy": trial.strategy,
        "seconds": trial.seconds,
        "state": trial.state,
        "reason": trial.reason,
        "metrics": dict(trial.metrics),
        "sem": dict(trial.sem),
        "values": list(run.objectives(trial)) if completed else None,
        "margins": run.margins(trial) if completed else {},
        "feasible": run.is_feasible(trial) if completed else None,
        "same_as": trial.same_as,
        **({"z": np.asarray(trial.point).tolist()} if points else {}),
    }
