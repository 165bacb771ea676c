"""What the faces of the packages offer: names that are loaded on first use, from typed stubs."""

import ast
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("latentopt", "generative", "objectives")
STUBS = sorted(
    path for package in PACKAGES
    for path in (ROOT / package).rglob("__init__.pyi")
)  # fmt: skip
FACES = [stub.parent.relative_to(ROOT).as_posix().replace("/", ".") for stub in STUBS]
OF_LATENTOPT = {
    *("Campaign", "Candidate", "Goal", "History", "LatentSpace", "Microstructure", "Run", "Trial"),
    "__version__",
}

every_face = pytest.mark.parametrize(("face", "stub"), zip(FACES, STUBS, strict=True), ids=FACES)


def promised(stub):
    """The file that defines each name, as a stub says; None for a package within."""
    homes = {}
    for node in ast.parse(stub.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom):
            assert node.level == 1, "a face offers what lies in its own package"
            homes |= {alias.asname or alias.name: node.module for alias in node.names}
    return homes


def listed(stub):
    """The names of ``__all__`` in a stub."""
    last = ast.parse(stub.read_text(encoding="utf-8")).body[-1]
    assert isinstance(last, ast.Assign)
    assert [name.id for name in last.targets] == ["__all__"]
    return ast.literal_eval(last.value)


def test_each_face_that_loads_on_first_use_has_a_stub():
    lazy = {
        path.parent
        for package in PACKAGES
        for path in (ROOT / package).rglob("__init__.py")
        if "attach_stub" in path.read_text(encoding="utf-8")
    }
    assert lazy == {stub.parent for stub in STUBS}
    assert len(lazy) > 20


@every_face
def test_a_face_offers_what_its_stub_says(face, stub):
    module, homes = import_module(face), promised(stub)
    assert set(listed(stub)) == homes.keys() == set(module.__all__) == set(dir(module))
    for name, home in homes.items():
        if home is None:
            assert getattr(module, name) is import_module(f"{face}.{name}")
        else:
            assert getattr(module, name) is getattr(import_module(f"{face}.{home}"), name)


@pytest.mark.parametrize("stub", STUBS, ids=FACES)
def test_no_file_beside_a_face_hides_a_name_of_another_file(stub):
    for name, home in promised(stub).items():
        beside = (stub.parent / f"{name}.py").exists()
        assert not beside or home == name, f"{name} is a file, and another file's name"


def told_to_users():
    """The Python that users are shown: examples, and what stands in the pages between fences."""
    for example in sorted((ROOT / "examples").glob("*.py")):
        yield example.relative_to(ROOT).as_posix(), example.read_text(encoding="utf-8")
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        for block in re.findall(
            r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S
        ):
            yield page.relative_to(ROOT).as_posix(), block


def test_users_are_shown_imports_from_faces_and_from_files_of_the_ground():
    shown = set()
    for place, code in told_to_users():
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] in PACKAGES:
                of_the_ground = (ROOT / node.module.replace(".", "/")).with_suffix(".py").exists()
                assert node.module in FACES or (of_the_ground and node.module.count(".") == 1), (
                    place,
                    node.module,
                )
                names = {alias.name for alias in node.names}
                assert names <= set(import_module(node.module).__all__), (place, node.module)
                shown.add(place)
    assert len(shown) > 7


def test_latentopt_offers_the_nouns_of_a_search():
    assert set(dir(import_module("latentopt"))) == OF_LATENTOPT


def test_a_name_that_its_file_bears_is_not_hidden_by_the_file():
    code = (
        "import latentopt.export.verify, generative.training.train, objectives.lineal_path\n"
        "from latentopt.export import verify\n"
        "from generative.training import train\n"
        "from objectives import lineal_path\n"
        "print(*(callable(name) for name in (verify, train, lineal_path)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (ran.stdout, ran.stderr) == ("True True True\n", "")
