"""StyleGAN on small data: 500 to 1,500 patches, with the controls that must fail.

    python benchmarks/stylegan.py                       # 500 and 1,350 synthetic images, 64x64
    python benchmarks/stylegan.py --n 500 --side 32 --steps 800 --figures 400
    python benchmarks/stylegan.py --images DIR          # patches of micrographs, regions apart
    python benchmarks/stylegan.py --only stylegan --game non_saturating

Draws are cut into phases and compared with held-out images: Frechet distance and recall in
two-point scores, over those of as many training images; copies are the share of draws nearer to a
training image, mirrored or turned, than 95 % of held-out ones, and r_v how far the critic knows
training images by heart. CV: the coefficient of variation of path lengths over 200 points.
"""

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import math
import time
import warnings
from typing import Any

import numpy as np
import torch

from generative.data.augment import Augmentation
from generative.gans import StyleGAN
from generative.gans.parts import centred
from generative.gans.style_stage import StyleStage, path_lengths
from generative.stages.config import StageConfig, TrainConfig
from generative.stages.stage import Stage
from generative.training.descent import descend
from latentopt import LatentSpace
from latentopt.training.settings import TrainingSettings
from latentopt.training.train_space import read_split
from objectives.fidelity import (
    TwoPointScores,
    frechet_distance,
    memorization,
    precision,
    recall,
)
from objectives.phases import cut_phases

POINTS = 200  # of path lengths
TRUNCATIONS = (1.0, 0.85, 0.7, 0.55, 0.4)
# Options; those that end in (control) must be worse in what they leave out.
RUNS: dict[str, dict[str, Any]] = {
    "stylegan": {},
    "without augmentation (control)": {"augment": None},
    "path length weight 0 (control)": {"path_length_weight": 0},
    "game alone": {"sets": None},
    "game alone, without augmentation (control)": {"sets": None, "augment": None},
}


class Judge:
    """Figures of sets of structures, each as large as the others.

    Parameters
    ----------
    training, held_out
        Images whose regions are apart.
    n
        Structures in a set, at most.
    """

    def __init__(self, training: torch.Tensor, held_out: torch.Tensor, n: int) -> None:
        self.n = min(n, len(training), len(held_out))
        some = np.linspace(0, len(training) - 1, self.n).astype(int)
        self.training, self.held_out = training, held_out[: self.n]
        self.scores = TwoPointScores(held_out)
        self.real, known = self.scores(self.held_out), self.scores(training[some])
        self.floor = frechet_distance(known, self.real), recall(known, self.real)
        self.known = torch.cat([x.flatten(1) for x in orientations(training)])
        print(
            f"{len(training)} training images; sets of {self.n}; training images themselves: "
            f"scores {self.floor[0]:.3f}, recall {self.floor[1]:.3f}, precision "
            f"{precision(known, self.real):.3f}"
        )
        self.show("training images (control)", training[some])

    def show(self, name: str, images: torch.Tensor) -> None:
        """One line of figures of a set."""
        ours = self.scores(images)
        near = memorization(images.flatten(1), self.known, self.held_out.flatten(1))
        amounts = images.flatten(1).mean(1)
        print(
            f"{name:<44} scores {frechet_distance(ours, self.real):6.3f} "
            f"(x {frechet_distance(ours, self.real) / max(self.floor[0], 1e-9):5.2f}), recall "
            f"{recall(ours, self.real):.3f} (x {recall(ours, self.real) / self.floor[1]:.2f}), "
            f"precision {precision(ours, self.real):.3f}, copies {near.copies:.3f}, closer "
            f"{near.closer:.3f}, fraction {amounts.mean():.3f} +- {amounts.std():.3f}",
            flush=True,
        )


def orientations(images: torch.Tensor) -> list[torch.Tensor]:
    """Images (n, c, h, w), turned by quarters and mirrored, if their sides are equal."""
    turned = [
        images.rot90(k, (2, 3))
        for k in (range(4) if images.shape[2] == images.shape[3] else (0, 2))
    ]
    return [*turned, *(x.flip(3) for x in turned)]


def trained(
    model: StyleGAN, training: np.ndarray, validation: torch.Tensor, config: TrainConfig
) -> StyleStage:
    """The model's stages one after the other; the game's, which has the critic."""
    stages = [stage for stage in model.stages() if isinstance(stage, Stage)]
    for stage in stages:
        started = time.process_time()
        state = descend(stage, training, config, None, validation=validation)
        print(
            f"  stage {stage.name}: {stage.settings(config).steps} steps, "
            f"{time.process_time() - started:.0f} CPU-s, best at {state.best_step}, error "
            f"{state.best_error:.3f}",
            flush=True,
        )
    game = stages[0]
    assert isinstance(game, StyleStage)
    return game


@torch.no_grad()
def by_heart(
    game: StyleStage, training: torch.Tensor, unseen: torch.Tensor, made: torch.Tensor
) -> float:
    """r_v of the critic, of images that are not augmented."""
    critic = game.critic.eval()
    known, new, ours = (
        critic(centred(x)).mean() for x in (training[:400], unseen[:400], made[:400])
    )
    return float((known - new) / (known - ours))


def variation(model: StyleGAN, seed: int = 0) -> float:
    """Coefficient of variation of |J^T y| over styles of draws, y a normal image for each."""
    generator = torch.Generator().manual_seed(seed)
    style = model.parts.style(torch.randn(POINTS, model.latent_dim, generator=generator))
    noise = torch.randn(POINTS, math.prod(model.image_shape), generator=generator)
    lengths = path_lengths(
        lambda rows: centred(model.parts.logits(rows).sigmoid()), style, noise
    ).detach()
    return float(lengths.std() / lengths.mean())


def truncations(space: LatentSpace, judge: Judge) -> None:
    """Precision and recall of draws that are nearer and nearer to the mean."""
    for name in ("style", "noise"):
        seen = space.in_coordinates(name)
        for truncation in TRUNCATIONS:
            draws = cut_phases(seen.decode(seen.sample(judge.n, seed=1, truncation=truncation)))
            ours = judge.scores(draws)
            print(
                f"  truncation {truncation:.2f} in {name}: precision "
                f"{precision(ours, judge.real):.3f}, recall {recall(ours, judge.real):.3f}",
                flush=True,
            )


def run(name: str, judge: Judge, training: Any, validation: Any, asked: argparse.Namespace) -> None:
    """Train one and print its figures."""
    options = {"padding": "circular" if asked.images is None else "zeros"} | RUNS[name]
    if asked.game:
        options["game"] = asked.game
    torch.manual_seed(asked.seed)
    model = StyleGAN(judge.training.shape[1:], **options)
    config = TrainConfig(
        steps=asked.steps,
        seed=asked.seed,
        progress=False,
        augmentation=Augmentation(shifts=asked.images is None),
        stages={"adversarial": StageConfig(batch_size=asked.batch, learning_rate=asked.rate)},
    )
    print(f"{name}, seed {asked.seed}", flush=True)
    game = trained(model, training, validation, config)
    space = LatentSpace.from_prior(model)
    draws = [cut_phases(space.decode(space.sample(judge.n, seed=seed))) for seed in range(3)]
    for images in draws:
        judge.show("  draws", images)
    strength = float(game.augmentation.strength_) if game.augmentation else 0.0
    again = space.decode(space.encode(judge.held_out))
    known = by_heart(game, judge.training, validation, draws[0])
    print(
        f"  augmentation p {strength:.3f}, r_v {known:.3f}; CV {variation(model):.3f}; "
        f"reconstructions: MSE "
        f"{(again - judge.held_out).square().mean():.4f}",
        flush=True,
    )
    truncations(space, judge)


def data(n: int, asked: argparse.Namespace) -> dict[str, Any]:
    """Settings of the images."""
    if asked.images is not None:
        return {
            "kind": "files", "path": asked.images, "patch": asked.side, "stride": asked.stride,
            "fractions": [0.5, 0.25, 0.25],
        }  # fmt: skip
    sides = [asked.side, asked.side]
    return {"kind": "gaussian_random_field", "n": n, "held_out": 1000, "shape": sides, "seed": 2026}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, nargs="+", default=[500, 1350])
    parser.add_argument("--images", help="folder of micrographs; their patches are thinned to --n")
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--stride", type=int, default=8)
    parser.add_argument("--steps", type=int, default=8000)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=1e-3, help="learning rate of the game")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--figures", type=int, default=1000)
    parser.add_argument("--game", choices=("relativistic", "non_saturating"))
    parser.add_argument("--only", choices=RUNS, action="append")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    for n in asked.n:
        settings = TrainingSettings.checked({"data": data(n, asked)})
        training, validation, held_out = (
            torch.from_numpy(part.images) for part in read_split(settings.data)
        )
        training = training[np.linspace(0, len(training) - 1, min(n, len(training))).astype(int)]
        judge = Judge(training, held_out, asked.figures)
        for name in asked.only or RUNS:
            run(name, judge, training.numpy(), validation, asked)
