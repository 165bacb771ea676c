"""Weights of a ResNet from a file the user has, checked key by key before any is used."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor

from generative.errors import ModelFileError
from generative.files.tensors import bytes_to_tensors

# Of the three channels of ImageNet, which torchvision's weights were trained on.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

CONVERT = (
    'python -c "import torch, safetensors.torch as s; '
    "s.save_file(torch.load('{name}', weights_only=True), '{stem}.safetensors')\""
)


def read_backbone_weights(
    path: Path | str, expected: Mapping[str, Tensor], backbone: str
) -> dict[str, Tensor]:
    """Tensors of a ``.safetensors`` file for every key of a network.

    The classifier (``fc.*``) is left out. The counters of the batch norms
    (``num_batches_tracked``), which older files lack, are taken from the network.

    Parameters
    ----------
    path
        torchvision's state dict as safetensors.
    expected
        State dict of the network.
    backbone
        Its name, for messages.

    Raises
    ------
    ModelFileError
        For a file that is missing, damaged, of another format or of another network: the message
        names some of the keys that differ.
    """
    given = {k: v for k, v in _read(Path(path)).items() if not k.startswith("fc.")}
    counters = {k: v for k, v in expected.items() if k.endswith("num_batches_tracked")}
    weights = counters | given
    differences = {
        "missing": [k for k in expected if k not in weights],
        "unexpected": sorted(weights.keys() - expected.keys()),
        "mis-shaped": [
            f"{k} {tuple(weights[k].shape)} for {tuple(v.shape)}"
            for k, v in expected.items()
            if k in weights and weights[k].shape != v.shape
        ],
    }
    if any(differences.values()):
        listed = "; ".join(f"{what}: {_some(keys)}" for what, keys in differences.items() if keys)
        raise ModelFileError(
            f"{path}: does not hold the weights of a {backbone} ({listed}). "
            "Give the file of that network, or set backbone to the network of the file."
        )
    for key, value in weights.items():
        floats = expected[key].is_floating_point()
        if value.is_floating_point() != floats or not value.float().isfinite().all():
            raise ModelFileError(
                f"{path}: {key} should hold {'finite floats' if floats else 'integers'}, got "
                f"{value.dtype}{', NaN or infinity among them' if floats else ''}. "
                "Get the file again."
            )
    return weights


def _read(path: Path) -> dict[str, Tensor]:
    if path.suffix != ".safetensors":
        command = CONVERT.format(name=path.name, stem=path.stem)
        raise ModelFileError(
            f"{path}: weights are read from .safetensors files only, because files of other kinds "
            f"can run code. Convert a state dict of PyTorch with: {command}"
        )
    try:
        return bytes_to_tensors(path.read_bytes())
    except OSError as error:
        raise ModelFileError(
            f"{path}: cannot be read ({error.strerror}). Give the path of the weights file."
        ) from error
    except (ValueError, KeyError) as error:  # KeyError: of numbers that torch has no type for
        reason = " ".join(str(error).split())[:200]
        raise ModelFileError(f"{path}: is damaged ({reason}). Get the file again.") from error


def _some(keys: Sequence[str]) -> str:
    shown = ", ".join(keys[:3])
    return shown if len(keys) <= 3 else f"{shown} and {len(keys) - 3} more"
