"""Several objectives: the trade-off between them, its structures, and how much it has grown."""

import numpy as np

from latentopt.report.charts import (
    Chart,
    hover,
    is_feasible,
    json_number,
    layout_of,
    objective_names,
    with_status,
)
from latentopt.report.colours import ACCENT, BAD, INK, PALE, PAPER
from latentopt.report.html import chart, note, number, section
from latentopt.report.structures import cards
from latentopt.runs.pareto import along, hypervolume
from latentopt.runs.run import Run, Trial

__all__ = ["front_section", "growth", "pareto_front"]

_CARDS = 12


def front_section(run: Run) -> str:
    """The front, its structures and its volume; nothing for one objective."""
    front = run.pareto()
    if len(run.config.goal.objectives) < 2 or not front:
        return ""
    shown = along(front, _CARDS)
    volumes, reference = _volumes(run)
    text = (
        f"{len(front)} trials that no other surpasses in every objective. Under the mouse each "
        "point shows its structure."
    )
    growth_text = (
        f"Hypervolume {number(volumes[-1])}: what the front commands above the worst feasible "
        f"value of each objective, {', '.join(number(value) for value in reference)}."
    )
    below = (
        f"{len(shown)} of them, along the front:" if len(shown) < len(front) else "Along the front:"
    )
    return section(
        "Pareto front",
        note(text)
        + chart("front", pareto_front(run), text)
        + note(growth_text)
        + chart("growth", growth(run), growth_text)
        + note(below)
        + cards(run, shown),
    )


def pareto_front(run: Run) -> Chart:
    """Every completed trial by its first two objectives; the front is joined by a line.

    A third objective is the colour of the front's points.
    """
    names, front = objective_names(run), run.pareto()
    members = {trial.index for trial in front}
    completed = with_status(run, "completed")
    others = [t for t in completed if t.index not in members]
    feasible = [trial for trial in others if is_feasible(run, trial)]
    broken = [trial for trial in others if not is_feasible(run, trial)]
    marker: dict = {"size": 11, "color": BAD, "line": {"color": PAPER, "width": 1}}
    if len(names) > 2:
        third = [json_number(run.objectives(t)[2]) for t in front]
        bar = {"title": {"text": names[2]}, "thickness": 12}
        marker |= {"color": third, "colorscale": "Viridis", "colorbar": bar}
    data = [
        _by_objectives(run, "surpassed", feasible, {"size": 7, "color": ACCENT, "opacity": 0.6}),
        _by_objectives(
            run,
            "breaks a constraint",
            broken,
            {"size": 7, "color": PALE, "symbol": "circle-open"},
        ),
        _by_objectives(run, "front", front, marker),
    ]
    if len(names) == 2:
        data[-1] |= {"mode": "markers+lines", "line": {"shape": "vh", "color": INK, "width": 1}}
    return {"data": data, "layout": layout_of(*names[:2]) | {"height": 480}}


def growth(run: Run) -> Chart:
    """Hypervolume of the front after each trial."""
    volumes, _ = _volumes(run)
    line = {
        "type": "scatter",
        "mode": "lines",
        "name": "hypervolume",
        "x": [trial.index for trial in run.feasible],
        "y": volumes,
        "line": {"shape": "hv", "color": INK, "width": 2},
    }
    layout = layout_of("trial", "hypervolume") | {"height": 260, "showlegend": False}
    return {"data": [line], "layout": layout}


def _volumes(run: Run) -> tuple[list[float], np.ndarray]:
    """Hypervolume after each feasible trial, and the point from which all are measured."""
    values = np.array([run.objectives(trial) for trial in run.feasible])
    reference = values.min(0)
    volumes: list[float] = []
    for k, row in enumerate(values):
        surpassed = k > 0 and (values[:k] >= row).all(1).any()
        volumes.append(volumes[-1] if surpassed else hypervolume(values[: k + 1], reference))
    return volumes, reference


def _by_objectives(run: Run, name: str, trials: list[Trial], marker: dict) -> Chart:
    values = [run.objectives(trial) for trial in trials]
    x, y = ([json_number(row[k]) for row in values] for k in range(2))
    points = {"type": "scatter", "mode": "markers", "name": name, "x": x, "y": y, "marker": marker}
    said = hover(trials, x) | {
        "text": [
            f"trial {trial.index}: " + ", ".join(number(value) for value in row)
            for trial, row in zip(trials, values, strict=True)
        ]
    }
    return points | said
