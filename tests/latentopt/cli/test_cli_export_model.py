"""`latentopt export-model`: files of a space for programs without torch."""

import json

import pytest

pytest.importorskip("onnxruntime")


def test_files_are_written_and_what_they_differ_by_is_printed(tiny_space_folder, run, tmp_path):
    out = tmp_path / "model"
    for _ in range(2):  # what is ours is written again
        code, said, err = run("export-model", tiny_space_folder, "--out", out)
        assert code == 0, err
    assert f"{out / 'decoder.onnx'}: 0.0 MB, differs from the space by at most" in said
    names = {"decoder.onnx", "encoder.onnx", "onnx.json", ".latentopt.sha256"}
    assert {file.name for file in out.iterdir()} == names
    assert json.loads((out / "onnx.json").read_text())["latent_dim"] == 4


def test_what_is_left_out_is_printed_with_the_reason(tiny_space, run, tmp_path):
    folder = tiny_space.inverting(3).save(tmp_path / "space")
    code, said, err = run("export-model", folder, "--out", tmp_path / "model")
    assert code == 0, err
    assert "encoder.onnx: not written, because encode takes 3 steps of inversion" in said


def test_another_format_is_refused(tiny_space_folder, run, tmp_path):
    code, _, err = run("export-model", tiny_space_folder, "--format", "tflite")
    assert (code, err) == (2, "latentopt: --format should be onnx, got 'tflite'.\n")


def test_the_help_names_the_extra_in_its_brackets(run):
    assert "latentopt[onnx]" in run("export-model", "--help")[1]


def test_files_of_others_are_left_alone(tiny_space_folder, run, tmp_path):
    (tmp_path / "encoder.onnx").write_text("mine")
    code, _, err = run("export-model", tiny_space_folder, "--out", tmp_path)
    assert code == 2
    assert "encoder.onnx" in err
    assert (tmp_path / "encoder.onnx").read_text() == "mine"
