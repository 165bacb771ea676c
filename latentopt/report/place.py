"""Where the candidates lie against the data: in z, by their structure, and how far away."""

import math
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float

from latentopt.microstructure import to_images
from latentopt.report.charts import (
    Chart,
    hover,
    is_feasible,
    json_number,
    layout_of,
    objective_names,
    rule,
    values_of,
    with_status,
)
from latentopt.report.colours import ACCENT, BAD, CLOUD, PALE, PAPER, SCREENED
from latentopt.report.html import chart, note, section
from latentopt.report.structures import structures_of
from latentopt.runs.run import Run, Trial
from latentopt.space.latent_space import LatentSpace
from objectives.phases import cut_phases
from objectives.two_point.pca import TwoPointPCA

__all__ = ["distances", "latent_map", "place_sections", "structure_map"]

_STRUCTURES = 300  # training structures on the map of structures: more take longer and show no more
_LEAST_STRUCTURES = 24
_VOXELS = 2**22  # of training structures in all: volumes take long to decode
_CUTOFF = 16  # largest shift of the statistics, in voxels
_BINS = 30
_MAP = (
    "Latent points on the plane through the centre of the training data that holds most of the "
    "trials. Points far from the data decode to unlikely structures."
)


def place_sections(run: Run, space: LatentSpace | None) -> list[str]:
    """Map of z, map of structures, and distances from the data."""
    if not run.trials:
        return []
    reference = None if space is None else space.reference_.cpu().numpy()
    sections = [
        section(
            "Latent map",
            note(_MAP) + chart("map", latent_map(run, reference), _MAP),
        )
    ]
    structures = None if space is None else structure_map(run, space)
    if structures is not None:
        text = (
            "The same trials by what they look like: two-point statistics of their structures on "
            "the first two principal components of those of training structures. A trial outside "
            "the cloud has a structure unlike any of them."
        )
        sections.append(
            section("Structure map", note(text) + chart("structures", structures, text))
        )
    if (histogram := distances(run, space)) is not None:
        text = (
            "Distance of each trial from the nearest training structure in z; 1 is the median "
            "distance between a training structure and its nearest other."
            + (" The line is the best trial." if "shapes" in histogram["layout"] else "")
        )
        sections.append(
            section("Distance from the data", note(text) + chart("distances", histogram, text))
        )
    return sections


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
    z = np.stack([trial.point for trial in run.trials])
    spread, directions = np.linalg.svd(z, full_matrices=False)[1:]
    plane = np.zeros((2, z.shape[1]))
    plane[: min(2, len(directions))] = directions[:2]
    share = np.pad(spread, (0, 2))[:2] ** 2 / max(float((spread**2).sum()), 1e-30)
    x, y = (f"direction {k + 1} ({share[k]:.0%} of the trials)" for k in range(2))
    behind = None if reference is None else reference @ plane.T
    drawn = trial_cloud(run, z @ plane.T, behind, (x, y))
    drawn["layout"]["yaxis"] |= {"scaleanchor": "x"}  # distances are the same both ways
    return drawn


def structure_map(run: Run, space: LatentSpace) -> Chart | None:
    """Trials and data by the two-point statistics of their structures; None without structures.

    Trials whose file is missing or damaged are left out, and of hundreds all but the best and the
    latest.
    """
    channels, *sides = space.image_shape
    phases = {i: x for i, x in structures_of(run).items() if x.shape == tuple(sides)}
    rows = min(_STRUCTURES, max(_LEAST_STRUCTURES, _VOXELS // math.prod(sides)))
    if not phases or len(space.reference_) < 3:
        return None
    points = space.project(space.reference_[:rows])
    with torch.no_grad():
        data = torch.cat([cut_phases(space.decode(part)) for part in points.split(64)])
    pca = TwoPointPCA(2, cutoff=min(_CUTOFF, (min(sides) - 1) // 2))
    try:
        cloud = pca.fit(data).transform(data).double().numpy()
    except ValueError:  # structures that do not differ in two directions
        return None
    shown = tuple(trial for trial in run.trials if trial.index in phases)
    labels = torch.from_numpy(np.stack([phases[trial.index] for trial in shown]))
    scores = pca.transform(to_images(labels, channels)).double().numpy()
    shares = pca.explained_variance_ratio_
    x, y = (f"score {k + 1} ({float(shares[k]):.0%} of the data's variance)" for k in range(2))
    return trial_cloud(replace(run, trials=shown), scores, cloud, (x, y))


def distances(run: Run, space: LatentSpace | None) -> Chart | None:
    """How far the completed trials are from the data, beside how far the data are from one another.

    None where the trials have no such metric.
    """
    trials = [t for t in with_status(run, "completed") if "distance_from_data" in t.metrics]
    if not trials:
        return None
    own = np.array([] if space is None else _own_distances(space))
    theirs = np.array([trial.metrics["distance_from_data"] for trial in trials])
    top = float(max(theirs.max(), own.max(initial=0.0))) * 1.02 or 1.0
    edges = {"start": 0.0, "end": top, "size": top / _BINS}
    data = [
        {
            "type": "histogram",
            "name": name,
            "x": np.round(values, 4).tolist(),
            "xbins": edges,
            "histnorm": "percent",
            "marker": {"color": colour},
            "opacity": 0.75,
        }
        for name, values, colour in (
            ("training structures from one another", own, PALE),
            ("trials from training structures", theirs, ACCENT),
        )
        if len(values)
    ]
    layout = layout_of("distance from the data", "share [%]") | {
        "barmode": "overlay",
        "height": 300,
    }
    best = run.best(1) if len(run.config.goal.objectives) == 1 else []
    if best and "distance_from_data" in best[0].metrics:
        layout["shapes"] = [rule(x=best[0].metrics["distance_from_data"])]
    return {"data": data, "layout": layout}


def _own_distances(space: LatentSpace) -> list[float]:
    """Distance of training structures from their nearest others, in the unit of the metric."""
    import torch

    rows = space.reference_[:500]
    if len(rows) < 2:
        return []
    nearest = torch.cdist(rows, space.reference_).kthvalue(2, dim=1).values
    return (nearest / nearest.median().clamp_min(1e-12)).tolist()


# -- clouds ---------------------------------------------------------------------------------------


def trial_cloud(
    run: Run,
    xy: Float[np.ndarray, "n 2"],
    reference: Float[np.ndarray, "m 2"] | None,
    titles: tuple[str, str],
) -> Chart:
    """Trials at given places, coloured by value, before a cloud of training structures.

    Parameters
    ----------
    run
        Its trials.
    xy
        Where each of them is.
    reference
        Where training structures are.
    titles
        Of the two axes.
    """
    data = []
    if reference is not None and len(reference):
        cloud = _scatter("training data", reference, {"color": CLOUD, "size": 4})
        data.append(cloud | {"hoverinfo": "skip"})
    row_of = {trial.index: row for row, trial in enumerate(run.trials)}
    for name, marker, trials in _groups(run):
        if trials:
            points = _scatter(name, xy[[row_of[trial.index] for trial in trials]], marker)
            data.append(points | hover(trials, values_of(run, trials)))
    return {"data": data, "layout": layout_of(*titles) | {"height": 520}}


def _groups(run: Run) -> list[tuple[str, dict, list[Trial]]]:
    """Name, marker and trials of each kind of point in a cloud."""
    feasible = [trial for trial in run.trials if is_feasible(run, trial)]
    infeasible = [trial for trial in with_status(run, "completed") if not is_feasible(run, trial)]
    coloured = {
        "color": values_of(run, feasible),
        "colorscale": "Viridis",
        "size": 10,
        "line": {"color": PALE, "width": 1},
        "colorbar": {"title": {"text": objective_names(run)[0], "side": "right"}, "thickness": 12},
    }
    single = len(run.config.goal.objectives) == 1
    star = {"symbol": "star", "size": 18, "color": BAD, "line": {"color": PAPER, "width": 1}}
    screened = {"color": SCREENED, "size": 7, "symbol": "diamond-open"}
    return [
        (
            "pending",
            {"color": PALE, "size": 8, "symbol": "circle-open"},
            with_status(run, "pending"),
        ),
        ("screened out", screened, with_status(run, "screened")),
        ("failed", {"color": BAD, "size": 8, "symbol": "x"}, with_status(run, "failed")),
        ("breaks a constraint", {"color": PALE, "size": 8}, infeasible),
        ("feasible", coloured, feasible),
        ("best", star, run.best(1)) if single else ("front", star | {"size": 13}, run.pareto()),
    ]


def _scatter(name: str, xy: Float[np.ndarray, "n 2"], marker: dict) -> Chart:
    x, y = ([json_number(value) for value in column] for column in np.round(xy, 3).T)
    return {
        "type": "scatter", "mode": "markers", "name": name, "x": x, "y": y, "marker": marker,
    }  # fmt: skip
