"""Numbers of a spectrum as an objective: distance to a curve, band integrals, place of a peak."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import torch
from jaxtyping import Float, Float64
from pydantic import BeforeValidator, Field, model_validator
from torch import Tensor

from objectives.errors import EvaluationError
from objectives.grid import Grid
from objectives.homogenize.boundary import boundary_of
from objectives.images import checked_images
from objectives.settings import Settings
from objectives.spectral.contrasts import checked_properties
from objectives.spectral.curve_files import read_curve
from objectives.spectral.curves import (
    band_integral,
    check_band,
    checked_axis,
    checked_curve,
    distance_to_curve,
    peak,
)
from objectives.spectral.dispersion import Law
from objectives.spectral.spectrum import effective_spectrum
from objectives.spectral.two_phases import AXES, checked_scheme, require_two_phases

Band = tuple[float, float]


def _as_law(phase: Any) -> Any:
    """A number is a constant."""
    is_number = isinstance(phase, int | float) and not isinstance(phase, bool)
    return {"kind": "constant", "real": phase} if is_number else phase


class AxisRange(Settings):
    """Points of an axis from start to stop, both included."""

    start: float = Field(description="First point of the axis, in its unit.")
    stop: float = Field(description="Last point of the axis, above the first.")
    points: int = Field(
        default=64,
        ge=2,
        le=10000,
        description="Number of points of the axis, both ends among them.",
    )
    spacing: Literal["linear", "log"] = Field(
        default="linear", description="Equal steps (linear), or equal ratios (log)."
    )

    @model_validator(mode="after")
    def _rises(self) -> "AxisRange":
        if not self.start < self.stop:
            raise ValueError(f"stop should be above start, got {self.start:g} to {self.stop:g}")
        if self.spacing == "log" and self.start <= 0:
            raise ValueError(f"spacing: log needs a start above 0, got {self.start:g}")
        return self

    def values(self) -> list[float]:
        """The points."""
        if self.spacing == "linear":
            return torch.linspace(self.start, self.stop, self.points, dtype=torch.float64).tolist()
        ends = torch.tensor([self.start, self.stop], dtype=torch.float64).log()
        inner = torch.linspace(float(ends[0]), float(ends[1]), self.points, dtype=torch.float64)
        return [self.start, *inner[1:-1].exp().tolist(), self.stop]


class EffectiveSpectrum(Settings):
    """Numbers of the effective property over an axis of frequencies or contrasts; differentiable.

    The whole curve costs about what one contrast does (`objectives.spectral.effective_spectrum`,
    whose errors and boundary condition these are). ``spectrum_error`` is the largest part by which
    a value of the property on the curve may be wrong.

    >>> layers = torch.tensor([[[[0.0, 0.0], [1.0, 1.0]]]])
    >>> curve = EffectiveSpectrum(
    ...     phases=(1, {"kind": "axis"}), axis=(1, 2, 3), along="x", target=(1, 1.5, 2)
    ... )
    >>> round(curve(layers)["distance_to_curve"].item(), 6)
    0.0
    """

    errors: ClassVar[tuple[str, ...]] = ("spectrum_error",)  # values that tell of the others

    kind: Literal["effective_spectrum"] = "effective_spectrum"
    phases: tuple[
        Annotated[Law, BeforeValidator(_as_law)], Annotated[Law, BeforeValidator(_as_law)]
    ] = Field(
        description="Property (permittivity, conductivity) of phase 0 and of phase 1 along the "
        "axis: a number, or a law: constant, axis, table, drude, lorentz or debye."
    )
    axis: tuple[float, ...] | AxisRange | None = Field(
        default=None,
        description="Points of the axis, from low to high: numbers, or start, stop, points and "
        "spacing. null takes those of the target's file.",
    )
    axis_unit: str = Field(default="1", description="Name of the unit of the axis.")
    unit: str = Field(
        default="1", description="Name of the unit of the property. Nothing is converted."
    )
    quantity: Literal["real", "imag", "absolute", "energy_loss"] = Field(
        default="real",
        description="What the curve is: real part, imaginary part or absolute value of the "
        "effective property, or the energy loss function -Im(1 / property).",
    )
    along: Literal["x", "y", "z", "mean"] = Field(
        default="x",
        description="Axis of the images along which the property is taken; mean is the mean of "
        "the property over all axes.",
    )
    target: Path | tuple[float, ...] | None = Field(
        default=None,
        description="Curve for distance_to_curve: one number a point, or a CSV file with the "
        "axis and the curve as its columns. null computes no distance.",
    )
    bands: Mapping[str, Band] = Field(
        default={},
        description="Bands of the axis by name, each from low to high. The value of that name is "
        "the integral of the curve over the band.",
    )
    peak: Band | None = Field(
        default=None,
        description="Band of the axis, from low to high, in which the highest point of the curve "
        "is peak_place and peak_height. null computes no peak.",
    )
    prefix: str = Field(
        default="",
        pattern=r"^\w*$",
        description="Text in front of every name, which keeps two curves of one campaign apart.",
    )
    scheme: Literal["q1", "rot"] | None = Field(
        default=None,
        description='Discretization of the voxel grid, as of effective_conductivity: "q1" or '
        '"rot". null takes rot in 2-D and q1 in 3-D.',
    )
    tol: float = Field(
        default=1e-4,
        gt=0,
        lt=1,
        description="Relative error of the property, at every point of the axis, at which the "
        "solver stops. spectrum_error is its bound.",
    )
    max_steps: int = Field(
        default=1000, ge=1, description="Steps of the solver after which a structure fails."
    )

    @model_validator(mode="after")
    def _is_a_curve(self) -> "EffectiveSpectrum":
        """Refuse what can be on no axis now; keep the numbers of files, which may change."""
        if self.target is None and not self.bands and self.peak is None:
            raise ValueError("no value is asked for; give a target, bands or a peak")
        axis, target = _axis_and_target(self.axis, self.target)
        object.__setattr__(self, "axis", axis)
        object.__setattr__(self, "target", target)
        points = self._points()
        if target is not None:
            distance_to_curve(
                checked_curve(target, points)[None], points, points.new_tensor(target)
            )
        for name, band in self._bands().items():
            _named(name, check_band, points, band)
        clashes = sorted({"distance_to_curve", "peak_place", "peak_height"} & self.bands.keys())
        clashes += [name for name in self.bands if not name.isidentifier()]
        if clashes or "spectrum_error" in self.bands:
            name = clashes[0] if clashes else "spectrum_error"
            raise ValueError(f"bands: {name!r} is no name that a band can have; give another")
        checked_properties(self._properties())
        return self

    def for_images(self, shape: tuple[int, ...]) -> "EffectiveSpectrum":
        """This objective for images of shape (c, *space), with the scheme they have by default.

        Raises
        ------
        EvaluationError
            (A ``ValueError``.) They have more than two phases, or no such axis.
        """
        require_two_phases(shape[0])
        dim = len(shape) - 1
        self._axes(dim)
        return self.model_copy(update={"scheme": checked_scheme(self.scheme, dim)})

    @property
    def units(self) -> dict[str, str]:
        """Units of the values that are asked for."""
        unit = self.unit
        if self.quantity == "energy_loss" and unit != "1":
            unit = f"1/({unit})"
        over = " ".join(part for part in (unit, self.axis_unit) if part != "1") or "1"
        units = {} if self.target is None else {"distance_to_curve": "1"}
        units |= dict.fromkeys(self.bands, over)
        if self.peak is not None:
            units |= {"peak_place": self.axis_unit, "peak_height": unit}
        units["spectrum_error"] = "1"
        return {f"{self.prefix}{name}": unit for name, unit in units.items()}

    def boundary(self, grid: Grid) -> str:
        """Boundary condition of the values: ``periodic`` or ``mirrored``."""
        return boundary_of(grid)

    def curve(
        self, images: Float[Tensor, "n c *space"], grid: Grid | None = None
    ) -> tuple[Float64[Tensor, "n points"], Float64[Tensor, "n"]]:
        """The curve of every image, and the largest relative error of the property on it."""
        x = checked_images(images)
        found = effective_spectrum(
            x,
            self._properties(),
            axes=self._axes(x.ndim - 2),
            grid=grid,
            scheme=self.scheme,
            tol=self.tol,
            max_steps=self.max_steps,
        )
        values = found.values.mean(1)  # of one axis, or of all
        return _quantity(values, self.quantity), found.error.flatten(1).amax(1)

    def __call__(
        self, images: Float[Tensor, "n c *space"], grid: Grid | None = None
    ) -> dict[str, Float64[Tensor, "n"]]:
        """The values that are asked for, on a periodic grid of cubes unless given.

        Raises
        ------
        EvaluationError
            (A ``ValueError``.) The images are not images, or not of two phases.
        ConvergenceError
            An image needs more steps.
        """
        curves, error = self.curve(images, grid)
        axis, values = self._points().to(curves.device), {}
        if self.target is not None:
            target = axis.new_tensor(self.target)
            values["distance_to_curve"] = distance_to_curve(curves, axis, target)
        values |= {name: band_integral(curves, axis, band) for name, band in self.bands.items()}
        if self.peak is not None:
            values["peak_place"], values["peak_height"] = peak(curves, axis, self.peak)
        values["spectrum_error"] = error
        return {f"{self.prefix}{name}": value for name, value in values.items()}

    def _points(self) -> Float64[Tensor, "points"]:
        return checked_axis(self.axis)

    def _bands(self) -> dict[str, Band]:
        bands = {f"bands.{name}": band for name, band in self.bands.items()}
        return bands if self.peak is None else bands | {"peak": self.peak}

    def _properties(self) -> list[Tensor]:
        return [law.along(self._points()) for law in self.phases]

    def _axes(self, dim: int) -> tuple[str, ...]:
        if self.along != "mean" and self.along not in AXES[dim]:
            raise EvaluationError(
                f"effective_spectrum: along should be one of {', '.join(AXES[dim])} or mean for "
                f"images of {dim} axes, got {self.along}."
            )
        return AXES[dim] if self.along == "mean" else (self.along,)


def _axis_and_target(axis: Any, target: Any) -> tuple[tuple[float, ...], tuple[float, ...] | None]:
    """Points of the axis and of the target, of their settings."""
    points = tuple(axis.values()) if isinstance(axis, AxisRange) else axis
    if not isinstance(target, Path):
        if points is None:
            raise ValueError("axis is missing; give numbers, a range, or a target's file")
        return points, target
    places, values = read_curve(target)
    if points is None:
        return tuple(places), tuple(values)
    if len(points) != len(places) or any(
        abs(a - b) > 1e-6 * max(abs(a), abs(b)) for a, b in zip(points, places, strict=True)
    ):
        raise ValueError(
            f"{target} is on an axis of {len(places)} points, {places[0]:g} to {places[-1]:g}, and "
            f"axis is another one of {len(points)}; leave out axis, which takes that of the file"
        )
    return points, tuple(values)


def _named(name: str, check: Any, *arguments: Any) -> None:
    try:
        check(*arguments)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _quantity(values: Tensor, quantity: str) -> Float64[Tensor, "n points"]:
    if quantity == "real":
        return values.real
    if quantity == "imag":
        return values.imag
    return values.abs() if quantity == "absolute" else -(1 / values).imag
