"""Jobs: a service as the simulator of a campaign (`latentopt.simulators.http_service`).

A job is the content of ``task.json`` with the files of its structure. It is evaluated by
objectives; its answer is what a simulator writes into ``result.json``.
"""

import asyncio
import hashlib
import json
import logging
import math
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import torch
from fastapi import APIRouter, Header, Response

from latentopt.errors import ConfigError, EvaluationError, ExportError
from latentopt.evaluation.objective import Objective
from latentopt.evaluation.objectives import build_objectives, fit_objectives
from latentopt.evaluation.scoring import evaluate_images
from latentopt.microstructure import to_images
from latentopt.printable import one_line
from latentopt.serve.answers import as_json
from latentopt.serve.context import Context
from latentopt.serve.job_files import Submission, Task, phases_of
from latentopt.serve.problems import Problem
from latentopt.serve.work import Busy
from objectives.errors import ConvergenceError
from objectives.grid import Grid

__all__ = ["job_router"]

_log = logging.getLogger(__name__)
# Objectives whose defaults measure something on any structure, by which jobs are evaluated.
OURS = ("volume_fraction", "effective_conductivity", "effective_stiffness")


@dataclass(eq=False)
class Job:
    """A job, the digest of what it asks for, and what became of it."""

    content: str
    state: str = "queued"
    result: Mapping[str, Any] | None = None
    doing: "asyncio.Task[None] | None" = None


class Jobs:
    """The jobs of a service, in memory: one that is lost with it is submitted again.

    Parameters
    ----------
    context
        Computes.
    evaluate
        Objectives; None takes those of ours that have the metrics asked for.
    """

    def __init__(self, context: Context, evaluate: Iterable[Any] | None) -> None:
        self.context = context
        self.objectives = None if evaluate is None else build_objectives(evaluate)
        self._jobs: OrderedDict[str, Job] = OrderedDict()

    def submit(self, asked: Submission, key: str | None) -> str:
        """Id of a new job, or of the one that was submitted with the same key.

        A `Problem` (422) says that the other one was of something else.
        """
        check_size(asked.task, self.context.limits.job_voxels)
        text = json.dumps(asked.model_dump())
        content = hashlib.sha256(text.encode()).hexdigest()
        id = content[:32] if key is None else hashlib.sha256(key.encode()).hexdigest()[:32]
        if (known := self._jobs.get(id)) is not None:
            if known.content != content:
                raise Problem(422, "this Idempotency-Key was sent with another job; send another")
            return id
        self._make_room()
        job = self._jobs[id] = Job(content)
        job.doing = asyncio.create_task(self._run(job, asked))
        return id

    def find(self, id: str) -> Job:
        """A job; a `Problem` (404) if there is none."""
        if id not in self._jobs:
            raise Problem(404, "there is no such job; submit it again")
        return self._jobs[id]

    def _make_room(self) -> None:
        ended = [id for id, job in self._jobs.items() if job.result is not None]
        for id in ended[: len(self._jobs) - self.context.limits.jobs + 1]:
            del self._jobs[id]
        if len(self._jobs) >= self.context.limits.jobs:
            raise Busy

    async def _run(self, job: Job, asked: Submission) -> None:
        def work() -> Mapping[str, Any]:
            job.state = "running"
            return evaluated(asked, self.objectives)

        try:
            job.result = await self.context.job_work.call(work)
        except Busy:
            job.result = {"state": "lost", "metrics": {}, "message": "too many requests wait"}
        except Exception:
            _log.exception("a job failed")
            job.result = {"state": "crashed", "metrics": {}, "message": "the service failed"}


def job_router(context: Context, evaluate: Iterable[Any] | None) -> APIRouter:
    """Routes under ``/v1/jobs``."""
    router = APIRouter(prefix="/v1/jobs", tags=["jobs"])
    jobs = Jobs(context, evaluate)

    @router.post("")
    async def submit_job(
        asked: Submission, idempotency_key: Annotated[str | None, Header(max_length=200)] = None
    ) -> Response:
        """Submit a structure; its id is answered at once, and the same for the same key."""
        return as_json({"job": jobs.submit(asked, idempotency_key)})

    @router.get("/{job}")
    async def result_of_job(job: str) -> Response:
        """What became of a job: ``queued``, ``running``, or its result."""
        found = jobs.find(job)
        return as_json(found.result or {"state": found.state})

    return router


def evaluated(asked: Submission, objectives: Iterable[Objective] | None) -> dict[str, Any]:
    """The result of a job, as ``result.json`` has it."""
    task = asked.task
    try:
        phases = phases_of(asked)
        count = len(task.phases)
        images = torch.from_numpy(to_images(phases[None], channels=1 if count <= 2 else count))
        shape = tuple(images.shape[1:])
        chosen = objectives_for(task.metrics) if objectives is None else tuple(objectives)
        specs = [{"kind": "python"}] * len(chosen)
        chosen, _ = fit_objectives(chosen, specs, shape, "evaluate")
        found = evaluate_images(chosen, images, grid=grid_of(task))
    except ConvergenceError as error:
        return _failed("crashed", error)
    except EvaluationError as error:
        return _failed(error.state, error)
    except (ConfigError, ExportError, Problem, ValueError) as error:
        return _failed("invalid", error)
    if missing := [name for name in task.metrics if name not in found]:
        return _failed("invalid", f"metric {missing[0]} is none that this service evaluates")
    names = task.metrics or list(found)
    return {"state": "ok", "metrics": {name: float(found[name]) for name in names}, "message": ""}


def objectives_for(metrics: Iterable[str]) -> tuple[Objective, ...]:
    """Objectives of ours, with their defaults, that have some of the metrics."""
    wanted = set(metrics)
    ours = build_objectives(OURS)
    return tuple(one for one in ours if not wanted or wanted & set(one.units)) or ours[:1]


def check_size(task: Task, most: int) -> None:
    """Refuse a structure with more than `most` voxels in all channels (a `Problem`)."""
    count = len(task.phases)
    voxels = math.prod(task.shape) * (1 if count <= 2 else count)
    if voxels > most:
        raise Problem(422, f"a job has {most} voxels in all channels at most, got {voxels}")


def grid_of(task: Task) -> Grid:
    """What a voxel measures, and whether the structure repeats; a `Problem` if it cannot be."""
    axes = task.axes
    if set(task.voxel_size) != set(axes) or set(task.periodic) != set(axes):
        raise Problem(422, f"voxel_size and periodic should have a value for each of {axes}")
    if len({task.periodic[axis] for axis in axes}) > 1:
        raise Problem(422, "structures should repeat along all axes or none")
    edges = tuple(float(f"{1e6 * task.voxel_size[axis]:.12g}") for axis in axes)
    cubic = len(set(edges)) == 1
    return Grid(edges[0] if cubic else edges, task.periodic[axes[0]])


def _failed(state: str, problem: object) -> dict[str, Any]:
    return {"state": state, "metrics": {}, "message": one_line(problem)}
