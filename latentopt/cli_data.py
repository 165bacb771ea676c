"""The commands ``latentopt data``: look at images before a space is trained on them.

Each imports what it needs when it runs, so that ``--help`` answers at once.
"""

import json as encoder
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from generative.data.inspection import Inspection

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Look at images, prepare them, make synthetic ones.")

LISTED = 10  # lines of one kind; the rest are counted
BAR = 40

DimsOption = Annotated[
    int | None, typer.Option("--dims", min=2, max=3, help="2 or 3, where the shape is no answer.")
]
DatasetOption = Annotated[
    str | None, typer.Option(help="Which array of a file that holds several, by name or path.")
]
ShapeOption = Annotated[str | None, typer.Option(help="Of RAW files: z,y,x or y,x, as 64,200,256.")]
DtypeOption = Annotated[str | None, typer.Option(help="Of RAW files: uint8, >u2, float32, ...")]


@app.command()
def inspect(
    path: Annotated[Path, typer.Argument(help="Folder or file of images.")],
    held_out: Annotated[
        Path | None, typer.Option(help="Held-out images, to look for duplicates in both.")
    ] = None,
    dims: DimsOption = None,
    dataset: DatasetOption = None,
    shape: ShapeOption = None,
    dtype: DtypeOption = None,
    out: Annotated[Path | None, typer.Option(help="PNG file for a contact sheet.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print what is understood of images: sizes, classes, values, phases, duplicates, problems."""
    from generative.data.inspection import inspect_images

    found = inspect_images(
        path,
        held_out=held_out,
        spatial_dims=dims,
        dataset=dataset,
        shape=sizes(shape, "--shape"),
        dtype=dtype,
    )
    if out is not None:
        _write_sheet(found.pictures, out)
    print(_as_json(found) if json else "\n".join(_lines(path, found)))


def sizes(text: str | None, option: str) -> tuple[int, ...] | None:
    """Whole numbers of an option such as ``64,200,256``; `ConfigError` if they are none."""
    from latentopt.errors import ConfigError

    if text is None:
        return None
    try:
        return tuple(int(number) for number in text.replace("x", ",").split(","))
    except ValueError:
        raise ConfigError(
            f"{option} should be whole numbers such as 64,200,256, got {text!r}."
        ) from None


def _write_sheet(pictures: tuple, out: Path, columns: int = 4) -> None:
    from latentopt.disk import replacing
    from latentopt.figures import image_grid_png

    with replacing(out) as file:
        titles = [title[-34:] for title, _ in pictures]
        file.write(image_grid_png([image for _, image in pictures], titles, columns))


def _as_json(found: "Inspection") -> str:
    facts = {name: value for name, value in vars(found).items() if name != "pictures"}
    return encoder.dumps(facts, allow_nan=False)


def _lines(path: Path, found: "Inspection") -> list[str]:
    low, high = found.values[0], found.values[-1]
    values = ", ".join(f"{v:g}" for v in found.values)
    lines = [
        f"{path}: {found.images} images in {found.files} files",
        f"size: {_counts(found.sizes)}",
        f"channels: {_counts(found.channels)}",
        f"type: {_counts(found.types)}",
        f"voxel size in m: {_counts(found.voxel_sizes_m)}",
        f"classes: {_counts(found.classes)}",
        f"values: {values if found.distinct else f'{low:g} to {high:g}'}",
    ]
    voxels, largest = sum(found.histogram), max(found.histogram)
    for row, count in enumerate(found.histogram):
        start = low + row * (high - low) / len(found.histogram)
        bar = "#" * round(BAR * count / largest)
        lines.append(f"  {start:10.4g} {count / voxels:7.2%} {bar}".rstrip())
    for name, shares in found.phase_fractions.items():
        lines.append(f"phase fractions, {name}: {', '.join(f'{share:.4f}' for share in shares)}")
    groups = []
    for group in found.duplicates:
        kind = "exact" if group["exact"] else "mirrored or rotated"
        across = [word for word in ("classes", "split") if group[f"across_{word}"]]
        where = f", across {' and '.join(across)}" if across else ""
        groups.append(f"{' = '.join(group['images'][:LISTED])} ({kind}{where})")
    lines += _listed("duplicates", groups)
    lines += _listed("near-empty", found.near_empty)
    return lines + _listed("problems", found.problems)


def _counts(counts: dict) -> str:
    if len(counts) == 1:
        return str(next(iter(counts)))
    shown = [f"{name} ({count})" for name, count in list(counts.items())[:LISTED]]
    more = [f"{len(counts) - LISTED} more"] if len(counts) > LISTED else []
    return ", ".join(shown + more)


def _listed(kind: str, lines: tuple[str, ...] | list[str]) -> list[str]:
    if not lines:
        return [f"{kind}: none"]
    more = [f"  {len(lines) - LISTED} more"] if len(lines) > LISTED else []
    return [f"{kind}: {len(lines)}", *(f"  {line}" for line in lines[:LISTED]), *more]


@app.callback()
def _commands() -> None:
    """Keeps ``inspect`` a command of its own while it is the only one."""
