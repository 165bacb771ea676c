"""What Markdown files name exists: links, code, commands, settings; tables have their record."""

import ast
import re
import runpy
import shlex
from importlib import import_module
from pathlib import Path

import pytest
import yaml

from latentopt.campaign import CampaignConfig
from latentopt.training import TrainingSettings

ROOT = Path(__file__).resolve().parents[1]
CARDS = sorted((ROOT / "latentopt" / "assets").rglob("README.md"))
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *CARDS,
]
NAMES = [path.relative_to(ROOT).as_posix() for path in PAGES]
RECORDS = [path for path in PAGES if path.parent.name == "results" and path.name != "README.md"]
DECISIONS = [path for path in PAGES if path.parent.name == "decisions"]
PACKAGES = ("latentopt", "generative", "objectives")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
# A module's file, or a name in a module, between backticks.
DOTTED = re.compile(rf"`((?:{'|'.join(PACKAGES)})(?:\.\w+)+)`")
FILE = re.compile(
    rf"`((?:{'|'.join((*PACKAGES, 'tests', 'docs', 'examples', 'benchmarks'))})/[\w./]*)`"
)
COMMAND = re.compile(r"^ {4}(?:\.venv/bin/)?(latentopt \S.*?)(?:\s+#.*)?$", re.MULTILINE)
# `latentopt export RUN` is short for `latentopt export candidates RUN`.
BY_DEFAULT = {"export": "candidates"}

every_page = pytest.mark.parametrize("page", PAGES, ids=NAMES)


def text_of(page):
    return page.read_text(encoding="utf-8")


def blocks(page, language):
    """Fenced blocks of one language."""
    return [body for kind, body in FENCE.findall(text_of(page)) if kind == language]


def headings(page):
    """Anchors of the headings, as GitHub makes them."""
    outside = FENCE.sub("", text_of(page))
    titles = re.findall(r"^#+ (.*)$", outside, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@every_page
def test_links_lead_to_files_and_headings_that_exist(page):
    missing = []
    for link in LINK.findall(FENCE.sub("", text_of(page))):
        if re.match(r"\w+:", link):
            continue
        name, _, heading = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (heading and heading not in headings(target)):
            missing.append(link)
    assert not missing


def test_every_page_of_docs_but_decisions_is_in_the_index():
    index = LINK.findall(text_of(ROOT / "docs" / "README.md"))
    listed = {(ROOT / "docs" / link.partition("#")[0]).resolve() for link in index}
    results = LINK.findall(text_of(ROOT / "docs" / "results" / "README.md"))
    listed |= {(ROOT / "docs" / "results" / link).resolve() for link in results}
    pages = {page for page in PAGES if ROOT / "docs" in page.parents} - set(DECISIONS)
    assert not pages - listed - {ROOT / "docs" / "README.md"}


def imported_names(source):
    """Pairs of a module and a name in it (None: the module alone) that Python text imports."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.module, alias.name) for alias in node.names)


@every_page
def test_python_blocks_compile_and_import_names_that_exist(page):
    for block in blocks(page, "python"):
        compile(block, str(page), "exec")
        for module, name in imported_names(block):
            assert name is None or has(import_module(module), name), f"{module} has no {name}"


def has(owner, name):
    """Whether a module or class has the name; a face knows its names without loading them."""
    return name in dir(owner) or hasattr(owner, name)


def exists(dotted):
    """Whether ``a.b.c`` is a module, or a name in one."""
    parts = dotted.split(".")
    for i in range(len(parts), 0, -1):
        try:
            found = import_module(".".join(parts[:i]))
        except ModuleNotFoundError:
            continue
        *owners, last = parts[i:] or ["__name__"]
        for name in owners:
            found = getattr(found, name)
        return has(found, last)
    return False


@every_page
def test_modules_names_and_files_that_are_named_exist(page):
    assert not [dotted for dotted in DOTTED.findall(text_of(page)) if not exists(dotted)]
    assert not [name for name in FILE.findall(text_of(page)) if not (ROOT / name).exists()]


@pytest.fixture(scope="module")
def command_tree():
    from typer.main import get_command

    from latentopt.cli.app import app

    return get_command(app)


@every_page
def test_commands_and_their_options_exist(page, command_tree):
    for line in COMMAND.findall(text_of(page)):
        words = shlex.split(line)[1:]
        command, rest = command_tree, words
        while hasattr(command, "commands"):
            by_default = BY_DEFAULT.get(words[0]) if command is not command_tree else None
            name = rest[0] if rest[0] in command.commands else by_default
            assert name in command.commands, line
            rest = rest[1:] if rest[0] == name else rest
            command = command.commands[name]
        known = {option for p in command.params for option in (*p.opts, *p.secondary_opts)}
        asked = {word.strip("[]") for word in rest if word.strip("[").startswith("--")}
        assert asked <= known | {"--help"}, line


@every_page
def test_yaml_blocks_are_settings(page):
    for block in blocks(page, "yaml"):
        settings = yaml.safe_load(block)
        if not isinstance(settings, dict):
            continue
        if "data" in settings:
            TrainingSettings.checked(settings)
        else:  # a whole campaign, or some of its settings
            whole = {"objective": "x", "evaluate": ["volume_fraction"]} | settings
            if not (whole["evaluate"] or whole.get("simulate")):
                whole["evaluate"] = ["volume_fraction"]
            CampaignConfig.checked(whole)


def test_the_campaign_of_the_readme_is_that_of_the_examples():
    (block,) = blocks(ROOT / "README.md", "yaml")
    example = ROOT / "examples" / "configs" / "one_way_conductor.yaml"
    said, kept = (yaml.safe_load(text) for text in (block, text_of(example)))
    assert CampaignConfig.checked(said) == CampaignConfig.checked(kept)


def test_the_readme_is_short():
    assert len(text_of(ROOT / "README.md").split()) <= 900


@pytest.mark.parametrize("page", DECISIONS, ids=[page.stem for page in DECISIONS])
def test_a_decision_is_one_page(page):
    assert len(text_of(page).splitlines()) <= 60


@pytest.mark.parametrize("page", RECORDS, ids=[page.stem for page in RECORDS])
def test_every_table_of_record_has_command_commit_and_date(page):
    sections = re.split(r"^## ", text_of(page), flags=re.MULTILINE)[1:]
    tables = [section for section in sections if re.search(r"^\|", section, re.MULTILINE)]
    assert tables
    for section in tables:
        title = section.splitlines()[0]
        assert re.search(r"^- Command: \S", section, re.MULTILINE), title
        record = re.search(r"^- Commit: (.*(?:\n  .*)*)$", section, re.MULTILINE)
        assert record, title
        assert re.search(r"`[0-9a-f]{7}`|not recorded", record[1]), title
        assert re.search(r"^- Date: 20\d\d-\d\d-\d\d", section, re.MULTILINE), title


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        *("docs/getting_started.md", "docs/latent_spaces.md"),
        *("docs/search.md", "docs/objectives.md"),
    ],
)
def test_python_blocks_run(embedded_once, name, tmp_path, monkeypatch):
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    assert blocks(ROOT / name, "python")
    for number, block in enumerate(blocks(ROOT / name, "python")):
        script = tmp_path / f"block_{number}.py"
        script.write_text(block, encoding="utf-8")
        runpy.run_path(str(script), run_name="__main__")
