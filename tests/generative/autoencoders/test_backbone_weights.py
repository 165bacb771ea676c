"""Weights of a ResNet from a file: the published ones fit, and anything else changes nothing."""

import pytest
import torch
from monai.networks.nets import resnet
from safetensors.torch import load_file, save_file

from generative import ResNetVAE
from generative.errors import ModelFileError
from generative.model_files import load_model, save_model

WIDTH = 4
MEAN = torch.tensor([0.485, 0.456, 0.406])
STD = torch.tensor([0.229, 0.224, 0.225])


def classifier(name="resnet18", width=WIDTH):
    """A ResNet of torchvision's layout with its classifier, each weight a random number."""
    network = getattr(resnet, name)(
        spatial_dims=2,
        n_input_channels=3,
        num_classes=1000,
        conv1_t_stride=2,
        bias_downsample=False,
        shortcut_type="B",
        widen_factor=width / 64,
    )
    generator = torch.Generator().manual_seed(0)
    for key, value in network.state_dict().items():
        if value.is_floating_point():
            draws = 0.1 * torch.randn(value.shape, generator=generator)
            value.copy_(1 + draws.abs() if key.endswith(("var", "bn.weight")) else draws)
    return network.eval()


def model(channels=3, **options):
    return ResNetVAE((channels, 32, 32), **{"width": WIDTH, "latent_dim": 4, **options})


@pytest.fixture(scope="module")
def weights():
    return classifier().state_dict()


@pytest.fixture
def file(weights, tmp_path):
    save_file(weights, tmp_path / "resnet18.safetensors")
    return tmp_path / "resnet18.safetensors"


@pytest.fixture
def images():
    return torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def refusal(model, path):
    """The one line a file is refused with; the model is as it was."""
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(ModelFileError) as caught:
        model.load_backbone(path)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert "\n" not in str(caught.value)
    return str(caught.value)


# -- what fits -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "parameters", "entries"),
    [
        ("resnet18", 11_689_512, 122),
        ("resnet50", 25_557_032, 320),
        ("resnet152", 60_192_808, 932),
    ],
)
def test_the_backbone_has_the_numbers_that_torchvision_publishes(name, parameters, entries):
    with torch.device("meta"):
        backbone = ResNetVAE((3, 64, 64), backbone=name).backbone
    features = 512 if name == "resnet18" else 2048
    assert sum(p.numel() for p in backbone.parameters()) == parameters - 1000 * (features + 1)
    assert len(backbone.state_dict()) == entries - 2  # fc.weight and fc.bias


def test_the_backbone_has_the_keys_and_shapes_of_torchvision():
    with torch.device("meta"):
        shapes = {
            k: tuple(v.shape) for k, v in ResNetVAE((1, 64, 64)).backbone.state_dict().items()
        }
    norms = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    expected = {"conv1.weight", *(f"bn1.{norm}" for norm in norms)}
    for block in (f"layer{i}.{j}" for i in (1, 2, 3, 4) for j in (0, 1)):
        expected |= {f"{block}.conv1.weight", f"{block}.conv2.weight"}
        expected |= {f"{block}.bn{i}.{norm}" for i in (1, 2) for norm in norms}
    for block in ("layer2.0", "layer3.0", "layer4.0"):
        expected |= {f"{block}.downsample.0.weight"}
        expected |= {f"{block}.downsample.1.{norm}" for norm in norms}
    assert shapes.keys() == expected
    assert shapes["conv1.weight"] == (64, 3, 7, 7)
    assert shapes["layer1.0.conv1.weight"] == (64, 64, 3, 3)
    assert shapes["layer4.0.downsample.0.weight"] == (512, 256, 1, 1)
    assert shapes["layer4.1.conv2.weight"] == (512, 512, 3, 3)


def test_the_features_are_those_of_the_network_that_wrote_the_file(file, images):
    reference = classifier()
    reference.fc = None
    with torch.no_grad():
        expected = reference((images - MEAN[:, None, None]) / STD[:, None, None])
        features = model().load_backbone(file)._features(images)
    assert expected.std() > 0
    assert torch.equal(features, expected)


def test_every_tensor_but_the_classifier_arrives(file, weights):
    arrived = model().load_backbone(file).backbone.state_dict()
    assert weights.keys() - arrived.keys() == {"fc.weight", "fc.bias"}
    assert all(torch.equal(value, weights[key]) for key, value in arrived.items())


def test_the_model_comes_back_and_only_its_encoder_has_changed(file):
    network = model()
    decoder = {key: value.clone() for key, value in network.decoder.state_dict().items()}
    assert network.load_backbone(file) is network
    assert all(torch.equal(v, decoder[k]) for k, v in network.decoder.state_dict().items())
    assert not network.training


def test_a_file_from_before_batches_were_counted_fits(weights, tmp_path):
    old = {k: v for k, v in weights.items() if not k.endswith("num_batches_tracked")}
    save_file(old, tmp_path / "old.safetensors")
    network = model().load_backbone(tmp_path / "old.safetensors")
    assert torch.equal(network.backbone.layer4[1].conv2.weight, weights["layer4.1.conv2.weight"])


def test_a_grey_image_is_seen_as_three_equal_channels(file, images):
    grey, colour = model(1).load_backbone(file), model(3).load_backbone(file)
    one = images[:, :1]
    with torch.no_grad():
        assert torch.equal(grey._features(one), colour._features(one.expand(-1, 3, -1, -1)))


def test_the_normalization_is_of_imagenet_only_with_its_weights(file):
    network = model()
    assert network.pixel_mean.eq(0).all()
    assert network.pixel_std.eq(1).all()
    network.load_backbone(file)
    assert torch.equal(network.pixel_mean, MEAN)
    assert torch.equal(network.pixel_std, STD)


def test_a_saved_model_needs_no_file_to_be_the_same_function(file, images, tmp_path):
    network = model().load_backbone(file)
    folder = save_model(network, tmp_path / "model")
    file.unlink()
    with torch.no_grad():
        assert torch.equal(load_model(folder).encode(images), network.encode(images))


# -- what does not -------------------------------------------------------------------------------


def test_the_file_of_a_smaller_network_is_refused_with_some_keys_that_differ(file):
    message = refusal(model(backbone="resnet50"), file)
    assert "a resnet50" in message
    assert "missing: layer1.0.conv3.weight, " in message
    assert "mis-shaped: layer1.0.conv1.weight (4, 4, 3, 3) for (4, 4, 1, 1), " in message
    assert " more" in message
    assert len(message) < 800


def test_the_file_of_a_larger_network_is_refused_with_the_keys_it_has_too_many(tmp_path):
    save_file(classifier("resnet50").state_dict(), tmp_path / "resnet50.safetensors")
    message = refusal(model(), tmp_path / "resnet50.safetensors")
    assert "a resnet18" in message
    assert "unexpected: layer1.0.bn3.bias, layer1.0.bn3.num_batches_tracked, " in message


def test_a_network_of_another_width_is_refused(file):
    assert "conv1.weight (4, 3, 7, 7) for (8, 3, 7, 7)" in refusal(model(width=8), file)


@pytest.mark.parametrize("shape", [(2, 32, 32), (1, 16, 16, 16), (3, 16, 16, 16)])
def test_volumes_and_other_channels_are_refused(file, shape):
    message = refusal(ResNetVAE(shape, width=WIDTH, latent_dim=4), file)
    assert f"2-D images of 1 or 3 channels, got images of shape {shape}" in message


@pytest.mark.parametrize("keep", [0, 7, 100, 50_000])
def test_a_truncated_file_is_refused(file, keep):
    file.write_bytes(file.read_bytes()[:keep])
    assert "damaged" in refusal(model(), file)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    assert "No such file" in refusal(model(), tmp_path / "none.safetensors")
    (tmp_path / "folder.safetensors").mkdir()
    assert "cannot be read" in refusal(model(), tmp_path / "folder.safetensors")


@pytest.mark.parametrize(
    ("wrong", "named"),
    [(torch.nan, "NaN"), (torch.inf, "NaN"), (None, "torch.int32")],
)
def test_numbers_that_are_no_weights_are_refused_by_key(file, wrong, named):
    tensors = load_file(file)
    bias = tensors["layer1.0.bn1.bias"]
    tensors["layer1.0.bn1.bias"] = bias.int() if wrong is None else torch.full_like(bias, wrong)
    save_file(tensors, file)
    message = refusal(model(), file)
    assert "layer1.0.bn1.bias" in message
    assert named in message


def test_a_pickle_is_refused_with_a_command_that_converts_it(weights, tmp_path, monkeypatch):
    torch.save(weights, tmp_path / "resnet18.pth")
    message = refusal(model(), tmp_path / "resnet18.pth")
    code = message.partition('python -c "')[2].removesuffix('"')
    monkeypatch.chdir(tmp_path)
    exec(code)
    network = model().load_backbone(tmp_path / "resnet18.safetensors")
    assert torch.equal(network.backbone.conv1.weight, weights["conv1.weight"])
