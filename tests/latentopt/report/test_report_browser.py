"""The page in a real browser: narrow, dark, by keyboard, with its tables and sliders at work."""

import os
import shutil

import numpy as np
import pytest

from latentopt.report import write_report
from latentopt.report.colours import DARK, PAPER
from latentopt.runs.candidates import write_candidate
from latentopt.runs.run import Run, Trial
from latentopt.settings.campaign import CampaignConfig

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        CHROMIUM is None and not os.environ.get("CI"), reason="needs chromium: apt install chromium"
    ),
]
LONG = "a_metric_of_a_user_with_a_name_that_is_much_longer_than_a_phone_is_wide"


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """Page of a run in 3-D with a feasible, a failing and an infeasible trial."""
    folder = tmp_path_factory.mktemp("browser")
    rng = np.random.default_rng(0)
    trials = []
    for k, (value, fraction) in enumerate([(3.0, 0.4), (9.0, 0.6), (None, 0), (10.0, 0.3)]):
        metrics = (
            {} if value is None else {"k_xx": value, "volume_fraction": fraction, LONG: float(k)}
        )
        end = ("completed", metrics, None) if metrics else ("failed", {}, f"no mesh of {LONG}")
        z = rng.standard_normal(4)
        trials.append(Trial(k, z, *end, "prior", 0.5, None if metrics else "crashed"))
        write_candidate(folder, k, rng.integers(0, 2, (6, 6, 6), dtype=np.uint8), z)
    run = Run(
        folder=folder,
        config=CampaignConfig(
            objective="k_xx",
            constraints=["volume_fraction <= 0.5"],
            evaluate=["effective_conductivity", "volume_fraction"],
            trials=4,
        ),
        space_id="a",
        trials=tuple(trials),
        units={"k_xx": "W/(m K)", "volume_fraction": "1"},
        provenance={},
    )
    return write_report(run)


@pytest.fixture
def open_page(open_file, path):
    def call(width=1400, scheme="light"):
        page = open_file(path, width, scheme)
        page.wait_for_selector("#outcomes .main-svg")
        page.wait_for_selector(".slices canvas")
        return page

    return call


def shown(page):
    """Trials of the rows that are shown, from the top."""
    return page.locator("#trials tbody tr:visible th").all_inner_texts()


def test_nothing_is_cut_off_on_a_phone(open_page):
    page = open_page(390)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    wide = page.evaluate(
        """[...document.querySelectorAll("main *")].filter((element) =>
            element.getBoundingClientRect().right > 390 && !element.closest(".scroll, .chart"))
            .map((element) => element.outerHTML.slice(0, 80))"""
    )
    assert wide == []


def test_no_word_of_a_table_is_broken(open_page):
    page = open_page(390)
    # The rectangles of a word's text: a word that is broken has one for each of its lines.
    broken = page.evaluate(
        r"""[...document.querySelectorAll("th, td")].flatMap((cell) => {
            const found = [];
            const walker = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
            while (walker.nextNode()) {
                for (const word of walker.currentNode.data.matchAll(/[^\W_]+/g)) {
                    const range = document.createRange();
                    range.setStart(walker.currentNode, word.index);
                    range.setEnd(walker.currentNode, word.index + word[0].length);
                    if (range.getClientRects().length > 1) found.push(word[0]);
                }
            }
            return found;
        })"""
    )
    assert broken == []


def test_a_head_sorts_by_its_numbers_and_back(open_page):
    page = open_page()
    button = page.get_by_role("button", name="k_xx [W/(m K)]", exact=True)
    button.click()
    assert shown(page) == ["0", "1", "3", "2"]  # 3, 9, 10 and none
    button.press("Enter")
    assert shown(page) == ["3", "1", "0", "2"]
    assert page.locator("th[aria-sort=descending]").count() == 1


def test_trials_are_found_by_word_and_by_kind(open_page):
    page = open_page()
    page.get_by_label("Find").fill("NO MESH")
    assert shown(page) == ["2"]
    assert page.get_by_text("1 of 4 trials").is_visible()
    page.get_by_label("Find").fill("")
    page.locator("select").select_option("feasible")
    assert shown(page) == ["0", "3"]


def test_the_csv_is_downloaded(open_page):
    page = open_page()
    with page.expect_download() as waiting:
        page.get_by_text("Download as CSV").click()
    text = waiting.value.path().read_text(encoding="utf-8")
    assert waiting.value.suggested_filename == "trials.csv"
    assert len(text.splitlines()) == 5


def test_the_keyboard_shows_the_structure_of_a_trial_and_hides_it(open_page):
    page = open_page()
    page.get_by_label("show the structure of trial 1").focus()
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    page.keyboard.press("Enter")
    assert page.locator("#preview figcaption").inner_text() == "trial 1"
    page.keyboard.press("Escape")
    assert not page.locator("#preview").is_visible()


def test_a_slider_moves_through_a_volume(open_page):
    page = open_page()
    view = page.locator(".slices").first
    slider, canvas = view.locator("input").first, view.locator("canvas").first
    before = canvas.evaluate("canvas => canvas.toDataURL()")
    slider.press("ArrowRight")
    assert canvas.get_attribute("aria-label").endswith("slice z = 4")
    assert canvas.evaluate("canvas => canvas.toDataURL()") != before
    assert not page.locator(".card img").first.is_visible()


def test_charts_turn_dark_with_the_page(open_page):
    page = open_page()
    colour = "document.getElementById('progress')._fullLayout.paper_bgcolor"
    assert page.evaluate(colour) == PAPER
    page.emulate_media(color_scheme="dark")
    page.wait_for_timeout(500)
    assert page.evaluate(colour) == DARK[PAPER]
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(219, 228, 238)"


def test_every_chart_and_picture_has_a_text(open_page):
    page = open_page()
    charts = page.locator(".chart")
    texts = [charts.nth(k).get_attribute("aria-label") for k in range(charts.count())]
    assert len(texts) > 3
    assert all(texts)
    assert page.locator("img:not([alt])").count() == 0
    assert page.locator("th:not([scope])").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault(open_page, serious_faults, scheme):
    assert serious_faults(open_page(scheme=scheme)) == []


def test_axe_finds_a_fault_where_there_is_one(open_page, serious_faults):
    page = open_page()
    page.evaluate("document.body.append(document.createElement('button'))")  # without a name
    assert serious_faults(page) != []
