"""What a campaign's model has learned, on its page in a real browser."""

import pytest

from latentopt.campaign import Campaign
from latentopt.serve.spaces import ServedSpace, Spaces


@pytest.fixture(scope="module")
def service(serve, tiny_space, tiny_space_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("modelled")
    with Campaign(
        space=tiny_space_folder,
        objective="volume_fraction",
        objectives=["volume_fraction"],
        strategy={"kind": "gp", "initial": 6},
        engine="serial",
        trials=9,
        folder=folder / "one",
    ) as campaign:
        campaign.run(progress=False)
    yield from serve(Spaces([ServedSpace("tiny", tiny_space)]), folder)


def test_the_fit_and_its_inputs_are_shown(campaign, serious_faults):
    page = campaign("one")
    page.get_by_role("button", name="Fit the model").click()
    page.wait_for_selector("#model svg")
    assert "over 9 trials" in page.locator("#model svg").first.get_attribute("aria-label")
    assert page.locator("#model table").count() == 1
    assert page.evaluate("document.documentElement.scrollWidth") <= 1400
    assert serious_faults(page) == []
