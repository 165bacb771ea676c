"""One step taught by the embedded latent diffusion, beside its flow and a control that must fail.

python benchmarks/one_step.py                       # two seeds, about ten CPU-minutes each
python benchmarks/one_step.py --seeds 0 --steps 300 --figures 1000   # a minute
python benchmarks/one_step.py --decoder             # and a light decoder, in as many again
python benchmarks/one_step.py --evaluations 1       # one network in the place of two

Sets are decoded from the same noise and cut into phases; their figures are those of gan.py. Of
other noise than that of training: distance of codes from the flow's over the spread of codes, share
of voxels that differ from the flow's, and CPU-milliseconds of map and decoder for a point.
"""

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import time
from collections.abc import Callable
from pathlib import Path

import torch
from gan import Judge

from generative.batching import map_rows
from generative.data.synthetic import gaussian_random_field
from generative.diffusion.latent_diffusion import LatentDiffusion
from generative.stages.config import StageConfig, TrainConfig
from generative.training.train import train
from latentopt import LatentSpace

SHAPE = (64, 64)
VOXELS = 64 * 64
Map = Callable[[torch.Tensor], torch.Tensor]


class Comparison:
    """Images of the same noise, judged, and compared with those by the flow.

    Parameters
    ----------
    teacher
        Decodes by its flow.
    n
        How many points.
    """

    def __init__(self, teacher: LatentDiffusion, n: int) -> None:
        self.teacher, self.judge = teacher, Judge(n)
        self.noise = torch.randn(n, 64, generator=torch.Generator().manual_seed(5))
        self.code = self.of(self.teacher.to_code)[0]
        self.images = self.decoded(self.teacher.autoencoder.decode, self.code)

    def of(self, to_code: Map) -> tuple[torch.Tensor, float]:
        """Codes of the noise by a map, and the milliseconds of a point."""
        with torch.no_grad():
            to_code(self.noise[:250])
            started = time.process_time()
            code = map_rows(to_code, self.noise, 1024)
        return code, 1000 * (time.process_time() - started) / len(code)

    def decoded(self, decode: Map, points: torch.Tensor) -> torch.Tensor:
        """Images cut into phases."""
        with torch.no_grad():
            return map_rows(decode, points, VOXELS).round()

    def show(self, name: str, to_code: Map, decode: Map | None = None) -> None:
        """Two lines: what the set is, and how far it is from the flow's.

        ``decode`` takes noise to images in one network; without it codes are decoded.
        """
        code, ms = self.of(to_code)
        started = time.process_time()
        ours, points = (
            (self.teacher.autoencoder.decode, code) if decode is None else (decode, self.noise)
        )
        images = self.decoded(ours, points)
        each = 1000 * (time.process_time() - started) / len(code)
        self.judge.show(name, images)
        off = (code - self.code).square().mean().sqrt() / self.teacher.prior.spread_
        other = (images != self.images).double().mean()
        what = "decoder" if decode is None else "noise to image"
        print(
            f"  codes {off:.4f} of their spread off, {100 * other:.2f} % of voxels other, map "
            f"{ms:.3f} ms, {what} {each:.2f} ms",
            flush=True,
        )


def taught(teacher: LatentDiffusion, seed: int, options: argparse.Namespace) -> LatentDiffusion:
    """A student of the teacher. Nothing is learned from images, which only say what a voxel is."""
    images, validation = (gaussian_random_field(8, SHAPE, seed=s) for s in (2026, 2027))
    model = LatentDiffusion(
        (1, *SHAPE), one_step={"decoder": options.decoder, "evaluations": options.evaluations}
    )
    light = StageConfig(steps=max(1, options.steps // 2))
    started = time.process_time()
    train(
        model,
        images,
        validation=validation,
        begin=teacher,
        config=TrainConfig(steps=options.steps, seed=seed, stages={"one_step_decoder": light}),
        folder=options.out / f"{options.steps}-{options.evaluations}-{seed}-{options.decoder}",
    )
    print(f"student of seed {seed}: {time.process_time() - started:.0f} CPU-s", flush=True)
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--steps", type=int, default=4600)
    parser.add_argument("--figures", type=int, default=4000, help="structures of a set")
    parser.add_argument("--evaluations", type=int, default=2, help="of the student: 1 or 2")
    parser.add_argument("--decoder", action="store_true", help="train a light decoder, too")
    parser.add_argument("--out", type=Path, default=Path("runs/benchmark/one_step"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    teacher = LatentSpace.default("ldm").model
    students = [taught(teacher, seed, options) for seed in options.seeds]
    compared = Comparison(teacher, options.figures)
    for seed in (52, 53):
        others = gaussian_random_field(options.figures, SHAPE, seed=seed)
        compared.judge.show("other structures", torch.from_numpy(others))
    compared.show("flow, 20 evaluations", teacher.to_code)
    compared.show(
        "flow in one DDIM step (control)",
        lambda noise: teacher.prior.to_code(noise, steps=1, solver="ddim"),
    )
    for seed, model in zip(options.seeds, students, strict=True):
        whole = model.decode if options.decoder else None
        compared.show(f"one step, seed {seed}", model.to_code)
        if whole:
            compared.show(f"one step and its decoder, seed {seed}", model.to_code, whole)


if __name__ == "__main__":
    main()
