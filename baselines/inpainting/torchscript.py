"""Tensors of TorchScript archives, read without executing anything: neither the pickle nor the code in it.

Such a file is a zip with ``data.pkl``, a pickle of the tree of modules; ``data/0``, ``data/1``, ..., the
values of its tensors; and code, which is not even looked at. The pickle is walked through as
`baselines.torch_checkpoints` does, which notes calls where a pickle would make them; here it is also noted
what state each module is given.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from baselines.torch_checkpoints import (
    _BROKEN,
    _TYPES,
    Array,
    _array,
    _Call,
    _is_tensor,
    _Machine,
    _Stored,
)
from baselines.weight_files import WeightsError

__all__ = ["is_script", "read_script"]

_DEEPEST = 100
"""Modules within modules: more are taken for a circle."""


def is_script(path: Path) -> bool:
    """Whether a file is a TorchScript archive; one that cannot be read is none."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.split("/", 1)[-1].startswith("code/") for name in archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return False


def read_script(path: Path) -> dict[str, Array]:
    """Return the parameters and buffers of a TorchScript archive by name, as its state dict has them.

    Raises
    ------
    WeightsError
        If it is no such file, or a broken one.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return dict(_tensors(archive))
    except OSError as error:
        raise WeightsError(f"weights {path} cannot be read: {error.strerror or error}") from error
    except (*_BROKEN, zipfile.BadZipFile, RecursionError) as error:
        raise WeightsError(f"weights {path}: no TorchScript archive, or a broken one: {error}") from error


def _tensors(archive: zipfile.ZipFile) -> Iterator[tuple[str, Array]]:
    members = {info.filename.split("/", 1)[-1]: info for info in archive.infolist()}

    def content(name: str) -> bytes:
        if members[name].compress_type != zipfile.ZIP_STORED:
            raise ValueError(f"{name} is compressed, which torch never does")
        return archive.read(members[name])

    def stored(what: _Stored) -> Array:
        return np.frombuffer(content(f"data/{what.key}"), _TYPES[what.kind])

    if "byteorder" in members and content("byteorder").strip() != b"little":
        raise ValueError("its bytes are in another order")
    machine = _Modules(io.BytesIO(content("data.pkl")))
    root = machine.run()
    for name, tensor in machine.tensors_of(root, ""):
        yield name, _array(tensor, stored)


class _Modules(_Machine):
    """Notes the state that each module is given."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file)
        self._states: dict[int, Any] = {}
        self._given: list[_Call] = []  # kept: an identity is worth nothing once its owner is gone

    def _note(self, name: str) -> None:
        """Do as for any pickle, but keep what an object is given."""
        if name == "BUILD" and isinstance(self._stack[-2], _Call):
            self._given.append(self._stack[-2])
            self._states[id(self._stack[-2])] = self._stack[-1]
        super()._note(name)

    def tensors_of(self, module: object, prefix: str, depth: int = 0) -> Iterator[tuple[str, _Call]]:
        """Yield the tensors of a module and of the modules in it, with their names."""
        state = self._states.get(id(module))
        if depth > _DEEPEST:
            raise ValueError("its modules lie in one another")
        if not isinstance(state, dict):
            return
        for name, value in state.items():
            if isinstance(value, _Call) and _is_tensor(value):
                yield f"{prefix}{name}", value
            elif isinstance(value, _Call):
                yield from self.tensors_of(value, f"{prefix}{name}.", depth + 1)
