"""A pose-aware autoencoder on images whose pose is known, beside controls that must fail.

    python benchmarks/structured.py                        # two minutes of one core a run
    python benchmarks/structured.py --sets cards --seeds 0 1 2
    python benchmarks/structured.py --sets cards --steps 200 --seeds 0    # a look

Cards: four suits at any angle, shifted and sheared, 24x24, 1,500 for training. Walls: a domain wall
at two times, which are two channels. Figures are of 500 others. Angles are compared by the fold of
each kind; a constant for each kind is taken off, and a slope in the shear, because a shear is a
turn and a stretch: which turn is none is the model's to say. Resultant: length of the mean unit
vector of what is left, by kind; 1 is exact, .1 is chance. R2 of shifts by a linear fit on the found
shift and the cosine and sine of the found angle, which leave the origin of a kind free; R2 of
factors and of the angle (which the content should not know) and kinds by ten nearest neighbours.
Groups: how many there are of structures that change into one another (`common_frames`), and how
many of the images agree with their kind under the best matching. Mixture: the same of a Gaussian
mixture on the content, of as many parts as there are kinds.
"""

import argparse
import json
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import time
import warnings
from typing import Any

import numpy as np
import torch
from posed_shapes import SETS, SUITS, Posed
from scipy.optimize import linear_sum_assignment
from sklearn.linear_model import LinearRegression
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import cross_val_predict
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.preprocessing import StandardScaler

from generative.data.augment import Augmentation
from generative.model import reconstruct
from generative.stages.config import TrainConfig
from generative.structured import RVAE
from generative.structured.frames import common_frames
from generative.training.train import train

NUMBERS = {"cards": 2, "walls": 3}
# Options; those that end in (control) must fail what the first meets.
RUNS: dict[str, dict[str, Any]] = {"rvae": {}, "no pose (control)": {"rotation": False, "shift": 0}}
SLOPES = np.linspace(-1.5, 1.5, 61)


def angle_errors(found: np.ndarray, truth: Posed) -> tuple[dict[int, float], float]:
    """Resultant of each kind, and the median error in degrees, both free of the gauge."""
    resultants, errors = {}, []
    (factor, *_) = truth.factors.values()
    for kind in np.unique(truth.kind):
        rows = truth.kind == kind
        fold, x = truth.fold[rows], factor[rows]
        difference = (found[rows] - truth.angle[rows]) * fold
        sums = np.exp(1j * (difference - SLOPES[:, None] * x * fold)).mean(1)
        best = np.abs(sums).argmax()
        resultants[int(kind)] = float(np.abs(sums[best]))
        rest = difference - SLOPES[best] * x * fold - np.angle(sums[best])
        errors.append(np.degrees(np.abs(np.angle(np.exp(1j * rest)) / fold)))
    return resultants, float(np.median(np.concatenate(errors)))


def r2(model: Any, x: np.ndarray, y: np.ndarray) -> float:
    """Of predictions of rows that were left out."""
    x, y = StandardScaler().fit_transform(x), y.reshape(len(y), -1)
    found = cross_val_predict(model, x, y, cv=5).reshape(y.shape)
    return float(1 - ((found - y) ** 2).sum() / ((y - y.mean(0)) ** 2).sum())


def by_kind(truth: Posed, score: Any) -> float:
    """Mean over kinds of a score of their rows."""
    return float(np.mean([score(truth.kind == kind) for kind in np.unique(truth.kind)]))


def matched(found: np.ndarray, kind: np.ndarray) -> float:
    """Share that agrees under the best one-to-one matching."""
    table = np.zeros((found.max() + 1, kind.max() + 1), int)
    np.add.at(table, (found, kind), 1)
    return float(table[linear_sum_assignment(-table)].sum() / len(kind))


def figures(model: RVAE, truth: Posed, seed: int) -> dict[str, str]:
    """What there is to say of one model."""
    images = torch.from_numpy(truth.images)
    with torch.no_grad():
        z, pose = model.encode(images).numpy(), model.pose(images)
        mse = ((reconstruct(model, images) - images) ** 2).mean()
    neighbours = KNeighborsRegressor(10, weights="distance")
    turns = truth.fold * truth.angle
    circle = np.stack([np.cos(turns), np.sin(turns)], 1)
    told = {"MSE": f"{mse:.4f}"}
    if model.config.rotation:
        angle, shift = pose.angle.numpy(), pose.shift.numpy()
        resultants, median = angle_errors(angle, truth)
        told["resultant"] = ", ".join(f"{value:.3f}" for value in resultants.values())
        told["angle, degrees"] = f"{median:.1f}"
        beside = np.column_stack([shift, np.cos(angle), np.sin(angle)])
        free = by_kind(truth, lambda rows: r2(LinearRegression(), beside[rows], truth.shift[rows]))
        told["shift R2"] = f"{free:.3f}"
    for name, factor in truth.factors.items():
        score = by_kind(truth, lambda rows, of=factor: r2(neighbours, z[rows], of[rows]))
        told[f"{name} R2"] = f"{score:.2f}"
    leak = by_kind(truth, lambda rows: r2(neighbours, z[rows], circle[rows]))
    told["angle from content, R2"] = f"{leak:.2f}"
    if kinds := truth.kind.max():
        x = StandardScaler().fit_transform(z)
        near = cross_val_predict(KNeighborsClassifier(10), x, truth.kind, cv=5)
        told["kind, 10 neighbours"] = f"{(near == truth.kind).mean():.3f}"
        if model.config.rotation and model.dims == 2:
            with torch.no_grad():
                found = common_frames(model.decode(torch.from_numpy(z))).group
            told["groups"] = f"{found.max() + 1}: {matched(found, truth.kind):.3f}"
        mixture = GaussianMixture(kinds + 1, n_init=10, random_state=seed)
        told["kind, mixture"] = f"{matched(mixture.fit_predict(x), truth.kind):.3f}"
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--steps", type=int, default=1800)
    parser.add_argument("--images", type=int, default=1500)
    parser.add_argument("--only", choices=RUNS, action="append")
    parser.add_argument("--options", default={}, type=json.loads, help="of rvae, as JSON")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name in options.sets.split(","):
        known, others = SETS[name](options.images, seed=1), SETS[name](500, seed=2)
        kinds = f" ({', '.join(SUITS)})" if name == "cards" else ""
        print(f"{name}{kinds}", flush=True)
        for run in options.only or RUNS:
            for seed in options.seeds:
                given = {"latent_dim": NUMBERS[name], **options.options, **RUNS[run]}
                model = RVAE(known.images.shape[1:], **given)
                config = TrainConfig(
                    steps=options.steps,
                    batch_size=50,
                    learning_rate=2e-3,
                    seed=seed,
                    progress=False,
                    augmentation=Augmentation(flips=False, rotations=False),
                )
                started = time.process_time()
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    train(model, known.images, config=config)
                spent = time.process_time() - started
                told = figures(model, others, seed)
                row = "; ".join(f"{title} {value}" for title, value in told.items())
                print(f"  {run}, seed {seed}, {spent:.0f} CPU-s: {row}", flush=True)


if __name__ == "__main__":
    main()
