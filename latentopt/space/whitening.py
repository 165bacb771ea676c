"""Coordinates in which the training set has mean 0 and covariance I."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from scipy.special import gammaincinv
from torch import Tensor

from generative.model import is_standard_normal
from latentopt.space.decoder import Decoder

# A direction with less than this part of the largest variance carries nothing the decoder uses;
# dividing by its own spread would blow up noise.
SMALLEST_VARIANCE = 1e-6
TYPICAL = 0.95  # part of the training set inside the radius
CODE_ROUNDING = 1e-6  # codes closer than this part of their size are equal: they are float32


@dataclass(frozen=True)
class Whitening:
    """Affine map between a model's code and whitened latent points, along principal axes.

    Parameters
    ----------
    mean
        Mean code of the training set, float64.
    axes
        Rows are the principal axes of the codes, the widest first.
    spread
        Standard deviation of the codes along each axis.
    """

    mean: Float[Tensor, "d"]
    axes: Float[Tensor, "d d"]
    spread: Float[Tensor, "d"]

    @classmethod
    def fit(cls, codes: Float[Tensor, "n d"]) -> "Whitening":
        """Whitening of a set of codes, in float64.

        Raises
        ------
        ValueError
            For fewer than two codes, or codes that are all the same.
        """
        codes = codes.double()
        if len(codes) < 2:
            raise ValueError(f"whitening needs at least 2 codes, got {len(codes)}.")
        mean = codes.mean(0)
        centered = codes - mean
        variance, axes = torch.linalg.eigh(centered.T @ centered / len(codes))
        variance, axes = variance.flip(0), axes.flip(1).T
        if variance[0] <= (CODE_ROUNDING * codes.abs().max()) ** 2:
            raise ValueError(
                "all codes are the same, so they span no space. Check that the images differ."
            )
        # The sign of an eigenvector is free: fix it, so that every machine has the same axes.
        sign = axes.gather(1, axes.abs().argmax(1, keepdim=True)).sign()
        spread = variance.clamp_min(SMALLEST_VARIANCE * variance[0]).sqrt()
        return cls(mean, (axes * sign).contiguous(), spread)

    @classmethod
    def identity(cls, dim: int) -> "Whitening":
        """No change: for a decoder whose codes are standard normal already."""
        eye = torch.eye(dim, dtype=torch.float64)
        return cls(eye.new_zeros(dim), eye, eye.new_ones(dim))

    @property
    def is_identity(self) -> bool:
        """Whether codes and points are the same."""
        same = Whitening.identity(len(self.mean))
        pairs = ((self.mean, same.mean), (self.axes, same.axes), (self.spread, same.spread))
        return all(torch.equal(one.cpu().double(), other) for one, other in pairs)

    def to_z(self, code: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """Code to whitened float64 latent points."""
        self_ = self.to(code.device)
        return (code.double() - self_.mean) @ self_.axes.T / self_.spread

    def to_code(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """Whitened latent points to float32 code."""
        self_ = self.to(z.device)
        return ((z.double() * self_.spread) @ self_.axes + self_.mean).float()

    def to(self, device: torch.device) -> "Whitening":
        """The same map on another device."""
        if self.mean.device == device:
            return self
        return Whitening(*(t.to(device) for t in (self.mean, self.axes, self.spread)))


def whitened(model: Decoder, codes: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n d"], Whitening]:
    """Latent points of codes and the map; none for codes that are standard normal already."""
    normal = is_standard_normal(model)
    whitening = Whitening.identity(model.latent_dim) if normal else Whitening.fit(codes)
    return whitening.to_z(codes), whitening


def typical_radius(z: Float[Tensor, "n d"], *, standard_normal: bool) -> float:
    """Norm that 95 % of latent points keep below.

    Parameters
    ----------
    z
        Points of the training set.
    standard_normal
        Whether the distribution is known: then the norm is that of a standard normal one, of which
        these points may be no more than an encoder's guess.

    Examples
    --------
    >>> round(typical_radius(torch.zeros(1, 64), standard_normal=True), 2)
    9.15
    """
    if standard_normal:
        return math.sqrt(2 * float(gammaincinv(z.shape[1] / 2, TYPICAL)))  # of chi
    return float(z.norm(dim=1).quantile(TYPICAL))
