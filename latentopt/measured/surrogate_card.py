"""The page that says what a surrogate was fitted to and how far to trust it."""

from collections.abc import Mapping

from objectives.surrogates.surrogate import Surrogate
from objectives.surrogates.validation import Accuracy

__all__ = ["figures_text", "surrogate_card"]


def figures_text(figures: Mapping[str, Accuracy]) -> str:
    """One line an output."""
    width = max(map(len, figures))
    return "\n".join(
        f"  {name:{width}}  R2 {f.r2:.4f}  MAE {f.mae:.4g}  within 1 sigma "
        f"{f.within_one_sigma:.0%} (68%)  within 2 sigma {f.within_two_sigma:.0%} (95%)"
        for name, f in figures.items()
    )


def surrogate_card(
    surrogate: Surrogate, figures: Mapping[str, Accuracy], data: str, where: str, folds: int
) -> str:
    """Text of the folder's README.md: data, settings, figures, limits."""
    rows = "\n".join(
        f"| {name} | {f.r2:.4f} | {f.mae:.4g} | {f.within_one_sigma:.1%} | "
        f"{f.within_two_sigma:.1%} |"
        for name, f in figures.items()
    )
    settings = surrogate.model_dump(mode="json", exclude={"kind", "grid"})
    settings["voxels"] = _voxels(surrogate)
    lines = "\n".join(f"- {name}: {value}" for name, value in settings.items())
    return f"""# {surrogate.kind}: {", ".join(figures)} of images, with uncertainty

- images: {data}
- values: {where}
{lines}

## {folds}-fold cross-validation

| output | R2 | MAE | within 1 sigma | within 2 sigma |
|---|---|---|---|---|
{rows}

Every image was predicted by a surrogate that had not seen it, nor another image of its specimen.
MAE is in the unit of the values. A surrogate that knows its error has 68% of the values within one
standard deviation and 95% within two.

## Use

It ranks; it does not decide. Its error is largest where it promises most, and it knows one image
size and the kinds of structure it was fitted to: let the solver evaluate what it chose
(`objectives.surrogates.screen_then_solve`).
"""


def _voxels(surrogate: Surrogate) -> str:
    """Edges of a voxel, and whether images repeat."""
    grid = surrogate.grid
    size = "cubes of any size" if grid is None else f"{grid.voxel_size_um} um"
    return f"{size}, images {'repeat' if surrogate.images_repeat else 'do not repeat'}"
