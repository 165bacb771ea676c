"""Real programs, good and bad, run by the subprocess simulator."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from latentopt.errors import ConfigError
from latentopt.export import EXPORTERS, verify
from latentopt.microstructure import Microstructure
from latentopt.simulators.process_group import run_in_group
from latentopt.simulators.simulator import simulation_id
from latentopt.simulators.subprocess_command import SubprocessSimulator

PYTHON = (sys.executable, "-S", "-c")
OK = """open("result.json", "w").write('{"state": "ok", "metrics": {"a": 1.5}}')\n"""


@pytest.fixture
def structure():
    return Microstructure(
        np.arange(48, dtype=np.uint8).reshape(6, 8) % 3,
        (1e-6, 2e-6),
        ("pore", "matrix", "fibre"),
        (True, False),
        {"trial": 12, "z": [0.5, -1.0], "space_id": "ab12"},
    )


def program(code, *arguments, **changes):
    """A simulator that runs some Python code."""
    return SubprocessSimulator(command=(*PYTHON, code, *arguments), units={"a": "MPa"}, **changes)


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def soon_dead(pid):
    end = time.monotonic() + 5
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.02)
    return not alive(pid)


def test_the_program_finds_structure_and_task_in_its_working_folder(structure, tmp_path):
    code = """
import json, os, sys
structure, task, result, folder = sys.argv[1:]
assert folder == os.getcwd()
said = json.load(open(task))
assert structure == os.path.join(folder, said["structure"])
assert os.path.getsize(structure) > 100
value = said["trial"] + said["voxel_size"]["x"] * 1e6 + said["z"][1]
json.dump({"state": "ok", "metrics": {said["metrics"][0]: value}}, open(result, "w"))
"""
    simulator = program(code, "{structure}", "{task}", "{result}", "{folder}")
    result = simulator(structure, tmp_path / "0012" / "mine")
    assert (result.state, result.message) == ("ok", "")
    assert result.metrics == {"a": 12 + 2 - 1}
    assert 0 < result.seconds < 30


@pytest.mark.parametrize("format", sorted(EXPORTERS))
def test_the_structure_comes_in_the_chosen_format_with_its_sidecar(structure, tmp_path, format):
    folder = tmp_path / "run"
    assert program(OK, format=format)(structure, folder).state == "ok"
    task = json.loads((folder / "task.json").read_text())
    assert verify(folder / task["structure"])["voxel_sha256"] == structure.sha256
    assert (task["schema"], task["format"]) == ("latentopt.task/1", format)
    assert (task["axes"], task["shape"], task["phases"]) == (
        "yx",
        [6, 8],
        ["pore", "matrix", "fibre"],
    )
    assert task["voxel_size"] == {"y": 1e-6, "x": 2e-6}
    assert task["periodic"] == {"y": True, "x": False}
    assert (task["metrics"], task["result"]) == (["a"], "result.json")


def test_output_is_kept_and_the_last_line_of_an_error_is_told(structure, tmp_path):
    code = "print('step 1'); import sys; print('x' * 10**6 + '\\n', file=sys.stderr); 1 / 0"
    result = program(code)(structure, tmp_path / "run")
    assert result.state == "crashed"
    assert result.message == "ended with exit code 1: ZeroDivisionError: division by zero"
    assert (tmp_path / "run" / "stdout.txt").read_text() == "step 1\n"
    assert (tmp_path / "run" / "stderr.txt").stat().st_size > 10**6


def test_a_program_that_says_nothing_has_crashed(structure, tmp_path):
    result = program("pass")(structure, tmp_path / "run")
    assert (result.state, result.message) == ("crashed", "wrote no result.json")


def test_a_good_result_before_a_bad_exit_is_not_trusted(structure, tmp_path):
    result = program(OK + "raise SystemExit(3)")(structure, tmp_path / "run")
    assert (result.state, result.message) == ("crashed", "ended with exit code 3")


def test_a_refusal_before_a_bad_exit_is_the_reason(structure, tmp_path):
    code = OK.replace('"ok"', '"infeasible"') + "raise SystemExit(3)"
    result = program(code)(structure, tmp_path / "run")
    assert (result.state, result.message) == ("infeasible", "result.json says infeasible")


def test_a_signal_is_named(structure, tmp_path):
    result = program("import os; os.kill(os.getpid(), 11)")(structure, tmp_path / "run")
    assert (result.state, result.message) == ("crashed", "ended with signal SIGSEGV")


def test_a_program_that_kills_its_whole_group_is_a_crash(structure, tmp_path):
    result = program("import os; os.killpg(0, 9)")(structure, tmp_path / "run")
    assert (result.state, result.message) == ("crashed", "ended with signal SIGKILL")


def test_an_old_result_is_not_taken_for_an_answer(structure, tmp_path):
    folder = tmp_path / "run"
    assert program(OK)(structure, folder).state == "ok"
    assert program("pass")(structure, folder).message == "wrote no result.json"


def test_a_folder_with_files_of_someone_else_is_left_alone(structure, tmp_path):
    (tmp_path / "thesis.tex").write_text("ten years of work")
    result = program(OK)(structure, tmp_path)
    assert (result.state, "File exists" in result.message) == ("lost", True)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_run_that_was_killed_while_it_wrote_its_task_is_begun_anew(structure, tmp_path):
    (tmp_path / ".task.json.123.part").write_text("{")
    assert program(OK)(structure, tmp_path).state == "ok"
    assert not (tmp_path / ".task.json.123.part").exists()


HANG_WITH_CHILDREN = """
import subprocess, sys, time
code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
child = subprocess.Popen([sys.executable, "-S", "-c", code])
open("pids", "w").write(f"{child.pid}")
"""


def test_a_hang_ends_after_the_timeout_and_takes_its_children_along(structure, tmp_path):
    code = HANG_WITH_CHILDREN + OK + "time.sleep(60)"
    start = time.monotonic()
    result = program(code, timeout_s=1.0)(structure, tmp_path / "run")
    assert (result.state, result.message) == ("timeout", "no end after 1 s")
    assert time.monotonic() - start < 10
    assert soon_dead(int((tmp_path / "run" / "pids").read_text()))


def test_a_program_may_tidy_up_when_its_time_is_over(structure, tmp_path):
    code = """
import signal, sys, time
def tidy(*_):
    open("tidied", "w")
    sys.exit(0)
signal.signal(signal.SIGTERM, tidy)
time.sleep(60)
"""
    start = time.monotonic()
    assert program(code, timeout_s=0.7)(structure, tmp_path / "run").state == "timeout"
    assert (tmp_path / "run" / "tidied").exists()
    assert time.monotonic() - start < 2.5  # SIGKILL would have come later


def test_children_left_behind_by_a_good_program_are_ended(structure, tmp_path):
    assert program(HANG_WITH_CHILDREN + OK)(structure, tmp_path / "run").state == "ok"
    assert soon_dead(int((tmp_path / "run" / "pids").read_text()))


def test_killing_the_process_that_evaluates_ends_the_program_too(tmp_path):
    code = HANG_WITH_CHILDREN + "open('main', 'w').write(str(__import__('os').getpid()))\n"
    code += "import time; time.sleep(60)"
    driver = (
        "from pathlib import Path; from latentopt.simulators.process_group import run_in_group; "
        f"run_in_group({[*PYTHON, code]!r}, Path({str(tmp_path)!r}), 60)"
    )
    process = subprocess.Popen([sys.executable, "-c", driver])
    end = time.monotonic() + 30
    while not (tmp_path / "main").exists() or not (tmp_path / "main").read_text():
        assert time.monotonic() < end
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert soon_dead(int((tmp_path / "main").read_text()))
    assert soon_dead(int((tmp_path / "pids").read_text()))


def test_an_interrupt_ends_the_program_and_is_passed_on(tmp_path):
    code = "import os, signal, time; open('pid', 'w').write(str(os.getpid())); "
    code += f"os.kill({os.getpid()}, signal.SIGINT); time.sleep(60)"
    with pytest.raises(KeyboardInterrupt):
        run_in_group([*PYTHON, code], tmp_path, 60.0)
    assert soon_dead(int((tmp_path / "pid").read_text()))


def test_a_program_that_has_gone_since_the_start_loses_the_trial(structure, tmp_path):
    result = SubprocessSimulator(command=["no-such-solver"], units={"a": "1"})(
        structure, tmp_path / "run"
    )
    assert result.state == "lost"
    assert result.message == "no-such-solver cannot be started (No such file or directory)"


def test_a_full_disk_loses_the_trial(structure, tmp_path, files_of_at_most):
    with files_of_at_most(50):
        result = program(OK)(structure, tmp_path / "run")
    assert result.state == "lost"
    assert "Choose a folder on a disk that takes larger files" in result.message


def test_a_file_in_the_place_of_the_folder_loses_the_trial(structure, tmp_path):
    (tmp_path / "simulations").write_text("")
    result = program(OK)(structure, tmp_path / "simulations" / "0012")
    assert (result.state, "Not a directory" in result.message) == ("lost", True)


def test_a_command_that_does_not_exist_is_refused_with_the_remedy():
    simulator = SubprocessSimulator(command=["no-such-solver"], units={"a": "1"})
    with pytest.raises(ConfigError) as refused:
        simulator.check("campaign.simulate[0]")
    assert str(refused.value) == (
        "campaign.simulate[0].command: 'no-such-solver' is no program that can be run; install it, "
        "or give its whole path."
    )
    program(OK).check("campaign.simulate[0]")


def test_a_program_beside_this_python_is_found_without_activating(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    name = os.path.basename(sys.executable)
    SubprocessSimulator(command=[name], units={"a": "1"}).check("campaign.simulate[0]")


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"command": ["solve", "{strcture}"]}, "{strcture} is unknown; there are {structure}"),
        ({"command": [" "]}, "should begin with a program"),
        ({"command": ["a\0b"]}, "hold no NUL"),
        ({"command": []}, "at least 1 item"),
        ({"command": "solve it"}, "valid tuple"),
        ({"format": "vti"}, "should be one of hdf5, .*, got 'vti'"),
        ({"units": {}}, "at least 1 item"),
        ({"timeout_s": 0}, "greater than 0"),
        ({"label": "../up"}, "should match pattern"),
    ],
)
def test_a_wrong_setting_is_refused(fields, problem):
    with pytest.raises(ValueError, match=problem.replace("{", r"\{").replace("(", r"\(")):
        SubprocessSimulator(**{"command": ["solve"], "units": {"a": "1"}, **fields})


def test_a_path_with_braces_in_it_is_not_filled_in_again(structure, tmp_path):
    code = "import sys, json\njson.dump({'state': 'ok', 'metrics': {'a': len(sys.argv[1])}}, "
    code += "open('result.json', 'w'))"
    folder = tmp_path / "{task}"
    result = program(code, "{folder}")(structure, folder)
    assert result.metrics == {"a": len(str(folder))}


# -- environment ----------------------------------------------------------------------------------

TELLS = """
import json, os
names = [name for name in os.environ if name.startswith(("SOLV", "CLUSTER", "PATH", "LC_T"))]
json.dump({"state": "infeasible", "message": " ".join(names)}, open("result.json", "w"))
"""


def seen(structure, folder, **settings):
    return program(TELLS, **settings)(structure, folder).message.split()


def test_a_command_gets_the_variables_of_its_list_and_those_that_all_programs_need(
    structure, tmp_path, monkeypatch
):
    for name in ("CLUSTER_TOKEN", "SOLVER_THREADS", "SOLVER_HOME", "SOLVED"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("LC_TIME", "C")
    names = seen(structure, tmp_path / "all")
    assert {"CLUSTER_TOKEN", "SOLVER_THREADS", "PATH", "LC_TIME"} <= set(names)
    names = seen(structure, tmp_path / "some", environment=["SOLVER_*"])
    assert {"SOLVER_THREADS", "SOLVER_HOME", "PATH", "LC_TIME"} <= set(names)
    assert not {"CLUSTER_TOKEN", "SOLVED"} & set(names)
    assert "SOLVER_HOME" not in seen(structure, tmp_path / "none", environment=[])


@pytest.mark.parametrize("name", ["A=b", "", "*", "A B", "A*B"])
def test_a_name_of_a_variable_that_is_none_is_refused(name):
    with pytest.raises(ValueError, match="pattern"):
        program(TELLS, environment=[name])


def test_which_variables_it_gets_changes_no_result_that_was_kept(structure):
    assert simulation_id(program(OK), structure) == simulation_id(
        program(OK, environment=["A"]), structure
    )
