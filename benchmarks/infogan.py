"""Control variables of an infogan: do they find families and properties that nobody told it?

python benchmarks/infogan.py                     # 32x32, about five CPU-minutes a run
python benchmarks/infogan.py --shape 64 64 --steps 6000 --seeds 0 1

Three families without labels: random fields that are fine, coarse or elongated, whose fractions are
of one range, or of a range for each (--families apart), or (--families zoo) spheres, Voronoi cells
and stretched fields. Families are compared with the categories of held-out structures, as Q tells
them, and as the encoder does by the point that it gives them. Continuous controls are compared with
properties of decoded draws, over all of them and on traverses. Without a weight on the information
(control) Q knows nothing. The encoder that is trained beside the game gives categories a meaning of
its own; a second control goes without it.
Clusters of texture statistics and of fractions, found directly, say whether there is anything to
be found.
"""

import argparse
import json
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import time
from itertools import product

import numpy as np
import torch
from gan_conditions import of_families
from scipy.optimize import linear_sum_assignment

from generative.batching import map_rows
from generative.data.augment import Augmentation
from generative.data.synthetic import gaussian_random_field
from generative.gans import InfoGAN
from generative.gans.information_stage import InformationStage
from generative.gans.parts import centred
from generative.losses.set_distance import SetStatistics, texture
from generative.stages.config import StageConfig
from generative.training.descent import descend
from generative.training.train import TrainConfig
from latentopt import LatentSpace
from latentopt.space.control_meanings import ControlMeaning, properties_of

ZOO_NAMES = ("spheres", "voronoi", "stretched_field")
FIELDS = {  # lengths over the side of an image
    "fine": {"correlation_length_px": 0.08, "anisotropy": 1},
    "coarse": {"correlation_length_px": 0.28, "anisotropy": 1},
    "elongated": {"correlation_length_px": 0.2, "anisotropy": 8},
}
TOGETHER, APART = (0.3, 0.7), ((0.2, 0.3), (0.45, 0.55), (0.7, 0.8))  # ranges of fractions
NOTHING = {"weight": 0, "continuous_weight": 0}
# Options; those that end in (control) must fail what the first meets.
RUNS = {
    "infogan": {},
    "weights 0 (control)": {"controls": NOTHING},
    "weights 0, encoder at the end (control)": {"controls": NOTHING, "encoder": {"joint": 0}},
}


def fields(n: int, shape: tuple[int, int], seed: int, *, apart: bool) -> list[np.ndarray]:
    """As many random fields of each family; fractions of one range, or of a range for each."""
    images = []
    for i, ranges in enumerate(FIELDS.values()):
        length = ranges["correlation_length_px"] * min(shape)
        fractions = APART[i] if apart else TOGETHER
        changes = ranges | {"correlation_length_px": length, "volume_fraction": fractions}
        images.append(gaussian_random_field(n, shape, seed=seed + 100 * i, **changes))
    return images


def structures(asked: argparse.Namespace, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """As many images of each family, and the family of each."""
    shape = tuple(asked.shape)
    if asked.families == "zoo":
        images = of_families(ZOO_NAMES, n, shape, seed)
    else:
        images = fields(n, shape, seed, apart=asked.families == "apart")
    return np.concatenate(images), np.repeat(np.arange(len(images)), n)


def agreement(found: np.ndarray, families: np.ndarray) -> tuple[float, float]:
    """Share that agrees under the best matching, and normalized mutual information."""
    counts = np.zeros((3, 3))
    np.add.at(counts, (found, families), 1)
    share = counts[linear_sum_assignment(-counts)].sum() / len(found)
    p = counts / counts.sum()
    rows, columns = p.sum(1), p.sum(0)
    inside = p > 0
    mutual = (p[inside] * np.log(p[inside] / np.outer(rows, columns)[inside])).sum()
    entropy = [-(q[q > 0] * np.log(q[q > 0])).sum() for q in (rows, columns)]
    return share, mutual / max(np.mean(entropy), 1e-9)


def clusters(asked: argparse.Namespace) -> None:
    """Families as k-means and a mixture of Gaussians find them in texture and in fractions."""
    from sklearn.cluster import KMeans
    from sklearn.mixture import GaussianMixture

    images, families = structures(asked, 500, 51)
    rows = torch.from_numpy(images)
    seen = {
        "texture": SetStatistics(texture, 6, 4, equal=True).fit(rows)(rows).numpy(),
        "fractions": images.mean((1, 2, 3))[:, None],
    }
    kinds = {"k-means": KMeans, "a mixture of Gaussians": GaussianMixture}
    for (what, numbers), (name, kind) in product(seen.items(), kinds.items()):
        found = kind(3, n_init=10, random_state=0).fit_predict(numbers)
        share, mutual = agreement(found, families)
        print(f"{name} of {what}: {share:.3f} agree, mutual information {mutual:.3f}")


def run(name: str, seed: int, asked: argparse.Namespace) -> None:
    """Train one, and say what its controls came to mean."""
    periodic = asked.families != "zoo"
    images, _ = structures(asked, asked.images // 3, 2026)
    validation, _ = structures(asked, 128, 61)
    held_out, families = structures(asked, 500, 51)
    options = dict(RUNS[name])
    controls = {"categories": [3], "continuous": 2} | asked.controls | options.pop("controls", {})
    config = TrainConfig(
        steps=asked.steps,
        seed=seed,
        ema_decay=0.995,
        progress=False,
        augmentation=Augmentation(shifts=periodic),
        stages={"sets": StageConfig(steps=asked.sets)},
    )
    started = time.process_time()
    torch.manual_seed(seed)
    padding = "circular" if periodic else "zeros"
    model = InfoGAN((1, *asked.shape), padding=padding, controls=controls, **options)
    stages = model.stages()
    for stage in stages:
        descend(stage, images, config, None, validation=torch.from_numpy(validation))
        print(f"  {stage.name}: {time.process_time() - started:.0f} CPU-s", flush=True)
    seconds = time.process_time() - started
    space = LatentSpace.fit(model, images)
    x = torch.from_numpy(held_out)
    with torch.no_grad():
        game = next(stage for stage in stages if isinstance(stage, InformationStage))
        told = map_rows(lambda rows: game.critic.guess(centred(rows)), x, x[0].numel())
    answers = {"Q": told[:, :3], "encoder": space.encode(x)[:, :3]}
    print(f"{name}, seed {seed}: {seconds:.0f} CPU-s")
    for who, numbers in answers.items():
        share, mutual = agreement(numbers.argmax(1).numpy(), families)
        print(f"  families by {who}: {share:.3f} agree, mutual information {mutual:.3f}")
    for control in space.controls:
        told = control.explained if control.categories else control.spearman
        values = "".join(f"{property:>20} {told[property] or 0:6.3f}" for property in told)
        print(f"  {control.name:<13} {'explains' if control.categories else 'Spearman'}{values}")
        if not control.categories:
            print(f"    on traverses: {on_traverses(space, control)}", flush=True)


def on_traverses(space: LatentSpace, control: ControlMeaning) -> str:
    """Mean of its strongest property at nine values of a control, over 32 samples."""
    strongest = max(control.spearman, key=lambda name: abs(control.spearman[name] or 0))
    z = torch.stack([space.traverse(control.name, 9, seed=seed) for seed in range(32)])
    with torch.no_grad():
        values = properties_of(space.decode(z.flatten(0, 1)).round())[strongest]
    means = np.nanmean(values[: 9 * (len(values) // 9)].reshape(-1, 9), 0)
    steps = np.diff(means)
    monotone = "monotone" if (steps > 0).all() or (steps < 0).all() else "not monotone"
    return f"{strongest} {' '.join(f'{mean:.3g}' for mean in means)}, {monotone}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--families", choices=("fields", "apart", "zoo"), default="fields")
    parser.add_argument("--shape", type=int, nargs=2, default=[32, 32])
    parser.add_argument("--images", type=int, default=6000, help="of all families together")
    parser.add_argument("--steps", type=int, default=1000, help="of the game")
    parser.add_argument("--sets", type=int, default=300, help="steps with distances of sets")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--only", choices=RUNS, action="append")
    parser.add_argument("--controls", type=json.loads, default={}, help="options, as JSON")
    given = parser.parse_args()
    clusters(given)
    for name in given.only or RUNS:
        for seed in given.seeds:
            run(name, seed, given)
