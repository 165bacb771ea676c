"""The routes of a space: points to structures and back, and what structures are like."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from fastapi import APIRouter, Header, Request, Response
from jaxtyping import Float64

from generative.data.grey.meaning import Grey
from latentopt.errors import EvaluationError
from latentopt.evaluation.objectives import fit_objectives, resolve_objectives
from latentopt.evaluation.scoring import evaluate_images
from latentopt.microstructure import to_phases
from latentopt.serve.answers import JSON, NPY, PNG, as_json, as_npy, as_png, form_of, rounded
from latentopt.serve.asked import (
    DecodeRequest,
    ExportRequest,
    GridRequest,
    InterpolateRequest,
    PointsRequest,
    SampleRequest,
    ScoreRequest,
)
from latentopt.serve.context import LARGE, Context
from latentopt.serve.exported import exported_zip, refining_model
from latentopt.serve.problems import Problem
from latentopt.serve.spaces import ServedSpace
from latentopt.serve.statistics import band_of, statistics_of
from latentopt.serve.uploads import decoded_images, images_of_body
from latentopt.training.sampling import sample_points
from objectives.errors import ConvergenceError
from objectives.grid import Grid
from objectives.phases import cut_phases

__all__ = ["SCORED", "space_router"]

# Objectives that read no file and import nothing: what a request may ask for.
SCORED = ("volume_fraction", "effective_conductivity", "effective_stiffness", "manufacturability")
IMPORTING = "training_distance"  # a rule whose score names a function, which would be imported


def space_router(context: Context) -> APIRouter:
    """Routes under ``/v1/spaces``."""
    router = APIRouter(prefix="/v1/spaces", tags=["spaces"])
    spaces = context.spaces
    band = lru_cache(maxsize=16)(_band)

    @router.get("")
    async def list_spaces() -> Response:
        """All spaces that are served."""
        return as_json([{**one.summary, **context.limits_of(one)} for one in spaces.values()])

    @router.get("/{space}")
    async def describe_space(space: str, request: Request) -> Response:
        """One space with its model card and the meaning of its control variables."""
        served = spaces.find(space)
        details = await context.compute(request, lambda: served.details)
        return as_json({**details, **context.limits_of(served)})

    @router.get("/{space}/reference")
    async def reference_points(
        space: str, accept: str | None = Header(None, include_in_schema=False)
    ) -> Response:
        """Points of training structures, ``{"z": ...}`` or an NPY file (m, d)."""
        served = spaces.find(space)
        return _points(np.asarray(served.space.reference_), form_of(accept, JSON, NPY))

    @router.get("/{space}/reference/classes")
    async def reference_classes(space: str) -> Response:
        """Class of each of these structures, a row of the class names; null where none is known."""
        known = spaces.find(space).space.reference_classes_
        if known is None:
            return as_json({"labels": None, "class_names": []})
        return as_json({"labels": known.labels.tolist(), "class_names": list(known.class_names)})

    @router.get("/{space}/map")
    async def map_of_data(space: str, request: Request) -> Response:
        """Training structures in the planes of principal axes and of structure scores; classes."""
        served = spaces.find(space)
        return _plain(await context.compute(request, lambda: served.map))

    @router.post("/{space}/map")
    async def place_points(space: str, asked: PointsRequest, request: Request) -> Response:
        """Points in the same planes, with their volume fraction and distance from the data.

        The label of each is that of the nearest training structure, -1 if that has none.
        """
        served = spaces.find(space)
        z = context.points(served, asked.z)
        return _plain(await context.compute(request, lambda: served.place(z)))

    @router.post("/{space}/decode")
    async def decode(
        space: str,
        asked: DecodeRequest,
        request: Request,
        accept: str | None = Header(None, include_in_schema=False),
    ) -> Response:
        """Structures of points, as JSON ``{"images": ...}``, NPY or PNG."""
        form, served = form_of(accept, JSON, NPY, PNG), spaces.find(space)
        images = await context.decode(request, served, context.points(served, asked.z))
        return await context.rendered(
            lambda: _images(images, form, phases=asked.phases),
            size=images.size if form == NPY else LARGE,
        )

    @router.post(
        "/{space}/encode",
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {"application/octet-stream": {"schema": {"type": "string"}}},
            }
        },
    )
    async def encode(
        space: str,
        request: Request,
        grey: Grey = "auto",
        axes: str | None = None,
        phases: bool = False,
        decoded: bool = False,
        accept: str | None = Header(None, include_in_schema=False),
    ) -> Response:
        """Points of the images of a file: PNG, TIFF, NPY, NPZ, HDF5, VTI and others.

        With `phases`, JSON holds the images as they were read, too, cut into phases (n, *space).
        With `decoded` the file is an NPY of images (n, c, *space) as `decode` answers them, which
        are taken as they are.
        """
        form, served = form_of(accept, JSON, NPY), spaces.find(space)
        if not served.space.encodes:
            raise Problem(422, "this space has no encoder, and was saved without inversion")
        if decoded and (grey != "auto" or axes is not None):
            raise Problem(
                422, "with decoded, images are taken as they are: leave out grey and axes"
            )
        body, shape, most = await request.body(), served.space.image_shape, context.limits.voxels

        def work() -> Any:
            if decoded:
                images = decoded_images(body, shape, most_voxels=most)
            else:
                images = images_of_body(body, shape, grey=grey, axes=axes, most_voxels=most)
            context.check_rows(served, len(images))
            return np.asarray(served.space.encode(images)), images

        z, images = await context.compute(request, work)
        if phases and form == JSON:
            return _plain({"z": z, "phases": to_phases(images)})
        return _points(z, form)

    @router.post("/{space}/sample")
    async def sample(
        space: str,
        asked: SampleRequest,
        request: Request,
        accept: str | None = Header(None, include_in_schema=False),
    ) -> Response:
        """New points, as JSON ``{"z": ...}`` or NPY; a PNG shows their structures."""
        form, served = form_of(accept, JSON, NPY, PNG), spaces.find(space)
        context.check_rows(served, asked.n)

        def work() -> Any:
            wish = asked.model_dump(exclude={"n"})
            return sample_points(served.space, asked.n, **wish).numpy()

        z = await context.compute(request, work)
        return await _shown(context, request, served, z, form)

    @router.post("/{space}/interpolate")
    async def interpolate(
        space: str,
        asked: InterpolateRequest,
        request: Request,
        accept: str | None = Header(None, include_in_schema=False),
    ) -> Response:
        """Points from one to another, both included, as `sample` answers."""
        form, served = form_of(accept, JSON, NPY, PNG), spaces.find(space)
        context.check_rows(served, asked.n)
        a, b = context.points(served, [asked.a, asked.b])
        try:
            z = served.space.interpolate(a, b, asked.n, asked.how)
        except ValueError as error:
            raise Problem(422, str(error)) from None
        return await _shown(context, request, served, z, form)

    @router.post("/{space}/statistics")
    async def statistics(space: str, asked: GridRequest, request: Request) -> Response:
        """Two-point statistics, lineal path, fraction and interface, beside the band of the data.

        Shifts are in voxels.
        """
        served = spaces.find(space)
        z = context.points(served, asked.z)

        def work() -> Any:
            found = statistics_of(torch.from_numpy(served.space.decode(z)), periodic=asked.periodic)
            numbers = {name: values.numpy() for name, values in found.items()}
            return {**numbers, "data": band(served.space, asked.periodic)}

        return _plain(await context.compute(request, work))

    @router.post("/{space}/score")
    async def score(space: str, asked: ScoreRequest, request: Request) -> Response:
        """Values of objectives by row, or why a row has none."""
        served = spaces.find(space)
        z = context.points(served, asked.z)
        named = [{"kind": one} if isinstance(one, str) else one for one in asked.objectives]
        for i, spec in enumerate(named):
            if spec.get("kind") not in SCORED:
                raise Problem(
                    422, f"objectives[{i}].kind: a service scores by one of {', '.join(SCORED)}"
                )
            if _imports(spec):
                raise Problem(422, f"objectives[{i}].rules: a service has no {IMPORTING}")
        objectives, specs = resolve_objectives(named, "objectives")
        objectives, _ = fit_objectives(objectives, specs, served.space.image_shape, "objectives")
        grid = Grid(asked.voxel_size_um, asked.periodic)
        rows = [  # row by row: others are served in between, and what nobody waits for is left out
            await context.compute(request, _scored(served.space, point, objectives, grid))
            for point in z
        ]
        units = {name: unit for one in objectives for name, unit in one.units.items()}
        return as_json({"rows": rows, "units": units})

    @router.post("/{space}/refine")
    async def refine(
        space: str,
        asked: DecodeRequest,
        request: Request,
        strength: float = 0.3,
        seed: int = 0,
        accept: str | None = Header(None, include_in_schema=False),
    ) -> Response:
        """Structures of points, moved towards those the model was trained on (of a diffusion)."""
        form, served = form_of(accept, JSON, NPY, PNG), spaces.find(space)
        model = refining_model(served)
        if not 0 <= strength <= 1 or not 0 <= seed < 2**63:
            raise Problem(422, "strength should be from 0 to 1, and seed 0 or more")
        z = context.points(served, asked.z)

        def work() -> Any:
            with torch.no_grad():
                images = torch.from_numpy(served.space.decode(z))
                return model.refine(images, strength, seed=seed).float().numpy()

        images = await context.compute(request, work)
        return await context.rendered(lambda: _images(images, form, phases=asked.phases))

    @router.post("/{space}/export")
    async def export(space: str, asked: ExportRequest, request: Request) -> Response:
        """Structures of points in a simulator's format, each with its sidecar, in a ZIP file."""
        served = spaces.find(space)
        z = context.points(served, asked.z)
        content = await context.compute(request, lambda: exported_zip(served, z, asked))
        name = f"latentopt-{served.id}-{asked.format}.zip"
        return Response(
            content,
            media_type="application/zip",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )

    return router


async def _shown(
    context: Context,
    request: Request,
    served: ServedSpace,
    z: Float64[np.ndarray, "n d"],
    form: str,
) -> Response:
    """Points, or a picture of their structures."""
    if form != PNG:
        return _points(z, form)
    images = await context.decode(request, served, z)
    return await context.rendered(lambda: as_png(images))


def _band(space: Any, periodic: bool) -> dict[str, Any] | None:
    found = band_of(space, periodic=periodic)
    return None if found is None else {name: values.numpy() for name, values in found.items()}


def _imports(spec: dict[str, Any]) -> bool:
    """Whether the rules of an objective name code to run."""
    rules = spec.get("rules")
    return isinstance(rules, list) and any(
        isinstance(rule, dict) and rule.get("kind") == IMPORTING for rule in rules
    )


def _scored(space: Any, point: np.ndarray, objectives: Any, grid: Grid) -> Callable[[], Any]:
    """The work for one row."""

    def work() -> dict[str, Any]:
        with torch.no_grad():
            image = cut_phases(space.decode(torch.from_numpy(point)[None]))
        try:
            return {"metrics": evaluate_images(objectives, image, grid=grid)}
        except (EvaluationError, ConvergenceError) as error:
            return {"metrics": {}, "problem": str(error)}

    return work


def _images(images: np.ndarray, form: str, *, phases: bool) -> Response:
    if form == PNG:
        return as_png(images, grey=not phases)
    if phases:
        labels = to_phases(images)
        return as_npy(labels) if form == NPY else as_json({"phases": labels.tolist()})
    return as_npy(images) if form == NPY else as_json({"images": rounded(images)})


def _points(z: Float64[np.ndarray, "n d"], form: str) -> Response:
    return as_npy(z) if form == NPY else as_json({"z": z.tolist()})


def _plain(found: Any) -> Response:
    """Arrays of a dictionary as lists."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: plain(one) for name, one in value.items()}
        return value.tolist() if isinstance(value, np.ndarray) else value

    return as_json(plain(found))
