"""What the strategy's model has learned: how well it predicts, and from what."""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from latentopt.campaign.trial_history import history_of_trials
from latentopt.printable import escape_html as escape
from latentopt.report.charts import Chart, json_number, layout_of, with_status
from latentopt.report.colours import ACCENT, INK, INTERVAL
from latentopt.report.html import chart, note, number, section, table, warning
from latentopt.runs.quantities import unit_of, with_unit
from latentopt.runs.run import Run
from latentopt.space.latent_space import LatentSpace
from latentopt.strategies.fallback import fit_failures

__all__ = ["explained_share", "fit_chart", "importance_chart", "surrogate_sections"]

_LEAST = 5  # completed trials of which a fit says something
_BARS = 12
_WITHIN = 1.96  # standard deviations that hold 95 % of a normal distribution


def surrogate_sections(run: Run, space: LatentSpace | None, strategy: Any) -> list[str]:
    """Cross-validated fit and importances of inputs, or the reason why there are none."""
    title = "Surrogate fit"
    reason = _why_not(run, space, strategy)
    if reason:
        return [section(title, note(reason))]
    assert space is not None  # that would be a reason
    try:
        fits, importances = _learned(run, space, strategy)
    except fit_failures() as error:
        return [section(title, warning(f"The model could not be fitted: {error}"))]
    # The order of a history: those that were screened out come last, where a metric has them.
    trials = [t.index for s in ("completed", "screened") for t in with_status(run, s)]
    charts = [
        chart(
            f"fit{k}",
            fit_chart(with_unit(name, unit_of(run, name)), fit, trials),
            f"{name}: predicted over measured values",
        )
        for k, (name, fit) in enumerate(fits.items())
    ]
    text = (
        "Each completed trial predicted from all others (leave one out), with its 95 % interval. "
        "R2 is the share of variance that the predictions explain: 1 is exact, 0 no better than "
        "the mean. About 95 % of the intervals should hold the value that was measured."
    )
    rows = [_figures(name, unit_of(run, name), fit) for name, fit in fits.items()]
    heads = ("metric", "R2", "rms error", "within the 95 % interval")
    fit_section = section(
        title,
        note(text)
        + table(title, heads, rows, numbers_from=1, row_heads=True)
        + f'<div class="pair">{"".join(charts)}</div>',
    )
    bars = [
        chart(
            f"importance{k}",
            importance_chart(name, shares),
            f"Share of each input in what is predicted of {name}",
        )
        for k, (name, shares) in enumerate(importances.items())
    ]
    if not bars:
        return [fit_section]
    text = (
        "What the model's predictions depend on: the share of each input of the strategy's model, "
        "such as a number of z, a phase fraction or a score of the structure's statistics."
    )
    return [
        fit_section,
        section("Importance of inputs", note(text) + f'<div class="pair">{"".join(bars)}</div>'),
    ]


def _why_not(run: Run, space: LatentSpace | None, strategy: Any) -> str:
    """Why the model cannot be shown; empty if it can."""
    kind = run.config.strategy.get("kind")
    completed = sum(trial.status == "completed" for trial in run.trials)
    if strategy is None:
        return (
            "The strategy was given in Python, so it cannot be made again here; "
            "write_report(run, strategy=...) shows its model."
        )
    if not hasattr(strategy, "model"):
        return f"Strategy {kind} has no model of the metrics."
    if space is None:
        return "The space is not at hand, and the model needs it."
    if completed < _LEAST:
        return f"A model is shown from {_LEAST} completed trials on; there are {completed}."
    return ""


def _learned(run: Run, space: LatentSpace, strategy: Any) -> tuple[Mapping, Mapping]:
    history = history_of_trials(run.trials, run.config, space)
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a fit that ends early is seen in its figures
        torch.manual_seed(run.config.seed)
        model = strategy.model(history)
        return model.cross_validate(), model.importances()


def explained_share(observed: np.ndarray, predicted: np.ndarray) -> float:
    """R2: 1 minus the squared errors as a share of the squared deviations from the mean.

    >>> explained_share(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 4.0]))
    0.5
    """
    deviations = float(((observed - observed.mean()) ** 2).sum())
    errors = float(((observed - predicted) ** 2).sum())
    return 1 - errors / deviations if deviations > 0 else float("nan")


def _figures(name: str, unit: str, fit: Any) -> tuple[str, ...]:
    observed, predicted, sigma = _arrays(fit)
    inside = np.abs(observed - predicted) <= _WITHIN * sigma
    return (
        name,
        f"{explained_share(observed, predicted):.2f}",
        f"{number(float(np.sqrt(((observed - predicted) ** 2).mean())))} {unit}".strip(),
        f"{inside.mean():.0%}",
    )


def fit_chart(name: str, fit: Any, trials: list[int]) -> Chart:
    """Predicted over observed values of one metric, with 95 % intervals.

    Parameters
    ----------
    name
        Of the metric, with its unit.
    fit
        With ``observed``, ``predicted`` and ``sigma``, ``(n,)`` each.
    trials
        Index of the trial of each value, and maybe more.
    """
    observed, predicted, sigma = _arrays(fit)
    trials = trials[: len(observed)]
    low, high = float(observed.min()), float(observed.max())
    points = {
        "type": "scatter",
        "mode": "markers",
        "x": [json_number(value) for value in observed],
        "y": [json_number(value) for value in predicted],
        "error_y": {
            "type": "data",
            "array": [json_number(_WITHIN * value) for value in sigma],
            "color": INTERVAL,
            "thickness": 1,
            "width": 0,
        },
        "marker": {"color": ACCENT, "size": 7},
        "text": [
            f"trial {trial}: {number(o)}, predicted {number(p)}"
            for trial, o, p in zip(trials, observed, predicted, strict=True)
        ],
        "hoverinfo": "text",
        "customdata": trials,
    }
    diagonal = {
        "type": "scatter",
        "mode": "lines",
        "x": [low, high],
        "y": [low, high],
        "line": {"color": INK, "width": 1, "dash": "dash"},
        "hoverinfo": "skip",
    }
    layout = layout_of("observed", "predicted", title=escape(name))
    return {"data": [points, diagonal], "layout": layout | {"showlegend": False, "height": 320}}


def importance_chart(name: str, shares: Mapping[str, float]) -> Chart:
    """Share of each input, the largest on top; those beyond a dozen are summed."""
    ranked = sorted(shares.items(), key=lambda item: -item[1])
    shown, rest = ranked[:_BARS], ranked[_BARS:]
    if rest:
        shown.append((f"{len(rest)} others", sum(share for _, share in rest)))
    bars = {
        "type": "bar",
        "orientation": "h",
        "x": [json_number(share) for _, share in reversed(shown)],
        "y": [escape(label) for label, _ in reversed(shown)],
        "marker": {"color": ACCENT},
        "hoverinfo": "x+y",
    }
    layout = layout_of("share", "", title=escape(name))
    layout["yaxis"] |= {"automargin": True, "type": "category"}
    layout["xaxis"] |= {"rangemode": "tozero", "tickformat": ".0%"}
    return {"data": [bars], "layout": layout | {"height": 90 + 24 * len(shown)}}


def _arrays(fit: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    observed, predicted, sigma = (
        np.asarray(getattr(fit, name), dtype=np.float64)
        for name in ("observed", "predicted", "sigma")
    )
    return observed, predicted, sigma
