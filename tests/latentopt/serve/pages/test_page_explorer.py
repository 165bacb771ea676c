"""The explorer in a real browser: what it shows is what the space decodes."""

import io
import zipfile

import numpy as np
from PIL import Image

from latentopt.microstructure import to_phases
from latentopt.pictures import PHASE_COLOURS
from latentopt.space.point_files import read_points

LARGE = "#structure canvas.large"


def coloured(space, z):
    """The picture of a point's structure, as it should be."""
    phases = to_phases(space.decode(z[None]))[0]
    table = np.array([tuple(bytes.fromhex(c[1:])) for c in PHASE_COLOURS], dtype=np.uint8)
    return table[phases]


def on_map(page, x, y, *, shift=False):
    """Click at a share of the map's width and height."""
    box = page.locator("#map").bounding_box()
    place = {"x": x * box["width"], "y": y * box["height"]}
    page.locator("#map").click(position=place, modifiers=["Shift"] if shift else [])


def wait_for_picture(page, look, wanted, selector=LARGE):
    for _ in range(100):
        if np.array_equal(look.pixels(page, selector), wanted):
            return
        page.wait_for_timeout(50)
    raise AssertionError("the picture is not that of the structure")


def test_the_token_leaves_the_address_and_stays_for_the_tab(explorer):
    page = explorer()
    assert "token" not in page.url
    page.reload()
    page.wait_for_selector("#charts svg")


def test_without_a_token_the_page_asks_for_it(show):
    page = show(token=None)
    page.wait_for_selector("#ask-token:not([hidden])")
    page.fill("#token", "token-of-the-tests")
    page.keyboard.press("Enter")
    page.wait_for_selector("#charts svg")


def test_a_wrong_token_is_said(show):
    page = show(token="another")
    page.wait_for_selector("#ask-token:not([hidden])")
    assert "earlier start" in page.text_content("#message")
    assert show.seen.problems  # the browser itself reports each answer of 401
    show.seen.problems.clear()


def test_a_click_shows_the_structure_of_that_place(explorer, look, tiny_space):
    page = explorer()
    before = look.state(page)["a"]
    on_map(page, 0.5, 0.4)
    look.until(page, "document.querySelector('#map-said').textContent.startsWith('A is')")
    z = look.state(page)["a"]
    assert not np.array_equal(z, before)
    wait_for_picture(page, look, coloured(tiny_space, z))


def test_a_place_without_data_is_a_point_of_the_plane(explorer, look):
    page = explorer()
    before = look.state(page)["a"]
    on_map(page, 0.2, 0.06)
    look.until(page, "document.querySelector('#map-said').textContent == 'A is a new point'")
    z = look.state(page)["a"]
    assert np.array_equal(z[2:], before[2:])
    assert z[0] < before[0] < before[1] + 10
    assert z[1] > before[1]


def test_the_structure_under_the_mouse_is_shown(explorer, look, tiny_space):
    page = explorer()
    box = page.locator("#map").bounding_box()
    tip = page.locator("#tip")
    for share in np.linspace(0.2, 0.8, 200):
        page.mouse.move(box["x"] + share * box["width"], box["y"] + 0.48 * box["height"])
        if tip.is_visible():
            break
    index = int(tip.text_content().split()[2].rstrip(","))
    reference = tiny_space.project(tiny_space.reference_).numpy()
    wait_for_picture(page, look, coloured(tiny_space, reference[index]), "#tip canvas")


def test_the_map_works_by_keyboard(explorer, look):
    page = explorer()
    page.focus("#map")
    before = look.state(page)["a"]
    for key in ["ArrowUp", "ArrowUp", "ArrowLeft", "n", "Enter"]:
        page.keyboard.press(key)
    look.until(page, "document.querySelector('#map-said').textContent.startsWith('A is train')")
    assert not np.array_equal(look.state(page)["a"], before)
    for key in ["ArrowDown", "ArrowDown", "ArrowDown", "b"]:
        page.keyboard.press(key)
    page.wait_for_selector("#path .frame >> nth=8")
    assert "b" in look.state(page)


def test_a_path_goes_from_a_to_b_with_figures(explorer, look, tiny_space):
    page = explorer()
    on_map(page, 0.3, 0.3)
    on_map(page, 0.7, 0.7, shift=True)
    page.wait_for_selector("#path .frame >> nth=8")
    state = look.state(page)
    wait_for_picture(page, look, coloured(tiny_space, state["a"]), "#path li:nth-child(1) canvas")
    wait_for_picture(page, look, coloured(tiny_space, state["b"]), "#path li:nth-child(9) canvas")
    fraction = to_phases(tiny_space.decode(state["b"][None])).mean()
    assert f"fraction {fraction:.3g}" in page.text_content("#path li:nth-child(9)")
    page.locator("#path .frame").nth(4).click()
    middle = tiny_space.interpolate(state["a"], state["b"], 9, how="slerp")[4]  # an arc at first
    np.testing.assert_allclose(look.state(page)["a"], middle, atol=1e-12)


def test_undo_and_redo_by_button_and_by_key(explorer, look):
    page = explorer()
    first = look.state(page)["a"]
    on_map(page, 0.25, 0.25)
    second = look.state(page)["a"]
    page.get_by_role("button", name="Undo").click()
    np.testing.assert_array_equal(look.state(page)["a"], first)
    page.keyboard.press("Control+y")
    np.testing.assert_array_equal(look.state(page)["a"], second)
    page.keyboard.press("Control+z")
    np.testing.assert_array_equal(look.state(page)["a"], first)


def test_a_link_shows_the_same_elsewhere(explorer, look, tiny_space):
    page = explorer()
    on_map(page, 0.3, 0.6)
    page.get_by_label("Plane").select_option("structure")
    page.get_by_label("Colour").select_option("norm")
    fragment = page.url.split("#")[1]
    other = explorer(fragment)
    assert page.url == other.url
    wait_for_picture(other, look, coloured(tiny_space, look.state(page)["a"]))
    assert other.get_by_label("Plane").input_value() == "structure"


def test_a_slider_moves_one_number_and_is_one_step_back(explorer, look):
    page = explorer()
    before = look.state(page)["a"]
    slider = page.get_by_label("Axis 3:")
    slider.focus()
    page.keyboard.press("ArrowRight")
    after = look.state(page)["a"]
    assert np.flatnonzero(after != before).tolist() == [2]
    page.get_by_role("button", name="Undo").click()
    np.testing.assert_array_equal(look.state(page)["a"], before)


def test_the_cart_is_a_start_of_a_campaign(explorer, look, tmp_path):
    page = explorer()
    points = []
    for x in (0.3, 0.6):
        on_map(page, x, 0.4)
        points.append(look.state(page)["a"])
        page.get_by_role("button", name="Add to cart").click()
    with page.expect_download() as found:
        page.get_by_role("button", name="Download points").click()
    path = tmp_path / found.value.suggested_filename
    found.value.save_as(path)
    np.testing.assert_array_equal(read_points(path), points)


def test_the_cart_is_exported_with_sidecars_and_names(explorer, tmp_path):
    page = explorer()
    page.get_by_text("Name the phases").click()
    page.get_by_label("Phase 1", exact=True).fill("metal")
    page.get_by_role("button", name="Add to cart").click()
    page.get_by_label("Format").select_option("npz")
    with page.expect_download() as found:
        page.get_by_role("button", name="Export").click()
    found.value.save_as(tmp_path / "found.zip")
    archive = zipfile.ZipFile(tmp_path / "found.zip")
    assert any(name.endswith(".npz") for name in archive.namelist())
    sidecar = next(name for name in archive.namelist() if name.endswith(".json"))
    assert "metal" in archive.read(sidecar).decode()


def test_names_of_phases_are_carried_by_a_link_and_undone(explorer, look):
    page = explorer()
    page.get_by_text("Name the phases").click()
    page.get_by_label("Phase 0", exact=True).fill("pore & more")
    page.get_by_label("Phase 1", exact=True).fill("metal")
    page.keyboard.press("Enter")
    other = explorer(page.url.split("#")[1])
    for shown in (page, other):
        look.until(shown, "document.querySelector('#charts .note').textContent.includes('metal')")
        assert "pore & more: " in shown.text_content("#structure .legend")
        assert "pore & more" in shown.get_attribute(LARGE, "aria-label")
        assert "pore & more" in shown.text_content("#properties tbody")
    assert other.get_by_label("Phase 0", exact=True).input_value() == "pore & more"
    page.get_by_role("button", name="Undo").click()
    look.until(page, "document.querySelector('#structure .legend').textContent.includes('phase 1')")
    assert page.get_by_label("Phase 1", exact=True).input_value() == "phase 1"


def test_two_phases_have_two_names(explorer):
    page = explorer()
    page.get_by_text("Name the phases").click()
    page.get_by_label("Phase 1", exact=True).fill("phase 0")
    page.keyboard.press("Enter")
    assert "a name of its own" in page.text_content("#message")
    assert page.get_by_label("Phase 1", exact=True).input_value() == "phase 1"
    assert "phase 1: " in page.text_content("#structure .legend")


def test_candidates_are_removed_and_shown_again(explorer, look):
    page = explorer()
    kept = look.state(page)["a"]
    page.get_by_role("button", name="Add to cart").click()
    on_map(page, 0.3, 0.3)
    page.get_by_role("button", name="Show Candidate 1").click()
    np.testing.assert_array_equal(look.state(page)["a"], kept)
    page.get_by_role("button", name="Remove Candidate 1").click()
    assert page.locator("#cart .card").count() == 0


def test_a_file_is_encoded_and_compared_with_its_reconstruction(
    explorer, look, tiny_space, tmp_path
):
    z = tiny_space.reference_[5][None].numpy()
    image = to_phases(tiny_space.decode(z)).astype(np.float32)
    np.save(tmp_path / "mine.npy", image)
    page = explorer()
    page.set_input_files("#upload input[type=file]", tmp_path / "mine.npy")
    page.wait_for_selector("#upload figure >> nth=1")
    look.until(page, "document.querySelector('#message').textContent.includes('mine.npy is')")
    wait_for_picture(page, look, coloured(tiny_space, z[0]), "#upload figure:nth-child(1) canvas")
    expected = np.asarray(tiny_space.encode(image[:, None]))[0]
    np.testing.assert_allclose(look.state(page)["a"], expected, atol=1e-5)


def test_a_file_is_dropped_on_the_page(explorer, look, tiny_space):
    image = to_phases(tiny_space.decode(tiny_space.reference_[7:8].numpy()))[0]
    file = io.BytesIO()
    Image.fromarray(255 * image).save(file, format="png")
    page = explorer()
    page.evaluate(
        """(bytes) => {
          const carried = new DataTransfer();
          carried.items.add(new File([Uint8Array.from(bytes)], "mine.png"));
          document.body.dispatchEvent(
            new DragEvent("drop", { dataTransfer: carried, bubbles: true, cancelable: true }));
        }""",
        [*file.getvalue()],
    )
    look.until(page, "document.querySelector('#message').textContent.startsWith('mine.png is')")
    table = np.array([tuple(bytes.fromhex(c[1:])) for c in PHASE_COLOURS], dtype=np.uint8)
    wait_for_picture(page, look, table[image], "#upload figure:nth-child(1) canvas")


def test_a_file_that_is_no_image_is_refused_in_words(explorer, show, tmp_path):
    (tmp_path / "notes.txt").write_text("no image at all")
    page = explorer()
    page.set_input_files("#upload input[type=file]", tmp_path / "notes.txt")
    page.wait_for_selector("#message.error")
    assert "upload" in page.text_content("#message").lower()
    show.seen.problems.clear()  # the browser reports the answer of 422


def test_properties_are_computed_on_demand(explorer, look, tiny_space):
    page = explorer()
    page.get_by_label("effective stiffness").uncheck()
    page.get_by_role("button", name="Compute properties").click()
    page.wait_for_selector("#properties table caption")
    rows = page.locator("#properties tbody tr").all_text_contents()
    assert any(row.startswith("k_xx") and "W/(m K)" in row for row in rows)
    assert any(row.startswith("min_solid_margin") for row in rows)
    on_map(page, 0.3, 0.3)
    page.wait_for_selector("#properties table caption", state="detached")


def test_points_are_coloured_by_a_property_in_batches(explorer, look):
    page = explorer()
    page.get_by_label("Colour").select_option("manufacturability")
    page.get_by_role("button", name="Compute for all points").click()
    look.until(page, "document.querySelector('#message').textContent.includes('60 of 60')")
    assert page.get_by_role("combobox", name="Value", exact=True).locator(
        "option"
    ).all_text_contents() == [
        "min_solid_margin",
        "min_void_margin",
    ]


def test_statistics_are_told_in_words(explorer):
    page = explorer()
    charts = page.locator("#charts svg")
    assert charts.count() == 2
    for chart in charts.all():
        assert "outside the band of the data" in chart.get_attribute("aria-label")


# -- volumes --------------------------------------------------------------------------------------


def test_sections_of_a_volume_follow_their_sliders(explorer, look, solid_space):
    page = explorer(space=solid_space)
    page.get_by_role("slider", name="z =").fill("2")
    z = look.state(page)["a"]
    volume = coloured(solid_space, z)
    wait_for_picture(page, look, volume[2], ".planes .plane:nth-child(1) canvas")
    wait_for_picture(page, look, volume[:, :, 4], ".planes .plane:nth-child(3) canvas")


def test_the_volume_is_drawn_and_turns(explorer, solid_space):
    page = explorer(space=solid_space)

    def picture():
        page.wait_for_timeout(300)
        shot = page.locator("canvas.volume").screenshot()
        return np.asarray(Image.open(io.BytesIO(shot)).convert("RGB"))

    first = picture()
    assert len(np.unique(first.reshape(-1, 3), axis=0)) > 3
    page.focus("canvas.volume")
    page.keyboard.press("ArrowLeft")
    assert not np.array_equal(picture(), first)


def test_a_phase_is_shown_as_a_surface_and_a_link_has_it(explorer, look, solid_space):
    def shot(page):
        page.wait_for_timeout(300)
        picture = Image.open(io.BytesIO(page.locator("canvas.volume").screenshot()))
        return np.asarray(picture.convert("RGB"))[8:-8, 8:-8].astype(int)

    page = explorer(space=solid_space)
    voxels = shot(page)
    page.get_by_label("Shown as").select_option("surface of phase 1")
    assert "surface of phase 1" in page.get_attribute("canvas.volume", "aria-label")
    assert page.locator(".turned .sliders").is_hidden()
    surface = shot(page)
    assert not np.array_equal(surface, voxels)
    # The surface bounds the voxels of the phase: both are seen in the same places.
    one, other = (abs(a - a[0, 0]).sum(-1) > 8 for a in (voxels, surface))
    assert (one & other).sum() > 0.8 * (one | other).sum() > 0
    again = explorer(page.url.split("#")[1], space=solid_space)
    assert again.get_by_label("Shown as").input_value() == "surface-1"
    np.testing.assert_array_equal(shot(again), surface)
    page.get_by_role("button", name="Undo").click()
    np.testing.assert_array_equal(shot(page), voxels)


def test_without_webgl2_a_volume_has_its_sections(explorer, solid_space):
    script = """const known = HTMLCanvasElement.prototype.getContext;
    HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
      return kind === "webgl2" ? null : known.call(this, kind, ...rest);
    };"""
    page = explorer(space=solid_space, script=script)
    assert "no WebGL2" in page.text_content("#structure")
    assert page.locator(".planes canvas").count() == 3


# -- the address ----------------------------------------------------------------------------------


def test_a_link_that_is_pasted_over_the_address_is_shown(explorer, look):
    page = explorer()
    on_map(page, 0.3, 0.6)
    wanted = page.url
    on_map(page, 0.7, 0.4)
    assert page.url != wanted
    page.evaluate(f"location.href = {wanted!r}")
    page.wait_for_timeout(300)
    page.wait_for_selector("#charts svg")
    assert page.url == wanted


def test_the_skip_link_leaves_the_state_alone(explorer):
    page = explorer()
    before = page.url
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.url == before
    assert page.evaluate("document.activeElement.id") == "map-title"


def test_another_space_is_chosen(explorer, look, solid_space):
    page = explorer()
    page.get_by_role("combobox", name="Space").select_option("solid")
    page.wait_for_selector("canvas.volume")
    assert look.state(page)["space"] == solid_space.id


def test_a_state_that_makes_no_sense_is_left_out(explorer, look):
    page = explorer("a=AAAA&b=%00%ff&plane=up&colour=constructor&phase=a&phase=a&view=surface-9")
    assert look.state(page)["plane"] == "axes"
    assert len(look.state(page)["a"]) == 4
    assert "b" not in look.state(page)
    assert "phase 0: " in page.text_content("#structure .legend")
