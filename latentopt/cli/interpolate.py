"""The command ``latentopt interpolate``: from one structure to another, through latent spaces."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from latentopt.cli.grey import GreyOption
from latentopt.cli.output import OverwriteOption
from latentopt.cli.reading import AxesOption, LimitOption, reading_options
from latentopt.cli.spaces import common_shape, load_spaces, read_images, shown_progress
from latentopt.printing import print

if TYPE_CHECKING:
    import numpy as np

    from latentopt.fidelity.interpolation import InterpolationFigures
    from latentopt.space.latent_space import LatentSpace

__all__ = ["interpolate"]

PAIRS = 8
HEADS = (
    "space", "way", "reconstructed", "distance at ends", "between, at most", "greyness, at most",
    "interface, at least", "and at most", "largest step",
)  # fmt: skip


def interpolate(
    spaces: Annotated[
        list[str],
        typer.Argument(help='Folders of latent spaces, or "default".'),
    ],
    data: Annotated[
        Path, typer.Option(help="Images to compare with and to draw pairs from: folder or file.")
    ],
    pairs: Annotated[
        int | None, typer.Option(help=f"Pairs drawn from the data; {PAIRS} if absent.")
    ] = None,
    between: Annotated[
        tuple[Path, Path] | None, typer.Option(help="Two files of one image each, instead.")
    ] = None,
    n: Annotated[int, typer.Option(help="Equidistant positions, both ends included.")] = 8,
    out: Annotated[Path, typer.Option(help="Folder for pictures and tables.")] = Path(
        "interpolation"
    ),
    patch: Annotated[bool, typer.Option(help="Cut the data into patches of the spaces' size.")] = (
        False
    ),
    grey: GreyOption = "auto",
    axes: AxesOption = None,
    limit: LimitOption = None,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Fixes the pairs.")] = 0,
    overwrite: OverwriteOption = False,
) -> None:
    """Go from structure to structure, and tell how far what lies between leaves the data.

    A model with a diffusion prior is shown in both its coordinates, noise and code.
    """
    from generative.data.outputs import check_outputs
    from latentopt.errors import ConfigError, DataError
    from latentopt.export.whole_file import make_folder
    from latentopt.fidelity.interpolation import draw_pairs, interpolation_figures
    from latentopt.fidelity.interpolation_files import FILES, write_interpolation
    from latentopt.space.paths import PATHS

    if pairs is not None and between is not None:
        raise ConfigError("--pairs and --between: give one of them.")
    for name, value, least in (("n", n, 2), ("pairs", PAIRS if pairs is None else pairs, 1)):
        if value < least:
            raise ConfigError(f"--{name} should be {least} or more, got {value}.")
    inputs = [*spaces, *(between or ())]
    files = [out / name for name in FILES]
    check_outputs(files, inputs=inputs, images=[data], overwrite=overwrite)
    loaded = _both_coordinates(load_spaces(spaces))
    shape = common_shape(loaded)
    reading = reading_options(grey, axes, limit)
    reference = read_images(data, shape, patch, reading)
    if len(reference) < 3:
        raise DataError(f"{data}: three images or more are needed to compare with, got "
                        f"{len(reference)}.")  # fmt: skip
    if between is None:
        rows = draw_pairs(reference.parents, reference.labels, pairs or PAIRS, seed)
        if len(rows) < (pairs or PAIRS):
            print(f"{data}: there are {len(rows)} pairs in all.", file=sys.stderr)
        ends = reference.images[rows]
        sources = [" to ".join(reference.sources[row] for row in pair) for pair in rows]
    else:
        ends = _read_ends(between, shape, reading)
        sources = [" to ".join(map(str, between))]
    make_folder(out)  # refused now, not after the work
    with shown_progress(len(loaded) * len(PATHS) + 1) as show:
        found = interpolation_figures(
            loaded,
            ends,
            reference=reference.images,
            n=n,
            hows=tuple(PATHS),
            phases=reference.content == "phases",
            progress=show,
        )
    facts = {
        "data": f"{data}: {len(reference)}",
        "content": reference.content,
        "reading": reference.reading,
        "seed": seed,
        "pairs": sources,
        **{f"space {name}": space.id for name, space in loaded.items()},
    }
    picture = write_interpolation(found, ends, out, facts, overwrite=overwrite)
    _print_table(found)
    print(picture)


def _both_coordinates(spaces: "dict[str, LatentSpace]") -> "dict[str, LatentSpace]":
    """Each space, and the same model in its other coordinates where it has two."""
    found = {}
    for name, space in spaces.items():
        if not hasattr(space.model, "in_coordinates"):
            found[name] = space
            continue
        for coordinates in ("noise", "code"):
            found[f"{name}, {coordinates}"] = space.in_coordinates(coordinates)
    return found


def _read_ends(
    files: tuple[Path, Path], shape: tuple[int, ...], reading: dict[str, Any]
) -> "np.ndarray":
    """The one image of each of two files, ``(1, 2, c, *space)``."""
    import numpy as np

    from generative.data.read import read_dataset
    from latentopt.errors import DataError

    images = []
    for file in files:
        data = read_dataset(file, channels=shape[0], spatial_dims=len(shape) - 1, **reading)
        if data.images.shape != (1, *shape):
            raise DataError(
                f"{file}: expected one image of shape {shape} as the spaces have, got "
                f"{len(data)} of {data.image_shape}. Crop or choose one."
            )
        images.append(data.images[0])
    return np.stack(images)[None]


def _print_table(found: "tuple[InterpolationFigures, ...]") -> None:
    rows = [HEADS]
    for path in found:
        distance, greyness, interface = (
            path.quantiles(name)[1] for name in ("distance", "greyness", "interface")
        )
        numbers = (
            path.reconstructed,
            float(distance[[0, -1]].mean()),
            float(distance[1:-1].max()) if len(distance) > 2 else float("nan"),
            float(greyness.max()),
            float(interface.min()),
            float(interface.max()),
            path.largest_step,
        )
        rows.append((path.name, path.how, *("" if v != v else f"{v:.3g}" for v in numbers)))
    widths = [max(len(row[k]) for row in rows) for k in range(len(HEADS))]
    for row in rows:
        print("  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip())
