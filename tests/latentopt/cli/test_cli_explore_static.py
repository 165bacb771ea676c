"""`latentopt explore --static`: one page, and what stands in its way."""

import pytest

pytest.importorskip("onnxruntime")


def test_a_page_is_written_and_written_again(tiny_space_folder, run, tmp_path):
    page = tmp_path / "page.html"
    for _ in range(2):
        code, said, err = run("explore", tiny_space_folder, "--static", page)
        assert code == 0, err
    assert "it needs no server" in said
    assert page.read_text().startswith("<!doctype html>")


def test_a_file_of_others_is_left_alone(tiny_space_folder, run, tmp_path):
    page = tmp_path / "page.html"
    page.write_text("mine")
    code, _, err = run("explore", tiny_space_folder, "--static", page)
    assert (code, page.read_text()) == (2, "mine")
    assert "page.html" in err


@pytest.mark.parametrize("more", [["--port", "80"], ["--no-browser"]])
def test_what_has_no_effect_on_a_file_is_refused(tiny_space_folder, run, tmp_path, more):
    code, _, err = run("explore", tiny_space_folder, "--static", tmp_path / "page.html", *more)
    assert code == 2
    assert "--static" in err
    code, _, err = run("explore", tiny_space_folder, "--overwrite")
    assert code == 2
    assert "--static" in err
