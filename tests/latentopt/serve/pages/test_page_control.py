"""Telling a campaign to go on, from the page, in a real browser."""

import pytest

from latentopt.campaign import Campaign
from latentopt.runs.run import Run
from latentopt.serve.spaces import Spaces


@pytest.fixture(scope="module")
def folder(tiny_space_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("controlled") / "one"
    with Campaign(
        space=tiny_space_folder,
        objective="volume_fraction",
        objectives=["volume_fraction"],
        strategy="prior",
        engine="serial",
        trials=3,
        folder=folder,
    ) as campaign:
        campaign.run(progress=False)
    return folder


@pytest.fixture(scope="module")
def service(serve, folder):
    yield from serve(Spaces([]), folder.parent, control=True)


@pytest.mark.slow
def test_more_trials_are_asked_for_and_come(campaign, folder, look, serious_faults):
    page = campaign("one")
    assert serious_faults(page) == []
    page.get_by_label("Evaluations in all").fill("5")
    page.once("dialog", lambda dialog: dialog.dismiss())
    page.get_by_role("button", name="Go on").click()
    assert len(Run.read(folder).trials) == 3  # nobody said yes
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Go on").click()
    look.until(page, "document.querySelectorAll('#trials tbody tr').length === 5", 60)
    assert [t.status for t in Run.read(folder).trials][:3] == ["completed"] * 3
