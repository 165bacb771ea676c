"""What a watched campaign's model has learned, as a service tells it."""

import json

import numpy as np
import pytest

from latentopt.campaign.campaign import Campaign


def run(space, folder, strategy, trials):
    with Campaign(
        space=space,
        objective="volume_fraction",
        objectives=["volume_fraction"],
        strategy=strategy,
        engine="serial",
        trials=trials,
        folder=folder,
    ) as campaign:
        return campaign.run(progress=False)


@pytest.fixture(scope="module")
def runs(tiny_space_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    run(tiny_space_folder, folder / "modelled", {"kind": "gp", "initial": 6}, 9)
    run(tiny_space_folder, folder / "drawn", "prior", 6)
    return folder


def model(service, id):
    status, _, body = service.ask("GET", f"/v1/runs/{id}/model")
    assert status == 200, body
    return json.loads(body)


def test_predictions_are_of_the_measured_values(serve, tiny_space, runs):
    with serve(("tiny", tiny_space), runs=runs) as service:
        found = model(service, "modelled")
        told = json.loads(service.ask("GET", "/v1/runs/modelled")[2])
    measured = {t["index"]: t["metrics"]["volume_fraction"] for t in told["trials"]}
    fit = found["fits"]["volume_fraction"]
    assert found["reason"] is None
    np.testing.assert_allclose(fit["observed"], [measured[i] for i in fit["trials"]])
    assert len(fit["predicted"]) == len(fit["sigma"]) == 9
    assert sum(found["importances"]["volume_fraction"].values()) == pytest.approx(1)
    assert [one["trial"] for one in found["gains"]] == sorted(
        one["trial"] for one in found["gains"]
    )


def test_why_there_is_no_model_is_said(serve, tiny_space, runs):
    with serve(("tiny", tiny_space), runs=runs) as service:
        assert "no model" in model(service, "drawn")["reason"]
        assert service.status("GET", "/v1/runs/none/model") == 404
    with serve(runs=runs) as service:
        assert "space is not at hand" in model(service, "modelled")["reason"]
