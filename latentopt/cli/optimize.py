"""The command ``latentopt optimize``: a campaign runs."""

from latentopt.campaign.campaign import Campaign
from latentopt.campaign.load import load_config
from latentopt.cli.options.campaigns import OptimizeOptions
from latentopt.cli.status import print_status
from latentopt.errors import CampaignError, ExhaustedError
from latentopt.printing import print

__all__ = ["optimize"]


def optimize(options: OptimizeOptions) -> None:
    """Run a campaign and print what it found; a `CampaignError` if each evaluation failed."""
    changes = {
        "folder": None if options.out is None else str(options.out),
        "trials": options.trials,
        "seed": options.seed,
        "repeats": options.repeats,
    }
    given = {name: value for name, value in changes.items() if value is not None}
    campaign = Campaign(load_config(options.config, given))
    if options.retry_failed:
        print(f"{len(campaign.retry_failed())} failed trials are evaluated again.")
    try:
        run = campaign.run()
    except ExhaustedError:
        print_status(campaign.config.path)
        raise
    print_status(campaign.config.path)
    ended = [trial for trial in run.trials if trial.status in ("completed", "failed")]
    if ended and all(trial.status == "failed" for trial in ended):
        raise CampaignError(
            f"no evaluation succeeded; the last one failed: {ended[-1].reason}. Mend it, and go on "
            "with --retry-failed."
        )
