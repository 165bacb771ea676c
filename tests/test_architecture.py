"""What CONTRIBUTING asks of the packages as a whole: who imports whom, sizes, names, no pickle."""

import ast
import re
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("latentopt", "generative", "objectives")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
NAMES = [path.relative_to(ROOT).as_posix() for path in MODULES]

MAY_IMPORT = {
    "latentopt": {"latentopt", "generative", "objectives"},
    "generative": {"generative", "objectives"},  # metrics of images, and their cut into phases
    "objectives": {"objectives"},
}
MOST_LINES = 400
# The cut, and what compares something else: the share of one phase that the cut has settled, a
# difference, a sum of indicators. Elsewhere a cut is `objectives.phases.to_phases`.
ABOVE_ONE_HALF = {
    "objectives/phases.py",
    "objectives/manufacturability/depth.py",
    "objectives/manufacturability/periodic_seam.py",
    "objectives/manufacturability/structure.py",
    "objectives/manufacturability/thickness.py",
}
VAGUE = {"utils", "util", "helpers", "helper", "common", "base", "core", "misc", "tools"}
PICKLES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
RUNS_CODE = {
    "torch.load",
    "torch.save",
    "torch.jit.load",
    "torch.hub.load",
    "yaml.load",
    "yaml.full_load",
    "yaml.unsafe_load",
    "pandas.read_pickle",
    "pd.read_pickle",
    "eval",
    "exec",
}
TABLES = {
    "generative.MODELS": {"pca", "vae"},
    "objectives.OBJECTIVES": {"volume_fraction", "effective_conductivity", "two_point_target"},
    "objectives.surrogates.SURROGATES": {
        "pymks_pipeline",
        "pymks_localization",
        "two_point_gp",
        "cnn",
        "latent_gp",
    },
    "latentopt.strategies.STRATEGIES": {"prior", "gp_typical"},
    "generative.data.synthetic.FAMILIES": {"fibres", "spheres", "spinodal", "voronoi", "laminate"},
    "latentopt.export.EXPORTERS": {
        "hdf5",
        "npz",
        "tiff",
        "png",
        "damask",
        "dream3d7",
        "dream3d8",
        "abaqus",
        "gmsh",
        "stl",
        "spparks",
        "nrrd",
    },
    "latentopt.engines.ENGINES": {"serial", "process", "dask", "parsl", "import"},
    "latentopt.simulators.SIMULATORS": {"python", "subprocess", "http"},
}

every_module = pytest.mark.parametrize("path", MODULES, ids=NAMES)


def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(path):
    """Modules that a file imports anywhere, in a function or only for its annotations as well."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: import by the full name"
            yield node.module
        elif isinstance(node, ast.Call) and dotted(node.func).endswith("import_module"):
            yield from (a.value for a in node.args if isinstance(a, ast.Constant))


def dotted(node):
    """``torch.load`` of the expression that is called."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def test_there_are_modules_to_look_at():
    assert {path.relative_to(ROOT).parts[0] for path in MODULES} == set(PACKAGES)
    assert len(MODULES) > 30


@every_module
def test_generative_may_import_objectives_and_neither_of_them_latentopt(path):
    ours = {name.split(".")[0] for name in imported(path)} & set(PACKAGES)
    assert ours <= MAY_IMPORT[path.relative_to(ROOT).parts[0]]


@every_module
def test_images_are_cut_into_phases_in_one_place(path):
    elsewhere = path.relative_to(ROOT).as_posix() not in ABOVE_ONE_HALF
    assert not (elsewhere and re.search(r">=? 0\.5\b", path.read_text(encoding="utf-8")))


@every_module
def test_no_module_is_longer_than_400_lines(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


@every_module
def test_every_module_is_named_for_what_is_inside(path):
    assert not VAGUE & {part.removesuffix(".py") for part in path.relative_to(ROOT).parts}


@every_module
def test_every_module_says_what_it_is(path):
    assert ast.get_docstring(tree(path))


@every_module
def test_nothing_is_pickled_and_no_file_runs_code(path):
    assert not PICKLES & {name.split(".")[0] for name in imported(path)}
    for call in (node for node in ast.walk(tree(path)) if isinstance(node, ast.Call)):
        assert dotted(call.func) not in RUNS_CODE, f"line {call.lineno}"
        for keyword in call.keywords:
            if keyword.arg == "allow_pickle":
                assert keyword.value.value is False, f"line {call.lineno}"


@pytest.mark.parametrize("table", TABLES)
def test_every_row_of_a_table_is_a_class_of_ours(table):
    module, _, name = table.rpartition(".")
    rows = getattr(import_module(module), name)
    assert rows.keys() >= TABLES[table]
    for row in rows.values():
        home = row if isinstance(row, type) else type(row)
        assert home.__module__.split(".")[0] in PACKAGES


def test_test_files_have_different_names():
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert len(names) == len(set(names))
