"""The fidelity of latent spaces as files: an HTML page, pictures, the table as JSON and CSV."""

import base64
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from latentopt.csv_tables import csv_table
from latentopt.export.whole_file import make_folder, write_whole
from latentopt.fidelity.names import plain_name
from latentopt.fidelity.page_pictures import bars_png, structures_png
from latentopt.fidelity.spaces import ALL, FIGURES, SpaceFidelity
from latentopt.fidelity.verdict import LEVEL, fidelity_verdict
from latentopt.printable import escape_html as escape
from latentopt.version import __version__
from objectives.fidelity.ensemble import fewest_units

__all__ = ["FILES", "encoder_notes", "seen_warnings", "write_fidelity"]

FILES = ("bars.png", "structures.png", "fidelity.csv", "fidelity.json", "report.html")

FORMAT_VERSION = 1


def _beside(*figures: str, of: str = "") -> tuple[str, ...]:
    """Names of figures, each followed by its floor and its control."""
    names = [f"{figure}_{of}" if of else figure for figure in figures]
    return tuple(f"{name}{end}" for name in names for end in ("", "_halves", "_shuffled"))


TABLES = {
    "Reconstructions of held-out structures": (
        "mse", "psnr", "ssim", "pixel_error", "two_point_mae", "lineal_path_mae", "interface_ratio",
    ),
    "Statistics of reconstructions as a set": (
        "within_6_sigma", "within_6_sigma_shuffled", "p_reconstructed", "p_held_out", "p_shuffled",
    ),
    "Samples": ("p_samples", "kl_levels", "kl_fractions"),
    "Samples, in two-point scores": _beside("frechet", "precision", "recall", of="two_point"),
    "Samples, in two-point features": _beside(
        "frechet", "precision", "recall", of="two_point_features"
    ),
    "Samples, by a random network": _beside("frechet", "precision", "recall", of="random_cnn"),
    "Samples, by your Inception features": (
        *_beside("fid"), *_beside("precision", "recall", of="inception"),
    ),
    "Samples, voxels that stand alone": _beside("lone_voxels", "thin_voxels"),
    "Samples, voxels of no phase": ("undecided_voxels",),
    "Copies of training structures": (
        "copied", "copied_halves", "closer", "copies", "distance_ratio", "seen",
    ),
}  # fmt: skip
_NOTES = {
    "Statistics of reconstructions as a set": "Nearly everything lies within 6 sigma, shuffled "
    "pixels too. The ensemble test is the judge: below 0.05 the reconstructions are another "
    "material on average. More structures see smaller differences."
}
_IMAGES = "img { max-width: 100%; min-width: 40rem; }"
_CSS = Path(__file__).parents[1] / "assets" / "report.css"
_STYLES = {
    "faithful": "finished", "partly": "stopped", "not faithful": "failed", "unknown": "unknown",
}  # fmt: skip
# Browsers refuse whatever would leave the page; it has no script at all.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def write_fidelity(
    spaces: Sequence[SpaceFidelity],
    folder: Path | str,
    facts: Mapping[str, object],
    *,
    overwrite: bool = False,
) -> Path:
    """Write ``report.html``, ``fidelity.json``, ``fidelity.csv``, ``bars.png``, ``structures.png``.

    Parameters
    ----------
    spaces
        As `evaluate_spaces` gives them, one or more.
    folder
        Made if need be; older files of ours are replaced.
    facts
        What the reader should know by title: data, seed, feature space.
    overwrite
        Replace files that are not ours, too.

    Returns
    -------
    Path of the page. It holds its pictures and refers to no other file.

    Raises
    ------
    OutputError
        A file that is not ours has one of the names.
    ExportError
        If a file cannot be written.
    """
    folder = Path(folder)
    bars, structures = bars_png(spaces), structures_png(spaces)
    facts = {**facts, "report": f"latentopt {__version__}"}
    pictures = (
        (bars, bars_png(spaces, dark=True)),
        (structures, structures_png(spaces, dark=True)),
    )
    page = _page(spaces, facts, *pictures)
    tables = _csv(spaces).encode(), _json(spaces, facts).encode()
    contents = (bars, structures, *tables, page.encode())
    make_folder(folder)
    files = {folder / name: data for name, data in zip(FILES, contents, strict=True)}
    write_whole(files, overwrite=overwrite)
    return folder / "report.html"


# -- tables ---------------------------------------------------------------------------------------


def _json(spaces: Sequence[SpaceFidelity], facts: Mapping[str, object]) -> str:
    """Every figure; null where it is infinite (PSNR of equal images)."""
    table = [
        {
            "name": space.name,
            "id": space.id,
            "latent_dim": space.latent_dim,
            "groups": [
                {
                    "name": group.name,
                    "images": group.images,
                    "parents": group.parents,
                    "figures": {
                        name: value if math.isfinite(value) else None
                        for name, value in group.figures.items()
                    },
                }
                for group in space.groups
            ],
        }
        for space in spaces
    ]
    document = {
        "format_version": FORMAT_VERSION,
        "facts": dict(facts),
        "figures": FIGURES,
        "spaces": table,
    }
    return json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def _csv(spaces: Sequence[SpaceFidelity]) -> str:
    rows: list[list[object]] = [["space", "group", "images", "parents", *FIGURES]]
    for space in spaces:
        for group in space.groups:
            values = [group.figures.get(name, "") for name in FIGURES]
            rows.append([space.name, group.name, group.images, group.parents, *values])
    return csv_table(rows)


# -- page -----------------------------------------------------------------------------------------


def _page(
    spaces: Sequence[SpaceFidelity],
    facts: Mapping[str, object],
    bars: tuple[bytes, bytes],
    structures: tuple[bytes, bytes],
) -> str:
    note = (
        '<p class="note">Spread from the smallest phase fraction (of grey levels, the smallest '
        "mean) to the largest, and over the parents: each stands for equally many structures.</p>"
    )
    sections = [
        f"<header><h1>Fidelity of {_count(len(spaces), 'latent space')}</h1>"
        f"{_verdicts(spaces)}{_warnings(spaces)}</header>",
        _section("Structures", note + _image(structures, "held-out, reconstructed and sampled")),
        *(_table_section(title, names, spaces) for title, names in TABLES.items()),
        _section(
            "Mean of each structure's statistics",
            '<p class="note">Two-point statistics at near shifts, averaged over each structure; '
            "bars are the mean over structures, with the standard deviation. A coarse view: the "
            "ensemble test above sees what these means hide.</p>"
            + _image(
                bars, "mean statistics of originals and reconstructions, a pair of bars a group"
            ),
        ),
        _section("What was compared", _facts(spaces, facts)),
    ]
    body = "\n".join(filter(None, sections))
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Fidelity: latentopt</title>
<link rel="icon" href="data:,">
<style>
{_CSS.read_text(encoding="utf-8")}{_IMAGES}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""


def _verdicts(spaces: Sequence[SpaceFidelity]) -> str:
    """A verdict on each space, by name where there are several."""
    said = []
    for space in spaces:
        verdict = fidelity_verdict(space)
        name = f"<strong>{escape(space.name)}</strong>: " if len(spaces) > 1 else ""
        style = _STYLES[verdict.state]
        said.append(f'<p class="verdict {style}">{name}{escape(verdict.text)}</p>')
    return "".join(said)


def _warnings(spaces: Sequence[SpaceFidelity]) -> str:
    """What keeps the figures from being read at face value."""
    groups = spaces[0].groups  # what these say does not depend on the space
    few = [f"{g.name} ({g.parents})" for g in groups if "p_shuffled" not in g.figures]
    texts = []
    if few:
        texts.append(
            f"No ensemble test for lack of parents ({2 * fewest_units()} are needed): "
            f"{', '.join(few)}."
        )
    for group in groups:
        where = "" if group.name == ALL else f" of {group.name}"
        figures = group.figures
        if figures.get("p_shuffled", 0.0) >= LEVEL:
            texts.append(
                f"The ensemble test{where} does not refuse shuffled pixels: there are too few "
                "structures for it to say anything."
            )
        if figures.get("p_held_out", 1.0) < LEVEL:
            texts.append(
                f"The two halves of the held-out structures{where} differ by themselves: by "
                "chance (one case in 20), or because images of one specimen count as several "
                "parents."
            )
    texts += [*seen_warnings(spaces), *encoder_notes(spaces)]
    return "".join(f'<p class="warn">{escape(text)}</p>' for text in texts)


def seen_warnings(spaces: Sequence[SpaceFidelity]) -> list[str]:
    """A line for each space that was trained on some of the held-out images."""
    lines = []
    for space in spaces:
        group = space.groups[0]
        if seen := round(group.figures.get("seen", 0.0) * group.images):
            lines.append(
                f"{seen} of the held-out images are training images too (of {space.name}; "
                "mirrored and turned ones count): leave them out, or every figure is too good."
            )
    return lines


def encoder_notes(spaces: Sequence[SpaceFidelity]) -> list[str]:
    """A line for each space whose model cannot encode, and so reconstructs nothing."""
    return [
        f"{space.name} has no encoder: it reconstructs nothing and is judged by its samples."
        for space in spaces
        if not len(space.reconstructed)
    ]


def _table_section(title: str, names: Sequence[str], spaces: Sequence[SpaceFidelity]) -> str:
    shown = [n for n in names if any(n in g.figures for s in spaces for g in s.groups)]
    rows = [
        _row([space.name, group.name, str(group.images)], group.figures, shown)
        for space in spaces
        for group in space.groups
        if any(name in group.figures for name in shown)
    ]
    if not rows:
        return ""
    heads = "".join(f'<th scope="col">{h}</th>' for h in ("space", "group", "images"))
    heads += "".join(
        f'<th scope="col" class="number">{plain_name(name)}'
        f"<small>{name.replace('_', '_<wbr>')}</small></th>"
        for name in shown
    )
    legend = "".join(
        f"<dt>{plain_name(name)} ({name})</dt><dd>{escape(FIGURES[name])}</dd>" for name in shown
    )
    note = f'<p class="note">{_NOTES[title]}</p>' if title in _NOTES else ""
    return _section(
        title,
        note
        + _scrolled(
            title,
            f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>",
        )
        + f'<dl class="note">{legend}</dl>',
    )


def _row(texts: Iterable[str], figures: Mapping[str, float], names: Sequence[str]) -> str:
    first, *others = texts
    cells = f'<th scope="row">{escape(first)}</th>'
    cells += "".join(f"<td>{escape(text)}</td>" for text in others)
    for name in names:
        value = figures.get(name)
        refused = name in ("p_reconstructed", "p_samples") and value is not None and value < LEVEL
        text = "" if value is None else f"{value:.3g}"
        cells += f'<td class="number{" bad" if refused else ""}">{text}</td>'
    return f"<tr>{cells}</tr>"


def _facts(spaces: Sequence[SpaceFidelity], facts: Mapping[str, object]) -> str:
    rows = {f"space {s.name}": f"{s.id}, {s.latent_dim} numbers" for s in spaces} | dict(facts)
    cells = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(str(value))}</td></tr>'
        for name, value in rows.items()
    )
    return _scrolled("What was compared", f"<table><tbody>{cells}</tbody></table>")


def _scrolled(label: str, body: str) -> str:
    """A table in a region that scrolls by itself, which the keyboard can reach."""
    return f'<div class="scroll" role="region" aria-label="{label}" tabindex="0">{body}</div>'


def _section(title: str, body: str) -> str:
    return f"<section><h2>{escape(title)}</h2>\n{body}</section>"


def _image(pngs: tuple[bytes, bytes], alt: str) -> str:
    """A picture on white, and the one that a dark page has."""
    light, dark = (f"data:image/png;base64,{base64.b64encode(png).decode()}" for png in pngs)
    return _scrolled(
        alt,
        f'<picture><source media="(prefers-color-scheme: dark)" srcset="{dark}">'
        f'<img alt="{alt}" src="{light}"></picture>',
    )


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}"
