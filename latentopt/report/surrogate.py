"""What the strategy's model has learned: how well it predicts, and from what."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from latentopt.printable import escape_html as escape
from latentopt.report.charts import Chart, json_number, layout_of
from latentopt.report.colours import ACCENT, INK, INTERVAL
from latentopt.report.html import chart, note, number, section, table, warning
from latentopt.report.learned import NothingLearned, learned
from latentopt.runs.quantities import unit_of, with_unit
from latentopt.runs.run import Run
from latentopt.space.latent_space import LatentSpace

__all__ = ["explained_share", "fit_chart", "importance_chart", "surrogate_sections"]

_BARS = 12
_WITHIN = 1.96  # standard deviations that hold 95 % of a normal distribution


def surrogate_sections(run: Run, space: LatentSpace | None, strategy: Any) -> list[str]:
    """Cross-validated fit and importances of inputs, or the reason why there are none."""
    title = "Surrogate fit"
    try:
        found = learned(run, space, strategy)
    except NothingLearned as reason:
        return [section(title, (warning if reason.failed else note)(str(reason)))]
    charts = [
        chart(
            f"fit{k}",
            fit_chart(with_unit(name, unit_of(run, name)), fit, list(found.trials)),
            f"{name}: predicted over measured values",
        )
        for k, (name, fit) in enumerate(found.fits.items())
    ]
    text = (
        "Each completed trial predicted from all others (leave one out), with its 95 % interval. "
        "R2 is the share of variance that the predictions explain: 1 is exact, 0 no better than "
        "the mean. About 95 % of the intervals should hold the value that was measured."
    )
    rows = [_figures(name, unit_of(run, name), fit) for name, fit in found.fits.items()]
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
        for k, (name, shares) in enumerate(found.importances.items())
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
