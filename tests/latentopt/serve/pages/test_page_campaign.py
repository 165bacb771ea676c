"""The live view of a campaign in a real browser."""

import csv
import time

import pytest

from latentopt.campaign import Campaign
from latentopt.runs.run import Run
from latentopt.runs.verdict import verdict_of

HOSTILE = "<img src=x onerror=alert(1)> & “quotes”"


@pytest.fixture
def begun(tiny_space, runs):
    """A campaign whose trials are told one by one."""

    def mean(images):
        return {"mean": images.double().mean((1, 2, 3))}

    made = Campaign(
        space=tiny_space,
        objective="mean",
        objectives=[mean],
        strategy="prior",
        engine="serial",
        dry_run=False,
        trials=20,
        folder=runs / "live",
    )
    with made:
        yield made


def test_the_verdict_comes_in_words(campaign, runs):
    page = campaign("unfinished")
    words = verdict_of(Run.read(runs / "unfinished"), is_running=False).text
    assert page.text_content("#verdict").startswith(words)
    assert words.startswith("Stopped, and unfinished: 4 of 16 evaluations are left.")
    assert page.get_attribute("#verdict", "aria-live") == "polite"


def test_a_driver_that_has_gone_is_said(campaign):
    page = campaign("unfinished")
    assert "The process that ran it has gone" in page.text_content("#driver")


def test_a_campaign_that_is_over_says_so(campaign):
    page = campaign("front")
    assert page.text_content("#verdict").startswith("Finished")
    assert not page.is_visible("#driver")


def test_text_from_outside_is_text(campaign):
    page = campaign("unfinished")
    assert page.text_content("#title") == HOSTILE
    assert HOSTILE in page.text_content("#failures")
    assert page.locator("img").count() == 0


def test_failures_are_counted_by_reason(campaign, runs):
    page = campaign("unfinished")
    failed = [t for t in Run.read(runs / "unfinished").trials if t.status == "failed"]
    assert failed
    rows = page.locator("#failures tbody tr")
    assert rows.count() == 1
    assert rows.first.text_content().startswith(f"crashed{len(failed)} (")


def test_a_trial_that_is_told_is_shown_in_two_seconds(begun, campaign, look):
    begun.run(2, progress=False)
    page = campaign("live")
    assert page.locator("#trials tbody tr").count() == 2
    begun.run(1, progress=False)
    told = time.monotonic()
    look.until(page, "document.querySelectorAll('#trials tbody tr').length === 3", seconds=2)
    assert time.monotonic() - told < 2


def test_a_stream_that_breaks_is_taken_up_again(begun, campaign, look):
    begun.run(1, progress=False)
    script = """const known = window.fetch; window.broken = 0;
    window.fetch = (path, options) => {
      if (String(path).includes("/events") && window.broken < 1) {
        window.broken += 1;
        return Promise.reject(new TypeError("network"));
      }
      return known(path, options);
    };"""
    page = campaign("live", script=script)
    look.until(page, "window.broken === 1")
    n = len(begun.run(1, progress=False).trials)
    look.until(page, f"document.querySelectorAll('#trials tbody tr').length === {n}")


def test_the_front_shows_its_structures_and_goes_by_keyboard(campaign, runs):
    page = campaign("front")
    front = Run.read(runs / "front").pareto()
    marks = page.locator("#front .mark.front[tabindex]")
    assert marks.count() == len(front)
    assert f"The Pareto front has {len(front)} structure" in page.text_content("#verdict")
    marks.first.focus()
    page.wait_for_selector("#tip:not([hidden])")
    page.keyboard.press("Enter")
    page.wait_for_selector("#shown h3:has-text('Trial')")
    index = int(page.text_content("#shown h3").split()[1].rstrip(","))
    assert index in {trial.index for trial in front}


def test_trials_are_sorted_filtered_and_saved(campaign, runs, tmp_path):
    page = campaign("unfinished")
    trials = Run.read(runs / "unfinished").trials
    page.get_by_role("button", name="objective: mean").click()
    first = page.locator("#trials tbody th").first.text_content()
    best = max((t for t in trials if t.status == "completed"), key=lambda t: t.metrics["mean"])
    assert first == str(best.index)
    page.get_by_label("Status").select_option("failed")
    assert page.locator("#trials tbody tr").count() == sum(t.status == "failed" for t in trials)
    page.get_by_label("Status").select_option("all")
    page.get_by_label("Filter").fill("quotes")
    assert page.locator("#trials tbody tr").count() == sum(t.status == "failed" for t in trials)
    page.get_by_label("Filter").fill("")
    with page.expect_download() as found:
        page.get_by_role("button", name="Download CSV").click()
    found.value.save_as(tmp_path / "trials.csv")
    with (tmp_path / "trials.csv").open(newline="", encoding="utf-8") as file:
        rows = {int(row["trial"]): row for row in csv.DictReader(file)}
    assert len(rows) == len(trials)
    assert float(rows[best.index]["mean"]) == best.metrics["mean"]
    assert {row["reason"] for row in rows.values()} == {
        t.reason and said(t.reason) for t in trials
    } - {None} | {""}


def said(reason):
    return f"'{reason}" if reason.startswith(("=", "+", "-", "@")) else reason


def compared(page, id):
    page.get_by_text("Compare with other campaigns").click()
    page.get_by_label(id, exact=True).check()
    page.get_by_role("button", name="Compare").click()


def test_two_campaigns_are_compared(campaign):
    page = campaign("front")
    compared(page, "again")
    page.wait_for_selector("#best .line.second")
    assert "best of again" in page.text_content("#best")
    assert "front of again" in page.text_content("#front")
    assert page.text_content("#verdict").count("Finished") == 2


def test_campaigns_of_other_objectives_are_not_drawn_together(campaign):
    page = campaign("unfinished")
    compared(page, "front")
    page.wait_for_selector("#best .note")
    assert page.text_content("#best .note").endswith("another objective: front.")
    assert page.locator("#best .line.second").count() == 0


def test_trials_lie_on_the_map_of_their_space(campaign):
    page = campaign("unfinished")
    page.wait_for_selector("#place-section:not([hidden])")
    page.focus("#map")
    for key in ["n", "Enter"]:
        page.keyboard.press(key)
    page.wait_for_selector("#shown canvas")


def test_a_trial_leads_to_its_point_in_the_explorer(campaign, runs, look):
    page = campaign("unfinished")
    page.get_by_role("link", name="Explore from here").click()
    page.wait_for_selector("#charts svg")
    run = Run.read(runs / "unfinished")
    assert look.state(page)["a"].tolist() == run.best(1)[0].z.tolist()


def test_the_explorer_leads_to_the_campaigns_and_back(explorer):
    page = explorer()
    page.get_by_role("link", name="Campaigns").click()
    page.wait_for_selector("#trials tbody tr")
    page.get_by_role("link", name="Explore the space").click()
    page.wait_for_selector("#charts svg")


def test_where_too_many_watch_the_page_asks_now_and_then(begun, campaign, look):
    script = """const known = window.fetch;
    window.fetch = (path, options) => String(path).includes("/events")
      ? Promise.resolve(new Response('{"detail": "too many"}', { status: 429 }))
      : known(path, options);"""
    n = len(begun.run(1, progress=False).trials)
    page = campaign("live", script=script)
    begun.run(1, progress=False)
    look.until(page, f"document.querySelectorAll('#trials tbody tr').length === {n + 1}")
    assert page.text_content("#message") == ""


def test_a_service_without_leave_offers_nothing_to_tell(campaign):
    page = campaign("unfinished")
    assert page.locator("#control").inner_html() == ""
