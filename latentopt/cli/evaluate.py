"""The command ``latentopt evaluate``: how faithful latent spaces are to held-out structures."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from latentopt.cli.grey import GreyOption
from latentopt.cli.output import OverwriteOption
from latentopt.cli.reading import AxesOption, LimitOption, reading_options
from latentopt.cli.spaces import common_shape, load_spaces, read_images, shown_progress
from latentopt.printing import print

if TYPE_CHECKING:
    from latentopt.fidelity.spaces import SpaceFidelity

__all__ = ["evaluate"]

PRINTED = (
    "mse", "ssim", "two_point_mae", "lineal_path_mae", "interface_ratio", "p_reconstructed",
)  # fmt: skip
PRINTED_OF_SAMPLES = ("frechet_two_point", "recall_two_point", "p_samples")


def evaluate(
    spaces: Annotated[
        list[str],
        typer.Argument(help='Folders of latent spaces, or "default" or "ldm".'),
    ],
    data: Annotated[Path, typer.Option(help="Held-out images: a folder or a file.")],
    training: Annotated[
        Path | None, typer.Option(help="Images of the training, to look for copies of them.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for page, pictures and tables.")] = Path(
        "fidelity"
    ),
    samples: Annotated[int, typer.Option(min=2, help="Structures drawn from each space.")] = 1000,
    classes: Annotated[bool, typer.Option(help="Give figures for each class too.")] = True,
    patch: Annotated[bool, typer.Option(help="Cut images into patches of the spaces' size.")] = (
        False
    ),
    grey: GreyOption = "auto",
    axes: AxesOption = None,
    limit: LimitOption = None,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Fixes every random choice.")] = 0,
    inception: Annotated[
        str | None,
        typer.Option(help="module:function of yours, colour images to Inception features: FID."),
    ] = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Compare latent spaces on held-out images: reconstructions, samples, copies."""
    from generative.data.outputs import check_outputs
    from latentopt.export.whole_file import make_folder
    from latentopt.fidelity.page import FILES, seen_warnings, write_fidelity
    from latentopt.fidelity.spaces import evaluate_spaces, feature_spaces, steps_of
    from latentopt.settings.spec import import_target

    images = [path for path in (data, training) if path is not None]
    files = [out / name for name in FILES]
    check_outputs(files, inputs=spaces, images=images, overwrite=overwrite)
    features = None if inception is None else import_target(inception, "--inception")
    loaded = load_spaces(spaces)
    shape = common_shape(loaded)
    reading = reading_options(grey, axes, limit)
    held_out = read_images(data, shape, patch, reading)
    known = None if training is None else read_images(training, shape, patch, reading)
    if not classes:
        held_out = replace(held_out, labels=held_out.labels * 0, class_names=(data.stem,))
    make_folder(out)  # refused now, not after the work
    with shown_progress(steps_of(len(loaded), held_out)) as show:
        found = evaluate_spaces(
            loaded,
            held_out,
            training=known,
            samples=samples,
            seed=seed,
            inception=features,
            progress=show,
        )
    facts = {
        "held-out images": f"{data}: {len(held_out)}",
        "training images": "not given" if known is None else f"{training}: {len(known)}",
        "content": held_out.content,
        "reading": held_out.reading,
        "samples of each space": samples,
        "seed": seed,
        **{f"feature space {k}": text for k, text in feature_spaces(held_out).items()},
    }
    page = write_fidelity(found, out, facts, overwrite=overwrite)
    _print_table(found)
    for line in seen_warnings(found):
        print(f"latentopt: warning: {line}", file=sys.stderr)
    print(page)


def _print_table(found: tuple["SpaceFidelity", ...]) -> None:
    names = (*PRINTED, *PRINTED_OF_SAMPLES)
    rows = [("space", "group", "images", *names)]
    for space in found:
        for group in space.groups:
            figures = [
                f"{group.figures[name]:.3g}" if name in group.figures else "" for name in names
            ]
            rows.append((space.name, group.name, str(group.images), *figures))
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip())
