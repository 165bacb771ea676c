import subprocess
import sys
from typing import Literal

import numpy as np
import pytest
from pydantic import BaseModel, ConfigDict, ValidationError

from latentopt.campaign.load import load_config
from latentopt.errors import ConfigError
from latentopt.settings.campaign import CampaignConfig
from latentopt.settings.explain import explain
from objectives import OBJECTIVES

GOOD = """
name: light
objective: k_xx - 2*k_yy
constraints: [volume_fraction <= 0.5]
evaluate:
  - {kind: effective_conductivity, conductivity: [1, 50]}
  - volume_fraction
strategy: {kind: gp_typical, initial: 12}
trials: 40
voxel_size_um: 0.5
"""


@pytest.fixture
def load(tmp_path):
    def load_text(text, **overrides):
        path = tmp_path / "campaign.yaml"
        path.write_text(text)
        return load_config(path, overrides)

    return load_text


def problems(load, text):
    with pytest.raises(ConfigError) as caught:
        load(text)
    return [line.partition("campaign.yaml: ")[2] for line in str(caught.value).splitlines()]


def test_a_file_gives_its_settings_and_defaults(load):
    config = load(GOOD)
    assert (config.trials, config.batch, config.seed) == (40, 1, 0)
    assert config.strategy == {"kind": "gp_typical", "initial": 12}
    assert config.evaluate[1] == {"kind": "volume_fraction"}
    assert str(config.path) == "runs/light"
    assert config.goal.metrics == ("k_xx", "k_yy", "volume_fraction")


def test_overrides_replace_fields_and_none_leaves_them(load):
    config = load(GOOD, trials=7, seed=None)
    assert (config.trials, config.seed) == (7, 0)


def test_a_wrong_key_is_answered_with_the_nearest_right_one(load):
    assert problems(load, GOOD + "trails: 3\n") == [
        "campaign.trails: unknown key; did you mean trials?"
    ]


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (
            "conductivity: [1, 50]",
            "conductivty: [1, 50]",
            "campaign.evaluate[0].conductivty: unknown key; did you mean conductivity?",
        ),
        (
            "initial: 12",
            "intial: 12",
            "campaign.strategy.intial: unknown key; did you mean initial?",
        ),
        (
            "- volume_fraction",
            "- volume_fractoin",
            "campaign.evaluate[1].kind: 'volume_fractoin' is unknown; "
            "did you mean volume_fraction?",
        ),
        (
            "{kind: gp_typical, initial: 12}",
            "gp_typicl",
            "campaign.strategy.kind: 'gp_typicl' is unknown; did you mean gp_typical?",
        ),
        (
            "k_xx - 2*k_yy",
            "k_xx - 2*kyy",
            "campaign.objective or constraints: metric 'kyy' is not evaluated; did you mean k_yy?",
        ),
        (
            "trials: 40",
            "trials: many",
            "campaign.trials: should be a valid integer, unable to parse string as an integer, "
            "got 'many'.",
        ),
        (
            "objective: k_xx - 2*k_yy",
            "",
            "campaign.objective: required, and missing.",
        ),
        (
            "volume_fraction <= 0.5",
            "volume_fraction < 0.5",
            "campaign.constraints: constraint 'volume_fraction < 0.5': only <= and >= are "
            "understood; use one of them.",
        ),
        (
            "- volume_fraction\n",
            "- volume_fraction\n  - {kind: volume_fraction, phase: 1}\n",
            "campaign.evaluate: metric 'volume_fraction' is returned twice; each needs a name of "
            "its own.",
        ),
        (
            "- volume_fraction\n",
            "- volume_fraction\n  - {phase: 1}\n",
            "campaign.evaluate[2].kind: required, and missing; known: "
            f"{', '.join(sorted([*OBJECTIVES, 'import']))}.",
        ),
    ],
)
def test_a_mistake_is_named_with_its_dotted_path(load, old, new, line):
    assert old in GOOD
    assert problems(load, GOOD.replace(old, new)) == [line]


def test_a_strategy_of_one_objective_refuses_two(load):
    text = GOOD.replace("k_xx - 2*k_yy", "k_xx, -k_yy").replace("gp_typical", "turbo")
    assert problems(load, text) == [
        "campaign.objective: strategy turbo takes one objective, got 2; join them into one sum, "
        "or use strategy structure."
    ]


def test_all_mistakes_are_listed_at_once(load):
    text = GOOD.replace("conductivity: [", "conductivty: [") + "trails: 3\nbatch: 0\n"
    found = problems(load, text)
    assert len(found) == 3
    assert {line.split(":")[0] for line in found} == {
        "campaign.trails",
        "campaign.batch",
        "campaign.evaluate[0].conductivty",
    }


def test_a_metric_that_a_function_may_return_is_not_a_mistake(load, tmp_path, monkeypatch):
    (tmp_path / "my_solver.py").write_text(
        "def stiffness(images, scale=1):\n    return {'e_xx': scale * images.mean((1, 2, 3))}\n"
    )
    monkeypatch.chdir(tmp_path)
    config = load(
        "objective: e_xx\nevaluate: [{kind: import, target: 'my_solver:stiffness', "
        "options: {scale: 2}}]\n"
    )
    assert config.evaluate[0]["target"] == "my_solver:stiffness"
    assert str(tmp_path) not in sys.path


def test_a_target_that_cannot_be_imported_is_named(load):
    (line,) = problems(
        load, "objective: e\nevaluate: [{kind: import, target: 'no_such_module:f'}]\n"
    )
    assert line.startswith("campaign.evaluate[0]: no_such_module:f cannot be imported")


TO_TARGET = """
objective: -two_point_error
space: my_space
evaluate: [{kind: two_point_target, target: targets/goal.npy, cutoff: 2}, volume_fraction]
"""


def test_files_that_a_file_names_are_looked_for_beside_it(load, tmp_path, monkeypatch):
    (tmp_path / "targets").mkdir()
    np.save(tmp_path / "targets" / "goal.npy", np.eye(8))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    config = load(TO_TARGET)
    assert config.evaluate[0]["target"] == str(tmp_path / "targets" / "goal.npy")
    assert config.space == str(tmp_path / "my_space")
    assert load(TO_TARGET, space="default").space == "default"


def test_a_file_given_by_its_whole_path_is_taken_as_it_is(load, tmp_path):
    np.save(tmp_path / "goal.npy", np.eye(8))
    config = load(TO_TARGET.replace("targets/goal.npy", f"{tmp_path}/goal.npy"))
    assert config.evaluate[0]["target"] == str(tmp_path / "goal.npy")


def test_a_target_that_is_not_there_is_named_with_its_whole_path(load, tmp_path):
    (line,) = problems(load, TO_TARGET)
    assert line.startswith(f"campaign.evaluate[0].target: {tmp_path}/targets/goal.npy: cannot be")


def test_unreadable_yaml_is_answered_with_its_line(load):
    with pytest.raises(ConfigError, match="line 3: not YAML"):
        load("name: a\nobjective: b\ntrials: ]\n")


@pytest.mark.parametrize("text", ["name: 2024-13-01", "[" * 3000], ids=["date", "brackets"])
def test_yaml_that_its_reader_cannot_take_is_answered_as_well(load, text):
    with pytest.raises(ConfigError, match="not YAML"):
        load(text)


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just words"])
def test_a_file_without_keys_is_refused(load, text):
    with pytest.raises(ConfigError, match="should hold keys such as objective"):
        load(text)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"nothing\.yaml: cannot be read"):
        load_config(tmp_path / "nothing.yaml")


def test_python_tags_are_not_run(load, tmp_path):
    with pytest.raises(ConfigError, match="not YAML"):
        load(f"name: !!python/object/apply:os.mkdir ['{tmp_path}/made']\n")
    assert not (tmp_path / "made").exists()


def test_nested_models_are_explained_by_their_own_keys():
    class Inner(BaseModel):
        model_config = ConfigDict(extra="forbid")
        kind: Literal["a"] = "a"
        length: int = 1

    class Outer(BaseModel):
        model_config = ConfigDict(extra="forbid")
        items: list[Inner] = []

    with pytest.raises(ValidationError) as caught:
        Outer(items=[{"lenght": 2}])
    assert [str(problem) for problem in explain(caught.value, Outer, "root")] == [
        "root.items[0].lenght: unknown key; did you mean length?"
    ]


def test_importing_config_costs_no_torch():
    code = (
        "import sys; import latentopt.settings.campaign, latentopt.runs.run; "
        "slow = {'torch', 'ax', 'botorch'} & set(sys.modules); assert not slow, slow"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_settings_are_frozen():
    config = CampaignConfig(objective="a", evaluate=["volume_fraction"])
    with pytest.raises(ValidationError):
        config.trials = 3
