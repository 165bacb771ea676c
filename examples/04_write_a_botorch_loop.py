"""Write your own BoTorch loop on a latent space: nothing of ours but encode and decode.

python examples/04_write_a_botorch_loop.py
"""

import os

import torch
from botorch.acquisition import LogExpectedImprovement
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from botorch.models.transforms import Normalize, Standardize
from botorch.optim import optimize_acqf
from gpytorch.mlls import ExactMarginalLogLikelihood

from latentopt import LatentSpace
from objectives import cut_phases
from objectives.homogenize import effective_conductivity

SMOKE = os.environ.get("SMOKE") == "1"
ROUNDS = 2 if SMOKE else 20


def score(space: LatentSpace, z: torch.Tensor) -> torch.Tensor:
    """How much better a structure conducts along x than along y, once cut into phases."""
    images = cut_phases(space.decode(z))
    k = effective_conductivity(images, conductivity=(1.0, 50.0), tol=1e-3)
    return (k[:, 1, 1] - 2 * k[:, 0, 0]).double()[:, None]


def main() -> None:
    torch.manual_seed(0)
    space = LatentSpace.default()

    # Start from the data, not from a box: its corners are three times as far as any structure.
    z = space.project(space.reference_[:: len(space.reference_) // 10][:10])
    y = score(space, z)
    print(f"best of {len(z)} structures of the training set: {y.max():.2f}")

    bounds = space.bounds
    for step in range(ROUNDS):
        model = SingleTaskGP(
            z, y, input_transform=Normalize(space.latent_dim, bounds=bounds),
            outcome_transform=Standardize(1),
        )  # fmt: skip
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
        acquisition = LogExpectedImprovement(model, best_f=y.max())
        # Ascents begin at data and near the incumbent, and what comes back is kept inside the
        # typical radius, where the decoder was trained.
        near = z[y.argmax()] + 0.3 * torch.randn(32, space.latent_dim, dtype=torch.double)
        starts = torch.cat([space.reference_[torch.randperm(len(space.reference_))[:96]], near])
        with torch.no_grad():
            best = acquisition(starts[:, None]).topk(4).indices
        candidate, _ = optimize_acqf(
            acquisition, bounds, q=1, num_restarts=4, options={"maxiter": 50},
            batch_initial_conditions=starts[best].clamp(bounds[0], bounds[1])[:, None],
        )  # fmt: skip
        candidate = space.project(candidate)
        z, y = torch.cat([z, candidate]), torch.cat([y, score(space, candidate)])
        print(f"step {step + 1:2d}: {y[-1].item():7.2f}   best {y.max():.2f}")

    winner = z[y.argmax()][None]
    print(f"distance of the winner from the data: {space.distance_from_data(winner).item():.2f}")


if __name__ == "__main__":
    main()
