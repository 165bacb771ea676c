"""What the service says for its pages."""

import io
import json
import re
from importlib.resources import files

import httpx
import numpy as np
import pytest

from latentopt.export import EXPORTERS
from latentopt.microstructure import to_phases
from latentopt.pictures import PHASE_COLOURS
from latentopt.runs.run import Run

ASSETS = files("latentopt") / "assets" / "serve"
MOST_LINES = 400


@pytest.fixture
def client(service):
    headers = {"Authorization": "Bearer token-of-the-tests"}
    with httpx.Client(base_url=service.base, headers=headers) as made:
        yield made


def test_a_space_says_in_which_formats_it_is_exported(client, tiny_space):
    assert client.get(f"/v1/spaces/{tiny_space.id}").json()["formats"] == list(EXPORTERS)


def test_an_upload_comes_back_as_phases_beside_its_point(client, tiny_space):
    image = to_phases(tiny_space.decode(tiny_space.reference_[:1].numpy())).astype(np.float32)
    file = io.BytesIO()
    np.save(file, image)
    path = f"/v1/spaces/{tiny_space.id}/encode"
    answer = client.post(path, params={"phases": True}, content=file.getvalue()).json()
    np.testing.assert_array_equal(answer["phases"], image)
    assert client.post(path, content=file.getvalue()).json() == {"z": answer["z"]}


def test_the_stream_of_a_campaign_has_points_where_they_are_asked_for(client, runs):
    trials = Run.read(runs / "front").trials
    for points in (True, False):
        with client.stream("GET", f"/v1/runs/front/events?points={points}") as answer:
            line = next(line for line in answer.iter_lines() if line.startswith("data: "))
        told = json.loads(line.removeprefix("data: "))["trials"]
        assert [trial.get("z") for trial in told] == [
            trial.z.tolist() if points else None for trial in trials
        ]


@pytest.mark.parametrize("page", [*sorted(one.name for one in ASSETS.iterdir())])
def test_each_page_is_served_whole_and_to_anybody(service, page):
    answer = httpx.get(f"{service.base}/pages/{page}")
    assert answer.content == (ASSETS / page).read_bytes()
    kind = answer.headers["content-type"].split(";")[0]
    assert (
        kind
        == {"html": "text/html", "css": "text/css", "js": "text/javascript"}[page.split(".")[-1]]
    )


@pytest.mark.parametrize("page", [*sorted(one.name for one in ASSETS.iterdir())])
def test_a_page_loads_nothing_from_elsewhere_and_makes_no_markup_of_text(page):
    text = (ASSETS / page).read_text(encoding="utf-8")
    addresses = set(re.findall(r"https?://[^\"'\s)]+", text))
    assert addresses <= {"http://www.w3.org/2000/svg"}
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text)
    assert len(text.splitlines()) <= MOST_LINES


def test_phases_have_the_colours_of_pictures_and_reports():
    text = (ASSETS / "colours.js").read_text(encoding="utf-8")
    block = text.split("PHASE_COLOURS = [")[1].split("]")[0]
    assert tuple(re.findall(r"#[0-9a-f]{6}", block)) == PHASE_COLOURS


def test_a_request_for_scores_names_no_code_to_import(client, tiny_space, capfd):
    rule = {"kind": "training_distance", "score": "builtins:print", "reference": [[0], [1], [2]]}
    spec = {"kind": "manufacturability", "rules": [rule]}
    asked = {"z": [[0.0] * 4], "objectives": [spec]}
    answer = client.post(f"/v1/spaces/{tiny_space.id}/score", json=asked)
    assert answer.status_code == 422
    assert "training_distance" in answer.json()["detail"]
    assert capfd.readouterr().out == ""
