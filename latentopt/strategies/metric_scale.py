"""On which scale a metric is close to Gaussian: its own, a logarithm, or a hyperbolic arcsine."""

from dataclasses import dataclass
from typing import Literal

from jaxtyping import Float64
from torch import Tensor

_DECADE = 10.0  # a metric that spans more of itself is not modelled on its own scale


@dataclass(frozen=True)
class MetricScale:
    """A scale that a Gaussian process models a metric on.

    Conductivities of one contrast span decades: their logarithm is modelled. So do their
    off-diagonal entries, on both sides of zero: of these it is asinh(y / width), which is linear
    within the width and logarithmic beyond it.

    Parameters
    ----------
    kind
        ``log`` for positive values whose largest is over ten times the smallest, ``asinh`` for
        values of both signs whose largest is over ten times their median size, else ``linear``.
    width
        Median size of the values, for ``asinh``.
    """

    kind: Literal["linear", "log", "asinh"] = "linear"
    width: float = 1.0

    @classmethod
    def of(cls, values: Float64[Tensor, " n"]) -> "MetricScale":
        """The scale for these values."""
        if len(values) == 0:
            return cls()
        size = values.abs()
        if (values > 0).all():
            return cls("log" if size.max() > _DECADE * size.min() else "linear")
        width = float(size.median())
        if width > 0 and values.min() < 0 < values.max() and size.max() > _DECADE * width:
            return cls("asinh", width)
        return cls()

    def modelled(self, values: Float64[Tensor, "*n"]) -> Float64[Tensor, "*n"]:
        """Values on the scale."""
        match self.kind:
            case "log":
                return values.log()
            case "asinh":
                return (values / self.width).asinh()
        return values

    def metric(self, modelled: Float64[Tensor, "*n"]) -> Float64[Tensor, "*n"]:
        """Values of the metric."""
        match self.kind:
            case "log":
                return modelled.exp()
            case "asinh":
                return modelled.sinh() * self.width
        return modelled

    def slope(self, modelled: Float64[Tensor, "*n"]) -> Float64[Tensor, "*n"]:
        """Change of the metric with the modelled value."""
        match self.kind:
            case "log":
                return modelled.exp()
            case "asinh":
                return modelled.cosh() * self.width
        return modelled.new_ones(modelled.shape)
