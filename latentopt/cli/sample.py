"""`latentopt sample`: new structures, of a class and with properties if the space knows any."""

import math
from pathlib import Path

import numpy as np

from generative.data.formats.readers import READERS
from generative.files.own_files import check_outputs, is_own
from latentopt.cli.options.spaces import SampleOptions
from latentopt.errors import ConfigError, OutputError
from latentopt.export.whole_file import make_folder
from latentopt.files import output_file
from latentopt.microstructure import to_phases
from latentopt.pictures import image_grid_png
from latentopt.printing import print
from latentopt.space.named import load_space
from latentopt.space.point_files import write_points
from latentopt.training.sampling import obtained, sample_points

__all__ = ["sample"]

SHOWN = 8


def sample(options: SampleOptions) -> None:
    """Write new structures; print what properties they have where some were asked for."""
    out, overwrite = options.out, options.overwrite
    points, arrays, picture = (out / name for name in ("z.csv", "images.npy", "samples.png"))
    check_outputs([points, arrays, picture], inputs=[options.space], overwrite=overwrite)
    _check_no_images(out, overwrite)
    space = load_space(options.space)
    wish = _values(options.properties or [])
    make_folder(out)
    z = sample_points(
        space,
        options.n,
        seed=options.seed,
        class_name=options.of_class,
        properties=wish,
        guidance=options.guidance,
        truncation=options.truncation,
    ).numpy()
    images = np.asarray(space.decode(z))
    write_points(z, points, overwrite=overwrite)
    with output_file(arrays, overwrite=overwrite) as file:
        np.save(file, images, allow_pickle=False)
    with output_file(picture, overwrite=overwrite) as file:
        file.write(image_grid_png([_slice(phases) for phases in to_phases(images[:SHOWN])]))
    for name, values in obtained(space, images, wish).items():
        low, middle, high = np.quantile(values, [0.05, 0.5, 0.95])
        print(
            f"{name}: asked for {wish[name]:g}, obtained {middle:.4g} (5 to 95 %: {low:.4g} to "
            f"{high:.4g})"
        )
    print(f"{out}: {options.n} structures as points (z.csv), images (images.npy) and a picture")


def _check_no_images(out: Path, overwrite: bool) -> None:
    """Refuse a folder of someone's images: ours would be read with them the next time."""
    files = sorted(out.iterdir()) if out.is_dir() and not overwrite else []
    for file in files:
        if file.suffix.lower() in READERS and not is_own(file):
            raise OutputError(
                f"{out}: holds images that latentopt did not write ({file.name}), and the new ones "
                "would be read with them the next time; choose another folder, or write there all "
                "the same with --overwrite."
            )


def _slice(phases: np.ndarray) -> np.ndarray:
    """A structure, or the middle slice of a volume."""
    return phases if phases.ndim == 2 else phases[len(phases) // 2]


def _values(pairs: list[str]) -> dict[str, float]:
    values = {}
    for pair in pairs:
        name, _, value = pair.partition("=")
        try:
            values[name.strip()] = float(value)
        except ValueError:
            raise ConfigError(f"--property: should be NAME=NUMBER, got {pair!r}.") from None
        if not math.isfinite(values[name.strip()]):
            raise ConfigError(f"--property: should be a finite number, got {pair!r}.")
    return values
