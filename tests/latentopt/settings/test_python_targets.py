"""Python that a settings file names is found beside it, wherever the command is called from."""

import pytest

from latentopt.campaign.load import load_config
from latentopt.errors import ConfigError
from latentopt.runs.run import Run

YAML = """
space: {space}
objective: mean
evaluate: [{{kind: import, target: "{module}:value"}}]
screen:
  evaluate: [{{kind: import, target: "{module}:cheap"}}]
  require: [cheap >= 0]
simulate: [{{kind: python, target: "{module}:simulate"}}]
strategy: prior
engine: {engine}
trials: 2
folder: {folder}
"""
ONE = "{kind: process, workers: 1}"
MODULE = """
def value(images):
    return {"mean": float(images.mean())}

def cheap(images):
    return {"cheap": 1.0}

def simulate(structure):
    return structure.phase_fractions
"""


@pytest.fixture
def written(tiny_space_folder, tmp_path, monkeypatch):
    """A settings file with a module beside it, and another working folder."""

    def write(module, engine="serial", folder="run"):
        beside = tmp_path / "settings"
        beside.mkdir(exist_ok=True)
        (beside / f"{module}.py").write_text(MODULE)
        file = beside / "c.yaml"
        file.write_text(
            YAML.format(
                space=tiny_space_folder, module=module, engine=engine, folder=tmp_path / folder
            )
        )
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir(exist_ok=True)
        monkeypatch.chdir(elsewhere)
        return file

    return write


@pytest.mark.parametrize("engine", ["serial", "process"])
def test_targets_beside_the_settings_are_found_from_elsewhere(run, written, tmp_path, engine):
    file = written(f"beside_{engine}", engine if engine == "serial" else ONE)
    code, _, error = run("optimize", file)
    assert code == 0, error
    (first, _) = Run.read(tmp_path / "run").trials
    assert {"mean", "cheap", "phase 0"} <= set(first.metrics)
    assert run("optimize", file, "--trials", "3")[0] == 0  # it goes on


def test_a_target_in_the_working_folder_is_found_as_before(written, tmp_path, monkeypatch):
    file = written("not_here_any_more")
    (file.parent / "not_here_any_more.py").rename(tmp_path / "elsewhere/not_here_any_more.py")
    assert "path" not in load_config(file).evaluate[0]


def test_a_target_that_is_nowhere_is_refused_with_the_places_to_put_it(written):
    file = written("nowhere")
    (file.parent / "nowhere.py").unlink()
    with pytest.raises(ConfigError, match=r"put nowhere\.py beside the settings file or into"):
        load_config(file)
