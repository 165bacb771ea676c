"""A run as one HTML page that opens anywhere, without a network."""

import json
import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from generative.files.own_files import check_outputs
from latentopt.export.whole_file import write_whole
from latentopt.printable import escape_html as escape
from latentopt.report.exports import exports_section
from latentopt.report.front import front_section
from latentopt.report.html import note, scrolled, section, table, warning
from latentopt.report.learned import strategy_of
from latentopt.report.parallel import parallel_section
from latentopt.report.place import place_sections
from latentopt.report.structures import interaction, lost_structures, page_script
from latentopt.report.surrogate import surrogate_sections
from latentopt.report.trial_table import all_trials_section
from latentopt.report.trials import (
    best_section,
    header,
    margins_section,
    outcomes_section,
    progress_section,
)
from latentopt.runs.baseline import baseline_from, baseline_of
from latentopt.runs.campaign_folder import campaign_files
from latentopt.runs.run import Run
from latentopt.settings.credentials import with_secrets_hidden
from latentopt.space.latent_space import LatentSpace
from latentopt.version import __version__

__all__ = ["write_report"]

_log = logging.getLogger(__name__)

_NAMED = 10  # structures that are missing or wrong; the rest are counted
_CSS = Path(__file__).parents[1] / "assets" / "report.css"
# Browsers refuse whatever would leave the page, so "no network" is a property and not a promise.
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
)


def write_report(
    run: Run,
    path: Path | str | None = None,
    *,
    space: LatentSpace | None = None,
    strategy: Any = None,
    baselines: Sequence[Path | str] = (),
    overwrite: bool = False,
) -> Path:
    """Write the page: best candidates, progress, trade-offs, what was learned, where, failures.

    Parameters
    ----------
    run
        A finished or unfinished run, also one in which nothing has completed.
    path
        HTML file; ``report.html`` in the run's folder unless given.
    space
        Its training data are drawn behind the trials, and the strategy's model is fitted in it;
        without, the page says what it leaves out.
    strategy
        Whose model is shown; the one that the run's config names unless given.
    baselines
        Folders of campaigns towards the same goal, drawn beside the run's best so far. Its own
        baseline is there without: imported data, or else the points before the first model.
    overwrite
        Replace a file that is not a page of ours, too.

    Returns
    -------
    Path of the page. It holds plotly and every picture, about 5 MB, and loads no other file; to
    exported files it has links.

    Raises
    ------
    OutputError
        A file that is not ours has the name, or one that the campaign consists of.
    ExportError
        If the file cannot be written.
    CampaignError
        A folder of `baselines` holds no campaign, or one towards another goal.
    """
    path = Path(path) if path is not None else run.folder / "report.html"
    check_outputs([path], inputs=campaign_files(run.folder), overwrite=overwrite)
    compared = [*filter(None, [baseline_of(run)]), *(baseline_from(b, run) for b in baselines)]
    sections = [
        header(run, compared),
        _lost(run),
        front_section(run) or best_section(run),
        progress_section(run, compared),
        parallel_section(run),
        *place_sections(run, space),
        *surrogate_sections(run, space, strategy or strategy_of(run)),
        margins_section(run),
        outcomes_section(run),
        all_trials_section(run),
        exports_section(run, path.parent),
        _provenance(run),
    ]
    page = _page(run, "\n".join(filter(None, sections)))
    write_whole({path: page.encode("utf-8")}, overwrite=overwrite)
    return path


def _lost(run: Run) -> str:
    """That structures are missing or belong to other trials; empty if none do."""
    lost = lost_structures(run)
    if not lost:
        return ""
    _log.warning("%d structures cannot be shown; the page says which.", len(lost))
    more = f" And {len(lost) - _NAMED} more." if len(lost) > _NAMED else ""
    return section(
        "Structures that are missing or not those of their trials",
        "".join(warning(line) for line in lost[:_NAMED]) + (note(more) if more else ""),
    )


def _page(run: Run, body: str) -> str:
    from plotly.offline import get_plotlyjs

    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(run.config.name)}: latentopt report</title>
<link rel="icon" href="data:,">
<style>
{_CSS.read_text(encoding="utf-8")}</style>
<script>{get_plotlyjs()}</script>
</head>
<body>
{page_script(run)}
<main>
{body}
</main>
{interaction()}
</body>
</html>
"""


def _how_values_hold(run: Run) -> dict[str, str]:
    """Voxel size, and the boundary condition of each value that has one."""
    sizes = run.config.voxel_size_um
    edges = " x ".join(f"{size:g}" for size in (sizes if isinstance(sizes, tuple) else (sizes,)))
    metrics: dict[str, list[str]] = {}
    for name, boundary in run.boundary.items():
        metrics.setdefault(boundary, []).append(name)
    said = "; ".join(f"{boundary}: {', '.join(names)}" for boundary, names in metrics.items())
    return {"voxel (um; z, y, x)": edges} | ({"boundary condition": said} if said else {})


def _provenance(run: Run) -> str:
    seconds = [trial.seconds for trial in run.trials if trial.seconds is not None]
    facts: dict[str, Any] = {
        "folder": str(run.folder.resolve()),
        "space": run.space_id,
        "seed": run.config.seed,
        **_how_values_hold(run),
        "evaluation time": f"{sum(seconds):.1f} s in {len(seconds)} trials",
        **run.provenance,
        "report": f"latentopt {__version__}, {datetime.now(UTC).isoformat(timespec='seconds')}",
    }
    rows = [
        (name, value if isinstance(value, str) else json.dumps(value, default=str))
        for name, value in facts.items()
    ]
    settings = yaml.safe_dump(
        with_secrets_hidden(run.config.model_dump(mode="json")), sort_keys=False, allow_unicode=True
    )
    body = f"{table('Provenance', (), rows, row_heads=True)}<h3>campaign.yaml</h3>"
    body += scrolled("Settings of the campaign", f"<pre>{escape(settings)}</pre>")
    return section("Provenance", body)
