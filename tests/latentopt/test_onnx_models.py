"""Spaces as ONNX files: equal to the space, described, and refused where they would not be."""

import hashlib
import json
import sys

import numpy as np
import pytest
import torch
from torch import nn

from generative import ConvVAE, LatentDiffusion
from latentopt.errors import ConfigError, ExportError, OutputError
from latentopt.onnx_models import DECODER, ENCODER, SIDECAR, export_onnx, onnx_model
from latentopt.space.latent_space import LatentSpace
from latentopt.space.whitening import Whitening
from objectives.convolutions import sound

onnxruntime = pytest.importorskip("onnxruntime")


def run(path, rows):
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: rows})[0]


class Doubling(nn.Module):
    """A decoder and encoder of our own; `decode` may differ from one call to the next."""

    latent_dim, image_shape = 4, (1, 2, 2)

    def __init__(self, step=0.0):
        super().__init__()
        self.step, self.calls = step, 0

    def decode(self, code):
        self.calls += 1
        return (code / 20 + 0.5 + self.step * self.calls).clamp(0, 1).reshape(-1, 1, 2, 2)

    def encode(self, images):
        return images.reshape(-1, 4) * 20 - 10


@pytest.fixture(scope="module")
def written(tiny_space, tmp_path_factory):
    folder = tmp_path_factory.mktemp("onnx")
    export_onnx(tiny_space, folder)
    return folder


@pytest.mark.parametrize("n", [1, 3, 40])
def test_any_number_of_rows_is_answered_as_the_space_does(tiny_space, written, n):
    z = torch.randn(n, 4, generator=torch.Generator().manual_seed(n))
    images = run(written / DECODER, z.numpy())
    np.testing.assert_allclose(images, tiny_space.decode(z).numpy(), atol=1e-5)
    points = run(written / ENCODER, images)
    np.testing.assert_allclose(points, tiny_space.encode(images), atol=1e-4)


def test_files_are_sound_and_their_sides_are_named(written):
    onnx = pytest.importorskip("onnx")
    for name, sides in {DECODER: ("z", "images"), ENCODER: ("images", "z")}.items():
        model = onnx.load(written / name)
        onnx.checker.check_model(model, full_check=True)
        graph = model.graph
        assert (graph.input[0].name, graph.output[0].name) == sides
        assert graph.input[0].type.tensor_type.shape.dim[0].dim_param == "n"


def test_the_description_has_what_another_program_needs(tiny_space, written):
    said = json.loads((written / SIDECAR).read_text())
    assert (said["space"], said["radius"]) == (tiny_space.id, tiny_space.radius)
    assert (said["latent_dim"], said["image_shape"], said["phases"]) == (4, [1, 8, 8], 2)
    for name, file in said["files"].items():
        assert file["sha256"] == hashlib.sha256((written / name).read_bytes()).hexdigest()
        assert file["largest_difference"] <= 1e-4
    assert said["files"][DECODER]["output"]["shape"] == ["n", 1, 8, 8]


def test_files_are_written_again_but_those_of_others_are_not(tiny_space, written, tmp_path):
    export_onnx(tiny_space, written)
    (tmp_path / DECODER).write_bytes(b"mine")
    with pytest.raises(OutputError, match=r"decoder\.onnx"):
        export_onnx(tiny_space, tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == [DECODER]
    export_onnx(tiny_space, tmp_path, overwrite=True)
    assert (tmp_path / DECODER).read_bytes() == (written / DECODER).read_bytes()


def test_a_decoder_that_differs_from_the_space_is_not_kept(tmp_path):
    space = LatentSpace.from_prior(Doubling(step=1e-3))
    with pytest.raises(ExportError, match=r"decoder\.onnx differs from the space by .* not kept"):
        export_onnx(space, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_encoder_that_differs_is_left_out_and_the_reason_said():
    whitening = Whitening(
        torch.zeros(4).double(), torch.eye(4).double(), torch.tensor([1.0, 1, 1, 1e-9]).double()
    )

    class Rounded(Doubling):
        def encode(self, images):
            return super().encode(images).exp().log()  # rounded otherwise by every program

    space = LatentSpace(Rounded(), whitening, reference=torch.zeros(2, 4), radius=4.0)
    made = onnx_model(space)
    assert list(made.files) == [DECODER]
    assert "differs" in made.left_out[ENCODER]
    assert made.description["left_out"] == made.left_out


def test_an_encoder_that_inverts_is_left_out_and_the_decoder_kept(tiny_space):
    made = onnx_model(tiny_space.inverting(2))
    assert list(made.files) == [DECODER]
    assert "inversion" in made.left_out[ENCODER]


@pytest.mark.slow  # freezing and tracing take a second or two
@pytest.mark.parametrize("shape", [(1, 33, 47), (2, 16, 17, 18)])
def test_periodic_convolutions_are_written(shape):
    torch.manual_seed(0)
    model = sound(ConvVAE(shape, widths=(4, 8), padding="circular"))  # as training leaves it
    made = onnx_model(LatentSpace.from_prior(model))
    assert set(made.files) == {DECODER, ENCODER}
    assert max(made.differences.values()) < 1e-4


@pytest.mark.slow
def test_a_flow_is_written_with_all_of_its_steps():
    small = {"autoencoder": {"widths": (4, 8)}, "prior": {"width": 4, "hidden": 4, "blocks": 1}}
    sizes = []
    for steps in (1, 3):
        torch.manual_seed(0)
        model = LatentDiffusion((1, 32, 32), **small, solver_steps=steps)
        sizes.append(len(onnx_model(LatentSpace.from_prior(model)).files[DECODER]))
    assert sizes[1] > sizes[0]


def test_a_model_that_is_no_torch_module_is_refused():
    class Plain:
        latent_dim, image_shape = 4, (1, 2, 2)

        def decode(self, code):
            return code.reshape(-1, 1, 2, 2).sigmoid()

    with pytest.raises(ConfigError, match="Plain is no torch module"):
        onnx_model(LatentSpace.from_prior(Plain()))


@pytest.mark.parametrize("missing", ["onnx", "onnxruntime"])
def test_without_the_extra_a_line_says_what_to_install(tiny_space, monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ConfigError, match=r"pip install latentopt\[onnx\]$"):
        onnx_model(tiny_space)
