"""The command ``latentopt repair``: a campaign's folder put in order."""

from latentopt.campaign.repair import repair as put_in_order
from latentopt.cli.options.campaigns import RepairOptions
from latentopt.errors import CampaignError
from latentopt.printing import print
from latentopt.space.named import load_space

__all__ = ["repair"]


def repair(options: RepairOptions) -> None:
    """Put a folder in order and say what was done; a `CampaignError` names what is lost."""
    run, space = options.run, options.space
    done = put_in_order(
        run,
        space=None if space is None else load_space(space),
        accept_shorter_past=options.accept_shorter_past,
    )
    if done.given_up is not None:
        print(f"{run}: accepted as it is; before: {done.given_up}")
    if done.torn_bytes:
        print(f"{run}: {done.torn_bytes} bytes of the journal's end are in journal.torn")
    if done.decoded:
        print(f"{run}: decoded again: trials {', '.join(map(str, done.decoded))}")
    if done.lost:
        raise CampaignError("\n".join(done.lost))
    print(f"{run}: the journal is whole, and every structure is that of its trial")
