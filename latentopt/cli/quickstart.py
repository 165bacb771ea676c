"""The whole job on the embedded space: search, compare with the prior, export, report."""

import time

from rich.console import Console

from generative.files.own_files import check_outputs
from latentopt.campaign.campaign import Campaign
from latentopt.cli.options.campaigns import QuickstartOptions
from latentopt.errors import ConfigError
from latentopt.evaluation.objectives import build_objectives
from latentopt.printing import escape_markup
from latentopt.report.page import write_report
from latentopt.runs.exports import export_candidates
from latentopt.settings.campaign import CampaignConfig
from latentopt.space.embedded import EMBEDDED
from latentopt.space.latent_space import LatentSpace
from objectives.phases import cut_phases

__all__ = ["quickstart"]

GOAL = {
    "objective": "k_xx - 2*k_yy",
    "constraints": ("volume_fraction <= 0.5",),
    "evaluate": (
        {"kind": "effective_conductivity", "conductivity": [1.0, 50.0]},
        "volume_fraction",
    ),
}
BATCH = 2  # a larger one learns less from each evaluation
EXPORTED = 3
FORMATS = ("hdf5", "tiff", "damask")


def quickstart(options: QuickstartOptions) -> None:
    """Search an embedded space for a structure that conducts along x and not along y.

    The campaign is compared with as many draws from the prior as it has trials. One that was
    stopped goes on.
    """
    started, console = time.monotonic(), Console(highlight=False)
    out, overwrite = options.out, options.overwrite
    if options.space not in EMBEDDED:
        raise ConfigError(f"--space should be one of {', '.join(EMBEDDED)}, got {options.space!r}.")
    check_outputs([out / "report.html"], overwrite=overwrite)
    space = LatentSpace.default(options.space)
    size = "x".join(map(str, space.image_shape[1:]))
    console.print(f"Space {space.id}: {space.latent_dim} numbers for {size} structures.")
    goal = f"{GOAL['objective']} subject to {GOAL['constraints'][0]}"
    console.print(f"Searching for the largest {goal}, phases of 1 and 50 W/(m K).")
    config = CampaignConfig.model_validate(
        {
            "name": "quickstart",
            "space": options.space,
            "engine": "serial",
            "trials": options.trials,
            "batch": BATCH,
            "seed": options.seed,
            "folder": str(out),
            **GOAL,
        }
    )
    run = Campaign(config, space=space).run()
    prior = best_of_prior(space, config)
    best = run.best(EXPORTED)
    for trial in best:
        metrics = ", ".join(f"{name} {trial.metrics[name]:.3g}" for name in config.goal.metrics)
        console.print(f"  trial {trial.index:2d}: {run.value(trial):7.3f}   ({metrics})")
    console.print(_comparison(run.value(best[0]) if best else None, prior, options.trials))
    folder = out / "exports"
    for format in FORMATS:
        indices = [trial.index for trial in best]
        export_candidates(run, indices, format, folder, overwrite=overwrite)
    report = write_report(run, space=space, overwrite=overwrite)
    console.print(f"Best {len(best)} structures for your simulator: {escape_markup(folder)}")
    console.print(f"Report: {escape_markup(report)}   ({time.monotonic() - started:.0f} s)")


def best_of_prior(space: LatentSpace, config: CampaignConfig) -> float | None:
    """Best feasible objective of as many draws from the prior as the campaign has trials."""
    z = space.sample(config.trials, seed=2**31 + config.seed)  # not the campaign's own draws
    images = cut_phases(space.decode(z))
    metrics = {}
    for objective in build_objectives(config.evaluate):
        metrics |= objective(images)
    (values,) = config.goal.values(metrics)
    feasible = [
        float(value)
        for i, value in enumerate(values)
        if all(float(margin[i]) >= 0 for margin in config.goal.margins(metrics).values())
    ]
    return max(feasible, default=None)


def _comparison(found: float | None, prior: float | None, draws: int) -> str:
    if found is None:
        return "No trial met the constraint; raise --trials."
    if prior is None:
        return f"None of {draws} draws from the prior met the constraint; the search did."
    return (
        f"Best found {found:.3f}, best of {draws} draws from the prior {prior:.3f}: "
        f"{'better' if found > prior else 'WORSE'} by {abs(found - prior):.3f}."
    )
