"""A run as one HTML page that opens anywhere, without a network."""

import base64
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from latentopt import __version__
from latentopt.charts import best_so_far, constraint_margins, is_feasible, latent_map
from latentopt.errors import CampaignError
from latentopt.export.whole_file import write_whole
from latentopt.figures import PHASE_COLOURS, structure_png
from latentopt.run import Run, Trial

if TYPE_CHECKING:
    from latentopt.space import LatentSpace

__all__ = ["write_report"]

_CARDS = 6
_CSS = Path(__file__).parent / "assets" / "report.css"
# Browsers refuse whatever would leave the page, so "no network" is a property and not a promise.
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
)


def write_report(
    run: Run, path: Path | str | None = None, *, space: "LatentSpace | None" = None
) -> Path:
    """Write the page: best candidates, progress, latent map, margins, failures, provenance.

    Parameters
    ----------
    run
        A finished or unfinished run, also one in which nothing has completed.
    path
        HTML file; ``report.html`` in the run's folder unless given.
    space
        Its training data are drawn behind the trials on the latent map.

    Returns
    -------
    Path of the page. It holds plotly and every picture, about 5 MB, and refers to no other file.

    Raises
    ------
    ExportError
        If the file cannot be written.
    """
    path = Path(path) if path is not None else run.folder / "report.html"
    sections = [
        _header(run),
        _best(run),
        _progress(run),
        _latent_map(run, space),
        _margins(run),
        _failures(run),
        _all_trials(run),
        _provenance(run),
    ]
    page = _page(run.config.name, "\n".join(filter(None, sections)))
    write_whole({path: page.encode("utf-8")})
    return path


def _page(title: str, body: str) -> str:
    from plotly.offline import get_plotlyjs

    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}: latentopt report</title>
<link rel="icon" href="data:,">
<style>
{_CSS.read_text(encoding="utf-8")}</style>
<script>{get_plotlyjs()}</script>
</head>
<body>
{body}
</body>
</html>
"""


# -- sections -------------------------------------------------------------------------------------


def _header(run: Run) -> str:
    completed = [trial for trial in run.trials if trial.status == "completed"]
    failed = sum(trial.status == "failed" for trial in run.trials)
    best = run.best(1)
    facts = {
        "trials": len(run.trials),
        "completed": len(completed),
        "feasible": sum(is_feasible(run, trial) for trial in completed),
        "failed": failed,
        "best value": f"{_number(run.value(best[0]))} (trial {best[0].index})" if best else "none",
    }
    items = "".join(f"<div><dt>{k}</dt><dd>{escape(str(v))}</dd></div>" for k, v in facts.items())
    constraints = " and ".join(f"<code>{escape(text)}</code>" for text in run.config.constraints)
    return (
        f"<header><h1>{escape(run.config.name)}</h1>"
        f"<p>Maximize <code>{escape(run.config.objective)}</code>"
        f"{' subject to ' + constraints if constraints else ''}.</p>"
        f'<dl class="facts">{items}</dl></header>'
    )


def _best(run: Run) -> str:
    best = run.best(_CARDS)
    if best:
        return _section("Best candidates", _cards(run, best))
    completed = [trial for trial in run.trials if trial.status == "completed"]
    if not completed:
        return _section("Best candidates", _warning("No trial has completed yet."))
    nearest = sorted(completed, key=lambda trial: -min(run.margins(trial).values(), default=0.0))
    warning = "No trial meets every constraint. The ones that come closest:"
    return _section("Best candidates", _warning(warning) + _cards(run, nearest[:_CARDS]))


def _progress(run: Run) -> str:
    if not any(trial.status == "completed" for trial in run.trials):
        return ""
    return _section("Best so far", _draw("progress", best_so_far(run)))


def _latent_map(run: Run, space: "LatentSpace | None") -> str:
    if not run.trials:
        return ""
    reference = None if space is None else space.reference_.cpu().numpy()
    note = (
        '<p class="note">Latent points on the plane through the centre of the training data that '
        "holds most of the trials. Points far from the data decode to unlikely structures.</p>"
    )
    return _section("Latent map", note + _draw("map", latent_map(run, reference)))


def _margins(run: Run) -> str:
    if not run.config.constraints:
        return _section("Constraint margins", '<p class="note">There are no constraints.</p>')
    charts = [_draw(f"margin{k}", chart) for k, chart in enumerate(constraint_margins(run))]
    return _section("Constraint margins", "".join(charts)) if charts else ""


def _failures(run: Run) -> str:
    failed = [trial for trial in run.trials if trial.status == "failed"]
    if not failed:
        return ""
    rows = [(str(trial.index), trial.strategy, trial.reason or "not given") for trial in failed]
    return _section("Failed trials", _table(("trial", "strategy", "reason"), rows))


def _all_trials(run: Run) -> str:
    names = list(dict.fromkeys(name for trial in run.trials for name in trial.metrics))
    heads = [f"{name} [{unit}]" if (unit := _unit(run, name)) else name for name in names]
    rows = [
        (
            str(trial.index),
            trial.status,
            trial.strategy,
            "" if trial.seconds is None else f"{trial.seconds:.2f}",
            *(_number(trial.metrics[name]) if name in trial.metrics else "" for name in names),
        )
        for trial in run.trials
    ]
    table = _table(("trial", "status", "strategy", "seconds", *heads), rows, numbers_from=3)
    return _section("All trials", f"<details><summary>Show the table</summary>{table}</details>")


def _provenance(run: Run) -> str:
    seconds = [trial.seconds for trial in run.trials if trial.seconds is not None]
    facts: dict[str, Any] = {
        "folder": str(run.folder.resolve()),
        "space": run.space_id,
        "seed": run.config.seed,
        "evaluation time": f"{sum(seconds):.1f} s in {len(seconds)} trials",
        **run.provenance,
        "report": f"latentopt {__version__}, {datetime.now(UTC).isoformat(timespec='seconds')}",
    }
    rows = [
        (name, value if isinstance(value, str) else json.dumps(value, default=str))
        for name, value in facts.items()
    ]
    settings = yaml.safe_dump(
        run.config.model_dump(mode="json"), sort_keys=False, allow_unicode=True
    )
    body = f"{_table(('', ''), rows)}<h3>campaign.yaml</h3><pre>{escape(settings)}</pre>"
    return _section("Provenance", body)


# -- parts ----------------------------------------------------------------------------------------


def _cards(run: Run, trials: Iterable[Trial]) -> str:
    cards, phases, solid = [], (), False
    for trial in trials:
        try:
            structure = run.candidate(trial.index).microstructure
        except CampaignError as error:
            picture = _warning(f"The structure cannot be read: {error}")
        else:
            phases = structure.phase_names
            solid = structure.spatial_dims == 3
            data = base64.b64encode(structure_png(structure.phases)).decode()
            picture = f'<img alt="trial {trial.index}" src="data:image/png;base64,{data}">'
        cards.append(_card(run, trial, picture))
    legend = "".join(
        f'<span class="key" style="background:{PHASE_COLOURS[k % len(PHASE_COLOURS)]}"></span>'
        f"{escape(name)}"
        for k, name in enumerate(phases)
    )
    return (
        f'<p class="note">Phases:{legend}</p>'
        f'<div class="cards{" solid" if solid else ""}">{"".join(cards)}</div>'
    )


def _card(run: Run, trial: Trial, picture: str) -> str:
    rows = [
        _card_row(name, f"{_number(value)} {_unit(run, name)}".strip())
        for name, value in trial.metrics.items()
    ]
    for name, margin in run.margins(trial).items():
        rows.append(_card_row(name, f"margin {margin:+.4g}", bad=not margin >= 0))
    return (
        f'<figure class="card">{picture}<figcaption>'
        f'<h3>{_number(run.value(trial))} <span class="note">trial {trial.index}, '
        f"{escape(trial.strategy)}</span></h3>"
        f"<table>{''.join(rows)}</table></figcaption></figure>"
    )


def _card_row(name: str, value: str, bad: bool = False) -> str:
    style = "number bad" if bad else "number"
    return f'<tr><td>{escape(name)}</td><td class="{style}">{escape(value)}</td></tr>'


def _section(title: str, body: str) -> str:
    return f"<section><h2>{title}</h2>\n{body}</section>"


def _warning(text: str) -> str:
    return f'<p class="warn">{escape(text)}</p>'


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]], numbers_from: int = 99) -> str:
    """A table of plain strings; columns from `numbers_from` on are aligned as numbers."""

    def row(cells: Iterable[str], tag: str) -> str:
        return "".join(
            f"<{tag}{' class=number' if k >= numbers_from else ''}>{escape(cell)}</{tag}>"
            for k, cell in enumerate(cells)
        )

    body = "\n".join(f"<tr>{row(cells, 'td')}</tr>" for cells in rows)
    return f"<table><thead><tr>{row(heads, 'th')}</tr></thead><tbody>{body}</tbody></table>"


def _draw(name: str, chart: Mapping[str, object]) -> str:
    # "<" is escaped: a script ends at "</script>", wherever that stands.
    data, layout = (json.dumps(chart[k]).replace("<", "\\u003c") for k in ("data", "layout"))
    options = json.dumps({"responsive": True, "displaylogo": False, "displayModeBar": "hover"})
    return (
        f'<div id="{name}" class="chart"></div>'
        f'<script>Plotly.newPlot("{name}", {data}, {layout}, {options});</script>'
    )


def _number(value: float) -> str:
    return f"{value:.4g}"


def _unit(run: Run, name: str) -> str:
    unit = run.units.get(name, "")
    return "" if unit == "1" else unit
