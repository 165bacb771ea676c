"""The command line, run as a user runs it."""

import json
import os
import subprocess
import sys
import warnings
from inspect import signature
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

import latentopt
from generative.autoencoders.pca import PCA
from generative.batching import to_tensor
from generative.data.synthetic import gaussian_random_field
from latentopt.campaign.campaign import Campaign
from latentopt.cli.answers import say_plainly
from latentopt.cli.app import COMMANDS, GROUPS
from latentopt.space.latent_space import LatentSpace

ROOT = Path(__file__).parents[3]
GROUPED = [(group, name) for group, table in GROUPS.items() for name in table]
COMMANDS_IN_WORDS = [*((name,) for name in COMMANDS), *((group,) for group in GROUPS), *GROUPED]
CAMPAIGN = """
name: tiny
space: {space}
objective: volume_fraction
constraints: [volume_fraction <= 0.6]
evaluate: [volume_fraction]
strategy: prior
engine: serial
trials: 5
batch: 2
folder: {folder}
"""


@pytest.fixture(scope="module")
def images():
    return gaussian_random_field(40, (16, 16), seed=0)


@pytest.fixture(scope="module")
def space_folder(images, tmp_path_factory):
    x = to_tensor(images)
    space = LatentSpace.fit(PCA((1, 16, 16), components=4).fit(x), x)
    return space.save(tmp_path_factory.mktemp("space"))


@pytest.fixture
def campaign(space_folder, tmp_path):
    path = tmp_path / "campaign.yaml"
    path.write_text(CAMPAIGN.format(space=space_folder, folder=tmp_path / "run"))
    return path


HELP = """
import sys
from latentopt.cli.app import main
for command in {commands}:
    sys.argv = ["latentopt", *command, "--help"]
    try:
        main()
    except SystemExit:
        pass
assert not {{"torch", "ax", "botorch", "numpy"}} & set(sys.modules), "slow import"
"""


def explain(*commands):
    """Ask a fresh process for the help of some commands."""
    code = HELP.format(commands=commands)
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, cwd=ROOT)


def test_help_of_every_command_imports_no_torch():
    explain((), *COMMANDS_IN_WORDS)


@pytest.mark.parametrize("command", COMMANDS_IN_WORDS, ids=" ".join)
def test_every_command_explains_itself(run, command):
    code, out, _ = run(*command, "--help")
    assert code == 0
    assert "Usage" in out


@pytest.mark.parametrize(
    "command",
    [*COMMANDS.values(), *(command for table in GROUPS.values() for command in table.values())],
    ids=lambda command: command.work,
)
def test_the_work_of_a_command_takes_its_options(command):
    (parameter,) = signature(command.function()).parameters.values()
    assert parameter.annotation is command.options


def test_the_version_is_that_of_the_package(run):
    assert run("--version") == (0, f"latentopt {latentopt.__version__}\n", "")


@pytest.mark.parametrize("room", ["latentopt", "latentopt/cli/data", "generative/data/formats"])
def test_a_warning_of_ours_is_one_line_however_deep_its_file(room, monkeypatch, capsys):
    others = []
    monkeypatch.setattr(warnings, "showwarning", lambda *said: others.append(said))
    say_plainly()
    warnings.showwarning("take care", UserWarning, str(ROOT / room / "some.py"), 1)
    assert capsys.readouterr().err == "latentopt: take care\n"
    warnings.showwarning("take care", UserWarning, "/elsewhere/latentopt.py", 1)
    assert others == [("take care", UserWarning, "/elsewhere/latentopt.py", 1)]
    assert capsys.readouterr().err == ""


def completed(*words):
    """What the shell is offered for the last of some words, by a fresh process."""
    start = "import sys; sys.argv = ['latentopt']; from latentopt.__main__ import main; main()"
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "_LATENTOPT_COMPLETE": "complete_bash",
        "COMP_WORDS": " ".join(["latentopt", *words]),
        "COMP_CWORD": str(len(words)),
    }
    asked = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", start],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "torch" not in {line.split("|")[-1].strip() for line in asked.stderr.splitlines()}
    return asked.stdout.split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["tr"], {"train", "traverse"}),
        (["e"], {"encode", "evaluate", "explore", "export"}),
        (["train", "--st"], {"--steps"}),
        (["data", "m"], {"make"}),
        (["export", ""], {"candidates", "verify"}),
        (["export", "run", "--fr"], {"--front"}),
    ],
)
def test_a_shell_completes_commands_and_options(words, offered):
    assert set(completed(*words)) == offered


def test_the_script_of_a_shell_can_be_had(run, monkeypatch):
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "yes")
    code, out, _ = run("--show-completion", "bash")
    assert code == 0
    assert "_LATENTOPT_COMPLETE=complete_bash" in out
    assert "--install-completion" in run("--help")[1]


def test_wrong_usage_exits_2(run):
    assert run("optimise")[0] == 2
    assert run("train")[0] == 2


def test_encode_and_decode_are_the_space_in_python(run, images, space_folder, tmp_path):
    np.save(tmp_path / "images.npy", images)
    code, _, err = run("encode", space_folder, tmp_path / "images.npy", "--out", tmp_path / "z.csv")
    assert code == 0, err
    z = np.loadtxt(tmp_path / "z.csv", delimiter=",", skiprows=1)
    space = LatentSpace.load(space_folder)
    np.testing.assert_allclose(z, space.encode(images), atol=1e-12)
    code, _, err = run("decode", space_folder, tmp_path / "z.csv", "--out", tmp_path / "back.npy")
    assert code == 0, err
    np.testing.assert_allclose(np.load(tmp_path / "back.npy"), space.decode(z), atol=1e-6)


@pytest.mark.slow
def test_train_reads_class_folders_and_says_where_the_space_is(run, tmp_path):
    fields = gaussian_random_field(24, (32, 32), seed=1)
    for i, field in enumerate(fields[:, 0]):
        folder = tmp_path / "micrographs" / ("a" if i % 2 else "b")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray((field * 255).astype(np.uint8)).save(folder / f"{i}.png")
    out = tmp_path / "space"
    code, printed, err = run("train", tmp_path / "micrographs", "--out", out, "--steps", 2)
    assert code == 0, err
    assert str(out) in printed
    assert LatentSpace.load(out).image_shape == (1, 32, 32)


@pytest.mark.slow
def test_a_report_goes_without_the_data_of_a_space_given_in_python(run, tiny_space, tmp_path):
    folder = tmp_path / "run"
    Campaign(
        space=tiny_space, objective="volume_fraction", evaluate=["volume_fraction"],
        strategy="prior", engine="serial", trials=2, folder=folder,
    ).run(progress=False)  # fmt: skip
    code, _, err = run("report", folder)
    assert code == 0, err
    assert "space was given in Python" in err
    assert len(err.splitlines()) == 1
    assert "<html" in (folder / "report.html").read_text()


def test_optimize_status_report_and_export_form_a_chain(run, campaign, tmp_path):
    folder = tmp_path / "run"
    code, out, err = run("optimize", campaign)
    assert code == 0, err
    assert "5 of 5 trials completed" in out
    code, out, _ = run("status", folder, "--json")
    state = json.loads(out)
    assert (code, state["completed"], state["failed"]) == (0, 5, 0)
    assert run("report", folder)[0] == 0
    assert "<html" in (folder / "report.html").read_text()
    code, out, err = run("export", folder, "--best", 2, "--format", "hdf5")
    assert code == 0, err
    best = state["best"][0]
    with h5py.File(out.split()[0]) as file:
        assert file["phase"][()].mean() == pytest.approx(best["metrics"]["volume_fraction"])


@pytest.mark.slow
def test_the_same_command_adds_trials_to_a_finished_campaign(run, campaign, tmp_path):
    assert run("optimize", campaign)[0] == 0
    lines = (tmp_path / "run" / "journal.jsonl").read_text().splitlines()
    code, out, err = run("optimize", campaign, "--trials", 7)
    assert code == 0, err
    assert "7 of 7 trials completed" in out
    assert (tmp_path / "run" / "journal.jsonl").read_text().splitlines()[: len(lines)] == lines


def test_a_campaign_goes_on_from_any_folder(run, images, space_folder, tmp_path, monkeypatch):
    for name in ("settings", "here", "there"):
        (tmp_path / name).mkdir()
    np.save(tmp_path / "settings" / "goal.npy", images[0, 0])
    path = tmp_path / "settings" / "match.yaml"
    path.write_text(
        f"space: {os.path.relpath(space_folder, path.parent)}\n"
        "objective: -two_point_error\n"
        "evaluate: [{kind: two_point_target, target: goal.npy, engine: torch}]\n"
        "strategy: prior\nengine: serial\ntrials: 2\n"
    )
    monkeypatch.chdir(tmp_path / "here")
    code, _, err = run("optimize", "../settings/match.yaml", "--out", tmp_path / "run")
    assert code == 0, err
    monkeypatch.chdir(tmp_path / "there")
    code, _, err = run("optimize", path, "--out", tmp_path / "run", "--trials", 3)
    assert code == 0, err
    with Campaign.resume(tmp_path / "run") as campaign:
        assert len(campaign.result.trials) == 3
    assert run("report", tmp_path / "run")[0] == 0


def test_an_unknown_key_is_answered_with_its_path_and_the_nearest_one(run, campaign):
    campaign.write_text(campaign.read_text() + "budgte: 3\ntrails: 4\n")
    code, _, err = run("optimize", campaign)
    assert code == 2
    assert "campaign.trails: unknown key; did you mean trials?" in err


def test_data_that_cannot_be_read_exits_3(run, space_folder, tmp_path):
    (tmp_path / "empty").mkdir()
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n")
    np.save(tmp_path / "wide.npy", np.zeros((2, 5)))
    np.save(tmp_path / "nan.npy", np.full((2, 4), np.nan))
    for arguments, word in (
        (("train", tmp_path / "empty"), "empty"),
        (("encode", space_folder, broken), "broken.png"),
        (("encode", space_folder, tmp_path / "missing"), "missing"),
        (("decode", space_folder, tmp_path / "wide.npy"), "wide.npy"),
        (("decode", space_folder, tmp_path / "nan.npy"), "nan.npy"),
        (("decode", tmp_path / "nowhere", tmp_path / "nan.npy"), "nowhere"),
    ):
        code, _, err = run(*arguments)
        assert (code, len(err.splitlines())) == (3, 1), (arguments, err)
        assert word in err


def test_a_tampered_space_exits_3_and_names_the_file(run, space_folder, tmp_path):
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in Path(space_folder).iterdir():
        data = bytearray(file.read_bytes())
        if file.name == "weights.safetensors":
            data[-1] ^= 1
        (copy / file.name).write_bytes(data)
    np.save(tmp_path / "z.npy", np.zeros((1, 4)))
    code, _, err = run("decode", copy, tmp_path / "z.npy")
    assert code == 3
    assert "weights.safetensors" in err


def test_a_missing_campaign_exits_4(run, tmp_path):
    for command in ("status", "report", "export"):
        code, _, err = run(command, tmp_path / "nothing")
        assert (code, len(err.splitlines())) == (4, 1)


def test_an_unknown_format_is_answered_with_those_there_are(run, tmp_path):
    code, _, err = run("export", tmp_path, "--format", "vtk")
    assert code == 2
    assert "damask" in err


def test_python_m_is_the_same_command_line():
    command = [sys.executable, "-m", "latentopt", "--help"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    printed = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert "quickstart" in printed.stdout
