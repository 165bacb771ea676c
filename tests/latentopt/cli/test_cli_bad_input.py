"""Bad input through the command line: one line that names it, the right exit code, nothing lost."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
from PIL import Image

from generative.autoencoders.pca import PCA
from generative.batching import to_tensor
from generative.data.synthetic import gaussian_random_field
from latentopt.cli.app import main
from latentopt.runs.journal import read_events
from latentopt.space.latent_space import LatentSpace

ROOT = Path(__file__).parents[3]
USAGE, DATA, CAMPAIGN = 2, 3, 4
RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (4, 64, 64), dtype=np.uint8)
SETTINGS = """
name: tiny
space: space
objective: volume_fraction
evaluate: [volume_fraction]
strategy: prior
engine: serial
trials: 3
batch: 2
"""


@pytest.fixture
def run(capsys, monkeypatch):
    """Run a command in this process: its exit code, and the lines it says to standard error."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["latentopt", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
        return stop.value.code or 0, capsys.readouterr().err.splitlines()

    return call


@pytest.fixture
def refused(run):
    """Run a command that ends with this code and one line, which is returned."""

    def call(code, *arguments):
        ended, lines = run(*arguments)
        assert (ended, len(lines)) == (code, 1), lines
        assert lines[0].startswith("latentopt: ")
        return lines[0]

    return call


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A space of 16x16 images and a campaign of three trials in it."""
    folder = tmp_path_factory.mktemp("made")
    images = gaussian_random_field(100, (16, 16), seed=0)
    x = to_tensor(images)
    LatentSpace.fit(PCA((1, 16, 16), components=4).fit(x), x).save(folder / "space")
    np.save(folder / "images.npy", images)
    np.save(folder / "z.npy", RNG.standard_normal((3, 4)))
    (folder / "campaign.yaml").write_text(SETTINGS)
    command = [sys.executable, "-m", "latentopt", "optimize", "campaign.yaml", "--out", "run"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
    return folder


@pytest.fixture
def here(made, tmp_path, monkeypatch):
    """A copy of the space and the campaign, as the working folder."""
    shutil.copytree(made, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


# -- images ---------------------------------------------------------------------------------------


def truncated(path):
    """Two thirds of what was written."""
    content = path.read_bytes()
    path.write_bytes(content[: 2 * len(content) // 3])


def nothing(folder):
    pass


def truncated_png(folder):
    Image.fromarray(GREY[0]).save(folder / "cut.png")
    truncated(folder / "cut.png")


def truncated_tiff(folder):
    tifffile.imwrite(folder / "cut.tif", GREY, photometric="minisblack")
    truncated(folder / "cut.tif")


def truncated_npy(folder):
    np.save(folder / "cut.npy", GREY)
    truncated(folder / "cut.npy")


def truncated_hdf5(folder):
    with h5py.File(folder / "cut.h5", "w") as file:
        file["images"] = GREY
    truncated(folder / "cut.h5")


def link_to_nothing(folder):
    (folder / "lost.png").symlink_to(folder / "nowhere.png")


def mixed_sizes(folder):
    Image.fromarray(GREY[0]).save(folder / "a.png")
    Image.fromarray(GREY[0, :60]).save(folder / "b.png")


def not_a_number(folder):
    images = GREY / 255.0
    images[2, 3, 4] = np.nan
    np.save(folder / "nan.npy", images)


def larger_than_the_limit(folder):
    with open(folder / "huge.npy", "wb") as stream:
        header = {"descr": "|u1", "fortran_order": False, "shape": (1, 100_000, 100_000)}
        np.lib.format.write_array_header_1_0(stream, header)


@pytest.mark.parametrize(
    ("make", "name", "remedy"),
    [
        (nothing, "source", "expected files ending in"),
        (link_to_nothing, "lost.png", "or remove it"),
        (truncated_png, "cut.png", "replace the file"),
        (truncated_tiff, "cut.tif", "save it again"),
        (truncated_npy, "cut.npy", "replace the file"),
        (truncated_hdf5, "cut.h5", "replace the file"),
        (mixed_sizes, "b.png", "crop or resize"),
        (not_a_number, "nan.npy", "fill or cut"),
        (larger_than_the_limit, "huge.npy", "cut it into parts"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
@pytest.mark.parametrize("command", ["train", "encode"])
def test_images_that_cannot_be_read(here, refused, command, make, name, remedy):
    (here / "source").mkdir()
    make(here / "source")
    before = ["space"] if command == "encode" else []
    line = refused(DATA, command, *before, "source", "--out", "out.npy")
    assert name in line
    assert remedy in line
    assert not (here / "out.npy").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_a_file_without_permission(here, refused):
    (here / "images.npy").chmod(0)
    assert "Permission denied" in refused(DATA, "encode", "space", "images.npy")


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((3, 16, 16, 16), "volumes: spatial_dims=3, for a 3-D model"),
        ((3, 1, 16, 16, 16), "for spatial_dims=2, got 5 axes"),
        ((3, 16, 20), "2-D space of one image size; resample"),
        ((16,), "expected an array of shape"),
    ],
    ids=lambda value: "x".join(map(str, value)) if isinstance(value, tuple) else "",
)
def test_images_that_are_not_of_the_space(here, refused, shape, said):
    np.save("other.npy", RNG.integers(0, 2, shape, dtype=np.uint8))
    line = refused(DATA, "encode", "space", "other.npy", "--out", "out.npy")
    assert re.search(f"other.npy.*: .*{said}", line)
    assert not Path("out.npy").exists()


# -- latent points --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("z", "said"),
    [
        (np.zeros((2, 5)), r"shape \(n, 4\), got \(2, 5\)"),
        (np.array([[0.0] * 4, [0, 0, np.nan, 0]]), "not finite in row 1; remove"),
        (np.full((1, 4), -np.inf), "not finite in row 0; remove"),
    ],
    ids=["width", "NaN", "infinite"],
)
def test_latent_points_that_are_none(here, refused, z, said):
    np.save("bad.npy", z)
    line = refused(DATA, "decode", "space", "bad.npy", "--out", "out.npy")
    assert re.search(f"bad.npy: .*{said}", line)
    assert not Path("out.npy").exists()


def test_a_latent_point_beyond_all_images_is_named_with_the_radius(here, refused):
    np.save("far.npy", np.diag([1.0] * 63 + [1e300])[[0, 63]])
    line = refused(DATA, "decode", "default", "far.npy", "--out", "out.npy")
    assert "far.npy: row 1 is too far from the data to be decoded; keep points within" in line
    assert not Path("out.npy").exists()


def test_a_truncated_file_of_latent_points(here, refused):
    truncated(here / "z.npy")
    assert "z.npy: " in refused(DATA, "decode", "space", "z.npy", "--out", "out.npy")


# -- model folders --------------------------------------------------------------------------------


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


FILES = ("weights.safetensors", "config.json", "space.json", "whitening.safetensors")


@pytest.mark.parametrize("harm", [flip_a_bit, truncated, Path.unlink], ids=lambda f: f.__name__)
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_space(here, refused, harm, name):
    harm(here / "space" / name)
    line = refused(DATA, "decode", "space", "z.npy", "--out", "out.npy")
    assert f"{name}: " in line
    assert "Restore the folder from a copy" in line


@pytest.mark.parametrize(
    ("harm", "remedy"),
    [(truncated, "Restore the folder"), (Path.unlink, "Give the folder that `latentopt train")],
    ids=["truncated", "missing"],
)
def test_a_damaged_manifest(here, refused, harm, remedy):
    harm(here / "space" / "manifest.json")
    for arguments in (("decode", "space", "z.npy"), ("optimize", "campaign.yaml")):
        line = refused(DATA, *arguments, "--out", "new")
        assert "space" in line
        assert "manifest.json" in line
        assert remedy in line
    assert not (here / "new").exists()


# -- settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "text", "said"),
    [
        ("optimize", "objective: volume_fraction\nevaluate: [{kind: [1]}]", "kind: .* is unknown"),
        ("optimize", "objective: [", r"line 2: not YAML"),
        ("train", "data: {kind: gaussian_random_field, shap: [8, 8]}", r"data\.shap: .*mean shape"),
        ("train", "data: {kind: gaussian_random_field}\nstepz: 3", r"train\.stepz: unknown key"),
        ("train", "- data", "should hold keys such as data"),
    ],
)
def test_settings_that_are_wrong(here, refused, command, text, said):
    Path("bad.yaml").write_text(f"{text}\n")
    where = ["--config", "bad.yaml"] if command == "train" else ["bad.yaml"]
    line = refused(USAGE, command, *where)
    assert "bad.yaml" in line
    assert re.search(said, line)


@pytest.mark.parametrize(
    "arguments",
    [
        ("encode", "space", "images.npy", "--grey", "gray"),
        ("train", "images.npy", "--grey", "gray"),
        ("train", "images.npy", "--model", "gnn"),
        ("train", "images.npy", "--steps", "0"),
        ("optimize", "campaign.yaml", "--trials", "0"),
        ("optimize", "nowhere.yaml"),
    ],
    ids=" ".join,
)
def test_options_that_are_wrong(here, refused, arguments):
    line = refused(USAGE, *arguments)
    assert arguments[-1] in line or arguments[-2].strip("-") in line


def test_decoded_channels_are_no_phases(here, refused):
    labels = RNG.integers(0, 3, (20, 8, 8))
    x = to_tensor(np.stack([labels == k for k in range(3)], 1).astype(np.float32))
    LatentSpace.fit(PCA((3, 8, 8), components=4).fit(x), x).save("three")
    text = SETTINGS.replace("space: space", "space: three")
    Path("grey.yaml").write_text(f"{text}score: decoded\n")
    line = refused(USAGE, "optimize", "grey.yaml", "--out", "three_run")
    assert "campaign.score: volume_fraction takes channels for phases that add to 1" in line
    assert line.endswith("set score: phases.")
    assert not Path("three_run").exists()


# -- journals -------------------------------------------------------------------------------------


def test_a_torn_last_line_is_repaired_and_the_campaign_goes_on(here, run):
    journal = here / "run" / "journal.jsonl"
    *whole, last = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([*whole, last[:-20]]))
    assert run("status", "run") == (0, [])
    assert journal.read_bytes().endswith(last[:-20]), "reading repairs nothing"
    code, lines = run("optimize", "campaign.yaml", "--out", "run")
    assert code == 0, lines
    assert journal.read_bytes().startswith(b"".join(whole))
    assert last[:-20] in (here / "run" / "journal.torn").read_bytes()
    assert sum(event["kind"] == "tell" for event in read_events(here / "run")) == 3


@pytest.mark.parametrize(
    "arguments",
    [("status", "run"), ("report", "run"), ("export", "run"), ("optimize", "campaign.yaml")],
    ids=lambda arguments: arguments[0],
)
def test_a_journal_damaged_in_the_middle_is_refused_with_its_line(here, refused, arguments):
    journal = here / "run" / "journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    lines[1] = lines[1].replace(b"prior", b"pryor")
    journal.write_bytes(b"".join(lines))
    more = ["--out", "run"] if arguments[0] == "optimize" else []
    line = refused(CAMPAIGN, *arguments, *more)
    assert f"journal.jsonl: line 2 of {len(lines)} is damaged; restore" in line
    assert journal.read_bytes() == b"".join(lines)


def test_a_structure_that_is_damaged_is_named(here, refused):
    truncated(here / "run" / "candidates" / "0001.npz")
    assert "0001.npz: is damaged" in refused(CAMPAIGN, "export", "run", "--trial", "1")


def test_a_trial_that_is_not_there_is_answered(here, refused):
    assert "no trial 9; it has 3" in refused(CAMPAIGN, "export", "run", "--trial", "9")


# -- disks ----------------------------------------------------------------------------------------

WRITERS = {
    "train": (DATA, "train", "images.npy", "--model", "pca", "--out"),
    "encode": (DATA, "encode", "space", "images.npy", "--out"),
    "decode": (DATA, "decode", "space", "z.npy", "--out"),
    "optimize": (CAMPAIGN, "optimize", "campaign.yaml", "--out"),
    "report": (CAMPAIGN, "report", "run", "--out"),
    "export": (CAMPAIGN, "export", "run", "--out"),
    "quickstart": (CAMPAIGN, "quickstart", "--trials", "1", "--out"),
}
every_writer = pytest.mark.parametrize("writer", WRITERS)


@every_writer
def test_a_file_in_the_place_of_a_folder(here, refused, writer):
    code, *arguments = WRITERS[writer]
    Path("taken").write_text("mine")
    line = refused(code, *arguments, "taken/out.npy")
    assert "taken" in line
    assert re.search("[Nn]ot a directory|File exists", line)
    assert Path("taken").read_text() == "mine"


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder nobody can write in")
@every_writer
def test_a_folder_nobody_can_write_in(here, refused, writer):
    code, *arguments = WRITERS[writer]
    assert "/proc/self/nowhere" in refused(code, *arguments, "/proc/self/nowhere/out.npy")


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
@every_writer
def test_a_read_only_folder(here, refused, writer):
    code, *arguments = WRITERS[writer]
    Path("closed").mkdir(0o500)
    line = refused(code, *arguments, "closed/out.npy")
    assert "closed" in line
    assert "Permission denied" in line
    assert re.search("may (read and )?write", line)


@pytest.mark.parametrize("writer", ["train", "encode", "decode", "report", "export"])
def test_a_full_disk_leaves_what_was_there_and_room_helps(
    here, run, refused, writer, files_of_at_most
):
    code, *arguments = WRITERS[writer]
    out = Path("out") if writer in ("train", "export") else Path("out.npy")
    before = None
    if writer in ("encode", "decode", "report"):
        assert run(*arguments, out) == (0, [])
        before = out.read_bytes()
    with files_of_at_most(200):
        line = refused(code, *arguments, out)
    assert str(out) in line
    assert re.search("File too large|No space left", line)
    assert re.search("[Ff]ree|[Cc]hoose", line)
    assert out.read_bytes() == before if out.is_file() else not any(out.glob("*"))
    assert run(*arguments, out) == (0, [])
    assert not [*here.rglob("*.part"), *here.rglob("*.new")]


def test_a_full_disk_stops_a_campaign_and_room_lets_it_go_on(here, run, refused, files_of_at_most):
    journal = here / "run" / "journal.jsonl"
    before = journal.read_bytes()
    more = ("optimize", "campaign.yaml", "--out", "run", "--trials", "6")
    with files_of_at_most(max(len(before), 2000) + 700):
        line = refused(CAMPAIGN, *more)
    assert "run" in line
    assert "make room" in line
    assert journal.read_bytes().startswith(before)
    kept = journal.read_bytes()
    code, lines = run(*more)
    assert code == 0, lines
    assert journal.read_bytes().startswith(kept)
    tells = [event["trial"] for event in read_events(here / "run") if event["kind"] == "tell"]
    assert sorted(tells) == list(range(6)), "each evaluation once"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_under_standard_output(here):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "latentopt", "status", "run"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
    assert done.stderr.startswith("latentopt: standard output: No space left on device. Free some")
    assert len(done.stderr.splitlines()) == 1
    assert done.returncode == CAMPAIGN


def test_a_reader_that_has_gone_is_no_error_worth_a_line(here):
    """As in ``latentopt status run --json | head -1``."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "latentopt", "status", "run", "--json"],
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    os.close(write)
    assert done.stderr == ""
