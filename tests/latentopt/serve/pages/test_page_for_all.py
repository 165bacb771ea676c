"""What every page owes its readers: width, contrast, names of controls, the keyboard."""

from itertools import pairwise

import pytest

WIDE, NARROW = 1400, 390

# Text whose contrast with what lies behind it is under 4.5, as WCAG 2.2 measures it.
TOO_FAINT = """() => {
  const parts = (text) => (text.match(/[\\d.]+/g) ?? [0, 0, 0, 0]).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const colour = parts(getComputedStyle(one).backgroundColor);
      if (colour.length < 4 || colour[3] > 0.99) return colour;
    }
    return parts(getComputedStyle(document.documentElement).backgroundColor);
  };
  const found = [];
  for (const one of document.querySelectorAll("body *")) {
    const text = [...one.childNodes].filter((n) => n.nodeType === 3 && n.data.trim()).length;
    if (!text || !one.checkVisibility() || one.closest(":disabled")) continue;
    const style = getComputedStyle(one);
    const colour = parts(one.closest("svg") ? style.fill : style.color);
    const [a, b] = [light(colour), light(behind(one))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const start = one.textContent.slice(0, 30);
    if (ratio < 4.5) found.push(`${one.tagName} ${start} ${ratio.toFixed(2)}`);
  }
  return found;
}"""

# Controls without a name, and pictures without a text.
NAMELESS = """() => [...document.querySelectorAll(
    "button, input, select, a, canvas, svg, [tabindex='0'], [role=img]")]
  .filter((one) => one.checkVisibility() && !one.closest("[aria-hidden=true]"))
  .filter((one) => !(one.getAttribute("aria-label") || one.labels?.[0]?.textContent.trim()
    || one.textContent.trim() || one.querySelector("[aria-label]")))
  .map((one) => one.outerHTML.slice(0, 120))"""

# What can be used, and is not reached by Tab.
REACHABLE = """() => [...document.querySelectorAll(
    "a, button, input, select, summary, [tabindex='0']")]
  .filter((one) => one.checkVisibility() && !one.disabled && !one.closest("[hidden]"))
  .map((one, i) => { one.dataset.place = i; return String(i); })"""


@pytest.fixture(params=["space", "solid", "unfinished", "front", "compared", "token"])
def opened(request, explorer, campaign, show, solid_space):
    """Each page with all that it can show."""

    def call(**options):
        if request.param in ("space", "solid"):
            more = {"space": solid_space} if request.param == "solid" else {}
            page = explorer(**more, **options)
            page.get_by_role("button", name="Set as B").click()
            page.get_by_role("button", name="Draw a random").click()
            page.get_by_role("button", name="Add to cart").click()
            page.wait_for_selector("#path .frame >> nth=8")  # A is drawn by now, and stays
            page.get_by_role("button", name="Compute properties").click()
            page.wait_for_selector("#properties table caption", state="attached")
            if request.param == "solid":
                page.get_by_label("Shown as").select_option("surface-1")
        elif request.param == "token":
            page = show(token=None, **options)
            page.wait_for_selector("#ask-token:not([hidden])")
        elif request.param == "compared":
            page = campaign("front", "&with=again", **options)
            page.wait_for_selector("#shown canvas")
        else:
            page = campaign(request.param, **options)
            page.wait_for_selector("#shown canvas")
        for summary in page.locator("summary").all():
            if summary.is_visible():
                summary.click()
        return page

    return call


@pytest.mark.slow
@pytest.mark.parametrize("width", [NARROW, WIDE])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_nothing_is_cut_and_all_can_be_read(opened, serious_faults, width, dark):
    page = opened(width=width, dark=dark)
    page.wait_for_timeout(300)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(TOO_FAINT) == []
    assert page.evaluate(NAMELESS) == []
    assert serious_faults(page) == []


@pytest.mark.slow
def test_tab_reaches_all_that_can_be_used(opened):
    page = opened()
    wanted = set(page.evaluate(REACHABLE))
    page.evaluate("document.activeElement.blur(); window.scrollTo(0, 0)")
    reached = set()
    for _ in range(2 * len(wanted) + 10):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.dataset.place ?? ''"))
    assert wanted - reached == set()


@pytest.mark.slow
def test_headings_go_down_step_by_step(opened):
    levels = opened().evaluate(
        "[...document.querySelectorAll('h1, h2, h3')].filter((h) => h.checkVisibility())"
        ".map((h) => Number(h.tagName[1]))"
    )
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))
