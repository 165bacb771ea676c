"""What a service answers of a space is what the space answers in Python."""

import io
import json
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image

from generative.autoencoders.pca import PCA
from generative.data.synthetic import gaussian_random_field
from latentopt.export import verify
from latentopt.export.exporters import EXPORTERS
from latentopt.microstructure import Microstructure, to_phases
from latentopt.serve.client import Client, RemoteError
from latentopt.serve.limits import Limits
from latentopt.space.latent_space import LatentSpace
from objectives import OBJECTIVES

NPY, PNG = "application/x-npy", "image/png"


@pytest.fixture(scope="module")
def z(tiny_space):
    return tiny_space.sample(16, seed=3)


def array(body):
    return np.load(io.BytesIO(body), allow_pickle=False)


def post(service, path, body, accept="application/json"):
    status, _, answer = service.ask("POST", service.path + path, body, Accept=accept)
    assert status == 200, answer
    return json.loads(answer) if accept == "application/json" else answer


def test_decoded_images_are_those_of_the_space(tiny, tiny_space, z):
    images = tiny_space.decode(z).numpy()
    body = {"z": z.tolist()}
    np.testing.assert_allclose(array(post(tiny, "/decode", body, NPY)), images, atol=1e-6)
    np.testing.assert_allclose(post(tiny, "/decode", body)["images"], images, atol=1e-6)
    phases = post(tiny, "/decode", body | {"phases": True})["phases"]
    np.testing.assert_array_equal(phases, to_phases(images))
    picture = Image.open(io.BytesIO(post(tiny, "/decode", body, PNG)))
    assert picture.size[0] > 8


def test_many_clients_get_their_own_structures(tiny, tiny_space):
    """Whatever stands beside them in a batch; and decodes that wait go together."""
    points = torch.randn(300, 4, generator=torch.Generator().manual_seed(5)).double()
    images = tiny_space.decode(points).numpy()

    def one(row):
        return array(post(tiny, "/decode", {"z": [points[row].tolist()]}, NPY))[0]

    with ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(one, range(len(points))))
    np.testing.assert_allclose(answers, images, atol=1e-5)
    text = tiny.ask("GET", "/metrics")[2].decode()
    numbers = dict(line.split() for line in text.splitlines() if line.startswith("latentopt_de"))
    assert float(numbers["latentopt_decode_batches"]) < float(numbers["latentopt_decoded_rows"])


def test_what_is_said_of_a_space(tiny, tiny_space):
    (said,) = tiny.client.spaces()
    assert said["id"] == tiny_space.id
    assert said["radius"] == tiny_space.radius
    assert tuple(said["image_shape"]) == tiny_space.image_shape
    reference = tiny.client.array("GET", f"{tiny.path}/reference")
    np.testing.assert_array_equal(reference, tiny_space.reference_.numpy())
    details = json.loads(tiny.ask("GET", tiny.path)[2])
    assert details["controls"] == []


def test_samples_and_ways_between_points(tiny, tiny_space, z):
    answer = post(tiny, "/sample", {"n": 5, "seed": 9})
    np.testing.assert_array_equal(answer["z"], tiny_space.sample(5, seed=9).numpy())
    a, b = z[:2].tolist()
    for how in ("linear", "slerp"):
        way = post(tiny, "/interpolate", {"a": a, "b": b, "n": 7, "how": how})["z"]
        np.testing.assert_allclose(way, tiny_space.interpolate(z[0], z[1], 7, how).numpy())


def test_the_map_places_a_reference_point_where_it_is(tiny, tiny_space):
    status, _, body = tiny.ask("GET", f"{tiny.path}/map")
    assert status == 200
    known = json.loads(body)
    placed = post(tiny, "/map", {"z": known["z"][:5]})
    for plane in ("axes", "structure", "volume_fraction"):
        np.testing.assert_allclose(placed[plane], np.array(known[plane])[:5], atol=1e-6)
    np.testing.assert_allclose(placed["distance_from_data"], 0, atol=1e-6)


def test_statistics_agree_with_one_another(tiny, tiny_space, z):
    found = post(tiny, "/statistics", {"z": z[:3].tolist()})
    fraction = to_phases(tiny_space.decode(z[:3])).double().mean((1, 2)).numpy()
    np.testing.assert_allclose(found["volume_fraction"], fraction)
    np.testing.assert_allclose(np.array(found["two_point"])[:, 0], fraction)  # of shift 0
    np.testing.assert_allclose(np.array(found["lineal_path"])[:, 0], fraction)
    low, middle, high = np.array(found["data"]["two_point"])
    assert (low <= middle).all()
    assert (middle <= high).all()


def test_an_objective_may_be_asked_for_by_its_name_as_in_yaml(tiny, z):
    asked = {"z": z[:2].tolist(), "objectives": ["volume_fraction"]}
    named = {"z": z[:2].tolist(), "objectives": [{"kind": "volume_fraction"}]}
    assert post(tiny, "/score", asked) == post(tiny, "/score", named)
    status, _, body = tiny.ask("POST", f"{tiny.path}/score", asked | {"objectives": ["nonesuch"]})
    assert status == 422
    assert b"a service scores by one of" in body


def test_scores_are_those_of_the_objectives(tiny, tiny_space, z):
    specs = [
        {"kind": "effective_conductivity", "conductivity": [1, 10]},
        {"kind": "volume_fraction"},
    ]
    answer = post(tiny, "/score", {"z": z[:3].tolist(), "objectives": specs})
    cut = to_phases(tiny_space.decode(z[:3])).float()[:, None]
    solved = OBJECTIVES["effective_conductivity"](conductivity=(1, 10))(cut)
    for row, expected in zip(answer["rows"], solved["k_xx"].tolist(), strict=True):
        assert row["metrics"]["k_xx"] == pytest.approx(expected)
    assert answer["units"]["k_xx"] == "W/(m K)"


@pytest.mark.parametrize(
    "spec",
    [
        {"kind": "import", "target": "os:system", "options": {}},
        {"kind": "surrogate", "folder": "/etc"},
        {"kind": "two_point_target", "target": "/etc/passwd"},
        {"kind": ["volume_fraction"]},
        {"target": "os:system"},
        {},
    ],
)
def test_a_request_scores_by_nothing_that_reads_or_imports(tiny, z, spec):
    body = {"z": z[:1].tolist(), "objectives": [spec]}
    status, _, answer = tiny.ask("POST", f"{tiny.path}/score", body)
    assert status == 422
    assert b"a service scores by one of" in answer


def test_a_row_that_cannot_be_scored_says_why_beside_the_others(tiny, z):
    spec = {"kind": "effective_conductivity", "conductivity": [1, 50], "tol": 1e-300}
    rows = post(tiny, "/score", {"z": z[:2].tolist(), "objectives": [spec]})["rows"]
    assert all(row["metrics"] or row["problem"] for row in rows)


@pytest.mark.parametrize("format", EXPORTERS)
def test_exports_are_whole_and_vouched_for(tiny, tiny_space, z, format, tmp_path):
    body = {"z": z[:2].tolist(), "format": format, "voxel_size_um": 2.5, "phase_names": ["a", "b"]}
    status, _, answer = tiny.ask("POST", f"{tiny.path}/export", body)
    if status == 422:  # a format for volumes alone
        assert b"D" in answer
        return
    zipfile.ZipFile(io.BytesIO(answer)).extractall(tmp_path)
    records = sorted(tmp_path.glob("*.json"))
    assert len(records) == 2
    for record, phases in zip(records, to_phases(tiny_space.decode(z[:2])).numpy(), strict=True):
        data = tmp_path / json.loads(record.read_text())["file"]
        assert (
            verify(data)["voxel_sha256"]
            == Microstructure(phases, (1.0, 1.0), ("a", "b"), (True, True)).sha256
        )


def test_what_cannot_be_refined_is_not_exported_as_if_it_were(tiny, z):
    body = {"z": z[:2].tolist(), "format": "npz"}
    for refine, said in (
        ([{"strength": 0.5}, None], b"refines nothing"),
        ([None], b"one for each of 2"),
        ([{"strength": 1.5}, None], b"less than or equal to 1"),
    ):
        status, _, answer = tiny.ask("POST", f"{tiny.path}/export", body | {"refine": refine})
        assert status == 422
        assert said in answer
    assert tiny.status("POST", f"{tiny.path}/export", body | {"refine": [None, None]}) == 200


def test_no_space_no_answer(tiny):
    for path in ("/v1/spaces/none", "/v1/spaces/..%2f..%2fetc", "/v1/spaces/%00"):
        assert tiny.status("GET", path) == 404


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/decode", {"z": [[1, 2]]}),
        ("/decode", {"z": []}),
        ("/decode", {"z": [[0, 0, 0, 1e300]]}),
        ("/decode", {"z": [[0] * 4] * 17}),
        ("/decode", '{"z": [[NaN, 0, 0, 0]]}'),
        ("/decode", '{"z": [[1e999, 0, 0, 0]]}'),
        ("/decode", "{"),
        ("/decode", b"\xff\xfe"),
        ("/decode", {"z": [[0] * 4], "folder": "/etc"}),
        ("/sample", {"n": 17}),
        ("/sample", {"n": 0}),
        ("/sample", {"class_name": "fibre"}),
        ("/sample", {"guidance": 2}),
        ("/interpolate", {"a": [0] * 4, "b": [0] * 4, "n": 17}),
        ("/interpolate", {"a": [0] * 4, "b": [0] * 4, "n": 3, "how": "arc"}),
        ("/export", {"z": [[0] * 4], "format": "../../x"}),
        ("/export", {"z": [[0] * 4], "format": "npz", "phase_names": ["a", "a"]}),
        ("/refine", {"z": [[0] * 4]}),
        ("/encode", b""),
        ("/encode", b"\x89PNG\r\n\x1a\n" + bytes(50)),
    ],
)
def test_bad_requests_are_refused_in_a_line(tiny, path, body):
    status, _, answer = tiny.ask("POST", tiny.path + path, body)
    assert status in (413, 422)
    detail = json.loads(answer)["detail"]
    assert detail
    assert "\n" not in detail


def test_what_a_client_accepts_is_kept_to(tiny, z):
    body = {"z": z[:1].tolist()}
    assert tiny.status("POST", f"{tiny.path}/decode", body, Accept="text/html") == 406
    for accept in ("*/*", "application/*", "text/html, application/x-npy;q=0.5", ""):
        assert tiny.status("POST", f"{tiny.path}/decode", body, Accept=accept) == 200


# -- uploads --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def structures():
    return gaussian_random_field(3, (8, 8), seed=77)


def of_file(structure, name, tmp_path):
    made = Microstructure(structure[0].astype(np.uint8), (1e-6, 1e-6), ("a", "b"), (True, True))
    return EXPORTERS[name].write(made, tmp_path / f"s{EXPORTERS[name].suffix}").read_bytes()


@pytest.mark.parametrize("name", ["hdf5", "npz", "tiff", "png", "damask"])
def test_files_of_structures_are_encoded(tiny, tiny_space, structures, name, tmp_path):
    body = of_file(structures[0], name, tmp_path)
    axes = "?axes=yx" if name in ("hdf5", "npz") else ""
    status, _, answer = tiny.ask("POST", f"{tiny.path}/encode{axes}", body)
    if status != 200:
        pytest.fail(answer.decode())
    expected = tiny_space.encode(structures[:1])
    np.testing.assert_allclose(json.loads(answer)["z"], expected, atol=1e-6)


def test_an_array_of_images_is_encoded_row_by_row(tiny, tiny_space, structures):
    file = io.BytesIO()
    np.save(file, structures)
    answer = post(tiny, "/encode?grey=keep&axes=ncyx", file.getvalue(), NPY)
    np.testing.assert_allclose(array(answer), tiny_space.encode(structures), atol=1e-6)


def test_an_upload_names_no_file_of_ours(tiny, tmp_path):
    for body in (b"abc", b"\x89PNG\r\n\x1a\n123", b"II*\0" + bytes(20), b"PK\x03\x04" + bytes(30)):
        status, _, answer = tiny.ask("POST", f"{tiny.path}/encode", body)
        assert status == 422
        assert b"/" not in json.loads(answer)["detail"].split("read; convert")[0].encode()


def test_a_small_file_of_a_huge_image_is_refused(tiny):
    file = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(file, "png")
    assert len(file.getvalue()) < 2**16
    status, _, answer = tiny.ask("POST", f"{tiny.path}/encode", file.getvalue())
    assert status == 422
    assert b"upload" in answer


def test_pickles_are_not_read(tiny):
    file = io.BytesIO()
    np.save(file, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    assert tiny.status("POST", f"{tiny.path}/encode", file.getvalue()) == 422


# -- the client -----------------------------------------------------------------------------------


def test_the_client_says_what_is_wrong(tiny):
    with pytest.raises(RemoteError, match="serves"):
        tiny.client.space("none")
    with pytest.raises(RemoteError, match="401"):
        Client(tiny.url.partition("#")[0], "wrong").spaces()
    with pytest.raises(RemoteError, match="does not answer"):
        Client("http://127.0.0.1:9/#token=a").spaces()
    with pytest.raises(ValueError, match="token"):
        Client("http://127.0.0.1:9/")
    with pytest.raises(ValueError, match="http"):
        Client("file:///etc/passwd#token=a")


def test_a_served_space_is_a_space(tiny, tiny_space, structures):
    space = tiny.client.space()
    z = space.sample(40, seed=1)  # more than a request may have
    images = space.decode(z[:16])
    torch.testing.assert_close(images, tiny_space.decode(z[:16]), atol=1e-5, rtol=0)
    points = space.encode(torch.from_numpy(structures))
    torch.testing.assert_close(points, tiny_space.encode(torch.from_numpy(structures)))
    assert space.radius == tiny_space.radius
    assert space.id == tiny_space.id
    torch.testing.assert_close(space.reference_, tiny_space.reference_)
    with pytest.raises(TypeError, match="gradient"):
        space.decode(z[:1].requires_grad_())


@pytest.mark.parametrize("shape", [(1, 8, 8), (2, 8, 8), (3, 4, 4, 4)])
def test_images_that_a_model_decodes_are_encoded_as_they_are(serve, shape):
    """Two grey levels are no two phases, channels need not sum to 1, and a body has its limit."""
    drawn = torch.rand((12, *shape), generator=torch.Generator().manual_seed(0))
    space = LatentSpace.fit(PCA(shape, components=4).fit(drawn), drawn)
    images = torch.cat([0.25 + 0.5 * (drawn > 0.5), drawn])
    limits = Limits(body_bytes=2**12, rows=16)  # of one structure or a few, and of the points
    with serve(("space", space), limits=limits) as service:
        remote = service.client.model()
        codes = remote.encode(images)
        torch.testing.assert_close(codes.double(), space.encode(images).double(), atol=1e-5, rtol=0)
        assert len(remote.decode(codes)) == len(images)


def test_an_image_that_no_request_can_hold_is_not_sent(serve, tiny_space):
    with (
        serve(("tiny", tiny_space), limits=Limits(body_bytes=1200)) as service,
        pytest.raises(RemoteError, match="1200 bytes at a time"),
    ):
        service.client.model().encode(torch.zeros(1, 1, 8, 8))


def test_decoded_images_of_another_kind_are_refused(tiny):
    def refused(images, query="?decoded=true"):
        file = io.BytesIO()
        np.save(file, images, allow_pickle=True)
        status, _, answer = tiny.ask("POST", f"{tiny.path}/encode{query}", file.getvalue())
        assert status == 422
        return json.loads(answer)["detail"]

    good = np.zeros((2, 1, 8, 8), np.float32)
    assert "got (8, 8)" in refused(good[0, 0])
    assert "[0, 1]" in refused(good + 2)
    assert "finite" in refused(good + np.nan)
    assert "real numbers" in refused(good.astype(object))
    assert "leave out grey" in refused(good, "?decoded=true&grey=keep")
    assert "at least one" in refused(good[:0])
    status, _, answer = tiny.ask("POST", f"{tiny.path}/encode?decoded=true", b"no NPY file")
    assert status == 422
    assert "upload" in json.loads(answer)["detail"]
