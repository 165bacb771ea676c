"""Strategies against one another and against Ax's default: best value by evaluations spent.

    python benchmarks/search.py                       # everything: hours of one core
    python benchmarks/search.py --tasks A --methods prior,structure --seeds 2
    python benchmarks/search.py --cost                # CPU and memory of one ask
    python benchmarks/search.py --spaces ldm,ldm-code --methods structure    # noise against code
    python benchmarks/search.py --spaces ldm,gan,gan-box --methods structure --budget 20

Every run is kept in the folder of --out as it ends, and is not repeated.

Tasks A, B and C are on the embedded space at contrast 50; D is on it too, with an elastic objective
that played no part while the strategies were written; E is A in three dimensions, on a space of
21^3 that is trained here first. All methods share the ten initial points of a seed, which are
random training structures. The best value counts points that meet the constraints only.
Spaces other than the default share ten initial structures of their own for a seed. The space gan is
trained here first, for --gan-steps, unless the folder of one is given (--gan). Its control gan-box
is the same decoder in a uniform box in the place of the standard normal distribution: initial
points, reference and search are of the box.
"""

import argparse
import json
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import logging
import resource
import statistics
import subprocess
import sys
import time
import warnings
from itertools import product
from pathlib import Path

import torch

from generative.data.synthetic import gaussian_random_field
from generative.model import Drawn
from latentopt import LatentSpace
from latentopt.evaluation.evaluation import Evaluation
from latentopt.evaluation.objectives import build_objectives
from latentopt.goal import Goal
from latentopt.history import History
from latentopt.strategies.build import build_strategy

SPACES = ("default", "ldm", "ldm-code", "gan", "gan-box")
METHODS = ("prior", "cmaes", "gp", "gp_typical", "turbo", "ax", "structure")
INITIAL, MARKS = 10, (10, 20, 40, 100)
INVERSION_STEPS, EDGE = 50, 3.0
CONDUCTIVITY = {"kind": "effective_conductivity", "conductivity": [1.0, 50.0]}
TASKS = {
    "A": ("k_xx - 2*k_yy", (), [CONDUCTIVITY]),
    "B": ("-distance(k_xx - 12, k_yy - 4, k_xy - 1.5)", (), [CONDUCTIVITY]),
    "C": (
        "k_xx",
        ("volume_fraction <= 0.4", "min_solid_margin >= 0"),
        [
            CONDUCTIVITY,
            "volume_fraction",
            {"kind": "manufacturability", "rules": [{"kind": "min_solid", "limit_um": 3.0}]},
        ],
    ),
    "D": ("E_x - 2*E_y", (), [{"kind": "effective_stiffness", "young": [1.0, 50.0]}]),
    "E": ("k_xx - k_yy - k_zz", (), [{**CONDUCTIVITY, "dim": 3}]),
}


class Task:
    """What a run evaluates."""

    def __init__(self, name: str, space: LatentSpace, *, shared: bool = False) -> None:
        objective, constraints, objectives = TASKS[name]
        self.goal, self.space = Goal.parse(objective, constraints), space
        self.shared = shared and not isinstance(space, Box)
        self.evaluation = Evaluation(self.space, build_objectives(objectives))

    def initial(self, seed: int) -> torch.Tensor:
        """The ten points that all methods begin with."""
        if self.shared:
            images = gaussian_random_field(INITIAL, (64, 64), seed=10_000 + seed)
            steps = INVERSION_STEPS if isinstance(self.space.model, Drawn) else 0
            found = self.space.inverting(steps).encode(images)
            return self.space.project(torch.from_numpy(found))
        reference = self.space.reference_
        order = torch.randperm(len(reference), generator=torch.Generator().manual_seed(seed))
        return self.space.project(reference[order[:INITIAL]])

    def metrics(self, z: torch.Tensor) -> dict[str, torch.Tensor]:
        """Each metric of the goal at each point."""
        rows = [self.evaluation.metrics(point.numpy()) for point in z]
        return {
            name: torch.tensor([row[name] for row in rows], dtype=torch.float64)
            for name in self.goal.metrics
        }

    def values(self, metrics: dict[str, torch.Tensor]) -> list[float | None]:
        """Value of each point; None where a constraint is violated."""
        (values,) = self.goal.values(metrics)
        margins = self.goal.margins(metrics).values()
        feasible = torch.stack([m >= 0 for m in margins]).all(0) if margins else values > -torch.inf
        return [v if ok else None for v, ok in zip(values.tolist(), feasible.tolist(), strict=True)]


class Box(LatentSpace):
    """A decoder in a uniform box of +-3, most of which is farther out than normal draws."""

    def sample(self, n: int, seed: int = 0) -> torch.Tensor:
        """Uniform draws."""
        generator = torch.Generator().manual_seed(seed)
        shape = (n, self.latent_dim)
        return EDGE * (2 * torch.rand(shape, dtype=torch.float64, generator=generator) - 1)

    def project(self, z: torch.Tensor) -> torch.Tensor:
        """The nearest points inside the box."""
        return z.clamp(-EDGE, EDGE)

    @classmethod
    def around(cls, space: LatentSpace) -> "Box":
        """The box of a space's decoder, with uniform draws for a reference."""
        corner = EDGE * space.latent_dim**0.5
        empty = torch.zeros(0, space.latent_dim, dtype=torch.float64)
        box = cls(space.model, space.whitening, reference=empty, radius=corner)
        box.reference_ = box.sample(len(space.reference_), seed=1)
        return box


def space_called(name: str, options: argparse.Namespace) -> LatentSpace:
    """An embedded space, the code of the one called ldm, a gan, or the box of that."""
    if name == "ldm-code":
        return LatentSpace.default("ldm").in_coordinates("code")
    if name in ("gan", "gan-box"):
        from gan import trained

        if options.gan is None:
            gan = trained("gan", 0, options.gan_steps, options.out)
        else:
            gan = LatentSpace.load(options.gan)
        return gan if name == "gan" else Box.around(gan)
    return LatentSpace.default(name)


def volumes(out: Path) -> LatentSpace:
    """A space of 21^3 volumes."""
    from latentopt.training.settings import TrainingSettings
    from latentopt.training.train_space import train_space

    settings = {
        "data": {"kind": "gaussian_random_field", "shape": [21, 21, 21], "n": 2000},
        "training": {"steps": 1500, "progress": False},
    }
    return train_space(TrainingSettings.model_validate(settings), out / "volumes")


class OurLoop:
    """A strategy of ours, asked with the history."""

    def __init__(self, task: Task, method: str, seed: int) -> None:
        self.task, self.seed, self.strategy = task, seed, build_strategy(method)

    def ask(self, z: torch.Tensor, metrics: dict[str, torch.Tensor]) -> torch.Tensor:
        """The next point, ``(1, d)``."""
        history = History(self.task.space, self.task.goal, seed=self.seed, z=z, metrics=metrics)
        return self.strategy.propose(history, 1)

    def told(self, z: torch.Tensor, metrics: dict[str, torch.Tensor]) -> None:
        """Nothing is kept: the history says all."""


class AxLoop:
    """Ax's own client and default strategy, untouched."""

    def __init__(self, task: Task, seed: int) -> None:
        from ax.api.client import Client

        logging.disable(logging.INFO)
        self.task, goal = task, task.goal
        self.derived = "distance" in str(goal.objectives[0])
        self.client = Client(random_seed=seed)
        self.client.configure_experiment(parameters=task.space.ax_parameters(), name="benchmark")
        self.client.configure_optimization(
            objective="value" if self.derived else str(goal.objectives[0]),
            outcome_constraints=[
                f"{Goal((c.margin,)).objectives[0]}".rsplit(" + ", bool(c.margin.constant))[0]
                + f" >= {-c.margin.constant!r}"
                for c in goal.constraints
            ],
        )
        self.index: int | None = None

    def ask(self, z: torch.Tensor, metrics: dict[str, torch.Tensor]) -> torch.Tensor:
        """The next point, ``(1, d)``."""
        ((self.index, parameters),) = self.client.get_next_trials(1).items()
        return self.task.space.from_ax(parameters)[None]

    def told(self, z: torch.Tensor, metrics: dict[str, torch.Tensor]) -> None:
        """Complete the point that was asked for, or attach what is known to begin with."""
        for i, point in enumerate(z):
            data = {name: float(values[i]) for name, values in metrics.items()}
            if self.derived:
                data = {"value": float(self.task.goal.values(data)[0])}
            if self.index is None:
                self.client.complete_trial(
                    self.client.attach_trial(self.task.space.to_ax(point[None])[0]), data
                )
            else:
                self.client.complete_trial(self.index, data)


def run(task: Task, method: str, seed: int, budget: int) -> dict:
    """One search: value of each point, CPU-seconds of each ask."""
    loop = AxLoop(task, seed) if method == "ax" else OurLoop(task, method, seed)
    z = task.initial(seed)
    metrics = task.metrics(z)
    loop.told(z, metrics)
    seconds = []
    while len(z) < budget:
        start = time.process_time()
        point = loop.ask(z, metrics)
        seconds.append(time.process_time() - start)
        found = task.metrics(point)
        loop.told(point, found)
        z = torch.cat([z, point])
        metrics = {name: torch.cat([metrics[name], found[name]]) for name in metrics}
    return {
        "values": task.values(metrics),
        "seconds": seconds,
        "norms": [round(n, 3) for n in z.norm(dim=1).tolist()],
    }


def best_at(values: list[float | None], n: int) -> float:
    """Best of the first n; minus infinity if none met the constraints."""
    return max((v for v in values[:n] if v is not None), default=-torch.inf)


def reached(values: list[float | None], level: float) -> int | None:
    """Evaluations until the level, if ever."""
    return next((i + 1 for i, v in enumerate(values) if v is not None and v >= level), None)


def report(kept: dict[tuple[str, str], list[dict]]) -> None:
    """Medians and ranges over the seeds."""
    for task in dict.fromkeys(task for task, _ in kept):
        print(f"\nTask {task}: {TASKS[task][0]} {' and '.join(TASKS[task][1])}")
        level = None
        if runs := kept.get((task, "ax")):
            level = statistics.median(best_at(r["values"], MARKS[-1]) for r in runs)
        heads = "".join(f"{f'best at {n}':>28}" for n in MARKS[1:])
        print(f"  {'method':<22}{'seeds':>5}{heads}   CPU-s an ask   evaluations to Ax's median")
        for method in [m for t, m in kept if t == task]:
            runs = kept[task, method]
            line = f"  {method:<22}{len(runs):>5}"
            for n in MARKS[1:]:
                best = sorted(best_at(r["values"], n) for r in runs if len(r["values"]) >= n)
                text = "-"
                if best:
                    text = f"{statistics.median(best):.2f} [{best[0]:.2f}, {best[-1]:.2f}]"
                line += f"{text:>28}"
            line += f"{statistics.mean(s for r in runs for s in r['seconds']):>15.2f}"
            if level is not None:
                found = [reached(r["values"], level) for r in runs]
                line += "   " + ", ".join("never" if n is None else str(n) for n in found)
                curve = [
                    statistics.median(best_at(r["values"], n) for r in runs)
                    for n in range(1, min(len(r["values"]) for r in runs) + 1)
                ]
                line += f"; median: {reached(curve, level)}"
            print(line)


def cost(method: str, n: int) -> None:
    """CPU-seconds and peak memory of asks with n observations; runs in a process of its own."""
    task = Task("A", LatentSpace.default())
    z = torch.cat([task.initial(0), task.space.sample(n, seed=1)])[:n]
    metrics = task.metrics(z)
    loop = AxLoop(task, 0) if method == "ax" else OurLoop(task, method, 0)
    loop.told(z, metrics)
    loop.ask(z[:-1], {k: v[:-1] for k, v in metrics.items()})  # what is done once
    if method == "ax":  # its first ask is a Sobol point
        loop.told(z[-1:], {k: v[-1:] for k, v in metrics.items()})
        loop.told(loop.ask(z, metrics), task.metrics(z[-1:]))
    seconds = []
    for i in range(2):
        extra = task.space.sample(1, seed=100 + i)
        found = task.metrics(extra)
        z = torch.cat([z, extra])
        metrics = {name: torch.cat([metrics[name], found[name]]) for name in metrics}
        start = time.process_time()
        point = loop.ask(z, metrics)
        seconds.append(time.process_time() - start)
        loop.told(point, task.metrics(point))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{method:<22}{n:>5}{statistics.median(seconds):>12.2f}{memory:>12.0f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tasks", default="A,B,C")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--budget", type=int, default=MARKS[-1])
    parser.add_argument("--out", type=Path, default=Path("runs/benchmark"))
    parser.add_argument("--spaces", default="default", help=", ".join(SPACES))
    parser.add_argument("--gan", type=Path, help="folder of the space of a gan")
    parser.add_argument("--gan-steps", type=int, default=350, help="else it is trained so long")
    parser.add_argument("--cost", action="store_true", help="time and memory of an ask instead")
    parser.add_argument("--one-cost", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    methods = options.methods.split(",")
    if options.one_cost:
        cost(options.one_cost[0], int(options.one_cost[1]))
        return
    if options.cost:
        print(f"{'method':<22}{'n':>5}{'CPU-s an ask':>12}{'peak MiB':>12}", flush=True)
        for n in ("100", "300"):
            for method in methods:
                subprocess.run([sys.executable, __file__, "--one-cost", method, n], check=True)
        return
    options.out.mkdir(parents=True, exist_ok=True)
    kept: dict[tuple[str, str], list[dict]] = {}
    for name in options.tasks.split(","):
        for space in options.spaces.split(","):
            made = volumes(options.out) if name == "E" else space_called(space, options)
            task = Task(name, made, shared=space != "default")
            for seed, method in product(range(options.seeds), methods):
                label = method if space == "default" else f"{method}@{space}"
                file = options.out / f"{name}-{label}-{seed}-{options.budget}.json"
                if not file.exists():
                    started = time.perf_counter()
                    result = run(task, method, seed, options.budget)
                    file.write_text(json.dumps(result))
                    marks = " ".join(f"{best_at(result['values'], n):.2f}" for n in MARKS)
                    elapsed = time.perf_counter() - started
                    print(f"{name} {label} seed {seed}: {marks} ({elapsed:.0f} s)", flush=True)
                kept.setdefault((name, label), []).append(json.loads(file.read_text()))
    report(kept)


if __name__ == "__main__":
    main()
