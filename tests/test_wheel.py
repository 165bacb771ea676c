"""The wheel alone is enough: built, installed into an empty environment elsewhere, and run."""

import email
import os
import subprocess
import sys
import venv
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

CHECKOUT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(out), str(CHECKOUT)]
    built = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert built.returncode == 0, built.stdout + built.stderr
    (path,) = out.glob("*.whl")
    return path


@pytest.mark.slow
def test_the_wheel_holds_the_three_packages_and_the_embedded_space(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info" not in name}
    assert tops == {"latentopt", "generative", "objectives"}
    assert {f"{top}/py.typed" for top in tops} <= {*names}  # type checkers read our annotations
    space = "latentopt/assets/default_space/"
    files = {name.removeprefix(space) for name in names if name.startswith(space)}
    assert {"weights.safetensors", "config.json", "README.md", "manifest.json"} <= files


@pytest.mark.slow
def test_the_wheel_holds_the_pages_of_the_service(wheel):
    folder = CHECKOUT / "latentopt" / "assets" / "serve"
    pages = {f"latentopt/assets/serve/{path.name}" for path in folder.iterdir()}
    assert {"index.html", "run.html"} <= {page.split("/")[-1] for page in pages}
    assert pages <= {*zipfile.ZipFile(wheel).namelist()}


@pytest.mark.slow
def test_the_wheel_holds_each_package_with_its_face(wheel):
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info" not in name}
    here = {
        path.relative_to(CHECKOUT).as_posix()
        for package in ("latentopt", "generative", "objectives")
        for ending in ("*.py", "*.pyi")
        for path in (CHECKOUT / package).rglob(ending)
    }
    assert {name for name in names if name.endswith((".py", ".pyi"))} == here
    assert "latentopt/__init__.pyi" in here


@pytest.mark.slow
def test_the_embedded_space_takes_at_most_8_mb(wheel):
    infos = zipfile.ZipFile(wheel).infolist()
    sizes = [info.file_size for info in infos if "default_space" in info.filename]
    assert 1e6 < sum(sizes) <= 8e6


def link_what_it_requires(wheel, site_packages):
    """Links to what is installed here of all that a wheel requires, and of nothing else.

    So a requirement that is not declared is missing, and nothing is fetched or unpacked: that the
    package index has what is declared, CI sees where it installs it.
    """
    archive = zipfile.ZipFile(wheel)
    (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    declared = email.message_from_bytes(archive.read(name))
    left, seen = [(text, "") for text in declared.get_all("Requires-Dist")], set()
    while left:
        text, extra = left.pop()
        requirement = Requirement(text)
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        found = distribution(requirement.name)
        for wanted in ("", *requirement.extras):
            if (found.name, wanted) not in seen:
                seen.add((found.name, wanted))
                left += [(text, wanted) for text in found.requires or []]
        for top in {file.parts[0] for file in found.files} - {"..", "__pycache__"}:
            link = site_packages / top
            if not link.exists():
                link.symlink_to(found.locate_file(top))


@pytest.mark.slow
def test_quickstart_runs_from_the_wheel_in_an_empty_environment(wheel, tmp_path):
    venv.create(tmp_path / "venv")
    bin_folder = tmp_path / "venv" / "bin"
    (site_packages,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    link_what_it_requires(wheel, site_packages)
    # No path of the checkout may leak in: the wheel has to declare all it needs.
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    pip = [sys.executable, "-m", "pip", "--python", bin_folder / "python"]
    for ask in (["install", "--quiet", "--no-deps", "--no-index", wheel], ["check"]):
        asked = subprocess.run([*pip, *ask], env=environment, capture_output=True, text=True)
        assert asked.returncode == 0, asked.stdout + asked.stderr
    command = [bin_folder / "latentopt", "quickstart", "--trials", "8", "--out", "first-run"]
    ran = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert (tmp_path / "first-run" / "report.html").stat().st_size > 100_000
    assert list((tmp_path / "first-run").rglob("*.vti"))
