import base64
import io
import json
import os
import re
import shutil
import subprocess
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from PIL import Image

from latentopt.errors import ExportError
from latentopt.report import write_report
from latentopt.report.charts import best_so_far, constraint_margins
from latentopt.report.place import latent_map
from latentopt.runs.candidates import candidate_path, write_candidate
from latentopt.runs.run import Run, Trial
from latentopt.settings.campaign import CampaignConfig
from latentopt.space.latent_space import LatentSpace
from latentopt.space.whitening import Whitening

HOSTILE = "</script><script>alert(1)</script><b onclick=x> & “quotes”"


def trial(index, k_xx=None, fraction=0.4, reason=None):
    status = "failed" if reason else "pending" if k_xx is None else "completed"
    metrics = {} if k_xx is None else {"k_xx": k_xx, "k_yy": 1.0, "volume_fraction": fraction}
    z = np.random.default_rng(index).standard_normal(8)
    return Trial(index, z, status, metrics, reason, "prior", 0.25 if k_xx else None)


MIXED = (
    trial(0, 3.0),
    trial(1, 9.0, fraction=0.6),  # the highest value, and not feasible
    trial(2, reason=HOSTILE),
    trial(3, 5.0),
    trial(4, 4.0),
    trial(5),
)


@pytest.fixture
def make_run(tmp_path):
    def make(trials=MIXED, **changes):
        settings = {
            "name": HOSTILE,
            "objective": "k_xx - 2*k_yy",
            "constraints": ["volume_fraction <= 0.5"],
            "evaluate": ["effective_conductivity", "volume_fraction"],
            "phase_names": ["pore", HOSTILE],
        }
        for made in trials:
            phases = np.random.default_rng(made.index).integers(0, 2, (16, 16), dtype=np.uint8)
            write_candidate(tmp_path, made.index, phases, made.z)
        return Run(
            folder=tmp_path,
            config=CampaignConfig(**(settings | changes)),
            space_id="3fa9c1d2",
            trials=tuple(trials),
            units={"k_xx": "W/(m K)", "k_yy": "W/(m K)", "volume_fraction": "1"},
            provenance={"created": "2026-01-01T10:00:00+00:00", "versions": {"torch": "2.13"}},
        )

    return make


class Page(HTMLParser):
    """What a browser would load and show: tags, links, text outside scripts and styles."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.links, self.ids, self.text = [], [], {}, ""
        self._open = []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.append(tag)
        loads = ("src", "href", "srcset", "action", "data", "poster", "xlink:href")
        self.links += [attributes[name] for name in loads if attributes.get(name)]
        if tag not in ("meta", "link", "img", "br", "input"):
            self._open.append((tag, attributes.get("id")))
        for _, name in self._open:
            if name:
                self.ids.setdefault(name, []).append(tag)

    def handle_endtag(self, tag):
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data):
        if not self._open or self._open[-1][0] not in ("script", "style"):
            self.text += data


def read(path):
    return Page(path.read_text(encoding="utf-8"))


def drawn(html):
    """The charts' data, without plotly's own code and the text of the page."""
    return "".join(re.findall(r"<script>draw\((.*)\);</script>", html))


def test_the_page_is_written_into_the_run_and_shows_each_part(make_run):
    run = make_run()
    path = write_report(run)
    assert path == run.folder / "report.html"
    page = read(path)
    for title in ("Best candidates", "Best so far", "Latent map", "Constraint margins"):
        assert title in page.text
    for title in ("Failed trials", "All trials", "Provenance", "campaign.yaml", run.space_id):
        assert title in page.text
    assert {"progress", "map", "margin0"} <= set(page.ids)


def test_nothing_on_the_page_comes_from_elsewhere(make_run):
    path = write_report(make_run())
    page = read(path)
    assert page.links
    assert all(link.startswith("data:") for link in page.links)
    html = path.read_text(encoding="utf-8")
    assert "default-src 'none'" in html
    styles = re.findall(r"<style>(.*?)</style>", html.split("<script>")[0], re.S)
    assert not any("url(" in style or "@import" in style for style in styles)


def test_text_of_the_user_stays_text(make_run):
    page = read(write_report(make_run()))
    assert "b" not in page.tags
    # plotly, two of the page and a chart each
    charts = ("progress", "parallel", "map", "margin0", "outcomes")
    assert page.tags.count("script") == 3 + len(charts)
    assert page.text.count(HOSTILE) >= 3  # name, phase, reason


def test_pictures_are_of_the_feasible_trials_best_first(make_run):
    html = write_report(make_run()).read_text(encoding="utf-8")
    assert re.findall(r'<img alt="(trial \d)"', html) == ["trial 3", "trial 4", "trial 0"]
    pictures = re.findall(r'<img alt="[^"]*" src="data:image/png;base64,([^"]+)"', html)
    for data in pictures:
        assert Image.open(io.BytesIO(base64.b64decode(data))).size == (240, 240)


def test_a_run_without_feasible_trials_says_so_and_shows_the_closest(make_run):
    trials = [trial(0, 3.0, fraction=0.9), trial(1, 2.0, fraction=0.6)]
    path = write_report(make_run(trials))
    assert "No trial meets every constraint" in read(path).text
    html = path.read_text(encoding="utf-8")
    assert re.findall(r'<img alt="(trial \d)"', html) == ["trial 1", "trial 0"]


@pytest.mark.parametrize("trials", [(), (trial(0),), (trial(0, reason="diverged"),)])
def test_a_run_without_completed_trials_still_gives_a_page(make_run, trials):
    page = read(write_report(make_run(trials)))
    assert "No trial has completed yet" in page.text


def test_a_lost_structure_is_named_in_its_place(make_run):
    run = make_run()
    candidate_path(run.folder, 3).unlink()
    path = write_report(run)
    assert "0003.npz: is missing" in read(path).text
    assert path.read_text(encoding="utf-8").count('<img alt="trial') == 2


class Flat:
    """A decoder of one's own."""

    latent_dim = 8
    image_shape = (1, 4, 4)

    def decode(self, code):
        return code.new_full((len(code), 1, 4, 4), 0.5)


def test_the_training_data_of_a_space_are_on_the_map(make_run):
    reference = torch.randn(20, 8, dtype=torch.float64)
    space = LatentSpace(Flat(), Whitening.identity(8), reference=reference, radius=4.0)
    run = make_run()
    assert "training data" in drawn(write_report(run, space=space).read_text(encoding="utf-8"))
    assert "training data" not in drawn(write_report(run).read_text(encoding="utf-8"))


def test_a_run_without_constraints_says_so(make_run):
    assert "There are no constraints" in read(write_report(make_run(constraints=[]))).text


def test_a_page_that_cannot_be_written_is_an_export_error(make_run, tmp_path):
    with pytest.raises(ExportError, match="Make the folder first"):
        write_report(make_run(), tmp_path / "missing" / "report.html")


def test_plotly_accepts_every_chart(make_run):
    import plotly.graph_objects as go

    run = make_run()
    data = np.random.default_rng(0).standard_normal((5, 8))
    for chart in (best_so_far(run), *constraint_margins(run), latent_map(run, data)):
        go.Figure(json.loads(json.dumps(chart, allow_nan=False)))


def test_the_best_so_far_is_the_running_maximum_of_feasible_values(make_run):
    line = best_so_far(make_run())["data"][-1]
    assert line["x"] == [0, 3, 4, 5]
    assert line["y"] == [1.0, 3.0, 3.0, 3.0]


def test_margins_are_signed_distances_to_the_limit(make_run):
    (chart,) = constraint_margins(make_run())
    assert chart["data"][0]["y"] == pytest.approx([0.1, -0.1, 0.1, 0.1])


def test_trials_on_a_plane_keep_their_distance_from_the_centre_on_the_map(make_run):
    rng = np.random.default_rng(0)
    plane = np.linalg.qr(rng.standard_normal((8, 2)))[0]
    points = rng.standard_normal((4, 2)) @ plane.T
    trials = [
        Trial(k, z, "completed", trial(k, 3.0).metrics, None, "prior", 0.1)
        for k, z in enumerate(points)
    ]
    traces = latent_map(make_run(trials))["data"]
    (cloud,) = (trace for trace in traces if trace["name"] == "feasible")
    shown = np.hypot(cloud["x"], cloud["y"])
    np.testing.assert_allclose(shown, np.linalg.norm(points, axis=1), atol=2e-3)


def chromium():
    return shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.mark.slow
@pytest.mark.skipif(
    chromium() is None and not os.environ.get("CI"), reason="needs chromium: apt install chromium"
)
def test_a_browser_without_network_draws_every_chart(make_run, tmp_path):
    path = write_report(make_run())
    command = [
        chromium(), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        "--host-resolver-rules=MAP * ~NOTFOUND", "--enable-logging=stderr",
        f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", path.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    page = Page(done.stdout)
    for chart in ("progress", "map", "margin0"):
        assert "svg" in page.ids[chart]
    assert all(link.startswith(("data:", "#")) for link in page.links)
    assert "Content Security Policy" not in done.stderr
    assert "Uncaught" not in done.stderr
