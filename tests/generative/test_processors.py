"""Every backward pass of our networks is right, here and on a processor without AVX-512.

Two variables make torch behave as it does there; on such a processor they change nothing.
"""

import copy
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn.modules.conv import _ConvNd

from generative import VAEGAN, ConvVAE, ResNetVAE
from generative.autoencoders.detail import DetailConfig, DetailStage
from generative.model import Model
from generative.stages.loss import Loss
from generative.stages.stage import Stage
from generative.training.train import TrainConfig, train
from objectives.convolutions import sound, unsound
from objectives.settings import Settings
from objectives.surrogates.cnn import CNN

WITHOUT_AVX512 = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}
LAST = {2: torch.channels_last, 3: torch.channels_last_3d}
FORMATS = {
    "contiguous": lambda x, dim: x.contiguous(),
    "channels last": lambda x, dim: x.contiguous(memory_format=LAST[dim]),
}
CHANNELS = (1, 2, 8, 9)  # to 9, 8, 2 and 1: fewer and more than a vector holds, or as many
STRIDED = {2: [(2, 2), (3, 3), (1, 2)], 3: [(2, 2, 2), (3, 3, 3), (1, 2, 1)]}
WHAT_A_LAYER_IS = ("kernel_size", "stride", "padding", "output_padding", "dilation", "padding_mode")


@pytest.fixture(autouse=True)
def _same_draws():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


each_dim = pytest.mark.parametrize("dim", [2, 3])
each_format = pytest.mark.parametrize("layout", FORMATS)


def networks(dim):
    """One of each network whose layers differ, with every padding, stride and block they have."""
    sides = {2: [(32, 32), (48, 32)], 3: [(16, 16, 16), (21, 24, 16)]}[dim]
    for space, padding in zip(sides, ("zeros", "circular"), strict=True):
        yield ConvVAE((1, *space), padding=padding, widths=(4, 4))
    for backbone in ("resnet18", "resnet50"):
        yield ResNetVAE((2, *sides[0]), backbone=backbone, width=4, latent_dim=4)
    gan = VAEGAN((1, *sides[0]), options={"widths": (4, 4)}, detail={"width": 2})
    yield gan.stages()[1].discriminator
    for periodic in (True, False):
        yield CNN(periodic=periodic)._network(1, dim, 1)


def kinds_of_layers(dim):
    """Class and settings of every convolution in them, whatever its channels."""
    layers = [m for net in networks(dim) for m in net.modules() if isinstance(m, _ConvNd)]
    assert all(layer.groups == 1 for layer in layers)  # or they are to be compared as well
    kinds = {(type(m), *(getattr(m, name) for name in WHAT_A_LAYER_IS)) for m in layers}
    for kind, *settings in sorted(kinds, key=str):
        settings = dict(zip(WHAT_A_LAYER_IS, settings, strict=True))
        if not issubclass(kind, nn.modules.conv._ConvTransposeNd):
            del settings["output_padding"]
        yield kind, settings


def gradients(module, x):
    answer = module(x)
    weights = torch.rand(answer.shape, generator=torch.Generator().manual_seed(1)).to(answer)
    parameters = [p for p in module.parameters() if p.requires_grad]
    found = torch.autograd.grad((answer * weights).sum(), [x, *parameters])
    return [answer.detach(), *found]


def check_against_float64(module, exact, x, layout, repeats=1):
    """Answer and gradients of a module in one memory layout; ``exact`` is as it was made."""
    exact = exact.double()
    exact.load_state_dict(module.state_dict())
    expected = gradients(exact, x.double().requires_grad_())
    dim = x.ndim - 2
    if layout == "channels last":
        module = module.to(memory_format=LAST[dim])
    x = FORMATS[layout](x, dim).requires_grad_()
    for _ in range(repeats):
        others = [torch.empty(size) for size in (13, 170, 700, 2900)]  # to be written over
        for ours, theirs in zip(gradients(module, x), expected, strict=True):
            largest = float(theirs.abs().max())
            torch.testing.assert_close(ours.double(), theirs, rtol=1e-4, atol=2e-5 * largest)
        del others


@pytest.mark.slow
@each_format
@each_dim
def test_every_layer_of_our_networks_has_right_gradients_at_any_number_of_channels(dim, layout):
    for make, settings in kinds_of_layers(dim):
        for inputs in CHANNELS:
            layer, exact = (make(inputs, 10 - inputs, **settings) for _ in "ab")
            x = torch.randn(2, inputs, *(8, 9, 8)[:dim])
            check_against_float64(layer, exact, x, layout)


@each_format
@each_dim
def test_a_strided_convolution_of_one_voxel_is_sound_once_it_is_guarded(dim, layout):
    make = {2: nn.Conv2d, 3: nn.Conv3d}[dim]
    for stride in STRIDED[dim]:
        for inputs in CHANNELS:
            layer, exact = (make(inputs, 8, kernel_size=1, stride=stride) for _ in "ab")
            x = torch.randn(4, inputs, *(16, 16, 6)[:dim])
            check_against_float64(sound(layer), exact, x, layout, repeats=4)


class Encoder(nn.Module):
    """What of a model its encoder's gradients go through."""

    def __init__(self, model):
        super().__init__()
        self.model = model.requires_grad_(False)
        part = model.backbone if isinstance(model, ResNetVAE) else model.encoder
        part.requires_grad_(True)

    def forward(self, images):
        if isinstance(self.model, ResNetVAE):
            return self.model._features(images)
        return self.model.encoder(images)


@each_format
@each_dim
def test_whole_encoders_of_few_channels_have_right_gradients(dim, layout):
    space = {2: (32, 32), 3: (16, 16, 16)}[dim]
    for width in (1, 4):
        for make in (
            lambda: ResNetVAE((2, *space), width=width, latent_dim=2),  # noqa: B023
            lambda: ConvVAE((2, *space), widths=(width, 10 - width)),  # noqa: B023
        ):
            module, exact = Encoder(make()), Encoder(make())
            check_against_float64(module, exact, torch.rand(2, 2, *space), layout)


@pytest.mark.parametrize("side", [16, 17])
def test_a_discriminator_of_small_volumes_has_gradients_in_bfloat16_too(side):
    """Its last layer, of kernel 4, sees 3 voxels a side: garbage in torch 2.13 without a guard."""
    stage = DetailStage(ConvVAE((1, *[side] * 3), widths=(4, 4)), DetailConfig(width=8))
    guarded, exact = sound(stage.discriminator), copy.deepcopy(stage.discriminator).double()
    x = (torch.rand(4, 1, side, side, side) > 0.5).float()
    exact(x.double())[-1].sum().backward()
    for _ in range(3):
        used = torch.full((2**21,), 1e30)  # what a faulty kernel forgets to write shows
        del used
        with torch.autocast("cpu", torch.bfloat16):
            total = guarded(x)[-1].float().sum()
        found = torch.autograd.grad(total, list(guarded.parameters()))
        for ours, theirs in zip(found, exact.parameters(), strict=True):
            if theirs.ndim > 1:
                assert (ours - theirs.grad).norm() < 0.3 * theirs.grad.norm()


@each_dim
def test_small_images_have_right_gradients_in_bfloat16(dim):
    """Smaller than the kernel along any axis: on a processor with bfloat16 garbage otherwise."""
    convolve = {2: nn.Conv2d, 3: nn.Conv3d}[dim]
    for kernel, stride in ((3, 1), (3, 2), (3, 3), (4, 1), (5, 2), (5, 3), (7, 2)):
        for side in range(1, kernel):
            if side + 2 * (kernel // 2) < kernel:
                continue
            layer = sound(convolve(8, 8, kernel, stride, kernel // 2))
            x = torch.randn(2, 8, *[side] * dim, requires_grad=True)
            expected = gradients(layer, x)
            used = torch.full((2**18,), 1e30)
            del used
            with torch.autocast("cpu", torch.bfloat16):
                found = gradients(layer, x)
            for ours, theirs in zip(found, expected, strict=True):
                torch.testing.assert_close(ours.float(), theirs, rtol=1e-4, atol=1e-4)


@each_dim
def test_what_is_guarded_answers_as_before_and_keeps_the_names_of_its_weights(dim):
    plain, guarded = (
        nn.Sequential(
            {2: nn.Conv2d, 3: nn.Conv3d}[dim](3, 4, 1, 2, groups=1),
            {2: nn.Conv2d, 3: nn.Conv3d}[dim](4, 8, 1, 3, groups=4, padding_mode="circular"),
        )
        for _ in "ab"
    )
    assert list(unsound(guarded)) == ["0", "1"]
    assert sound(guarded) is guarded
    guarded.load_state_dict(plain.state_dict())
    x = torch.rand(2, 3, *[13] * dim)
    torch.testing.assert_close(guarded(x), plain(x))
    assert unsound(sound(guarded)) == {}
    torch.testing.assert_close(guarded(x), plain(x))


@pytest.mark.parametrize(
    "layer", [nn.ConvTranspose2d(2, 2, 1, stride=2), nn.Conv2d(2, 2, 1, stride=2, padding=1)]
)
def test_what_cannot_be_guarded_is_refused_by_name(layer):
    with pytest.raises(ValueError, match=r"head\.1: a Conv.* corrupts memory"):
        sound(nn.ModuleDict({"head": nn.Sequential(nn.ReLU(), layer)}))


class Mine(Model):
    """A user's own network, with the layer that is not sound."""

    kind, options_class, image_shape, latent_dim = "mine", Settings, (1, 32, 32), 4

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(1, 2, 3, 2, 1), nn.Conv2d(2, 2, 1, stride=2))

    def options(self):
        return {}

    def decode(self, code):
        raise NotImplementedError

    def stages(self):
        return (MineStage(self),)


class MineStage(Stage):
    def __init__(self, model):
        super().__init__(model)
        self.net = model.net

    def loss(self, batch, player):
        total = self.net(batch.rows).square().mean()
        return Loss(total, {"loss": total.item()})


def test_a_network_of_a_user_is_guarded_when_it_is_trained():
    images = torch.rand(4, 1, 32, 32).numpy()
    model = train(Mine(), images, config=TrainConfig(steps=2, batch_size=4, progress=False))
    assert unsound(model) == {}


@pytest.mark.slow
def test_all_this_holds_on_a_processor_without_avx512():
    here = Path(__file__)
    # Shapes of arrays are checked in this process, which takes seconds to prepare.
    others = ["-x", "--noconftest", "-p", "no:cacheprovider", "-k"]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", str(here), *others, "not without_avx512"],
        env={**os.environ, **WITHOUT_AVX512, "MALLOC_PERTURB_": "165"},
        capture_output=True,
        text=True,
        timeout=240,
        cwd=here.parents[2],
    )
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
