"""On which scale a metric is close to Gaussian: its own, a logarithm, or a hyperbolic arcsine."""

import math
from dataclasses import dataclass
from typing import Literal

from jaxtyping import Float64
from torch import Tensor

_DECADE = 10.0  # a metric that spans more of itself is not modelled on its own scale
_BEYOND = math.log(_DECADE)  # how far beyond the data the back-transformation is trusted
_NOISY = 0.3  # of a value: with a larger standard error its logarithm is not Gaussian


@dataclass(frozen=True)
class MetricScale:
    """A scale that a Gaussian process models a metric on.

    Conductivities of one contrast span decades: their logarithm is modelled. So do their
    off-diagonal entries, on both sides of zero: of these it is asinh(y / width), which is linear
    within the width and logarithmic beyond it.

    A Gaussian that is wide on the logarithm has a mean of the metric beyond anything that was ever
    seen: over ten decades, of 1e20. So the way back is exponential for one decade beyond the data
    only, and from there on straight.

    Parameters
    ----------
    kind
        ``log`` for values of one sign whose largest is over ten times the smallest, ``asinh`` for
        values with zeros or of both signs whose largest is over ten times their median size, else
        ``linear``.
    width
        Median size of the values, for ``asinh``; -1 for the ``log`` of negative values, else 1.
    low, high
        Modelled values between which the way back is exact; infinite where it needs no bound.
    """

    kind: Literal["linear", "log", "asinh"] = "linear"
    width: float = 1.0
    low: float = -math.inf
    high: float = math.inf

    @classmethod
    def of(
        cls, values: Float64[Tensor, " n"], sem: Float64[Tensor, " n"] | None = None
    ) -> "MetricScale":
        """The scale for these values, which have these standard errors."""
        size = values.abs()
        if len(values) == 0 or float(size.max()) == 0:
            return cls()
        noise = size * 0 if sem is None else sem
        one_sign = bool((values > 0).all() or (values < 0).all())
        if one_sign and (noise <= _NOISY * size).all():
            if size.max() <= _DECADE * size.min():
                return cls()
            scale = cls("log", float(values[0].sign()))
        else:
            width = max(_width(values), float(noise.median()))
            if width == 0 or size.max() <= _DECADE * width:
                return cls()
            scale = cls("asinh", width)
        modelled = scale.modelled(values)
        low, high = float(modelled.min()) - _BEYOND, float(modelled.max()) + _BEYOND
        if scale.kind == "log":  # towards zero there is nothing to exceed
            low, high = (-math.inf, high) if scale.width > 0 else (low, math.inf)
        return cls(scale.kind, scale.width, low, high)

    def modelled(self, values: Float64[Tensor, "*n"]) -> Float64[Tensor, "*n"]:
        """Values on the scale."""
        match self.kind:
            case "log":
                return self.width * (self.width * values).log()
            case "asinh":
                return (values / self.width).asinh()
        return values

    def metric(self, modelled: Float64[Tensor, "*n"]) -> Float64[Tensor, "*n"]:
        """Values of the metric."""
        if self.kind == "linear":
            return modelled
        within = modelled.clamp(self.low, self.high)
        return self._back(within) + (modelled - within) * self._slope(within)

    def slope(self, modelled: Float64[Tensor, "*n"]) -> Float64[Tensor, "*n"]:
        """Change of the metric with the modelled value."""
        return self._slope(modelled.clamp(self.low, self.high))

    def _back(self, modelled: Tensor) -> Tensor:
        match self.kind:
            case "log":
                return self.width * (self.width * modelled).exp()
            case "asinh":
                return modelled.sinh() * self.width
        return modelled

    def _slope(self, modelled: Tensor) -> Tensor:
        match self.kind:
            case "log":
                return (self.width * modelled).exp()
            case "asinh":
                return modelled.cosh() * self.width
        return modelled.new_ones(modelled.shape)


def _width(values: Float64[Tensor, " n"]) -> float:
    """Median size; of values that do not fall below zero, of those that are not zero."""
    size = values.abs()
    if values.min() >= 0 or values.max() <= 0:
        size = size[size > 0]
    return float(size.median())
