"""Spectra of two-phase structures: time and error of all contrasts against one of our solver.

python benchmarks/spectral.py [--pairs 15]

Runs alternate, on one thread and one structure, in processor time; a ratio is the median of those
of the pairs, with the quartiles. The curves: 41 real contrasts from .1 to 10 and from .02 to 50 to
a tolerance of 1e-7, and the permittivity of a metal (damping .12) in vacuum at 64 frequencies, to
1e-4 and 1e-6. The solver is `effective_conductivity` as it is by default. The control, which must
fail, is a run of 4 steps: it errs by more than 1e-7.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch

from generative.data.synthetic import gaussian_random_field
from objectives.homogenize import effective_conductivity
from objectives.homogenize.schemes import conduction_scheme, make_corner_scheme
from objectives.spectral import effective_spectrum, spectral_function
from objectives.spectral.lanczos import chunks, lanczos

SPACES = ((64, 64), (32, 32, 32))
FREQUENCIES = torch.linspace(0.15, 1.05, 64, dtype=torch.float64)
METAL = 1 - 1 / (FREQUENCIES * (FREQUENCIES + 0.12j))
CURVES = {
    "41 contrasts, .1 to 10, 1e-7": (torch.logspace(-1, 1, 41, dtype=torch.float64), 1e-7),
    "41 contrasts, .02 to 50, 1e-7": (torch.logspace(-1.7, 1.7, 41, dtype=torch.float64), 1e-7),
    "64 frequencies, 1e-4": (METAL, 1e-4),
    "64 frequencies, 1e-6": (METAL, 1e-6),
}


def seconds(call: Callable[[], object]) -> float:
    started = time.process_time()
    call()
    return time.process_time() - started


def ratio(ours: Callable[[], object], theirs: Callable[[], object], pairs: int) -> tuple:
    """Milliseconds of ours, and quartiles of the ratio of paired runs."""
    ours(), theirs()
    times = np.array([(seconds(ours), seconds(theirs)) for _ in range(pairs)])
    return 1000 * np.median(times[:, 0]), np.quantile(times[:, 0] / times[:, 1], [0.25, 0.5, 0.75])


def structure(space: tuple[int, ...], seed: int = 0) -> torch.Tensor:
    field = gaussian_random_field(1, space, seed=seed)
    return torch.as_tensor(field > 0.5).double()


def costs(pairs: int) -> None:
    print(
        "\n| voxels | curve | steps | ms | over contrast 10 | over contrast 50 |"
        "\n|---|---|---|---|---|---|"
    )
    for space in SPACES:
        x = structure(space)
        for name, (curve, tol) in CURVES.items():
            steps = int(effective_spectrum(x, (1.0, curve), tol=tol).steps)
            cells = []
            for contrast in (10, 50):
                ms, quartiles = ratio(
                    lambda curve=curve, tol=tol, x=x: effective_spectrum(x, (1.0, curve), tol=tol),
                    lambda contrast=contrast, x=x: effective_conductivity(x, (1, contrast)),
                    pairs,
                )
                low, middle, high = quartiles
                cells.append(f"{middle:.2f} ({low:.2f} to {high:.2f})")
            size = "x".join(map(str, space))
            print(f"| {size} | {name} | {steps} | {ms:.1f} | {' | '.join(cells)} |", flush=True)


def gradient_cost(pairs: int) -> None:
    print("\n| voxels | gradient of 64 frequencies (1e-6), over the values alone |\n|---|---|")
    for space in SPACES:
        x = structure(space)
        asked = x.clone().requires_grad_()

        def slope(asked: torch.Tensor = asked) -> None:
            values = effective_spectrum(asked, (1.0, METAL), tol=1e-6).values
            torch.autograd.grad(values.imag.sum(), asked)

        _, (_, middle, _) = ratio(
            slope, lambda x=x: effective_spectrum(x, (1.0, METAL), tol=1e-6), pairs
        )
        print(f"| {'x'.join(map(str, space))} | {middle:.2f} |", flush=True)


def errors() -> None:
    print(
        "\n| voxels | contrast | steps | error | bound | control: 4 steps |"
        "\n|---|---|---|---|---|---|"
    )
    axes = {2: [0, 1], 3: [0, 1, 2]}
    for space in SPACES:
        for contrast in (0.1, 10, 100):
            worst = {"error": 0.0, "bound": 0.0, "control": 0.0}
            for seed in range(3):
                x = structure(space, seed)
                places = axes[len(space)]
                solved = effective_conductivity(x, (1, contrast), tol=1e-8)[:, places, places]
                found = effective_spectrum(x, (1.0, contrast), tol=1e-8)
                few = spectral_function(x, steps=4).effective(contrast)[..., 0].real
                error = (found.values[..., 0].real / solved - 1).abs().max()
                worst["error"] = max(worst["error"], float(error))
                worst["bound"] = max(worst["bound"], float(found.error.max()))
                worst["control"] = max(worst["control"], float((few / solved - 1).abs().min()))
            shown = " | ".join(f"{value:.0e}" for value in worst.values())
            steps = int(found.steps.max())
            print(f"| {'x'.join(map(str, space))} | {contrast} | {steps} | {shown} |", flush=True)
            assert worst["error"] < 1e-7 < worst["control"]


def orthogonality(pairs: int) -> None:
    print(
        "\n| voxels | steps | time, orthogonalized over plain | difference of the spectrum |"
        " poles within 1e-9 of one another, plain |\n|---|---|---|---|---|"
    )
    cases = [((64, 64), 40), ((64, 64), 200), ((32, 32, 32), 40), ((12, 12), 140)]
    for space, steps in cases:
        dim = len(space)
        scheme = make_corner_scheme(conduction_scheme(dim), (1.0,) * dim, (dim - 1,))
        ((chi, inverse),) = chunks(structure(space)[:, 0], scheme)

        def run(orthogonal: bool, chi=chi, scheme=scheme, inverse=inverse, steps=steps):
            return lanczos(chi, scheme, inverse, most_steps=steps, orthogonal=orthogonal)

        _, (_, middle, _) = ratio(lambda run=run: run(True), lambda run=run: run(False), pairs // 3)
        values = []
        for orthogonal in (False, True):
            found = run(orthogonal)
            poles, vectors = torch.linalg.eigh(found.matrix[0, 0])
            tau = METAL[:, None] - 1
            g = (vectors[0] ** 2 / (1 + tau * poles)).sum(1)
            f, moment = found.start.fraction[0], found.start.moment[0, 0]
            values.append(1 + tau[:, 0] * f - tau[:, 0] ** 2 * moment * g)
            if not orthogonal:
                copies = int((poles.diff() < 1e-9).sum())
        apart = float(((values[0] - values[1]) / values[1]).abs().max())
        size = "x".join(map(str, space))
        print(f"| {size} | {steps} | {middle:.1f} | {apart:.0e} | {copies} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=15)
    pairs = parser.parse_args().pairs
    torch.set_num_threads(1)
    errors()
    costs(pairs)
    gradient_cost(pairs)
    orthogonality(pairs)


if __name__ == "__main__":
    main()
