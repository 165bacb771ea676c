"""Whatever is sent: an answer below 500, whose text is one line of JSON."""

import json
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

# Of a module-wide service, which examples do not change.
SHARED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]

leaves = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20),
    st.sampled_from([1e308, -1e308, 2**63, -(2**63), "NaN", "../../etc/passwd", "\x00", "a" * 300]),
)  # fmt: skip
trees = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
row = st.lists(st.floats(-1e7, 1e7) | st.floats(), min_size=4, max_size=4)
points = st.lists(row, min_size=1, max_size=3)
spec = st.fixed_dictionaries(
    {"kind": st.sampled_from(["volume_fraction", "effective_conductivity", "manufacturability"])},
    optional={
        "conductivity": st.lists(st.floats(0, 1e9), max_size=3),
        "scheme": st.sampled_from(["q1", "rot", "fv"]) | leaves,
        "dim": st.integers(0, 4),
        "rules": trees | st.just("laser_powder_bed"),
    },
)
FIELDS = {
    "decode": {"z": points, "phases": st.booleans()},
    "map": {"z": points},
    "sample": {
        "n": st.integers(-1, 20), "seed": st.integers(), "class_name": st.text(max_size=5),
        "properties": st.dictionaries(st.text(max_size=5), st.floats(), max_size=2),
        "guidance": st.floats(), "truncation": st.floats(),
    },
    "interpolate": {
        "a": row, "b": row, "n": st.integers(-1, 20), "how": st.sampled_from(["linear", "slerp"]),
    },
    "statistics": {"z": points, "periodic": st.booleans(), "voxel_size_um": st.floats()},
    "score": {
        "z": points, "objectives": st.lists(spec, max_size=3),
        "voxel_size_um": st.floats(1e-7, 1e7), "periodic": st.booleans(),
    },
    "refine": {"z": points},
    "export": {
        "z": points, "format": st.sampled_from(["npz", "stl", "damask", "png", "none", "../a"]),
        "voxel_size_um": st.floats(1e-7, 1e7), "periodic": st.booleans(),
        "phase_names": st.lists(st.text(max_size=4), max_size=3),
    },
}  # fmt: skip


def check(answer):
    status, _, body = answer
    assert status < 500, body
    if status >= 400:
        detail = json.loads(body)["detail"]
        assert "\n" not in detail


@pytest.mark.parametrize("route", FIELDS)
@settings(max_examples=60, suppress_health_check=SHARED)
@given(data=st.data())
def test_requests_of_the_right_form(tiny, route, data):
    needed = {name: one for name, one in FIELDS[route].items() if name in ("z", "a", "b", "format")}
    rest = {name: one for name, one in FIELDS[route].items() if name not in needed}
    body = data.draw(st.fixed_dictionaries(needed, optional=rest))
    check(tiny.ask("POST", f"{tiny.path}/{route}", json.dumps(body)))


@pytest.mark.parametrize("path", ["decode", "sample", "score", "export", "jobs"])
@settings(max_examples=60, suppress_health_check=SHARED)
@given(body=trees)
def test_any_json(tiny, path, body):
    where = "/v1/jobs" if path == "jobs" else f"{tiny.path}/{path}"
    check(tiny.ask("POST", where, json.dumps(body)))


STARTS = [
    b"", b"\x89PNG\r\n\x1a\n", b"II*\0", b"\x93NUMPY\1\0", b"PK\3\4", b"BM", b"\xff\xd8\xff",
    b"\x89HDF\r\n\x1a\n", b"<?xml version='1.0'?><VTKFile",
]  # fmt: skip


@settings(max_examples=120, suppress_health_check=SHARED)
@given(body=st.binary(max_size=200), start=st.sampled_from(STARTS), axes=st.text(max_size=5))
def test_any_upload(tiny, body, start, axes):
    check(tiny.ask("POST", f"{tiny.path}/encode?axes={quote(axes)}", start + body))


@settings(max_examples=120, suppress_health_check=SHARED)
@given(
    path=st.text(max_size=30).map(lambda text: text.encode("utf-8", "replace")),
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"]),
)
def test_any_path(tiny, path, method):
    status, _, _ = tiny.ask(method, f"/v1/{quote(path)}")
    assert status < 500
