"""What holds for every simulator; a new one needs a row in MAKE: a real one that says as told."""

import json
import pickle
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from latentopt.microstructure import Microstructure
from latentopt.simulators import SIMULATORS, SimulationResult
from latentopt.simulators.simulator import Simulator, simulation_id
from latentopt.simulators.trial_simulations import simulate

UNITS = {"strength": "MPa", "mass": "kg"}
GOOD = {"state": "ok", "metrics": {"strength": 212.5, "mass": 2}, "message": ""}


def structure(**changes):
    fields = {
        "phases": np.arange(64, dtype=np.uint8).reshape(8, 8) % 2,
        "voxel_size_m": (1e-6, 1e-6),
        "phase_names": ("pore", "solid"),
        "periodic": (True, True),
        "provenance": {"trial": 3, "z": [0.5, -1.0]},
    }
    return Microstructure(**(fields | changes))


@contextmanager
def python(answer, tmp_path):
    def function(microstructure):
        if answer["state"] == "ok":
            return answer["metrics"]
        return SimulationResult(answer["state"], message=answer["message"])

    yield {"target": function}


@contextmanager
def subprocess(answer, tmp_path):
    script = tmp_path / "answer.py"
    script.write_text(f"import sys\nopen(sys.argv[1], 'w').write({json.dumps(answer)!r})\n")
    yield {"command": [sys.executable, "-S", str(script), "{result}"]}


@contextmanager
def http(answer, tmp_path):
    class Service(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self._say({"job": "7"})

        def do_GET(self):
            self._say(answer)

        def _say(self, record):
            data = json.dumps(record).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield {"url": f"http://127.0.0.1:{server.server_port}/jobs", "poll_s": 0.01}
    finally:
        server.shutdown()
        server.server_close()


MAKE = {"python": python, "subprocess": subprocess, "http": http}


@pytest.fixture(params=sorted(SIMULATORS))
def answering(request, tmp_path, monkeypatch):
    """Result of a simulator of this kind whose program gives an answer."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)

    def call(answer, **changes):
        with MAKE[request.param](answer, tmp_path) as fields:
            simulator = SIMULATORS[request.param](**{**fields, "units": UNITS, **changes})
            return simulate(simulator, structure(), tmp_path / "run")

    return call


SPECS = [  # one of each kind; all can be written to a file
    SIMULATORS["python"](target="os:getcwd", units=UNITS),
    SIMULATORS["subprocess"](command=["true", "{structure}"], units=UNITS),
    SIMULATORS["http"](url="http://localhost/jobs", units=UNITS),
]


def test_every_simulator_has_a_real_program():
    assert set(MAKE) == set(SIMULATORS) == {spec.kind for spec in SPECS}


def test_the_kind_is_the_name_in_the_table():
    for kind, simulator in SIMULATORS.items():
        assert simulator.model_fields["kind"].default == kind


def test_every_option_is_described():
    for simulator in SIMULATORS.values():
        for name, field in simulator.model_fields.items():
            assert name == "kind" or field.description


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.kind)
def test_it_matches_the_protocol_and_survives_json_and_a_process_border(spec):
    assert isinstance(spec, Simulator)
    assert spec.name == spec.kind
    assert type(spec).model_validate_json(spec.model_dump_json()) == spec
    assert pickle.loads(pickle.dumps(spec)) == spec


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.kind)
def test_the_id_changes_with_all_that_a_value_depends_on_and_nothing_else(spec):
    first = simulation_id(spec, structure())
    assert first == simulation_id(spec, structure(provenance={"trial": 4, "z": [9.0, 9.0]}))
    assert first == simulation_id(spec.model_copy(update={"label": "other"}), structure())
    if "timeout_s" in type(spec).model_fields:
        assert first == simulation_id(spec.model_copy(update={"timeout_s": 7.0}), structure())
    others = [
        simulation_id(spec.model_copy(update={"version": "2"}), structure()),
        simulation_id(spec.model_copy(update={"units": {"strength": "Pa"}}), structure()),
        simulation_id(spec, structure(phases=np.ones((8, 8), dtype=np.uint8))),
        simulation_id(spec, structure(phases=structure().phases.reshape(4, 16))),
        simulation_id(spec, structure(voxel_size_m=(1e-6, 2e-6))),
        simulation_id(spec, structure(periodic=(True, False))),
    ]
    assert len({first, *others}) == 7


def test_a_good_answer_is_its_metrics(answering):
    result = answering(GOOD)
    assert (result.state, result.metrics) == ("ok", {"strength": 212.5, "mass": 2.0})


def test_metrics_that_nobody_declared_are_left_out(answering):
    more = {**GOOD, "metrics": {**GOOD["metrics"], "colour": 3}, "wall_time": 9}
    assert answering(more).metrics == GOOD["metrics"]


@pytest.mark.parametrize("state", ["infeasible", "invalid", "timeout", "crashed", "lost"])
def test_a_failure_keeps_its_state_and_its_reason(answering, state):
    result = answering({"state": state, "metrics": {}, "message": "it\nis   so"})
    assert (result.state, result.metrics) == (state, {})
    assert result.message.split() == ["it", "is", "so"]


@pytest.mark.parametrize(
    ("metrics", "problem"),
    [
        ({"strength": 1.0}, "metric mass is missing; there is strength"),
        ({"strength": float("nan"), "mass": 1}, "strength should be a finite number, got nan"),
        ({"strength": 1, "mass": float("inf")}, "mass should be a finite number, got inf"),
        ({"strength": "high", "mass": 1}, "strength should be a finite number, got 'high'"),
        ({"strength": True, "mass": 1}, "strength should be a finite number, got True"),
        ({"strength": None, "mass": 1}, "strength should be a finite number, got None"),
        ({"strength": 10**400, "mass": 1}, "strength should be a finite number, got 1000"),
        ([1, 2], "metrics should be numbers by name, got list"),
    ],
)
def test_metrics_that_are_none_make_the_answer_invalid(answering, metrics, problem):
    result = answering({**GOOD, "metrics": metrics})
    assert (result.state, dict(result.metrics)) == ("invalid", {})
    assert problem in result.message
