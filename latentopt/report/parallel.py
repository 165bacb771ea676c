"""Every trial as a line across the axes of its metrics."""

from collections.abc import Sequence

import numpy as np

from latentopt.printable import escape_html as escape
from latentopt.report.charts import Chart, is_feasible, layout_of, with_status
from latentopt.report.colours import ACCENT, BAD, PALE
from latentopt.report.html import chart, note, number, section
from latentopt.runs.quantities import objective_texts, unit_of, with_unit
from latentopt.runs.run import Run, Trial

__all__ = ["parallel_coordinates", "parallel_section"]

_AXES = 10
_LINES = 300  # of hundreds of trials the best and the latest
_LEAST = 3  # trials of which the lines say something
_WIDTH = 130  # pixels from one axis to the next, at least


def parallel_section(run: Run) -> str:
    """The chart; nothing where there is little to see."""
    drawn = parallel_coordinates(run)
    if drawn is None:
        return ""
    text = (
        "Each line is a completed trial, and crosses each axis at its value; the ends of an axis "
        "are the smallest and the largest value. Lines that cross between two axes mean that one "
        "value rises where the other falls."
    )
    width = _WIDTH * len(drawn["layout"]["xaxis"]["tickvals"])
    return section("Metrics side by side", note(text) + chart("parallel", drawn, text, width=width))


def parallel_coordinates(run: Run) -> Chart | None:
    """Lines of the best trials, the feasible ones and the others, one trace each.

    Plotly's own chart of this kind needs WebGL and compiles code, which the page's policy refuses;
    these are plain lines, each axis scaled to 0 to 1.

    Returns
    -------
    None with fewer than three completed trials or two values that vary.
    """
    trials = _shown(run)
    axes = _axes(run, trials)
    if len(trials) < _LEAST or len(axes) < 2:
        return None
    values = np.array([column for _, column in axes]).T
    low, high = np.nanmin(values, 0), np.nanmax(values, 0)
    best = {t.index for t in (run.pareto() if _several(run) else run.best(1))}
    lines: dict[str, list[int]] = {"breaks a constraint": [], "feasible": [], _top(run): []}
    for row, trial in enumerate(trials):
        kind = "feasible" if is_feasible(run, trial) else "breaks a constraint"
        lines[_top(run) if trial.index in best else kind].append(row)
    styles = {"breaks a constraint": (PALE, 1.0), "feasible": (ACCENT, 1.5), _top(run): (BAD, 3.0)}
    data = [
        _lines(name, [trials[row] for row in rows], values[rows], (low, high), axes, styles[name])
        for name, rows in lines.items()
        if rows
    ]
    return {"data": data, "layout": _layout([title for title, _ in axes], low, high)}


def _several(run: Run) -> bool:
    return len(run.config.goal.objectives) > 1


def _top(run: Run) -> str:
    return "front" if _several(run) else "best"


def _shown(run: Run) -> list[Trial]:
    completed = with_status(run, "completed")
    if len(completed) <= _LINES:
        return completed
    kept = {t.index for t in (*run.best(_LINES // 2), *completed[-(_LINES // 2) :])}
    return [trial for trial in completed if trial.index in kept]


def _axes(run: Run, trials: Sequence[Trial]) -> list[tuple[str, list[float]]]:
    """Title and values of each axis: the objectives, the goal's metrics, then the others."""
    if not trials:
        return []
    objectives = np.array([run.objectives(trial) for trial in trials], dtype=float)
    columns = dict(zip(objective_texts(run), objectives.T.tolist(), strict=True))
    others = [name for trial in trials for name in trial.metrics]
    for name in dict.fromkeys((*run.config.goal.metrics, *others)):
        values = [float(trial.metrics.get(name, np.nan)) for trial in trials]
        columns.setdefault(with_unit(name, unit_of(run, name)), values)
    return [(title, x) for title, x in columns.items() if np.unique(_finite(x)).size > 1][:_AXES]


def _finite(values: Sequence[float]) -> np.ndarray:
    x = np.array(values)
    return x[np.isfinite(x)]


def _lines(
    name: str,
    trials: Sequence[Trial],
    values: np.ndarray,
    ends: tuple[np.ndarray, np.ndarray],
    axes: Sequence[tuple[str, list[float]]],
    style: tuple[str, float],
) -> Chart:
    """One trace of many lines, with a gap after each."""
    scaled = (values - ends[0]) / (ends[1] - ends[0])
    x: list[int | None] = []
    y: list[float | None] = []
    text: list[str] = []
    for trial, row, own in zip(trials, scaled, values, strict=True):
        x += [*range(len(axes)), None]
        y += [*(round(float(v), 4) if np.isfinite(v) else None for v in row), None]
        text += [
            *(
                f"trial {trial.index}: {escape(title)} {number(float(value))}"
                for (title, _), value in zip(axes, own, strict=True)
            ),
            "",
        ]
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "x": x,
        "y": y,
        "text": text,
        "hoverinfo": "text",
        "customdata": [trial.index for trial in trials for _ in range(len(axes) + 1)],
        "line": {"color": style[0], "width": style[1]},
        "marker": {"color": style[0], "size": 4},
        "connectgaps": False,
    }


def _layout(titles: Sequence[str], low: np.ndarray, high: np.ndarray) -> Chart:
    layout = layout_of("", "")
    places = list(range(len(titles)))
    wrapped = [escape(title).replace(" [", "<br>[") for title in titles]
    layout["xaxis"] |= {
        "tickvals": places,
        "ticktext": wrapped,
        "range": [-0.4, len(titles) - 0.6],
        "gridcolor": PALE,
        "zeroline": False,
        "automargin": True,
    }
    layout["yaxis"] |= {"range": [-0.1, 1.1], "visible": False}
    layout["annotations"] = [
        {"x": k, "y": y, "yshift": shift, "text": number(float(end)), "showarrow": False}
        for k in places
        for y, shift, end in ((0, -12, low[k]), (1, 12, high[k]))
    ]
    layout["margin"] |= {"l": 20, "b": 60, "t": 40}
    return layout
