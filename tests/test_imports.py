"""Importing a package is quick: what is slow is imported where it is used."""

import subprocess
import sys
from importlib import import_module

import pytest

CHEAP = [
    "latentopt",
    "generative",
    "objectives",
    "objectives.fidelity",
    "objectives.homogenize",
    "objectives.manufacturability",
    "objectives.surrogates",
    "objectives.two_point",
    "generative.data",
    "generative.data.synthetic",
    "latentopt.engines",
    "latentopt.strategies",
    "latentopt.simulators",
    "latentopt.simulators.reference",
    "latentopt.errors",
    "latentopt.settings.campaign",
    "latentopt.settings.kinds",
    "latentopt.settings.spec",
    "latentopt.cli.app",
]
SLOW = ["torch", "ax", "botorch", "gpytorch", "pymks", "dask", "sklearn", "skimage"]
SLOW += ["matplotlib", "plotly", "h5py", "tifffile", "pandas", "damask"]
PUBLIC = ["latentopt", "generative", "generative.data", "generative.data.synthetic"]
PUBLIC += ["objectives.fidelity", "objectives.homogenize", "objectives.manufacturability"]
PUBLIC += ["objectives.surrogates", "objectives.two_point"]
PUBLIC += ["objectives", "latentopt.strategies", "latentopt.export", "latentopt.errors"]
PUBLIC += ["latentopt.engines", "latentopt.simulators"]

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
    with pytest.raises(AttributeError, match=r"has no attribute 'Nonesuch'"):
        import_module(package).Nonesuch  # noqa: B018
