"""Pictures of structures on the page: cards with what is known, and previews under the mouse."""

import base64
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from latentopt.errors import CampaignError
from latentopt.pictures import PHASE_COLOURS, structure_png, thumbnail_png
from latentopt.printable import escape_html as escape
from latentopt.report.colours import DARK
from latentopt.report.html import breakable, note, number, to_script, warning
from latentopt.report.slices import slice_view
from latentopt.runs.quantities import unit_of, unit_of_objective
from latentopt.runs.run import Run, Trial
from objectives.grid import Grid

__all__ = ["cards", "interaction", "lost_structures", "page_script", "structures_of"]

_PICTURED = 400  # most trials whose structures are read, of half a kilobyte on the page each

_ASSETS = Path(__file__).parents[1] / "assets"


def page_script(run: Run) -> str:
    """Script of the page, and pictures of the best and the latest trials that it shows."""
    structures = structures_of(run)
    pictures = {
        index: base64.b64encode(thumbnail_png(phases)).decode()
        for index, phases in structures.items()
    }
    # Of a volume, its middle slice is shown.
    sections = {phases.shape[-2:] for phases in structures.values()}
    shape = sections.pop() if len(sections) == 1 else ()
    given = {
        "structures": pictures,
        "proportions": _proportions(shape, run.config.grid) or "auto",
        "darkColours": DARK,
    }
    values = "".join(f"const {name} = {to_script(value)};\n" for name, value in given.items())
    return f"<script>{values}{_script('report.js')}</script>"


def interaction() -> str:
    """Script of the tables and volumes that stand before it."""
    return f"<script>{_script('report_table.js')}{_script('report_slices.js')}</script>"


def _script(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")


def structures_of(run: Run) -> dict[int, np.ndarray]:
    """Phases of the best and the latest trials by index; see `lost_structures` for the others."""
    return _read(run)[0]


def lost_structures(run: Run) -> list[str]:
    """Of the best and the latest trials: a line for each whose structure is missing or another."""
    return _read(run)[1]


def _read(run: Run) -> tuple[dict[int, np.ndarray], list[str]]:
    trials = {t.index: t for t in (*run.best(_PICTURED // 2), *reversed(run.trials))}
    found, lost = {}, []
    for trial in list(trials.values())[:_PICTURED]:
        try:
            found[trial.index] = run.structure(trial)
        except CampaignError as error:
            if trial.voxel_sha256 is not None or trial.status == "completed":
                lost.append(str(error))
    return found, lost


def cards(run: Run, trials: Iterable[Trial]) -> str:
    """A card a trial: its structure, metrics and margins."""
    made, phases, solid = [], (), False
    for trial in trials:
        try:
            structure = run.candidate(trial.index).microstructure
        except CampaignError as error:
            picture = warning(f"The structure cannot be read: {error}")
        else:
            phases = structure.phase_names
            solid = structure.spatial_dims == 3
            data = base64.b64encode(structure_png(structure.phases)).decode()
            drawn = "" if solid else _proportions(structure.phases.shape, run.config.grid)
            style = f' style="aspect-ratio: {drawn}"' if drawn else ""
            picture = f'<img alt="trial {trial.index}"{style} src="data:image/png;base64,{data}">'
            if solid:
                picture += slice_view(structure.phases, run.config.grid, f"trial {trial.index}")
        made.append(_card(run, trial, picture))
    legend = "".join(
        f'<span class="key" style="background:{PHASE_COLOURS[k % len(PHASE_COLOURS)]}"></span>'
        f"{escape(name)}"
        for k, name in enumerate(phases)
    )
    boxes = ""
    if solid and len(set(run.config.grid.edges_um(3))) > 1:
        edges = " x ".join(f"{edge:g}" for edge in run.config.grid.edges_um(3))
        boxes = note(f"Voxels measure {edges} um (z, y, x).")
    return (
        f'<p class="note">Phases:{legend}</p>{boxes}'
        f'<div class="cards{" solid" if solid else ""}">{"".join(made)}</div>'
    )


def _proportions(shape: tuple[int, ...], grid: Grid) -> str:
    """Width over height of a section, y by x, whose voxels are no squares; else empty."""
    size = grid.voxel_size_um
    if len(shape) != 2 or not isinstance(size, tuple) or size[-2] == size[-1]:
        return ""
    height, width = (n * edge for n, edge in zip(shape, size[-2:], strict=True))
    return f"{width / height:.6g}"


def _card(run: Run, trial: Trial, picture: str) -> str:
    rows = [
        _card_row(name, f"{_with_error(value)} {unit_of(run, name)}".strip())
        for name, value in trial.measured.items()
    ]
    for name, margin in run.margins(trial).items():
        rows.append(_card_row(name, f"margin {margin:+.4g}", bad=not margin >= 0))
    units = [unit_of_objective(run, k) for k in range(len(run.config.goal.objectives))]
    values = ", ".join(
        f"{number(value)} {escape(unit)}".strip()
        for value, unit in zip(run.objectives(trial), units, strict=True)
    )
    if run.noisy and len(run.objectives(trial)) == 1:
        values = f"{_with_error(run.posterior(trial))} {escape(units[0])}".strip()
        rows.insert(0, _card_row("measured", number(run.value(trial))))
    return (
        f'<figure class="card">{picture}<figcaption>'
        f'<h3>{values} <span class="note">trial {trial.index}, '
        f"{escape(trial.strategy)}</span></h3>"
        f"<table>{''.join(rows)}</table></figcaption></figure>"
    )


def _with_error(value: float) -> str:
    """A number, with its standard error where it has one.

    >>> from latentopt.measurement import Measured
    >>> _with_error(Measured(1.25, 0.5))
    '1.25 ± 0.5'
    """
    error = getattr(value, "sem", None)
    return number(float(value)) + (f" ± {number(error)}" if error is not None else "")


def _card_row(name: str, value: str, bad: bool = False) -> str:
    style = "number bad" if bad else "number"
    return (
        f'<tr><th scope="row">{breakable(name)}</th><td class="{style}">{escape(value)}</td></tr>'
    )
