"""A service with tiny spaces and campaigns, and pages of it in a real browser."""

import base64
import io
import threading
import time
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from PIL import Image

pytest.importorskip("fastapi")
uvicorn = pytest.importorskip("uvicorn")

from generative import PCA  # noqa: E402
from generative.data.synthetic import gaussian_random_field  # noqa: E402
from latentopt.campaign import Campaign  # noqa: E402
from latentopt.serve.app import create_app  # noqa: E402
from latentopt.serve.run_server import hosts_of, listening  # noqa: E402
from latentopt.serve.spaces import ServedSpace, Spaces  # noqa: E402
from latentopt.space.latent_space import LatentSpace  # noqa: E402

TOKEN = "token-of-the-tests"
HOSTILE = "<img src=x onerror=alert(1)> & “quotes”"


def pair(images):
    """Two objectives at odds, and a failure now and then."""
    mean = images.double().mean((1, 2, 3))
    if 0.30 < float(mean[0]) < 0.36:
        raise RuntimeError(HOSTILE)
    return {"mean": mean, "top": -images[:, 0, 0].double().mean(1)}


@pytest.fixture(scope="session")
def solid_space():
    """Four numbers for volumes of 8x8x8."""
    images = torch.from_numpy(gaussian_random_field(40, (8, 8, 8), seed=0))
    return LatentSpace.fit(PCA((1, 8, 8, 8), components=4).fit(images), images)


@pytest.fixture(scope="session")
def runs(tiny_space, tiny_space_folder, tmp_path_factory):
    """Folder of campaigns: one unfinished, one of two objectives, one that waits to be told."""
    folder = tmp_path_factory.mktemp("runs")
    settings = {
        "space": tiny_space,
        "objectives": [pair],
        "strategy": "prior",
        "engine": "serial",
        "dry_run": False,
        "stop_failures": None,
        "trials": 16,
    }
    one = {"objective": "mean", "constraints": ["top >= -0.6"], "name": HOSTILE}
    Campaign(folder=folder / "unfinished", **(settings | one)).run(12, progress=False)
    two = {"objective": "mean, top", "seed": 3}
    Campaign(folder=folder / "front", **(settings | two)).run(progress=False)
    Campaign(folder=folder / "again", **(settings | two | {"seed": 4})).run(progress=False)
    return folder


class Service:
    """An app that answers in a thread."""

    def __init__(self, spaces, runs, **options):
        self.listener = listening("127.0.0.1", 0)
        port = self.listener.getsockname()[1]
        self.base = f"http://127.0.0.1:{port}"
        hosts = hosts_of("127.0.0.1", port)
        app = create_app(spaces, token=TOKEN, hosts=hosts, runs=runs, **options)
        self.server = uvicorn.Server(
            uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1)
        )
        self.thread = threading.Thread(
            target=self.server.run, kwargs={"sockets": [self.listener]}, daemon=True
        )
        self.thread.start()
        while not self.server.started:
            time.sleep(0.01)

    def stop(self):
        self.server.should_exit = True
        self.thread.join(10)


@pytest.fixture(scope="session")
def serve():
    def call(spaces, runs, **options):
        made = Service(spaces, runs, **options)
        yield made
        made.stop()

    return call


@pytest.fixture(scope="session")
def service(tiny_space, solid_space, runs, serve):
    spaces = Spaces([ServedSpace("tiny", tiny_space), ServedSpace("solid", solid_space)])
    yield from serve(spaces, runs)


@dataclass
class Seen:
    """What a browser did besides showing pages."""

    problems: list = field(default_factory=list)
    elsewhere: list = field(default_factory=list)


@pytest.fixture
def show(browser, service):
    """Open a page; afterwards nothing may have gone wrong in it, or have left the loopback."""
    contexts, seen = [], Seen()

    def call(path="/", state="", *, width=1400, dark=False, token=TOKEN, script=None):
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if dark else "light",
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        if script:
            page.add_init_script(script)
        page.on("console", lambda m: m.type == "error" and seen.problems.append(m.text))
        page.on("pageerror", lambda error: seen.problems.append(str(error)))
        page.on("request", lambda r: seen.elsewhere.append(r.url) if is_out(r.url) else None)
        parts = [state] if state else []
        page.goto(
            f"{service.base}{path}#{'&'.join([*parts, f'token={token}'] if token else parts)}"
        )
        return page

    def is_out(url):
        return not url.startswith((service.base, "data:", "blob:"))

    call.seen = seen
    yield call
    for context in contexts:
        context.close()
    assert seen.elsewhere == []
    assert seen.problems == []


@pytest.fixture
def explorer(show, tiny_space):
    """The explorer of the tiny space, which has drawn all there is of its first structure."""

    def call(state="", space=tiny_space, **options):
        page = show("/", "&".join(filter(None, [f"space={space.id}", state])), **options)
        page.wait_for_selector("#charts svg")
        return page

    return call


@pytest.fixture
def campaign(show):
    """The view of a campaign that has been drawn."""

    def call(id, more="", **options):
        page = show("/pages/run.html", f"run={id}{more}", **options)
        page.wait_for_selector("#trials tbody tr")
        return page

    return call


def state_of(page):
    """What the address of the explorer says: points as arrays."""
    parts = page.evaluate("[...new URLSearchParams(location.hash.slice(1))]")
    state = dict(parts)
    for name in {"a", "b"} & {*state}:
        text = state[name] + "=" * (-len(state[name]) % 4)
        state[name] = np.frombuffer(base64.urlsafe_b64decode(text), dtype="<f8")
    return state


def pixels(page, selector):
    """RGB of a canvas of the page, a pixel a voxel."""
    script = f"document.querySelector({selector!r}).toDataURL()"
    data = page.evaluate(script).split(",")[1]
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"))


def until(page, script, seconds=20):
    """Wait for something to be true in a page. (`wait_for_function` needs eval, which CSP bars.)"""
    end = time.monotonic() + seconds
    while not page.evaluate(script):
        assert time.monotonic() < end, f"waited {seconds} s for {script}"
        page.wait_for_timeout(30)


@pytest.fixture
def look():
    """Functions that read a page."""

    class Look:
        state = staticmethod(state_of)
        pixels = staticmethod(pixels)
        until = staticmethod(until)

    return Look
