"""Importing a package is quick: what is slow is imported where it is used."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

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
