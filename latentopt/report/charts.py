"""Plotly charts of a run, as the plain data ``{"data": [...], "layout": {...}}`` that plotly draws.

Text that a user wrote is escaped here: plotly reads some HTML in names and hover texts. Each point
that is a trial carries its index, by which the page shows its structure.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from latentopt.printable import escape_html as escape
from latentopt.report.colours import (
    ACCENT,
    ACCENT_PALE,
    BAD,
    CLOUD,
    GRID,
    INK,
    PALE,
    PAPER,
    SCREENED,
)
from latentopt.runs.baseline import Baseline
from latentopt.runs.quantities import objective_texts, unit_of_constraint, with_unit
from latentopt.runs.run import Run, Trial

__all__ = [
    "best_so_far",
    "constraint_margins",
    "is_feasible",
    "outcomes",
]

Chart = dict[str, Any]  # as JSON holds it

_DASHES = ("dash", "dot", "dashdot")


def is_feasible(run: Run, trial: Trial) -> bool:
    """Whether a trial completed and meets every constraint."""
    return trial.status == "completed" and run.is_feasible(trial)


def best_so_far(run: Run, baselines: Sequence[Baseline] = (), number: int = 0) -> Chart:
    """Value of every completed trial, the best feasible one up to each, and that of baselines.

    Of noisy values the points are what was measured, and the lines posterior means.

    Parameters
    ----------
    run, baselines
        What is drawn.
    number
        Which of several objectives.
    """
    completed = with_status(run, "completed")
    feasible = [trial for trial in completed if is_feasible(run, trial)]
    infeasible = [trial for trial in completed if not is_feasible(run, trial)]
    pale = {"color": PALE, "size": 8, "symbol": "circle-open"}
    full = {"color": ACCENT, "size": 8}
    data = [
        by_index(name, trials, values_of(run, trials, number), marker)
        for name, trials, marker in (
            ("feasible", feasible, full),
            ("breaks a constraint", infeasible, pale),
        )
    ]
    last = run.trials[-1].index if run.trials else 0
    for k, baseline in enumerate(baselines):
        style = {"color": BAD, "width": 1.5, "dash": _DASHES[k % len(_DASHES)]}
        name = f"best of {escape(baseline.name)}"
        data.append(_running_best(name, baseline.run, style, last, number))
    data.append(_running_best("best so far", run, {"color": INK, "width": 2}, last, number))
    return {"data": data, "layout": layout_of("trial", objective_names(run)[number])}


def _running_best(name: str, run: Run, line: dict, last: int, number: int) -> Chart:
    """Best feasible value up to each trial, drawn on to the trial `last`."""
    feasible = run.feasible
    best = np.maximum.accumulate([run.objectives(t)[number] for t in feasible] or [0.0])
    end = max([last, *(trial.index for trial in run.trials[-1:])])
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": [*(trial.index for trial in feasible), end] if feasible else [],
        "y": [*best.tolist(), float(best[-1])] if feasible else [],
        "line": {"shape": "hv", **line},
    }


def constraint_margins(run: Run) -> list[Chart]:
    """One chart a constraint, as their units differ: margin of every completed trial."""
    completed = with_status(run, "completed")
    margins = [run.margins(trial) for trial in completed]
    charts = []
    units = {c.text: unit_of_constraint(run, c) for c in run.config.goal.constraints}
    for name in dict.fromkeys(name for row in margins for name in row):
        values = [json_number(row.get(name, float("nan"))) for row in margins]
        colours = [ACCENT if value is not None and value >= 0 else BAD for value in values]
        points = by_index("margin", completed, values, {"color": colours, "size": 8})
        layout = layout_of(
            "trial", escape(with_unit("margin, met from 0 up", units[name])), title=escape(name)
        )
        layout["shapes"] = [rule(y=0.0)]
        charts.append({"data": [points], "layout": layout | {"showlegend": False, "height": 260}})
    return charts


def outcomes(run: Run) -> Chart:
    """How many trials came to what, as one bar."""
    failed = with_status(run, "failed")
    completed = with_status(run, "completed")
    good = sum(is_feasible(run, trial) for trial in completed)
    counts = {
        "feasible": (good, ACCENT),
        "breaks a constraint": (len(completed) - good, ACCENT_PALE),
    }
    for state, colour in _STATE_COLOURS.items():
        counts[f"failed: {state}"] = (sum(trial.state == state for trial in failed), colour)
    counts["screened out"] = (len(with_status(run, "screened")), SCREENED)
    counts["under way"] = (len(with_status(run, "pending")), CLOUD)
    data = [
        {
            "type": "bar",
            "orientation": "h",
            "name": name,
            "x": [n],
            "y": [""],
            "text": [str(n)],
            "textposition": "inside",
            "insidetextanchor": "middle",
            "marker": {"color": colour},
            "hoverinfo": "name",
        }
        for name, (n, colour) in counts.items()
        if n
    ]
    layout: Chart = layout_of("trials", "") | {"barmode": "stack", "height": 150, "bargap": 0.2}
    layout["xaxis"] |= {"range": [0, len(run.trials)], "showgrid": False}
    layout["legend"] |= {"traceorder": "normal"}
    return {"data": data, "layout": layout}


_STATE_COLOURS = {
    "infeasible": "#e8b7a8",
    "invalid": "#dc8d76",
    "timeout": "#c8553d",
    "crashed": "#93331f",
    "lost": "#7a7f85",
}


# -- parts ----------------------------------------------------------------------------------------


def with_status(run: Run, status: str) -> list[Trial]:
    """Trials of one status, by index."""
    return [trial for trial in run.trials if trial.status == status]


def objective_names(run: Run) -> list[str]:
    """Each objective with its unit, as the axis of a chart says it."""
    return [escape(text) for text in objective_texts(run)]


def by_index(name: str, trials: Sequence[Trial], values: list, marker: dict) -> Chart:
    """A point a trial, at its index and value."""
    x = [trial.index for trial in trials]
    points = {"type": "scatter", "mode": "markers", "name": name, "x": x, "y": values}
    return points | {"marker": marker} | hover(trials, values)


def hover(trials: Sequence[Trial], values: list) -> Chart:
    """What a point says under the mouse, and whose structure the page shows there."""
    texts = [
        f"trial {trial.index}" + (f": {value:.4g}" if value is not None else f", {trial.status}")
        for trial, value in zip(trials, values, strict=True)
    ]
    return {"text": texts, "hoverinfo": "text", "customdata": [trial.index for trial in trials]}


def values_of(run: Run, trials: Sequence[Trial], number: int = 0) -> list[float | None]:
    """Measured value of one objective for each trial, None where it has none."""
    goal = run.config.goal
    return [
        json_number(float(goal.values(trial.metrics)[number]))
        if trial.status == "completed"
        else None
        for trial in trials
    ]


def json_number(value: float) -> float | None:
    """A float that JSON can hold."""
    return float(value) if np.isfinite(value) else None


def rule(*, x: float | None = None, y: float | None = None) -> Chart:
    """A dashed line across the chart at one x or y."""
    place = (
        {"yref": "paper", "y0": 0, "y1": 1, "x0": x, "x1": x}
        if y is None
        else {"xref": "paper", "x0": 0, "x1": 1, "y0": y, "y1": y}
    )
    return {"type": "line", **place, "line": {"color": INK, "width": 1, "dash": "dash"}}


def layout_of(x: str, y: str, title: str = "") -> Chart:
    """Layout with the titles of both axes."""
    axis = {"gridcolor": GRID, "zerolinecolor": GRID, "linecolor": PALE}
    return {
        "title": {"text": title, "font": {"size": 14}, "x": 0, "xref": "paper", "xanchor": "left"},
        "xaxis": axis | {"title": {"text": x}},
        "yaxis": axis | {"title": {"text": y}},
        "font": {"family": "system-ui, sans-serif", "size": 13, "color": INK},
        "margin": {"l": 60, "r": 20, "t": 40 if title else 28, "b": 50},
        "plot_bgcolor": PAPER,
        "paper_bgcolor": PAPER,
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom"},
        "height": 360,
    }
