"""Weights of networks: written as safetensors with a card, read back, and put into a network that they fit.

Matrices and kernels are stored as float16 where that holds them, and used as float32: half the size, and a
relative error of 5e-4 at most per weight. Vectors (biases, norms, running statistics) stay float32.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from baselines.weight_files import (
    WeightsError,
    card_path,
    checked_card,
    digest,
    read_card,
    read_header,
    write_atomically,
)

__all__ = ["WeightsError", "load_into", "load_tensors", "load_weights", "save_weights"]

_HALF_MAX = 65504.0


def save_weights(
    path: Path, tensors: Mapping[str, Tensor], card: Mapping[str, Any], *, half: bool = True
) -> str:
    """Write weights and, beside them, their card (`path` with the suffix .json), each whole or not at all.

    Parameters
    ----------
    path
        A name that ends in .safetensors.
    tensors
        A state dict, of any device.
    card
        What `baselines.weight_files.CARD_FIELDS` names, and more if wished; JSON types. sha256 is set here.
    half
        Whether matrices and kernels become float16.

    Returns
    -------
    sha256 of the file of weights.

    Raises
    ------
    WeightsError
        If a weight is not finite, the card lacks something, or the disk refuses.
    """
    if path.suffix != ".safetensors":
        raise WeightsError(f"weights {path}: expected a name that ends in .safetensors")
    checked = checked_card(card, str(path))
    stored = {name: _stored(name, tensor, half=half) for name, tensor in tensors.items()}
    write_atomically(path, save(stored, metadata={"format": "pt"}))  # a second entry would come in any order
    checked["sha256"] = digest(path)
    text = json.dumps(checked, indent=2, ensure_ascii=False, allow_nan=False)
    write_atomically(card_path(path), f"{text}\n".encode())
    return str(checked["sha256"])


def load_weights(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors of a file (floating point as float32, on the CPU), and its card.

    Raises
    ------
    WeightsError
        If it is no safetensors file (a pickle is refused, unopened), is broken, or its card is not beside it.
    """
    return load_tensors(path), read_card(path)


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a file, as `load_weights` does, without asking for a card."""
    read_header(path)
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"weights {path} cannot be read: {error}") from error
    return {name: t.float() if t.is_floating_point() else t for name, t in tensors.items()}


def load_into(network: nn.Module, tensors: Mapping[str, Tensor], origin: str) -> None:
    """Put tensors into a network that has exactly these; nothing is changed unless all fit.

    Parameters
    ----------
    network
        On any device.
    tensors
        By the names of its state dict.
    origin
        Where they come from, for the message.

    Raises
    ------
    WeightsError
        Naming the first tensor that is missing, has another shape or kind, or is not expected.
    """
    expected = network.state_dict()
    problem = _mismatch(expected, tensors)
    if problem:
        raise WeightsError(f"weights {origin} do not fit {type(network).__name__}: {problem}")
    network.load_state_dict(dict(tensors))


def _mismatch(expected: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> str:
    """Say what fits not first, in the network's order; nothing if all fits."""
    for name, tensor in expected.items():
        if name not in tensors:
            extra = next((other for other in tensors if other not in expected), None)
            hint = f"; it has a tensor {extra!r} instead, which is not expected" if extra is not None else ""
            return f"there is no tensor {name!r}: expected shape {tuple(tensor.shape)}{hint}"
        found = tensors[name]
        if found.shape != tensor.shape:
            return f"tensor {name!r}: expected shape {tuple(tensor.shape)}. Got {tuple(found.shape)}"
        if found.is_floating_point() != tensor.is_floating_point():
            return f"tensor {name!r}: expected type {tensor.dtype}. Got {found.dtype}"
    for name, found in tensors.items():
        if name not in expected:
            return f"tensor {name!r} of shape {tuple(found.shape)} is not expected"
    return ""


def _stored(name: str, tensor: Tensor, *, half: bool) -> Tensor:
    """Return a tensor as it goes into the file."""
    plain = tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
    if not plain.is_floating_point():
        return plain
    plain = plain.float()
    if not torch.isfinite(plain).all():
        raise WeightsError(f"tensor {name!r} holds NaN or infinity: expected finite numbers")
    fits = half and plain.ndim > 1 and float(plain.abs().max() if plain.numel() else 0) <= _HALF_MAX
    return plain.half() if fits else plain
