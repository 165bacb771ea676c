"""What the report draws beyond the trials: fronts, models, places and outcomes."""

import json
import re
import shutil
import subprocess
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from latentopt.campaign.campaign import Campaign
from latentopt.errors import CampaignError
from latentopt.microstructure import to_phases
from latentopt.pictures import PHASE_COLOURS, thumbnail_png
from latentopt.report import write_report
from latentopt.report.charts import best_so_far, outcomes
from latentopt.report.front import growth, pareto_front
from latentopt.report.place import distances, structure_map
from latentopt.report.surrogate import (
    explained_share,
    fit_chart,
    importance_chart,
    surrogate_sections,
)
from latentopt.runs.baseline import Baseline, baseline_from
from latentopt.runs.candidates import candidate_path, write_candidate
from latentopt.runs.pareto import hypervolume
from latentopt.runs.quantities import split_objectives


def halves(images):
    """Two metrics against each other; a full structure fails."""
    x = images.double()
    mean = float(x.mean())
    if mean > 0.8:
        raise ValueError("too full")
    return {"mean": mean, "left": float(x[..., :4].mean() - x[..., 4:].mean()) - mean}


@pytest.fixture(scope="module")
def make(tiny_space, tmp_path_factory):
    def call(objective="mean, left", **settings):
        settings = {"strategy": "prior", "engine": "serial", "trials": 14} | settings
        return Campaign(
            space=tiny_space,
            objective=objective,
            objectives=[halves],
            constraints=["mean >= 0.2"],
            folder=tmp_path_factory.mktemp("panels") / "run",
            **settings,
        ).run(progress=False)

    return call


@pytest.fixture(scope="module")
def several(make):
    return make()


@pytest.fixture(scope="module")
def single(make):
    return make("left", seed=1)


def charts_of(html):
    return re.findall(r'<script>draw\("(\w+)"', html)


def test_a_page_of_several_objectives_shows_the_front_and_its_structures(several, tiny_space):
    html = write_report(several, space=tiny_space).read_text()
    drawn = charts_of(html)
    assert drawn[:2] == ["front", "growth"]
    assert {"progress", "map", "structures", "distances", "outcomes"} <= set(drawn)
    pictured = {int(i) for i in re.findall(r'<img alt="trial (\d+)"', html)}
    assert pictured == {trial.index for trial in several.pareto()}


def test_the_chart_of_the_front_is_the_front(several):
    traces = {trace["name"]: trace for trace in pareto_front(several)["data"]}
    front = several.pareto()
    assert len(front) > 2
    assert traces["front"]["customdata"] == [trial.index for trial in front]
    assert traces["front"]["x"] == [trial.metrics["mean"] for trial in front]
    assert traces["front"]["y"] == [trial.metrics["left"] for trial in front]
    shown = sum(len(trace["x"]) for trace in traces.values())
    assert shown == sum(trial.status == "completed" for trial in several.trials)


def test_the_volume_grows_and_ends_at_that_of_the_front(several):
    volumes = growth(several)["data"][0]["y"]
    assert volumes == sorted(volumes)
    values = np.array([several.config.goal.values(t.metrics) for t in several.feasible])
    front = np.array([several.config.goal.values(t.metrics) for t in several.pareto()])
    assert volumes[-1] == pytest.approx(hypervolume(front, values.min(0)))


def test_objectives_are_parted_outside_of_brackets():
    assert split_objectives("-distance(a - 1, b - 2), c") == ["-distance(a - 1, b - 2)", "c"]


def test_a_baseline_is_drawn_to_the_end_of_the_run(single, make):
    other = make("left", seed=2, trials=4)
    baseline = baseline_from(other.folder, single)
    lines = {trace["name"]: trace for trace in best_so_far(single, [baseline])["data"]}
    line = lines["best of campaign (prior)"]
    assert line["x"][-1] == single.trials[-1].index
    assert line["y"][-1] == max(other.value(trial) for trial in other.feasible)


def test_a_baseline_towards_another_goal_is_refused(single, several):
    with pytest.raises(CampaignError, match="has objective mean, left, not left"):
        baseline_from(several.folder, single)


def test_the_initial_points_are_the_baseline_of_a_search(single, tiny_space):
    strategy = {"kind": "gp_typical", "initial": 3}
    config = single.config.model_copy(update={"strategy": strategy})
    html = write_report(replace(single, config=config)).read_text()
    assert "best of 3 initial points" in html
    assert isinstance(Baseline("x", single).value, float)


def test_outcomes_add_up_to_all_trials(several):
    bars = outcomes(several)["data"]
    assert sum(bar["x"][0] for bar in bars) == len(several.trials)
    failed = sum(bar["x"][0] for bar in bars if bar["name"].startswith("failed"))
    assert failed == sum(trial.status == "failed" for trial in several.trials)


def test_every_trial_with_a_structure_is_on_the_structure_map(single, tiny_space):
    chart = structure_map(single, tiny_space)
    shown = {index for trace in chart["data"] for index in trace.get("customdata", [])}
    assert shown == {trial.index for trial in single.trials}


def test_a_trial_with_a_training_structure_lies_where_that_lies(single, tiny_space, tmp_path):
    z = tiny_space.project(tiny_space.reference_[3:4])
    trial = next(trial for trial in single.trials if trial.status == "completed")
    trial = replace(trial, z=z[0].numpy(), voxel_sha256=None)
    write_candidate(tmp_path, trial.index, to_phases(tiny_space.decode(z))[0].numpy(), trial.z)
    cloud, point, *_ = structure_map(replace(single, folder=tmp_path, trials=(trial,)), tiny_space)[
        "data"
    ]
    assert (point["x"][0], point["y"][0]) == pytest.approx((cloud["x"][3], cloud["y"][3]), abs=2e-3)


def test_the_structure_map_leaves_out_trials_without_a_file(make, tiny_space):
    run = make("left", seed=3, trials=4)
    candidate_path(run.folder, 2).unlink()
    chart = structure_map(run, tiny_space)
    assert 2 not in [index for trace in chart["data"] for index in trace.get("customdata", [])]


def test_the_median_distance_of_training_structures_is_one(single, tiny_space):
    own, theirs = distances(single, tiny_space)["data"]
    assert np.sort(own["x"])[(len(own["x"]) - 1) // 2] == pytest.approx(1, abs=1e-3)
    completed = [t for t in single.trials if t.status == "completed"]
    assert theirs["x"] == pytest.approx(
        [t.metrics["distance_from_data"] for t in completed], abs=1e-4
    )


# -- models ---------------------------------------------------------------------------------------


def fit(observed, predicted, sigma):
    tensors = (torch.tensor(row, dtype=torch.float64) for row in (observed, predicted, sigma))
    return SimpleNamespace(**dict(zip(("observed", "predicted", "sigma"), tensors, strict=True)))


class Nearest:
    """A real, if plain, model: each value is predicted by that of the nearest other point."""

    def __init__(self, history):
        apart = torch.cdist(history.z, history.z).fill_diagonal_(torch.inf)
        self._nearest, self._metrics = apart.argmin(1), history.metrics

    def cross_validate(self):
        return {
            name: fit(y.tolist(), y[self._nearest].tolist(), [float(y.std())] * len(y))
            for name, y in self._metrics.items()
        }

    def importances(self):
        return {name: {"z00": 0.75, "z01": 0.25} for name in self._metrics}


class Neighbours:
    def model(self, history):
        return Nearest(history)


def test_a_model_is_shown_by_its_fit_and_importances(single, tiny_space):
    html = write_report(single, space=tiny_space, strategy=Neighbours()).read_text()
    assert {"fit0", "importance0"} <= set(charts_of(html))
    assert "Importance of inputs" in html


def test_figures_of_a_fit_are_those_of_its_definition():
    assert explained_share(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0])) == 1
    assert explained_share(np.array([1.0, 2.0, 3.0]), np.full(3, 2.0)) == 0
    chart = fit_chart("<k>", fit([1, 2], [1.5, 2], [0.5, 1]), [4, 7, 9])
    points = chart["data"][0]
    assert points["customdata"] == [4, 7]
    assert points["error_y"]["array"] == pytest.approx([0.98, 1.96])
    assert chart["layout"]["title"]["text"] == "&lt;k&gt;"


def test_importances_are_ranked_and_the_small_ones_summed():
    shares = {f"z{k:02d}": (k + 1) / 210 for k in range(20)}
    bars = importance_chart("k_xx", shares)["data"][0]
    assert bars["y"][-1] == "z19"
    assert bars["y"][0] == "8 others"
    assert sum(bars["x"]) == pytest.approx(1)


def test_without_a_model_the_page_says_why(single, tiny_space):
    def reason(strategy, space=tiny_space, run=single):
        return surrogate_sections(run, space, strategy)[0]

    assert "Strategy prior has no model" in reason(object())
    assert "given in Python" in reason(None)
    assert "space is not at hand" in reason(Neighbours(), space=None)
    short = replace(single, trials=single.trials[:2])
    assert "from 5 completed trials on" in reason(Neighbours(), run=short)


def test_a_model_that_cannot_be_fitted_is_told_and_the_page_stays(single, tiny_space):
    class Failing:
        def model(self, history):
            raise torch.linalg.LinAlgError("not positive definite")

    html = write_report(single, space=tiny_space, strategy=Failing()).read_text()
    assert "could not be fitted: not positive definite" in html


@pytest.mark.slow
def test_the_processes_of_a_strategy_of_ours_are_shown(single, tiny_space):
    from latentopt.strategies import STRATEGIES

    strategy = STRATEGIES["gp_typical"]()
    sections = "".join(surrogate_sections(single, tiny_space, strategy))
    assert charts_of(sections) == ["fit0", "fit1", "importance0", "importance1"]


def test_the_commands_compare_and_export_the_front(run, make, several, tmp_path):
    other, page = make(seed=5, trials=4), tmp_path / "page.html"
    code, _, err = run("report", several.folder, "--baseline", other.folder, "--out", page)
    assert code == 0, err
    assert "best of campaign (prior)" in page.read_text()
    code, out, err = run("export", several.folder, "--front", "--format", "tiff", "--out", tmp_path)
    assert code == 0, err
    names = [f"trial_{trial.index:04d}.tif" for trial in several.pareto()]
    assert [line.rpartition("/")[2] for line in out.split()] == names


def test_status_of_several_objectives_lists_the_front_and_no_best(run, several):
    _, out, _ = run("status", several.folder)
    assert f"The Pareto front has {len(several.pareto())} structures" in out
    assert "best" not in out
    assert all(f"trial {trial.index}" in out for trial in several.pareto()[:3])
    _, out, _ = run("status", several.folder, "--json")
    state = json.loads(out)
    assert state["state"] == "finished"
    assert [row["trial"] for row in state["front"]] == [t.index for t in several.pareto()]
    assert all(len(row["values"]) == 2 for row in state["front"])


# -- pictures -------------------------------------------------------------------------------------


def test_a_thumbnail_holds_every_voxel_in_its_colour():
    import io

    from PIL import Image

    phases = np.random.default_rng(0).integers(0, 3, (9, 7), dtype=np.uint8)
    shown = np.asarray(Image.open(io.BytesIO(thumbnail_png(phases))).convert("RGB"))
    table = [tuple(bytes.fromhex(colour[1:])) for colour in PHASE_COLOURS]
    assert all(tuple(shown[p]) == table[phases[p]] for p in np.ndindex(phases.shape))
    solid = np.stack([phases, 2 - phases, phases])
    assert thumbnail_png(solid) == thumbnail_png(np.ascontiguousarray(2 - phases))
    assert len(thumbnail_png(np.zeros((64, 64), dtype=np.uint8))) < 1000


def test_every_trial_of_a_page_has_its_picture_under_the_mouse(single):
    html = write_report(single).read_text()
    pictures = json.loads(re.search(r"const structures = (\{.*?\});", html).group(1))
    assert {int(index) for index in pictures} == {trial.index for trial in single.trials}


HOVER = """
<script>
addEventListener("load", () => setTimeout(() => {
  const chart = document.getElementById("front");
  const area = chart.querySelector(".nsewdrag"), corner = area.getBoundingClientRect();
  const front = chart.data.at(-1), { xaxis, yaxis } = chart._fullLayout;
  const place = {
    clientX: corner.left + xaxis.d2p(front.x[0]),
    clientY: corner.top + yaxis.d2p(front.y[0]),
  };
  area.dispatchEvent(new MouseEvent("mousemove", { bubbles: true, ...place }));
}, 500));
</script></body>"""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium: apt install chromium")
def test_a_browser_shows_the_structure_of_the_point_under_the_mouse(several, tmp_path):
    page = write_report(several, tmp_path / "page.html")
    html, _, _ = page.read_text().rpartition("</body>")
    page.write_text(html + HOVER)
    command = [
        "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
        "--disable-background-networking", f"--user-data-dir={tmp_path / 'profile'}",
        "--virtual-time-budget=5000", "--enable-logging=stderr", "--dump-dom", page.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert f"<figcaption>trial {several.pareto()[0].index}</figcaption>" in done.stdout
    assert "Uncaught" not in done.stderr
