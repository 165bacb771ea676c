"""The command ``latentopt interpolate``: from one structure to another, through latent spaces."""

import sys
from pathlib import Path
from typing import Any

import numpy as np

from generative.data.outputs import check_outputs
from generative.data.read import read_dataset
from latentopt.cli.options.spaces import PAIRS, InterpolateOptions
from latentopt.cli.progress import counted
from latentopt.cli.reading import reading_options
from latentopt.cli.spaces import common_shape, load_spaces, print_table, read_images
from latentopt.errors import ConfigError, DataError
from latentopt.export.whole_file import make_folder
from latentopt.fidelity.interpolation import (
    InterpolationFigures,
    draw_pairs,
    interpolation_figures,
)
from latentopt.fidelity.interpolation_files import FILES, write_interpolation
from latentopt.printing import print
from latentopt.space.latent_space import LatentSpace
from latentopt.space.paths import PATHS

__all__ = ["interpolate"]

HEADS = (
    "space", "way", "reconstructed", "distance at ends", "between, at most", "greyness, at most",
    "interface, at least", "and at most", "largest step",
)  # fmt: skip


def interpolate(options: InterpolateOptions) -> None:
    """Write pictures and tables of the ways, and print what was found."""
    _check(options)
    data, out, between = options.data, options.out, options.between
    inputs = [*options.spaces, *(between or ())]
    files = [out / name for name in FILES]
    check_outputs(files, inputs=inputs, images=[data], overwrite=options.overwrite)
    loaded = _both_coordinates(load_spaces(options.spaces))
    shape = common_shape(loaded)
    reading = reading_options(options.grey, options.axes, options.limit)
    reference = read_images(data, shape, options.patch, reading)
    if len(reference) < 3:
        raise DataError(f"{data}: three images or more are needed to compare with, got "
                        f"{len(reference)}.")  # fmt: skip
    if between is None:
        pairs = options.pairs or PAIRS
        rows = draw_pairs(reference.parents, reference.labels, pairs, options.seed)
        if len(rows) < pairs:
            print(f"{data}: there are {len(rows)} pairs in all.", file=sys.stderr)
        ends = reference.images[rows]
        sources = [" to ".join(reference.sources[row] for row in pair) for pair in rows]
    else:
        ends = _read_ends(between, shape, reading)
        sources = [" to ".join(map(str, between))]
    make_folder(out)  # refused now, not after the work
    with counted(len(loaded) * len(PATHS) + 1) as show:
        found = interpolation_figures(
            loaded,
            ends,
            reference=reference.images,
            n=options.n,
            hows=tuple(PATHS),
            phases=reference.content == "phases",
            progress=show,
        )
    facts = {
        "data": f"{data}: {len(reference)}",
        "content": reference.content,
        "reading": reference.reading,
        "seed": options.seed,
        "pairs": sources,
        **{f"space {name}": space.id for name, space in loaded.items()},
    }
    picture = write_interpolation(found, ends, out, facts, overwrite=options.overwrite)
    _print_table(found)
    print(picture)


def _check(options: InterpolateOptions) -> None:
    pairs = PAIRS if options.pairs is None else options.pairs
    if options.pairs is not None and options.between is not None:
        raise ConfigError("--pairs and --between: give one of them.")
    for name, value, least in (("n", options.n, 2), ("pairs", pairs, 1)):
        if value < least:
            raise ConfigError(f"--{name} should be {least} or more, got {value}.")


def _both_coordinates(spaces: dict[str, LatentSpace]) -> dict[str, LatentSpace]:
    """Each space, and the same model in its other coordinates where it has two."""
    from generative.model import has_two_coordinates

    found = {}
    for name, space in spaces.items():
        if not has_two_coordinates(space.model):
            found[name] = space
            continue
        for coordinates in space.model.coordinate_names:
            found[f"{name}, {coordinates}"] = space.in_coordinates(coordinates)
    return found


def _read_ends(
    files: tuple[Path, Path], shape: tuple[int, ...], reading: dict[str, Any]
) -> np.ndarray:
    """The one image of each of two files, ``(1, 2, c, *space)``."""
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


def _print_table(found: tuple[InterpolationFigures, ...]) -> None:
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
    print_table(rows)
