"""Importing a package is quick: what is slow is imported where it is used."""

import ast
import subprocess
import sys
from importlib import import_module
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
# The face of each room, whose names are loaded on first use.
FACES = [
    stub.parent.relative_to(ROOT).as_posix().replace("/", ".")
    for package in ("latentopt", "generative", "objectives")
    for stub in sorted((ROOT / package).rglob("__init__.pyi"))
]
CHEAP = [
    *FACES,
    "latentopt.simulators.reference",
    "latentopt.errors",
    "latentopt.settings.campaign",
    "latentopt.settings.kinds",
    "latentopt.settings.spec",
    "latentopt.cli.app",
]
SLOW = ["torch", "ax", "botorch", "gpytorch", "pymks", "dask", "sklearn", "skimage"]
SLOW += ["matplotlib", "plotly", "h5py", "tifffile", "pandas", "damask"]
PUBLIC = [*FACES, "latentopt.errors"]

PRINT_WHAT_WAS_LOADED = """
import sys
import {module}
print(*sorted({{name.split(".")[0] for name in sys.modules}} & set({slow!r})))
"""


@pytest.mark.parametrize("module", CHEAP)
def test_importing_a_package_imports_nothing_slow(module):
    code = PRINT_WHAT_WAS_LOADED.format(module=module, slow=SLOW)
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert run.stderr == ""
    assert run.stdout.split() == []


@pytest.mark.parametrize("package", PUBLIC)
def test_every_public_name_is_there(package):
    module = import_module(package)
    assert module.__all__
    for name in module.__all__:
        assert getattr(module, name) is not None


@pytest.mark.parametrize("package", PUBLIC)
def test_a_name_that_is_not_there_is_refused_as_python_does(package):
    with pytest.raises(AttributeError, match=r"[Nn]o .*attribute '?Nonesuch'?$") as refusal:
        import_module(package).Nonesuch  # noqa: B018
    assert package in str(refusal.value)
    with pytest.raises(ImportError, match=rf"cannot import name 'Nonesuch' from '{package}'"):
        exec(f"from {package} import Nonesuch")


def imported(file):
    """Names of the packages that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name.split(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.split(".")[0]


def installed_with(distribution, extra, found):
    """A distribution with one of its extras, and what comes with them."""
    name = canonicalize_name(distribution)
    if (name, extra) in found:
        return
    found.add((name, extra))
    try:
        lines = requires(name) or []
    except PackageNotFoundError:  # of another Python or system
        return
    for needed in map(Requirement, lines):
        if not needed.marker or needed.marker.evaluate({"extra": extra}):
            for of_it in ("", *needed.extras):
                installed_with(needed.name, of_it, found)


def test_what_is_imported_is_declared_or_comes_with_it():
    """What was installed here for something else is not there in another environment."""
    found = set()
    for extra in ("", "test"):
        installed_with("latentopt", extra, found)
    there = {name for name, _ in found}
    homes = packages_distributions()
    for folder in ("latentopt", "generative", "objectives", "examples", "benchmarks", "tests"):
        for file in (ROOT / folder).rglob("*.py"):
            for name in imported(file):
                of = {canonicalize_name(one) for one in homes.get(name, [])}
                assert not of or of & there, f"{file} imports {name}"
