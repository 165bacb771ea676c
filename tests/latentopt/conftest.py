"""A latent space small enough to run whole campaigns in it."""

import gzip
import logging
import os
import shutil
import signal
import subprocess
import sys
from multiprocessing import forkserver, get_context
from pathlib import Path

import pytest
import torch

from generative import PCA
from generative.data.synthetic import gaussian_random_field
from latentopt.engines import worker_process
from latentopt.fidelity import guesses
from latentopt.space import latent_space
from latentopt.space.latent_space import LatentSpace


@pytest.fixture(scope="session")
def tiny_space():
    """Four numbers for 8x8 images."""
    images = torch.from_numpy(gaussian_random_field(60, (8, 8), seed=0))
    return LatentSpace.fit(PCA((1, 8, 8), components=4).fit(images), images)


@pytest.fixture(scope="session")
def tiny_space_folder(tiny_space, tmp_path_factory):
    return tiny_space.save(tmp_path_factory.mktemp("tiny") / "space")


CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--no-sandbox",
    # WebGL2 without a graphics card.
    *("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"),
]


@pytest.fixture(scope="module")
def browser():
    """A real Chromium. Of a module: until it is closed, its loop runs in this thread."""
    playwright = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None and not os.environ.get("CI"):  # where nothing may be skipped
        pytest.skip("needs Chromium")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


@pytest.fixture
def open_file(browser):
    """Open a page from its file: nothing may go wrong in it, and it may load nothing else."""
    contexts, problems = [], []

    def call(path, width=1400, scheme="light"):
        viewport = {"width": width, "height": 900}
        contexts.append(browser.new_context(viewport=viewport, color_scheme=scheme))
        page = contexts[-1].new_page()
        page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda r: problems.append(r.url) if r.url.startswith("http") else None)
        page.goto(path.as_uri())
        return page

    yield call
    for context in contexts:
        context.close()
    assert problems == []


AXE = Path(__file__).parents[1] / "data" / "axe" / "axe-4.14.1.min.js.gz"


@pytest.fixture(scope="session")
def serious_faults():
    """What axe-core calls serious or worse in a page, one line each."""
    source = gzip.decompress(AXE.read_bytes()).decode()

    def call(page):
        page.evaluate(source)
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{one['id']}: {one['help']}, {one['nodes'][0]['html'][:120]}"
            for one in found["violations"]
            if one["impact"] in ("serious", "critical")
        ]

    return call


class Forked:
    """A command in a process that has imported everything, seen as a `subprocess.Popen` is."""

    def __init__(self, folder, main, arguments, cwd, environment):
        self.files = folder / "stdout", folder / "stderr"
        self.process = get_context("fork").Process(
            target=_forked, args=(main, arguments, cwd, environment, self.files)
        )
        self.process.start()
        self.pid = self.process.pid

    @property
    def returncode(self):
        return self.process.exitcode

    def poll(self):
        self.process.join(0)
        return self.returncode

    def wait(self, timeout=None):
        self.process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout)
        return self.returncode

    def communicate(self, timeout=None):
        """Standard output and standard error, once it has ended."""
        self.wait(timeout)
        return tuple(file.read_text() if file.exists() else "" for file in self.files)

    def send_signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)


def _forked(main, arguments, cwd, environment, files):
    """Be as a new interpreter is: signals, files, folder, environment, a session of its own."""
    os.setsid()
    # That of `forked_workers`, which is no child of this process.
    forkserver._forkserver.ensure_running = lambda: None
    for number in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for stream, file in enumerate(files, start=1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), stream)
    sys.stdout = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
    for handler in logging.root.handlers[:]:  # those of pytest
        logging.root.removeHandler(handler)
    sys.argv = ["latentopt", *map(str, arguments)]
    os.environ.update(environment)
    os.chdir(cwd)
    sys.path.insert(0, str(cwd))
    main()


@pytest.fixture(scope="module")
def few_points():
    """A GAN's space inverts few images for its reference and its card, and by few steps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(latent_space, "INVERTED_STEPS", 2)
        patch.setattr(guesses, "STRUCTURES", 2)
        yield


@pytest.fixture
def forked_workers(monkeypatch):
    """Workers are forked from one process that has imported torch, and not started anew.

    For tests of what a worker does; how one is started is tested in tests/latentopt/engines and
    tests/contracts/test_engine_contract.py. They have the environment of the first such test.
    """
    context = get_context("forkserver")
    context.set_forkserver_preload(["latentopt.engines.worker", "latentopt.evaluation.objectives"])
    forkserver.ensure_running()
    monkeypatch.setattr(worker_process, "get_context", lambda method: context)


@pytest.fixture
def fork(tmp_path_factory):
    """Start a command line, or another function, in a process forked from this one.

    It costs no interpreter that imports torch. What a command does while it is imported needs one:
    tests/latentopt/cli/test_cli_interrupt.py.
    """
    from latentopt.__main__ import main as command_line
    from latentopt.cli import optimize, train  # noqa: F401

    started = []

    def call(*arguments, cwd, main=command_line, **environment):
        folder = tmp_path_factory.mktemp("forked")
        environment = {name: str(value) for name, value in environment.items()}
        started.append(Forked(folder, main, arguments, cwd, environment))
        return started[-1]

    yield call
    for process in started:
        process.kill()
        process.wait()
