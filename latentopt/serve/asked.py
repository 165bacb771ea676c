"""What requests hold, checked as they are read."""

from typing import Annotated, Any, Literal

from pydantic import Field

from objectives.settings import Settings

__all__ = [
    "ConfirmedRequest",
    "DecodeRequest",
    "ExportRequest",
    "GridRequest",
    "InterpolateRequest",
    "PointsRequest",
    "Refinement",
    "SampleRequest",
    "ScoreRequest",
    "TrialsRequest",
]

Number = Annotated[float, Field(allow_inf_nan=False)]
Point = Annotated[list[Number], Field(min_length=1, max_length=4096)]
Rows = Annotated[list[Point], Field(min_length=1, max_length=4096)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]


class PointsRequest(Settings):
    """Latent points."""

    z: Rows = Field(description="Latent points, a list of numbers each.")


class DecodeRequest(PointsRequest):
    """Points to be decoded."""

    phases: bool = Field(
        False,
        description="Whether JSON and NPY hold phases (n, *space) in place of the decoded images "
        "(n, c, *space) of values from 0 to 1. A PNG shows phases in colour, or without this the "
        "grey images.",
    )


class SampleRequest(Settings):
    """New points, of a class and with properties where the space knows any."""

    n: int = Field(1, ge=1, description="Number of points that are drawn.")
    seed: Seed = Field(0, description="Seed that fixes the points.")
    class_name: str | None = Field(None, max_length=200, description="Class they should be of.")
    properties: dict[Annotated[str, Field(max_length=200)], Number] = Field(
        default_factory=dict,
        max_length=16,
        description="Properties that they should have, by name.",
    )
    guidance: float = Field(
        1.0,
        ge=0,
        le=100,
        description="Above 1 holds to the wish more closely, and varies less.",
    )
    truncation: float = Field(
        1.0,
        gt=0,
        le=1,
        description="Below 1 moves points to their mean: fewer are unlikely, and they vary less.",
    )


class InterpolateRequest(Settings):
    """Points between two."""

    a: Point = Field(description="Latent point at the start.")
    b: Point = Field(description="Latent point at the end.")
    n: int = Field(9, ge=2, description="Number of points, both ends included.")
    how: Literal["linear", "slerp"] = Field(
        "linear",
        description='"linear" goes along a straight line, "slerp" along an arc on which the norm '
        "changes evenly.",
    )


class GridRequest(PointsRequest):
    """Points, and what a voxel of their structures measures."""

    voxel_size_um: float = Field(
        1.0, gt=1e-6, lt=1e6, description="Edge of a voxel in micrometres."
    )
    periodic: bool = Field(True, description="Whether the structures repeat along each axis.")


def _volume_fraction() -> list[str | dict[str, Any]]:
    return ["volume_fraction"]


class ScoreRequest(GridRequest):
    """Points to be scored."""

    objectives: list[str | dict[str, Any]] = Field(
        default_factory=_volume_fraction,
        min_length=1,
        max_length=8,
        description="Objectives as a campaign's `evaluate` has them, by name or with settings, of "
        "the kinds that a service allows.",
    )


class ConfirmedRequest(Settings):
    """Something that is done to a campaign."""

    confirm: str = Field(
        max_length=255,
        description="Name of the campaign once more, so that none is meant by chance.",
    )


class TrialsRequest(ConfirmedRequest):
    """A campaign that is to go on."""

    trials: int = Field(
        ge=1, le=10**6, description="Number of evaluations that the campaign should have in all."
    )


class Refinement(Settings):
    """How a structure is moved towards those that a diffusion model was trained on."""

    strength: float = Field(
        ge=0,
        le=1,
        description="Share of the noise that is added and taken away again. 0 changes nothing, 1 "
        "forgets the structure.",
    )
    seed: Seed = Field(0, description="Seed of that noise.")


class ExportRequest(GridRequest):
    """Points whose structures are to be written."""

    refine: Annotated[list[Refinement | None], Field(max_length=4096)] | None = Field(
        None,
        description="How the structure of each point is refined before it is written, as `refine` "
        "would answer it. null in the list leaves one as decoded, and no list all of them.",
    )

    format: str = Field(max_length=40, description="Format, by the name of an exporter.")
    phase_names: list[Annotated[str, Field(min_length=1, max_length=100)]] | None = Field(
        None, max_length=255, description="Name of each phase. null numbers them."
    )
