"""What the control variables of a model came to mean."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Float64, Integer
from pydantic import TypeAdapter
from scipy.stats import rankdata
from torch import Tensor

from generative.errors import ModelFileError
from generative.files.folder import FORMAT_VERSION, json_bytes
from generative.files.json_text import parse_json
from generative.model import Control
from latentopt.space.decoder import Decoder
from latentopt.space.traverses import controls_of
from objectives.homogenize.conductivity import effective_conductivity
from objectives.phases import cut_phases
from objectives.two_point.extent import correlation_extent
from objectives.volume_fraction import VolumeFraction

CONTROLS = "controls.json"  # among the documents of a space
DRAWS, SEED = 256, 1_234_567  # structures that meanings are measured on
CONTRAST = 50.0  # conductivity of the last phase over that of the first
SOLVED_VOXELS = 2**19  # of structures whose conductivity is solved for, about
FEWEST = 8  # values, below which nothing is said
PROPERTIES = {
    "volume_fraction": "share of phase 1",
    "correlation_length": "in voxels, where the autocovariance of phase 1 has fallen to 1/e",
    "anisotropy": "longest over shortest correlation length",
    "k": f"mean conductivity over the axes, of phases from 1 to {CONTRAST:g}",
}


@dataclass(frozen=True)
class ControlMeaning:
    """What a control came to mean, over draws of the prior; `PROPERTIES` are its properties.

    Parameters
    ----------
    name, numbers, categories
        As of `generative.model.Control`: its name, its places in z, and the number of categories,
        0 for a continuous control.
    spearman
        Of a continuous control: rank correlation with each property, from -1 to 1.
    means
        Of a categorical control: mean of each property, by category.
    explained
        Of a categorical control: share of the variance of each property that lies between the
        categories, from 0 to 1.
    """

    name: str
    numbers: tuple[int, ...]
    categories: int
    spearman: Mapping[str, float | None]
    means: Mapping[str, tuple[float | None, ...]]
    explained: Mapping[str, float | None]


_MEANINGS = TypeAdapter(tuple[ControlMeaning, ...])


@runtime_checkable
class Measured(Protocol):
    """A latent space, as far as it is needed here."""

    documents: dict[str, bytes]

    @property
    def model(self) -> Decoder:
        """Its decoder."""
        ...

    def sample(self, n: int, seed: int = 0) -> Float[Tensor, "n d"]:
        """Points of its prior."""
        ...

    def decode(self, z: Any) -> Any:
        """Images of points."""
        ...


def meanings(space: Measured) -> tuple[ControlMeaning, ...]:
    """What each control of a space means, from its documents; measured if they do not tell.

    Raises
    ------
    ModelFileError
        If the document is damaged.
    """
    if not controls_of(space.model):
        return ()
    if CONTROLS not in space.documents:
        space.documents[CONTROLS] = measured(space)
    try:
        found = parse_json(space.documents[CONTROLS])["controls"]
        return _MEANINGS.validate_python(found)
    except (KeyError, TypeError, ValueError) as error:
        raise ModelFileError(
            f"{CONTROLS} of this space is damaged. Restore its folder from a copy."
        ) from error


def measured(space: Measured, draws: int = DRAWS) -> bytes:
    """Meanings of all controls over draws of the prior, as the document that a space keeps."""
    z = space.sample(draws, seed=SEED)
    with torch.no_grad():
        values = properties_of(cut_phases(space.decode(z)))
    found = [asdict(_meaning(c, z.numpy(), values)) for c in controls_of(space.model)]
    return json_bytes(
        {
            "format_version": FORMAT_VERSION,
            "draws": draws,
            "seed": SEED,
            "properties": PROPERTIES,
            "controls": found,
        }
    )


def properties_of(
    structures: Float[Tensor, "n c *space"],
) -> dict[str, Float64[np.ndarray, " m"]]:
    """`PROPERTIES` of structures cut into phases; k of the first ones alone, as it costs most.

    A value is NaN where a structure has none, as the correlation length of one phase.
    """
    few = max(32, SOLVED_VOXELS // structures[0, 0].numel())
    phases = max(2, structures.shape[1])
    k = effective_conductivity(
        structures[:few], np.geomspace(1, CONTRAST, phases).tolist(), tol=1e-3
    )
    extent = correlation_extent(structures)
    return {
        "volume_fraction": VolumeFraction()(structures)["volume_fraction"].numpy(),
        "correlation_length": extent.length,
        "anisotropy": extent.anisotropy,
        "k": k.diagonal(dim1=1, dim2=2).mean(1).numpy(),
    }


def _meaning(
    control: Control, z: Float64[np.ndarray, "n d"], properties: Mapping[str, np.ndarray]
) -> ControlMeaning:
    numbers = z[:, list(control.numbers)]
    spearman, means, explained = {}, {}, {}
    for name, values in properties.items():
        told = np.isfinite(values)
        known, its = values[told], numbers[: len(values)][told]
        if control.categories:
            rows = _means(its.argmax(1), known, control.categories)
            means[name] = tuple(_or_none(mean) for mean in rows)
            explained[name] = _or_none(correlation_ratio(its.argmax(1), known))
        else:
            spearman[name] = _or_none(rank_correlation(its[:, 0], known))
    return ControlMeaning(
        control.name, control.numbers, control.categories, spearman, means, explained
    )


def rank_correlation(a: Float64[np.ndarray, " n"], b: Float64[np.ndarray, " n"]) -> float:
    """Spearman's rank correlation; NaN of fewer than eight values, or where one is the same.

    >>> rank_correlation(np.arange(9.0), np.arange(9.0) ** 3)
    1.0
    """
    if len(a) < FEWEST or np.ptp(a) == 0 or np.ptp(b) == 0:
        return math.nan
    ranks = [rankdata(x) for x in (a, b)]
    return float(np.corrcoef(*ranks)[0, 1])


def correlation_ratio(
    categories: Integer[np.ndarray, " n"], values: Float64[np.ndarray, " n"]
) -> float:
    """Share of the variance that lies between categories (eta squared); NaN if there is none.

    >>> correlation_ratio(np.array([0, 0, 0, 0, 1, 1, 1, 1]), np.array([1.0] * 4 + [2.0] * 4))
    1.0
    """
    if len(values) < FEWEST or np.ptp(values) == 0:
        return math.nan
    means = _means(categories, values, int(categories.max()) + 1)
    return float(np.var(means[categories]) / np.var(values))


def _means(
    categories: Integer[np.ndarray, " n"], values: Float64[np.ndarray, " n"], count: int
) -> Float64[np.ndarray, " k"]:
    """Mean of each category; NaN of one that has no values."""
    of_each = np.bincount(categories, minlength=count)
    sums = np.bincount(categories, values, minlength=count)
    return np.where(of_each > 0, sums / np.maximum(of_each, 1), math.nan)


def _or_none(value: float) -> float | None:
    return float(f"{value:.4g}") if math.isfinite(value) else None


def cells_of(found: tuple[ControlMeaning, ...]) -> list[tuple[str, ...]]:
    """The meanings as rows of a table, with a head.

    Of a categorical control the means of its categories, and how much of the variance they explain.
    """
    names = tuple(PROPERTIES)
    rows: list[tuple[str, ...]] = [("control", *names)]
    for each in found:
        if each.categories:
            cells = [
                f"{' / '.join(map(_shown, each.means[name]))} ({_shown(each.explained[name])})"
                for name in names
            ]
        else:
            cells = [_shown(each.spearman[name]) for name in names]
        rows.append((each.name, *cells))
    return rows


def legend() -> str:
    """What the cells of `cells_of` are, in two sentences."""
    told = "; ".join(f"{name}: {what}" for name, what in PROPERTIES.items())
    return (
        f"Over {DRAWS} samples: of a continuous control the rank correlation with each property, "
        "from -1 to 1; of a categorical one the mean of each category, and in brackets the share "
        f"of the variance that the categories explain. {told}."
    )


def controls_section(found: tuple[ControlMeaning, ...], picture: str) -> str:
    """The meanings as a section of a model card."""
    head, *rows = (f"| {' | '.join(cells)} |" for cells in cells_of(found))
    lines = "\n".join([head, f"|{'---|' * (1 + len(PROPERTIES))}", *rows])
    return f"""
## Control variables

{lines}

{legend()}

![one sample, moved along each control]({picture})
"""


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"
