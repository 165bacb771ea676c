"""`latentopt sample`: new structures, of a class and with properties if the space knows any."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from latentopt.cli.output import OverwriteOption
from latentopt.printing import print

if TYPE_CHECKING:
    import numpy as np

__all__ = ["sample"]

SHOWN = 8


def sample(
    space: Annotated[str, typer.Argument(help='Folder of a latent space, or "default", or "ldm".')],
    n: Annotated[int, typer.Option("--n", min=1, help="How many structures.")] = 16,
    of_class: Annotated[
        str | None, typer.Option("--class", help="Class that they should be of.")
    ] = None,
    properties: Annotated[
        list[str] | None,
        typer.Option("--property", help="NAME=VALUE that they should have; may be repeated."),
    ] = None,
    guidance: Annotated[
        float, typer.Option(min=0, help="Above 1 holds to the wish more closely, and varies less.")
    ] = 1.0,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Fixes the structures.")] = 0,
    out: Annotated[Path, typer.Option(help="Folder for points, images and a picture.")] = Path(
        "samples"
    ),
    overwrite: OverwriteOption = False,
) -> None:
    """Draw new structures; their points can start a campaign (start: samples/z.csv)."""
    import numpy as np

    from generative.files.own_files import check_outputs
    from latentopt.export.whole_file import make_folder
    from latentopt.files import output_file
    from latentopt.microstructure import to_phases
    from latentopt.pictures import image_grid_png
    from latentopt.space.named import load_space
    from latentopt.space.point_files import write_points
    from latentopt.training.sampling import obtained, sample_points

    points, arrays, picture = (out / name for name in ("z.csv", "images.npy", "samples.png"))
    check_outputs([points, arrays, picture], inputs=[space], overwrite=overwrite)
    _check_no_images(out, overwrite)
    loaded = load_space(space)
    wish = _values(properties or [])
    make_folder(out)
    z = sample_points(
        loaded, n, seed=seed, class_name=of_class, properties=wish, guidance=guidance
    ).numpy()
    images = loaded.decode(z)
    write_points(z, points, overwrite=overwrite)
    with output_file(arrays, overwrite=overwrite) as file:
        np.save(file, images, allow_pickle=False)
    with output_file(picture, overwrite=overwrite) as file:
        file.write(image_grid_png([_slice(phases) for phases in to_phases(images[:SHOWN])]))
    for name, values in obtained(loaded, images, wish).items():
        low, middle, high = np.quantile(values, [0.05, 0.5, 0.95])
        print(
            f"{name}: asked for {wish[name]:g}, obtained {middle:.4g} (5 to 95 %: {low:.4g} to "
            f"{high:.4g})"
        )
    print(f"{out}: {n} structures as points (z.csv), images (images.npy) and a picture")


def _check_no_images(out: Path, overwrite: bool) -> None:
    """Refuse a folder of someone's images: ours would be read with them the next time."""
    from generative.data.formats.readers import READERS
    from generative.files.own_files import is_own
    from latentopt.errors import OutputError

    files = sorted(out.iterdir()) if out.is_dir() and not overwrite else []
    for file in files:
        if file.suffix.lower() in READERS and not is_own(file):
            raise OutputError(
                f"{out}: holds images that latentopt did not write ({file.name}), and the new ones "
                "would be read with them the next time; choose another folder, or write there all "
                "the same with --overwrite."
            )


def _slice(phases: "np.ndarray") -> "np.ndarray":
    """A structure, or the middle slice of a volume."""
    return phases if phases.ndim == 2 else phases[len(phases) // 2]


def _values(pairs: list[str]) -> dict[str, float]:
    from latentopt.errors import ConfigError

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
