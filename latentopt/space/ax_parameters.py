"""Latent points as Ax parameters z00, z01, ... and back."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor


def parameter_names(dim: int) -> list[str]:
    """Name of each latent number, padded so that they sort as numbers do.

    >>> parameter_names(12)[::11]
    ['z00', 'z11']
    """
    width = len(str(dim - 1))
    return [f"z{i:0{width}d}" for i in range(dim)]


def range_parameters(bounds: Float[Tensor, "2 d"]) -> list[Any]:
    """One ``RangeParameterConfig`` a latent number, between its bounds."""
    from ax.api.configs import RangeParameterConfig  # imports for five seconds

    names = parameter_names(bounds.shape[1])
    return [
        RangeParameterConfig(name=name, bounds=(low, high), parameter_type="float")
        for name, low, high in zip(names, *bounds.tolist(), strict=True)
    ]


def points_to_parameters(z: Float[Tensor, "n d"]) -> list[dict[str, float]]:
    """Parameters of each point, by name."""
    names = parameter_names(z.shape[1])
    return [dict(zip(names, row, strict=True)) for row in z.tolist()]


def parameters_to_points(
    parameters: Mapping[str, float] | Sequence[Mapping[str, float]], dim: int
) -> Float[Tensor, "*n {dim}"]:
    """Points of one set of parameters ``(d,)`` or of several ``(n, d)``, in float64.

    Raises
    ------
    ValueError
        Naming the parameter that is missing.
    """
    names = parameter_names(dim)
    one = isinstance(parameters, Mapping)
    rows = [parameters] if one else list(parameters)
    try:
        values = [[float(row[name]) for name in names] for row in rows]
    except KeyError as error:
        raise ValueError(
            f"parameters lack {error.args[0]}; give all of {names[0]} to {names[-1]}, as "
            "ax_parameters() names them."
        ) from error
    z = torch.tensor(values, dtype=torch.float64).reshape(-1, dim)
    return z[0] if one else z
