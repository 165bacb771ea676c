"""What the model of a watched campaign has learned, as numbers for a page."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from latentopt.report.learned import NothingLearned, learned, strategy_of
from latentopt.report.surrogate import explained_share
from latentopt.runs.run import Run
from latentopt.space.latent_space import LatentSpace

__all__ = ["model_of"]


def model_of(
    run: Run, events: Sequence[Mapping[str, Any]], space: LatentSpace | None
) -> dict[str, Any]:
    """Fit and importances of each metric, and the gain that was expected of each proposal.

    Parameters
    ----------
    run, events
        The campaign, and what its journal has by now.
    space
        The one that is searched now; None if it is not served.
    """
    gains = [
        {"trial": event["trials"][0]["index"], "gain": event["gain"]}
        for event in events
        if event["kind"] == "ask" and event.get("gain") is not None and event["trials"]
    ]
    try:
        found = learned(run, space, strategy_of(run))
    except NothingLearned as reason:
        return {"reason": str(reason), "gains": gains, "fits": {}, "importances": {}}
    return {
        "reason": None,
        "gains": gains,
        "fits": {name: _fit(fit, found.trials) for name, fit in found.fits.items()},
        "importances": {name: dict(shares) for name, shares in found.importances.items()},
    }


def _fit(fit: Any, trials: Sequence[int]) -> dict[str, Any]:
    observed, predicted, sigma = (
        np.asarray(getattr(fit, name), dtype=np.float64)
        for name in ("observed", "predicted", "sigma")
    )
    return {
        "trials": list(trials[: len(observed)]),
        "observed": observed.tolist(),
        "predicted": predicted.tolist(),
        "sigma": sigma.tolist(),
        "explained": explained_share(observed, predicted),
    }
