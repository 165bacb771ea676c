"""The command ``latentopt evaluate``: how faithful latent spaces are to held-out structures."""

import sys
from dataclasses import replace

from generative.data.outputs import check_outputs
from latentopt.cli.options.spaces import EvaluateOptions
from latentopt.cli.progress import counted
from latentopt.cli.reading import reading_options
from latentopt.cli.spaces import common_shape, load_spaces, print_table, read_images
from latentopt.export.whole_file import make_folder
from latentopt.fidelity.page import FILES, encoder_notes, seen_warnings, write_fidelity
from latentopt.fidelity.spaces import SpaceFidelity, evaluate_spaces, feature_spaces, steps_of
from latentopt.printing import print
from latentopt.settings.spec import import_target

__all__ = ["evaluate"]

PRINTED = (
    "mse", "ssim", "two_point_mae", "lineal_path_mae", "interface_ratio", "p_reconstructed",
)  # fmt: skip
PRINTED_OF_SAMPLES = (
    "frechet_two_point", "frechet_two_point_halves", "recall_two_point", "lone_voxels", "copied",
    "p_samples",
)  # fmt: skip


def evaluate(options: EvaluateOptions) -> None:
    """Write the comparison, and print its table and its warnings."""
    data, training, out = options.data, options.training, options.out
    images = [path for path in (data, training) if path is not None]
    files = [out / name for name in FILES]
    check_outputs(files, inputs=options.spaces, images=images, overwrite=options.overwrite)
    inception = options.inception
    features = None if inception is None else import_target(inception, "--inception")
    loaded = load_spaces(options.spaces)
    shape = common_shape(loaded)
    reading = reading_options(options.grey, options.axes, options.limit)
    held_out = read_images(data, shape, options.patch, reading)
    known = None if training is None else read_images(training, shape, options.patch, reading)
    if not options.classes:
        held_out = replace(held_out, labels=held_out.labels * 0, class_names=(data.stem,))
    make_folder(out)  # refused now, not after the work
    with counted(steps_of(len(loaded), held_out)) as show:
        found = evaluate_spaces(
            loaded,
            held_out,
            training=known,
            samples=options.samples,
            seed=options.seed,
            inception=features,
            progress=show,
        )
    facts = {
        "held-out images": f"{data}: {len(held_out)}",
        "training images": "not given" if known is None else f"{training}: {len(known)}",
        "content": held_out.content,
        "reading": held_out.reading,
        "samples of each space": options.samples,
        "seed": options.seed,
        **{f"feature space {k}": text for k, text in feature_spaces(held_out).items()},
    }
    page = write_fidelity(found, out, facts, overwrite=options.overwrite)
    _print_table(found)
    for line in (*seen_warnings(found), *encoder_notes(found)):
        print(f"latentopt: warning: {line}", file=sys.stderr)
    print(page)


def _print_table(found: tuple[SpaceFidelity, ...]) -> None:
    names = (*PRINTED, *PRINTED_OF_SAMPLES)
    rows = [("space", "group", "images", *names)]
    for space in found:
        for group in space.groups:
            figures = [
                f"{group.figures[name]:.3g}" if name in group.figures else "" for name in names
            ]
            rows.append((space.name, group.name, str(group.images), *figures))
    print_table(rows)
