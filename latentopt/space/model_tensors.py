"""The tensors of a space's model: where they are, and a digest that tells them from others."""

import hashlib
import re
from itertools import chain

import torch
from torch import nn

from latentopt.space.decoder import Decoder
from latentopt.space.whitening import Whitening

__all__ = ["device_of", "digest_of"]


def device_of(model: Decoder) -> torch.device:
    """Device of a model's parameters and buffers; the CPU for one that is no torch module."""
    if not isinstance(model, nn.Module):
        return torch.device("cpu")
    tensors = chain(model.parameters(), model.buffers())
    return next((tensor.device for tensor in tensors), torch.device("cpu"))


def digest_of(model: Decoder, whitening: Whitening) -> str:
    """Twelve hexadecimal digits of weights and whitening: of equal ones equal, on any device.

    A model that is no torch module has no weights to compare, only its whitening, and its ``id`` if
    it has one. Where its codes are the points of a space, as those of a served space are, that
    ``id`` is the digest.
    """
    id = None if isinstance(model, nn.Module) else getattr(model, "id", None)
    if id is not None and re.fullmatch("[0-9a-f]{12}", str(id)) and whitening.is_identity:
        return str(id)
    weights = model.state_dict() if isinstance(model, nn.Module) else {}
    tensors = {**weights, "mean": whitening.mean, "axes": whitening.axes}
    digest = hashlib.sha256()
    if id is not None:
        digest.update(str(id).encode())
    for name, value in sorted({**tensors, "spread": whitening.spread}.items()):
        digest.update(name.encode())
        numbers = value.detach().cpu().contiguous().reshape(-1)
        digest.update(numbers.view(torch.uint8).numpy().data)  # NumPy has no bfloat16
    return digest.hexdigest()[:12]
