"""Conditions of a gan: what is obtained of what is asked for, beside a control that must fail.

python benchmarks/gan_conditions.py                           # 32x32, minutes of one core
python benchmarks/gan_conditions.py --size 64 --images 30000 --steps 8000 --seeds 0 1
python benchmarks/gan_conditions.py --only fraction

Fractions and conductivities (contrast 50, along the last axis) of random fields: quantiles of what
is obtained, and variety, the spread of two-point scores under one condition over that of
unconditional draws; the same of real structures near that value is what can be had. Classes of the
zoo: how many draws an independent classifier, trained on two-point scores of other structures,
finds in the class asked for. The control is trained on the same images with their conditions
shuffled: its medians do not move, its classes are chance.
"""

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import time
from collections.abc import Sequence
from functools import partial

import numpy as np
import torch

from generative.conditions import Conditions
from generative.data.duplicates import digest
from generative.data.synthetic import FAMILIES, ZOO, gaussian_random_field
from generative.gans import GAN
from generative.training.train import TrainConfig, train
from latentopt import LatentSpace
from latentopt.training.sampling import sample_points
from objectives.effective_conductivity import EffectiveConductivity
from objectives.fidelity import frechet_distance, recall
from objectives.fidelity.two_point_scores import TwoPointScores
from objectives.phases import cut_phases
from objectives.two_point.pca import TwoPointPCA

ASKED = {"volume_fraction": (0.33, 0.50, 0.67), "k_xx": (5.0, 8.0, 13.0)}
NEAR = 0.04  # real structures whose value is this share of it away are what can be had
CONDUCTIVITY = (1.0, 50.0)  # of the phases
FAMILY_NAMES = ("stretched_field", "spheres", "voronoi", "laminate", "checkerboard", "woven")
COMPONENTS = 40  # of the two-point scores that the classifier is given
SVM_PENALTY = 10.0


def trained(
    images: np.ndarray, conditions: Conditions, rows: np.ndarray, options: argparse.Namespace
) -> LatentSpace:
    """The space of a gan of 32x32 or larger images, with the CPU-seconds that it took printed."""
    started = time.process_time()
    shape = images.shape[1:]
    kept = images[: options.images]
    config = TrainConfig(
        steps=options.steps,
        seed=options.seed,
        augmentation={"shifts": options.shifts},
        progress=False,
    )
    model = GAN(shape, padding="circular" if options.shifts else "zeros", conditions=conditions)
    seen = {digest(image) for image in kept}  # there are few checkerboards
    validation = np.stack([x for x in images[options.images :] if digest(x) not in seen])
    train(model, kept, validation=validation, conditions=rows, config=config)
    space = LatentSpace.fit(model, kept)
    print(f"  {time.process_time() - started:.0f} CPU-s of training", flush=True)
    return space


def draws(space: LatentSpace, n: int, seed: int, **wish: object) -> torch.Tensor:
    """Structures that are asked for, cut into phases; how far out their points lie is printed."""
    z = sample_points(space, n, seed=seed, **wish)
    code = space.model.sample(n, seed=seed, **wish)
    norm = space.whitening.to_z(code).norm(dim=1)
    print(
        f"    norm {norm.mean():.2f}, beyond the radius {(norm > space.radius).double().mean():.3f}"
    )
    return cut_phases(space.decode(z))


def spread(scores: torch.Tensor) -> float:
    """Root of the mean variance of scores."""
    return float(scores.var(0).mean().sqrt())


def judged(name: str, images: torch.Tensor, real: torch.Tensor, scores: TwoPointScores) -> None:
    """Unconditional draws, as a set."""
    ours, target = scores(images), scores(real)
    amount, known = images.mean((1, 2, 3)), real.mean((1, 2, 3))
    print(
        f"  {name}: Frechet distance in scores {frechet_distance(ours, target):.3f}, recall "
        f"{recall(ours, target):.3f}, fraction {amount.mean():.3f} +- {amount.std():.3f} "
        f"({known.mean():.3f} +- {known.std():.3f})",
        flush=True,
    )


def measured(name: str, images: torch.Tensor) -> np.ndarray:
    """A property of each structure."""
    if name == "volume_fraction":
        return images.double().mean((1, 2, 3)).numpy()
    solver = EffectiveConductivity(conductivity=CONDUCTIVITY)
    return np.concatenate([solver(rows)["k_xx"].numpy() for rows in images.split(500)])


def properties(name: str, options: argparse.Namespace, shuffled: bool) -> None:
    """Asked for against obtained."""
    shape = (options.size, options.size)
    images = gaussian_random_field(options.images + 512, shape, seed=2026)
    values = measured(name, torch.from_numpy(images[: options.images])).astype(float)
    if shuffled:
        values = np.random.default_rng(0).permutation(values)
    conditions = Conditions.of_data((), {name: values})
    rows = conditions.rows(np.zeros(options.images, int), {name: values})
    space = trained(images, conditions, rows, options)
    real = torch.from_numpy(gaussian_random_field(4 * options.figures, shape, seed=51))
    has = torch.from_numpy(measured(name, real))
    scores = TwoPointScores(real)
    free = cut_phases(space.decode(space.sample(options.figures, seed=1)))
    judged("unconditional", free, real[: options.figures], scores)
    print(f"  {'asked':>7}{'obtained, 5 / 50 / 95 %':>28}{'variety':>9}{'(real)':>8}{'Frechet':>9}")
    for asked in ASKED[name]:
        made = draws(space, options.figures, 2, properties={name: asked})
        low, middle, high = np.quantile(measured(name, made), [0.05, 0.5, 0.95])
        near = real[(has / asked - 1).abs() < NEAR]
        text = f"{low:.3f} / {middle:.3f} / {high:.3f}"
        far = frechet_distance(scores(made), scores(near))
        print(
            f"  {asked:>7.2f}{text:>28}{spread(scores(made)) / spread(scores(free)):>9.2f}"
            f"{spread(scores(near)) / spread(scores(real)):>8.2f}{far:>9.2f}",
            flush=True,
        )


def of_families(
    names: Sequence[str], n: int, shape: tuple[int, int], seed: int
) -> list[np.ndarray]:
    """So many structures (n, 1, h, w) of each of these families of the zoo."""
    known = [ZOO[name] for name in names]
    return [
        FAMILIES[family].make(n, shape, seed=seed, **ranges)[:, None].astype(np.float32)
        for family, ranges in known
    ]


def zoo(n: int, size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """As many structures of each family, in random order, and the number of the family of each."""
    each = -(-n // len(FAMILY_NAMES))
    images = np.concatenate(of_families(FAMILY_NAMES, each, (size, size), seed))
    labels = np.repeat(np.arange(len(FAMILY_NAMES)), each)
    order = np.random.default_rng(seed).permutation(len(images))[:n]
    return images[order], labels[order]


def classes(options: argparse.Namespace, shuffled: bool) -> None:
    """How many draws of each class are of it."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    images, labels = zoo(options.images + 512, options.size, seed=2026)
    known, told = zoo(3000, options.size, seed=51)
    others, theirs = zoo(1200, options.size, seed=52)
    pca = TwoPointPCA(COMPONENTS, periodic=False, cutoff=options.size // 4)
    pca.fit(torch.from_numpy(known))

    def features(structures: torch.Tensor) -> np.ndarray:
        return pca.transform(structures).numpy()

    judge = make_pipeline(StandardScaler(), SVC(C=SVM_PENALTY))
    judge.fit(features(torch.from_numpy(known)), told)
    agreed = (judge.predict(features(torch.from_numpy(others))) == theirs).mean()
    print(f"  the classifier agrees with {agreed:.3f} of other real structures")
    told = labels[: options.images]
    if shuffled:
        told = np.random.default_rng(0).permutation(told)
    conditions = Conditions.of_data(FAMILY_NAMES, {})
    space = trained(images, conditions, conditions.rows(told, {}), options)
    scores = TwoPointScores(torch.from_numpy(known))
    free = cut_phases(space.decode(space.sample(options.figures, seed=1)))
    judged("unconditional", free, torch.from_numpy(others), scores)
    shares = []
    for label, name in enumerate(FAMILY_NAMES):
        made = draws(space, options.figures, 2, class_name=name)
        found = judge.predict(features(made))
        shares.append((found == label).mean())
        same = torch.from_numpy(others[theirs == label])
        print(
            f"  {name:<16}{shares[-1]:>7.3f} of it; spread of scores over that of real ones "
            f"{spread(scores(made)) / spread(scores(same)):.2f}",
            flush=True,
        )
    print(f"  {np.mean(shares):.3f} of all; chance is {1 / len(FAMILY_NAMES):.3f}", flush=True)


RUNS = {
    "fraction": partial(properties, "volume_fraction"),
    "k_xx": partial(properties, "k_xx"),
    "classes": classes,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--images", type=int, default=6000)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--figures", type=int, default=500)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--only", choices=RUNS, action="append")
    parser.add_argument("--without-control", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name in options.only or RUNS:
        options.shifts = name != "classes"  # the other families are not periodic
        for seed in options.seeds:
            options.seed = seed
            for shuffled in (False, *([] if options.without_control else [True])):
                print(f"{name}, seed {options.seed}{', shuffled (control)' * shuffled}", flush=True)
                RUNS[name](options, shuffled)


if __name__ == "__main__":
    main()
