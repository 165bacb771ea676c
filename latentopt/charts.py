"""Plotly charts of a run, as the plain data ``{"data": [...], "layout": {...}}`` that plotly draws.

Text that a user wrote is escaped here: plotly reads some HTML in names and hover texts.
"""

from collections.abc import Sequence
from html import escape

import numpy as np
from jaxtyping import Float

from latentopt.run import Run, Trial

__all__ = ["best_so_far", "constraint_margins", "is_feasible", "latent_map"]

Chart = dict[str, object]

_INK, _ACCENT, _PALE, _BAD = "#26364a", "#2f6f9f", "#8c99a6", "#c8553d"


def is_feasible(run: Run, trial: Trial) -> bool:
    """Whether a trial completed and meets every constraint."""
    return trial.status == "completed" and all(m >= 0 for m in run.margins(trial).values())


def best_so_far(run: Run) -> Chart:
    """Value of every completed trial, and the best feasible one up to each.

    With several objectives it shows the first.
    """
    objective = run.config.objective.split(",")[0].strip()
    completed = _with(run, "completed")
    feasible = [trial for trial in completed if is_feasible(run, trial)]
    infeasible = [trial for trial in completed if not is_feasible(run, trial)]
    best = np.maximum.accumulate([run.value(trial) for trial in feasible] or [0.0])
    data = [
        _points("feasible", feasible, _values(run, feasible), {"color": _ACCENT, "size": 8}),
        _points(
            "breaks a constraint",
            infeasible,
            _values(run, infeasible),
            {"color": _PALE, "size": 8, "symbol": "circle-open"},
        ),
        {
            "type": "scatter",
            "mode": "lines",
            "name": "best so far",
            "x": [trial.index for trial in (*feasible, *run.trials[-1:])] if feasible else [],
            "y": [*best.tolist(), float(best[-1])] if feasible else [],
            "line": {"shape": "hv", "color": _INK, "width": 2},
        },
    ]
    return {"data": data, "layout": _layout("trial", escape(objective))}


def constraint_margins(run: Run) -> list[Chart]:
    """One chart a constraint, as their units differ: margin of every completed trial."""
    completed = _with(run, "completed")
    margins = [run.margins(trial) for trial in completed]
    charts = []
    for name in dict.fromkeys(name for row in margins for name in row):
        values = [_number(row.get(name, float("nan"))) for row in margins]
        colours = [_ACCENT if value is not None and value >= 0 else _BAD for value in values]
        points = _points("margin", completed, values, {"color": colours, "size": 8})
        layout = _layout("trial", "margin (feasible from 0 up)", title=escape(name))
        layout["shapes"] = [
            {
                "type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": 0, "y1": 0,
                "line": {"color": _INK, "width": 1, "dash": "dash"},
            }
        ]  # fmt: skip
        charts.append({"data": [points], "layout": layout | {"showlegend": False, "height": 260}})
    return charts


def latent_map(run: Run, reference: Float[np.ndarray, "m d"] | None = None) -> Chart:
    """Trials and data seen on one plane through the centre of the data.

    The plane is spanned by the first two principal directions of the trials about the origin,
    which is the mean of the training set; the axis titles say how much of the trials' squared
    distance from there it shows.

    Parameters
    ----------
    run
        Its trials give the plane.
    reference
        Latent points of data, drawn in the background.
    """
    z = np.stack([trial.z for trial in run.trials])
    spread, directions = np.linalg.svd(z, full_matrices=False)[1:]
    plane = np.zeros((2, z.shape[1]))
    plane[: min(2, len(directions))] = directions[:2]
    share = np.pad(spread, (0, 2))[:2] ** 2 / max(float((spread**2).sum()), 1e-30)
    data = []
    if reference is not None and len(reference):
        data.append(
            _cloud("training data", reference @ plane.T, {"color": "#d9dee3", "size": 4})
            | {"hoverinfo": "skip"}
        )
    for name, marker, trials in _groups(run):
        if trials:
            cloud = _cloud(name, np.stack([trial.z for trial in trials]) @ plane.T, marker)
            data.append(cloud | _hover(trials, _values(run, trials)))
    titles = [f"direction {k + 1} ({share[k]:.0%} of the trials)" for k in range(2)]
    layout = _layout(*titles)
    layout["yaxis"] |= {"scaleanchor": "x"}  # distances are the same both ways
    return {"data": data, "layout": layout | {"height": 520}}


def _groups(run: Run) -> list[tuple[str, dict, list[Trial]]]:
    """Name, marker and trials of each kind of point on the latent map."""
    feasible = [trial for trial in run.trials if is_feasible(run, trial)]
    infeasible = [trial for trial in _with(run, "completed") if not is_feasible(run, trial)]
    coloured = {
        "color": _values(run, feasible),
        "colorscale": "Viridis",
        "size": 10,
        "line": {"color": "white", "width": 1},
        "colorbar": {"title": {"text": "value"}, "thickness": 12},
    }
    star = {"symbol": "star", "size": 18, "color": _BAD, "line": {"color": "white", "width": 1}}
    return [
        ("pending", {"color": _PALE, "size": 8, "symbol": "circle-open"}, _with(run, "pending")),
        ("failed", {"color": _BAD, "size": 8, "symbol": "x"}, _with(run, "failed")),
        ("breaks a constraint", {"color": _PALE, "size": 8}, infeasible),
        ("feasible", coloured, feasible),
        ("best", star, run.best(1)),
    ]


def _with(run: Run, status: str) -> list[Trial]:
    return [trial for trial in run.trials if trial.status == status]


def _points(name: str, trials: Sequence[Trial], values: list, marker: dict) -> Chart:
    points = {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [trial.index for trial in trials],
        "y": values,
        "marker": marker,
    }
    return points | _hover(trials, values)


def _cloud(name: str, xy: Float[np.ndarray, "n 2"], marker: dict) -> Chart:
    x, y = np.round(xy, 3).T.tolist()
    return {
        "type": "scatter", "mode": "markers", "name": name, "x": x, "y": y, "marker": marker,
    }  # fmt: skip


def _hover(trials: Sequence[Trial], values: list) -> Chart:
    texts = [
        f"trial {trial.index}" + (f": {value:.4g}" if value is not None else f", {trial.status}")
        for trial, value in zip(trials, values, strict=True)
    ]
    return {"text": texts, "hoverinfo": "text"}


def _values(run: Run, trials: Sequence[Trial]) -> list[float | None]:
    return [_number(run.value(t)) if t.status == "completed" else None for t in trials]


def _number(value: float) -> float | None:
    """A float JSON can hold."""
    return float(value) if np.isfinite(value) else None


def _layout(x: str, y: str, title: str = "") -> Chart:
    axis = {"gridcolor": "#e8ebee", "zerolinecolor": "#e8ebee", "linecolor": _PALE}
    return {
        "title": {"text": title, "font": {"size": 14}},
        "xaxis": axis | {"title": {"text": x}},
        "yaxis": axis | {"title": {"text": y}},
        "font": {"family": "system-ui, sans-serif", "size": 13, "color": _INK},
        "margin": {"l": 60, "r": 20, "t": 40 if title else 10, "b": 50},
        "plot_bgcolor": "white",
        "paper_bgcolor": "white",
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom"},
        "height": 360,
    }
