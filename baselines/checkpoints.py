"""Checkpoints: tensors and, as JSON in the header of the same safetensors file, all the rest.

It is one file: tensors and facts never come from different steps. Nothing is pickled.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

__all__ = ["pack", "unpack"]


def pack(tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> bytes:
    """Return the bytes of a checkpoint.

    Parameters
    ----------
    tensors
        Contiguous, on the CPU.
    facts
        JSON types.
    """
    return save(dict(tensors), metadata={"facts": json.dumps(facts)})


def unpack(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read a checkpoint: its tensors, on the CPU, and its facts.

    Raises
    ------
    ValueError
        If the file is broken or no checkpoint.
    """
    try:
        with safe_open(path, framework="pt") as file:
            facts = json.loads(file.metadata()["facts"])
            return {name: file.get_tensor(name) for name in file.keys()}, facts  # noqa: SIM118  it is no mapping
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise ValueError(f"checkpoint {path} cannot be read: {error}") from error
