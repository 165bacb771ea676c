"""The routes of campaigns: what they have found, and what is new, as they run.

Nothing in their folders is changed, unless the service may tell campaigns to end or to go on.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from functools import partial
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
from latentopt.runs.run import Run
from latentopt.runs.status import status_of
from latentopt.runs.trial import Trial
from latentopt.serve.answers import NPY, PNG, as_json, as_npy, form_of
from latentopt.serve.asked import ConfirmedRequest, TrialsRequest
from latentopt.serve.context import Context
from latentopt.serve.control import Control
from latentopt.serve.problems import Problem
from latentopt.serve.run_model import model_of
from latentopt.serve.watched_runs import Runs, without

__all__ = ["run_router"]

LOOK_S = 0.5  # from one look at a journal to the next
STREAMS = 32  # that are open at a time
Journal = Annotated[str | None, Query(max_length=64)]


def run_router(context: Context) -> APIRouter:
    """Routes under ``/v1/runs``."""
    router = APIRouter(prefix="/v1/runs", tags=["runs"])
    runs = Runs(context.runs)
    control = context.control

    @router.get("")
    async def list_runs() -> Response:
        """Names of the campaigns."""
        return as_json([{"id": id} for id in await asyncio.to_thread(runs.ids)])

    @router.get("/{run}")
    async def read_run(
        run: str,
        since: Annotated[int, Query(ge=0)] = 0,
        journal: Journal = None,
        points: bool = False,
    ) -> Response:
        """A campaign: its status, and the trials that changed since so many events.

        `journal`, as it was told, says of which campaign these events were: of another one that
        has the same name by now all trials are told.
        """
        found, events = await runs.look(run)
        since = _known_of(events, since, journal)
        return as_json(await asyncio.to_thread(_told, control, found, events, since, points))

    @router.get("/{run}/events")
    async def follow_run(
        run: str,
        since: Annotated[int, Query(ge=0)] = 0,
        journal: Journal = None,
        points: bool = False,
        last_event_id: Annotated[str | None, Header(max_length=20)] = None,
    ) -> Response:
        """The same as server-sent events, each time something has happened."""
        if last_event_id is not None and last_event_id.isdecimal():
            since = int(last_event_id)
        await runs.look(run)
        if runs.streams >= STREAMS:
            raise Problem(429, "too many watch already; ask for /v1/runs/{run} now and then")
        return StreamingResponse(
            _stream(runs, control, run, since, journal, points), media_type="text/event-stream"
        )

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

    @router.get("/{run}/model")
    async def model_of_run(run: str, request: Request) -> Response:
        """What its strategy's model has learned: predictions of known values, and inputs.

        The space that is searched has to be served. It may take some seconds.
        """
        found, events = await runs.look(run)
        served = context.spaces.get(found.retrained[-1][0] if found.retrained else found.space_id)
        space = None if served is None else served.space
        fit = partial(model_of, found, events, space)
        return as_json(await context.compute_apart(request, fit))

    @router.post("/{run}/drain")
    async def drain_run(run: str, asked: ConfirmedRequest) -> Response:
        """Have the process that runs it finish what is under way, and end."""
        allowed, folder = await _confirmed(control, runs, run, asked)
        try:
            process = await asyncio.to_thread(allowed.drain, folder)
        except CampaignError as error:
            raise Problem(409, one_line(error)) from None
        return as_json({"told": process})

    @router.post("/{run}/trials")
    async def ask_for_trials(run: str, asked: TrialsRequest) -> Response:
        """Start a process that goes on until the campaign has so many trials in all."""
        allowed, folder = await _confirmed(control, runs, run, asked)
        found, _ = await runs.look(run)
        if asked.trials <= found.config.trials - found.evaluations_left:
            raise Problem(422, "trials: so many are evaluated already; ask for more in all")
        try:
            await asyncio.to_thread(allowed.go_on, folder, asked.trials)
        except CampaignError as error:
            raise Problem(409, one_line(error)) from None
        return as_json({"trials": asked.trials})

    return router


async def _confirmed(
    control: Control | None, runs: Runs, id: str, asked: ConfirmedRequest
) -> tuple[Control, Path]:
    """What may tell a campaign, and its folder, if the request repeats the campaign's name."""
    if control is None:
        raise Problem(403, "start the service with --control to tell campaigns from here")
    found, _ = await runs.look(id)
    if asked.confirm != id:
        raise Problem(422, "confirm: should be the name of the campaign")
    return control, found.folder


async def _stream(
    runs: Runs, control: Control | None, id: str, since: int, journal: str | None, points: bool
) -> AsyncIterator[bytes]:
    """Events of a campaign as they come; a comment now and then keeps the connection open."""
    runs.streams += 1
    last, silent = None, 0.0
    try:
        while True:
            try:
                run, events = await runs.look(id)
            except Problem as problem:
                yield b"event: problem\ndata: " + to_json({"detail": problem.reason}) + b"\n\n"
                return
            told = None
            since, journal = _known_of(events, since, journal), _journal_of(events)
            status = await asyncio.to_thread(status_of, run, events)
            now = status.driver, control and control.problem(run.folder)
            if len(events) > since or now != last:
                told = await asyncio.to_thread(_told, control, run, events, since, points)
                since, last = len(events), now
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


def _journal_of(events: list[Any]) -> str:
    """What tells the journal of a campaign from that of another one under the same name."""
    return hashlib.sha256(to_json(events[0])).hexdigest()[:16]


def _known_of(events: list[Any], since: int, journal: str | None) -> int:
    """Events of this journal that a client knows: none if those were of another one."""
    other = journal is not None and journal != _journal_of(events)
    return 0 if other or since > len(events) else since


def _told(
    control: Control | None, run: Run, events: list[Any], since: int, points: bool
) -> dict[str, Any]:
    """Status, and the trials that events from `since` on have changed."""
    status = status_of(run, events).as_data()
    del status["folder"]  # where it lies is nobody's business
    changed = _changed(run, events[since:])
    return {
        "events": len(events),
        "journal": _journal_of(events),
        "control": control is not None,
        "problem": None if control is None else control.problem(run.folder),
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
