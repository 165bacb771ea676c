"""Tensors as safetensors, which never run code, with an optional note of strings."""

from collections.abc import Mapping

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from generative.files.json_text import parse_json


def tensors_to_bytes(tensors: Mapping[str, Tensor], note: Mapping[str, str] | None = None) -> bytes:
    """Safetensors of tensors anywhere, with an optional note of strings."""
    plain = {name: t.detach().cpu().contiguous() for name, t in tensors.items()}
    return save(plain, dict(note) if note else None)


def bytes_to_tensors(data: bytes) -> dict[str, Tensor]:
    """Tensors of a safetensors file, which never runs code."""
    try:
        return load(data)
    except SafetensorError as error:
        raise ValueError(f"not a safetensors file: {error}") from error


def note_of(data: bytes) -> dict[str, str]:
    """The strings kept in the header of a safetensors file.

    Raises
    ------
    ValueError, KeyError
        If there is no header, or no strings in it.
    """
    length = int.from_bytes(data[:8], "little")
    if length > len(data):
        raise ValueError("truncated header")
    header = parse_json(data[8 : 8 + length])
    if not isinstance(header, dict) or not isinstance(header.get("__metadata__"), dict):
        raise ValueError("no strings in its header")
    return header["__metadata__"]
