"""A service as the simulator of a campaign."""

import base64
import json
import threading

import numpy as np
import pytest

from latentopt.campaign.campaign import Campaign
from latentopt.errors import ConfigError
from latentopt.export.exporters import EXPORTERS
from latentopt.export.sidecar import exported_files
from latentopt.microstructure import Microstructure
from latentopt.serve.job_files import BY_SIDECAR
from latentopt.serve.job_routes import OURS
from latentopt.simulators.task import task_of


@pytest.fixture
def structure():
    phases = (np.arange(64).reshape(8, 8) // 3 % 2).astype(np.uint8)
    return Microstructure(phases, (2e-6, 2e-6), ("pore", "solid"), (True, True), {"trial": 0})


@pytest.fixture
def submission(structure, tmp_path):
    def make(written_as="hdf5", metrics=("volume_fraction",), whole=False, of=structure, **changes):
        exporter = EXPORTERS[written_as]
        file = exporter.write(of, tmp_path / f"structure{exporter.suffix}")
        task = task_of(of, file.name, written_as, metrics) | changes
        files = [
            {"name": one.name, "base64": base64.b64encode(one.read_bytes()).decode()}
            for one in (exported_files(file) if whole else [file])
        ]
        return {"task": task, "files": files}

    return make


def result(service, body, **headers):
    status, _, answer = service.ask("POST", "/v1/jobs", body, **headers)
    assert status == 200, answer
    job = json.loads(answer)["job"]
    while True:
        answer = json.loads(service.ask("GET", f"/v1/jobs/{job}")[2])
        if answer["state"] not in ("queued", "running"):
            return job, answer


@pytest.fixture
def volume():
    phases = (np.arange(60).reshape(4, 3, 5) // 9 % 2).astype(np.uint8)
    return Microstructure(phases, (2e-6,) * 3, ("pore", "solid"), (True,) * 3, {"trial": 0})


@pytest.mark.parametrize("format", [name for name in EXPORTERS if name not in BY_SIDECAR])
def test_a_job_is_evaluated(tiny, submission, volume, format):
    _, answer = result(tiny, submission(format, of=volume))
    assert answer == {
        "state": "ok",
        "metrics": {"volume_fraction": volume.phase_fractions["solid"]},
        "message": "",
    }


@pytest.mark.parametrize("format", EXPORTERS)
def test_files_of_an_export_are_a_job(tiny, submission, structure, volume, format):
    """As the HTTP simulator sends them, the sidecar and further parts among them."""
    for one in (structure, volume):
        body = submission(format, whole=True, of=one)
        assert result(tiny, body)[1]["metrics"] == {"volume_fraction": one.phase_fractions["solid"]}


@pytest.mark.parametrize("format", BY_SIDECAR)
def test_pictures_and_surfaces_alone_are_refused_with_formats_that_do(tiny, submission, format):
    _, answer = result(tiny, submission(format))
    assert answer["state"] == "invalid"
    assert f"{format} needs the sidecar" in answer["message"]
    assert "hdf5, npz, tiff, nrrd" in answer["message"]
    assert not set(BY_SIDECAR) & {*answer["message"].split("send ")[1].split(", ")}


@pytest.mark.parametrize("format", BY_SIDECAR)
def test_a_sidecar_that_lies_is_refused(tiny, submission, volume, format):
    changes = [
        {"voxel_sha256": "0" * 64},  # changed since it was written
        {"record_sha256": None, "slices": {"../../etc/passwd": ""}},
        {"record_sha256": None, "slices": {}, "surfaces": {}},
        {"record_sha256": None, "slices": {"none.png": ""}, "surfaces": {"none.stl": ""}},
        {"record_sha256": None, "shape": [4096] * 3},
        {"record_sha256": None, "shape": {"x": 1}},
        {"record_sha256": None, "voxel_size": [1], "grey_levels": [1]},
        {"record_sha256": None, "voxel_size": {"x": 0.0, "y": 0.0, "z": 0.0}, "grey_levels": {}},
    ]
    for change in changes:
        body = submission(format, whole=True, of=volume)
        record = json.loads(base64.b64decode(body["files"][1]["base64"])) | change
        if "record_sha256" in change:
            del record["record_sha256"]
        body["files"][1]["base64"] = base64.b64encode(json.dumps(record).encode()).decode()
        _, answer = result(tiny, body)
        assert answer["state"] == "invalid", change
        assert "/tmp" not in answer["message"]


def test_metrics_are_had_from_the_objectives_that_have_them(tiny, submission):
    _, answer = result(tiny, submission(metrics=["k_xx", "E_x"]))
    assert set(answer["metrics"]) == {"k_xx", "E_x"}
    assert len(OURS) == 3


def test_the_same_key_is_the_same_job(tiny, submission):
    first, _ = result(tiny, submission(), Idempotency_Key="k1")
    again, _ = result(tiny, submission(), Idempotency_Key="k1")
    other, _ = result(tiny, submission(), Idempotency_Key="k2")
    assert first == again != other


def test_a_key_that_was_of_another_job_is_refused(tiny, submission):
    """Its result would be taken for one of this structure."""
    result(tiny, submission(), Idempotency_Key="k3")
    other = submission(metrics=["k_xx"])
    status, _, body = tiny.ask("POST", "/v1/jobs", other, Idempotency_Key="k3")
    assert status == 422
    assert b"another job" in body


@pytest.mark.parametrize(
    "changes",
    [
        {"voxel_sha256": "0" * 64},
        {"format": "import"},
        {"structure": "../../etc/passwd"},
        {"shape": [4, 16]},
        {"metrics": ["none"]},
        {"voxel_size": {"x": 1e-6}},
        {"periodic": {"x": True, "y": False}},
        {"format": "tiff"},
    ],
)
def test_what_cannot_be_evaluated_is_invalid_and_says_why(tiny, submission, changes):
    _, answer = result(tiny, submission(**changes))
    assert answer["state"] == "invalid"
    assert answer["message"]
    assert "/tmp" not in answer["message"]


def test_old_jobs_make_room_for_new_ones(tiny, submission):
    jobs = [result(tiny, submission(), Idempotency_Key=f"many {i}")[0] for i in range(6)]
    found = [tiny.status("GET", f"/v1/jobs/{job}") for job in jobs]
    assert found[-1] == 200
    assert found[0] == 404
    assert tiny.status("GET", "/v1/jobs/..%2f..") == 404


def test_a_campaign_has_a_service_for_its_simulator(tiny, tiny_space_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("SERVICE_TOKEN", "a-token-of-tests")
    simulator = {
        "kind": "http",
        "url": f"http://127.0.0.1:{tiny.port}/v1/jobs",
        "token_variable": "SERVICE_TOKEN",
        "units": {"k_xx": "W/(m K)"},
        "poll_s": 0.02,
    }
    campaign = Campaign(
        space=tiny_space_folder,
        objective="k_xx",
        objectives=["volume_fraction"],
        simulate=[simulator],
        strategy="prior",
        engine="serial",
        trials=3,
        folder=tmp_path / "run",
    )
    run = campaign.run(progress=False)
    assert [trial.status for trial in run.trials] == ["completed"] * 3
    own = Campaign(
        space=tiny_space_folder,
        objective="k_xx",
        objectives=["effective_conductivity"],
        strategy="prior",
        engine="serial",
        trials=3,
        folder=tmp_path / "own",
    ).run(progress=False)
    for one, other in zip(run.trials, own.trials, strict=True):
        assert one.metrics["k_xx"] == pytest.approx(other.metrics["k_xx"])


def test_a_served_space_is_searched_like_its_folder(tiny, tiny_space_folder, tmp_path):
    found = []
    for name, space in (("remote", tiny.client.space()), ("own", tiny_space_folder)):
        campaign = Campaign(
            space=space,
            objective="volume_fraction",
            objectives=["volume_fraction"],
            strategy="prior",
            engine="serial",
            trials=4,
            folder=tmp_path / name,
        )
        found.append(campaign.run(progress=False))
    remote, own = found
    for one, other in zip(remote.trials, own.trials, strict=True):
        np.testing.assert_allclose(one.z, other.z)
        np.testing.assert_array_equal(remote.structure(one), own.structure(other))


def test_a_search_by_gradient_in_a_served_space_is_refused_at_once(tiny, tmp_path):
    with pytest.raises(ConfigError, match=r"campaign\.strategy: .*gp_typical"):
        Campaign(
            space=tiny.client.space(),
            objective="volume_fraction",
            objectives=["volume_fraction"],
            folder=tmp_path / "default-strategy",
        )


def test_a_structure_of_too_many_voxels_is_refused_unread(tiny, submission):
    huge = submission(shape=[512, 512, 512], axes="zyx")
    assert tiny.status("POST", "/v1/jobs", huge) == 422
    wide = submission(shape=[1024, 1024], phases=[str(k) for k in range(17)])
    assert tiny.status("POST", "/v1/jobs", wide) == 422
    _, answer = result(tiny, submission(shape=[2, 2]))  # the file has more than it promises
    assert answer["state"] == "invalid"
    assert "limit" in answer["message"]


def test_text_that_is_no_unicode_harms_nobody(tiny, submission):
    assert tiny.status("POST", "/v1/jobs", submission(phases=["\ud800", "b"])) == 200


def test_a_damaged_mesh_is_invalid(tiny, submission):
    body = submission("npz", format="gmsh")
    body["files"][0]["base64"] = base64.b64encode(b"garbage").decode()
    assert result(tiny, body)[1]["state"] == "invalid"


def test_a_long_job_holds_nobody_up(serve, tiny_space, submission):
    begun, go_on = threading.Event(), threading.Event()

    def slow(images):
        begun.set()
        assert go_on.wait(20)
        return {"value": 1.0}

    with serve(("tiny", tiny_space), evaluate=[slow]) as service:
        try:
            body = submission(metrics=["value"])
            assert service.status("POST", "/v1/jobs", body) == 200
            assert begun.wait(10)
            points = {"z": [[0.0] * 4]}
            assert service.status("POST", f"/v1/spaces/{tiny_space.id}/decode", points) == 200
        finally:
            go_on.set()
