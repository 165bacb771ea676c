"""Simulations of a campaign's trials: states, folders and the cache."""

import json
import pickle
import sys
from types import ModuleType

import numpy as np
import pytest
import torch

from latentopt.errors import EvaluationError
from latentopt.evaluation.evaluation import Evaluation
from latentopt.simulators import SimulationResult
from latentopt.simulators.cache import ResultCache
from latentopt.simulators.python_function import PythonSimulator
from latentopt.simulators.trial_simulations import CampaignSimulations
from objectives.volume_fraction import VolumeFraction


class Counting:
    """A function that counts its calls and keeps the structures."""

    def __init__(self, answer):
        self.answer, self.seen = answer, []

    def __call__(self, structure):
        self.seen.append(structure)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def simulations(folder, *simulators, **changes):
    fields = {
        "voxel_size_m": (2e-6, 2e-6),
        "phase_names": ("pore", "solid"),
        "periodic": (True, True),
        "provenance": {"campaign": "mine"},
    }
    return CampaignSimulations(simulators, folder / "simulations", **(fields | changes))


@pytest.fixture
def evaluate(tiny_space, tmp_path, monkeypatch):
    """Metrics of a trial by functions, each a simulator that can be imported."""
    z = tiny_space.sample(2, seed=4).numpy()

    def call(*functions, trial=7, row=0, objectives=(), **changes):
        modules = [ModuleType(f"solver_{i}") for i in range(len(functions))]
        for module, function in zip(modules, functions, strict=True):
            module.solve = function
            monkeypatch.setitem(sys.modules, module.__name__, module)
        functions = [f"{module.__name__}:solve" for module in modules]
        specs = [
            PythonSimulator(target=f, label=f"s{i}", **changes) for i, f in enumerate(functions)
        ]
        evaluation = Evaluation(tiny_space, objectives, simulations=simulations(tmp_path, *specs))
        return evaluation.metrics(z[row], trial)

    return call


def test_a_simulator_sees_the_structure_and_where_it_is_from(evaluate, tiny_space):
    function = Counting({"a": 1})
    assert evaluate(function)["a"] == 1.0
    (structure,) = function.seen
    assert (structure.voxel_size_m, structure.phase_names) == ((2e-6, 2e-6), ("pore", "solid"))
    assert structure.provenance["trial"] == 7
    z = np.array(structure.provenance["z"])
    np.testing.assert_array_equal(structure.phases, Evaluation(tiny_space, ()).phases(z))


def test_metrics_of_objectives_and_simulators_come_together(evaluate):
    found = evaluate(Counting({"a": 1}), Counting({"b": 2}), objectives=(VolumeFraction(),))
    assert list(found) == ["distance_from_data", "volume_fraction", "a", "b"]


def test_nothing_costly_runs_after_a_cheap_failure(evaluate):
    for bad in ({"v": float("nan")}, ValueError("no")):

        def objective(images, bad=bad):
            if isinstance(bad, Exception):
                raise bad
            return bad

        objective.units = {}
        function = Counting({"a": 1})
        with pytest.raises(EvaluationError):
            evaluate(function, objectives=(objective,))
        assert not function.seen


@pytest.mark.parametrize("state", ["infeasible", "invalid", "timeout", "crashed", "lost"])
def test_the_state_of_a_simulation_is_that_of_the_error(evaluate, state):
    with pytest.raises(EvaluationError) as failed:
        evaluate(Counting(SimulationResult(state, message="too thin")))
    assert (failed.value.state, str(failed.value)) == (state, f"s0 {state}: too thin")
    assert pickle.loads(pickle.dumps(failed.value)).state == state


def test_what_a_function_raises_is_a_crash_in_one_line(evaluate):
    with pytest.raises(EvaluationError, match=r"^s0 crashed: raised KeyError: 'E'$") as failed:
        evaluate(Counting(KeyError("E")))
    assert failed.value.state == "crashed"


def test_a_result_of_an_unknown_state_is_a_crash(evaluate):
    result = SimulationResult.__new__(SimulationResult)
    for name, value in {"state": "fine", "metrics": {}, "message": 3, "seconds": None}.items():
        object.__setattr__(result, name, value)
    with pytest.raises(EvaluationError, match="not a SimulationResult") as failed:
        evaluate(Counting(result))
    assert failed.value.state == "crashed"


def test_an_error_with_a_state_keeps_it(evaluate):
    error = EvaluationError("the licence server is away", "lost")
    with pytest.raises(EvaluationError, match=r"^s0 lost: the licence server is away$") as failed:
        evaluate(Counting(error))
    assert failed.value.state == "lost"


def test_two_simulators_with_one_metric_are_refused(evaluate):
    with pytest.raises(EvaluationError, match="returned a, which another has"):
        evaluate(Counting({"a": 1}), Counting({"a": 1}))


def test_numbers_of_every_library_are_taken(evaluate):
    answer = {"a": np.float32(2), "b": np.array([2]), "c": torch.tensor(2.0), "d": np.int64(2)}
    found = evaluate(Counting(answer))
    assert {name: found[name] for name in answer} == dict.fromkeys(answer, 2.0)


def test_equal_structures_are_simulated_once_whatever_their_trial(evaluate):
    function = Counting({"a": 1.5})
    first = evaluate(function, trial=1)
    assert evaluate(function, trial=2) == first
    assert len(function.seen) == 1
    evaluate(function, trial=3, row=1)
    assert len(function.seen) == 2


def test_a_structure_that_is_refused_is_refused_again_without_asking(evaluate):
    function = Counting(SimulationResult("infeasible", message="too thin"))
    for trial in (1, 2):
        with pytest.raises(EvaluationError, match="s0 infeasible: too thin"):
            evaluate(function, trial=trial)
    assert len(function.seen) == 1


@pytest.mark.parametrize("state", ["timeout", "crashed", "lost"])
def test_what_may_end_otherwise_is_tried_again(evaluate, state):
    function = Counting(SimulationResult(state))
    for trial in (1, 2):
        with pytest.raises(EvaluationError):
            evaluate(function, trial=trial)
    assert len(function.seen) == 2


def test_a_random_simulator_can_do_without_the_cache(evaluate, tmp_path):
    function = Counting({"a": 1})
    for trial in (1, 2):
        evaluate(function, trial=trial, cache=False)
    assert len(function.seen) == 2
    assert not (tmp_path / "simulations" / "cache").exists()


@pytest.mark.parametrize("one", [lambda _: {"a": 1}, Counting({"a": 1})])
def test_functions_that_share_a_name_share_no_results(tiny_space, tmp_path, one):
    other = type(one)({"a": 2}) if isinstance(one, Counting) else lambda _: {"a": 2}
    z = tiny_space.sample(1, seed=4)[0].numpy()
    for function, expected in ((one, 1), (other, 2)):
        parts = simulations(tmp_path, PythonSimulator(target=function))
        assert Evaluation(tiny_space, (), simulations=parts).metrics(z, 1)["a"] == expected
    assert PythonSimulator(target=json.dumps).reusable


def test_a_newer_version_of_the_program_is_asked_again(evaluate):
    function = Counting({"a": 1})
    for version in ("1", "2"):
        evaluate(function, version=version)
    assert len(function.seen) == 2


def test_a_result_is_kept_as_it_was(tmp_path):
    cache, result = ResultCache(tmp_path), SimulationResult("ok", {"a": 0.1}, "fine", 3.5)
    cache.put("ab", result)
    assert cache.get("ab") == result
    assert json.loads((tmp_path / "ab.json").read_text())["metrics"] == {"a": 0.1}


@pytest.mark.parametrize(
    "text", ["", "{", '{"state": "ok", "metrics": {"a": NaN}', "[]", '{"state": "lost"}']
)
def test_a_damaged_file_of_the_cache_is_as_good_as_none(tmp_path, text):
    (tmp_path / "ab.json").write_text(text)
    assert ResultCache(tmp_path).get("ab") is None


def test_a_full_disk_costs_the_reuse_and_not_the_result(evaluate, files_of_at_most, caplog):
    function = Counting({"a": 1.5})
    with files_of_at_most(5):
        assert evaluate(function)["a"] == 1.5
    assert "not kept for later" in caplog.text
    assert evaluate(function)["a"] == 1.5
    assert len(function.seen) == 2


def test_a_trial_crosses_a_process_border(tiny_space, tmp_path):
    simulator = PythonSimulator(target="os:getcwd")
    evaluation = Evaluation(tiny_space, (), simulations=simulations(tmp_path, simulator))
    (part,) = evaluation.objectives_of(tiny_space.sample(1, seed=0)[0].numpy(), 5)
    assert pickle.loads(pickle.dumps(part)) == part
    assert part.folder == tmp_path / "simulations" / "0005" / "python"


def test_a_trial_has_to_be_named_where_there_are_simulators(tiny_space, tmp_path):
    simulator = PythonSimulator(target="os:getcwd")
    evaluation = Evaluation(tiny_space, (), simulations=simulations(tmp_path, simulator))
    with pytest.raises(ValueError, match="trial should be given"):
        evaluation.metrics(np.zeros(4))
