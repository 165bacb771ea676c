"""What CONTRIBUTING asks of the packages as a whole: who imports whom, sizes, names, no pickle.

A rule is one test, which looks at every file and names each that breaks it.
"""

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("latentopt", "generative", "objectives")
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for package in PACKAGES
    for path in sorted((ROOT / package).rglob("*.py"))
}
FACES = {name for name, path in MODULES.items() if path.name == "__init__.py"}

MAY_IMPORT = {
    "latentopt": {"latentopt", "generative", "objectives"},
    "generative": {"generative", "objectives"},  # metrics of images, and their cut into phases
    "objectives": {"objectives"},
}
# From the ground up. A file imports from its own room and from lower floors, whatever the kind of
# import; rooms of one floor do not know one another.
FLOORS = {
    "latentopt": (
        "errors version printable interrupts durations",
        "wording measurement printing csv_tables tables pictures",
        "notebook structure_plot",
        "microstructure",
        "files goal",
        "settings",
        "export",
        "space simulators",
        "runs history",
        "evaluation fidelity unit_free onnx_models",
        "ax engines training measured static_explorer",
        "strategies",
        "campaign",
        "report",
        "serve",
        "cli",
        "__main__",
    ),
    "generative": (
        "errors batching conditions losses networks",
        "files",
        "data",
        "stages",
        "model",
        "autoencoders gans",
        "diffusion structured translators",
        "registry",
        "model_files",
        "training",
    ),
}
MOST_FILES = 25  # of a room, beside its face
MOST_IN_FUNCTIONS = 60  # imports of ours; each is of a module that costs seconds
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


class Import(NamedTuple):
    """One name that a file imports, at its top, in a function or for annotations alone."""

    by: str
    module: str  # of ours: the file that holds the name, if it is not a module itself
    name: str
    in_function: bool


@cache
def tree(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


@cache
def imports(module: str) -> tuple[Import, ...]:
    functions = [
        node
        for node in ast.walk(tree(module))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    inside = {id(node) for function in functions for node in ast.walk(function)}
    found = []
    for node in ast.walk(tree(module)):
        where = id(node) in inside
        if isinstance(node, ast.Import):
            found += [Import(module, alias.name, "", where) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}, line {node.lineno}: import by the full name"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                target = whole if whole in MODULES else str(node.module)
                found.append(Import(module, target, alias.name, where))
        elif isinstance(node, ast.Call) and dotted(node.func).endswith("import_module"):
            names = [a.value for a in node.args if isinstance(a, ast.Constant)]
            found += [Import(module, str(name), "", where) for name in names]
    return tuple(found)


def of_ours() -> Iterator[Import]:
    """Every import of a file of ours, in every file."""
    for module in MODULES:
        yield from (found for found in imports(module) if found.module in MODULES)


def dotted(node: ast.expr) -> str:
    """``torch.load`` of the expression that is called."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def room(module: str) -> tuple[str, str]:
    package, _, rest = module.partition(".")
    return package, rest.partition(".")[0]


def floor_of() -> dict[tuple[str, str], int]:
    return {
        (package, name): floor
        for package, floors in FLOORS.items()
        for floor, names in enumerate(floors)
        for name in names.split()
    }


def none_of(broken: Iterable[object]) -> None:
    """No file breaks the rule; those that do are all named."""
    lines = [str(one) for one in broken]
    assert not lines, "\n".join(lines)


def test_there_are_modules_to_look_at():
    assert {name.split(".")[0] for name in MODULES} == set(PACKAGES)
    assert len(MODULES) > 300
    assert sum(1 for _ in of_ours()) > 1000


def test_generative_may_import_objectives_and_neither_of_them_latentopt():
    none_of(
        f"{module} imports {found.module}"
        for module in MODULES
        for found in imports(module)
        if (package := found.module.split(".")[0]) in PACKAGES
        and package not in MAY_IMPORT[module.split(".")[0]]
    )


def test_every_room_has_a_floor():
    rooms = {room(module) for module in MODULES if room(module)[1] and module[:10] != "objectives"}
    none_of(sorted(rooms - floor_of().keys()))


def test_a_file_imports_from_its_own_room_and_from_lower_floors():
    floors = floor_of()
    none_of(
        f"{found.by} imports {found.module}, which is not below"
        for found in of_ours()
        if room(found.by)[0] == room(found.module)[0]
        and room(found.by) != room(found.module)
        and {room(found.by), room(found.module)} <= floors.keys()
        and floors[room(found.module)] >= floors[room(found.by)]
    )


def test_no_files_import_one_another_in_a_circle():
    arrows = defaultdict(set)
    for found in of_ours():
        if found.module not in FACES and found.module != found.by:
            arrows[found.by].add(found.module)
    left = {by: set(targets) for by, targets in arrows.items()}
    while True:  # who imports, or is imported by, nobody that is left is in no circle
        wanted = set().union(*left.values()) if left else set()
        free = [by for by, targets in left.items() if by not in wanted or not targets & left.keys()]
        if not free:
            break
        for module in free:
            del left[module]
        left = {by: targets & left.keys() for by, targets in left.items()}
    none_of(f"{by} imports {', '.join(sorted(targets))}" for by, targets in sorted(left.items()))


def test_inside_a_name_is_imported_from_the_file_that_defines_it():
    none_of(
        f"{found.by} imports {found.name} from the face {found.module}"
        for found in of_ours()
        if found.module in FACES and found.by not in FACES
    )


def test_imports_of_ours_in_functions_are_few():
    late = Counter(found.by for found in of_ours() if found.in_function)
    assert late.total() <= MOST_IN_FUNCTIONS, late.most_common()


def test_no_room_is_full():
    files = Counter(path.parent for path in MODULES.values() if path.name != "__init__.py")
    none_of(f"{folder}: {n} files" for folder, n in files.items() if n > MOST_FILES)


def test_images_are_cut_into_phases_in_one_place():
    none_of(
        path.relative_to(ROOT)
        for path in MODULES.values()
        if path.relative_to(ROOT).as_posix() not in ABOVE_ONE_HALF
        and re.search(r">=? 0\.5\b", path.read_text(encoding="utf-8"))
    )


def test_no_module_is_longer_than_400_lines():
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES.values()}
    none_of(f"{path}: {n} lines" for path, n in lines.items() if n > MOST_LINES)


def test_every_module_is_named_for_what_is_inside():
    none_of(module for module in MODULES if VAGUE & set(module.split(".")))


def test_every_module_says_what_it_is():
    none_of(module for module in MODULES if not ast.get_docstring(tree(module)))


def test_nothing_is_pickled():
    none_of(
        f"{module} imports {found.module}"
        for module in MODULES
        for found in imports(module)
        if found.module.split(".")[0] in PICKLES
    )


def test_no_file_runs_code():
    calls = [
        (module, call)
        for module in MODULES
        for call in ast.walk(tree(module))
        if isinstance(call, ast.Call)
    ]
    assert len(calls) > 10000
    none_of(f"{module}: {call.lineno}" for module, call in calls if dotted(call.func) in RUNS_CODE)
    none_of(
        f"{module}: {call.lineno}"
        for module, call in calls
        for keyword in call.keywords
        if keyword.arg == "allow_pickle"
        and not (isinstance(keyword.value, ast.Constant) and keyword.value.value is False)
    )


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
