"""Tensors of files that torch.save wrote, read without unpickling: nothing in the file is ever called.

A pickle is a program for a stack machine, and some of its instructions call functions. This reader walks
through the instructions itself and *notes* a call where a pickle would make one. What is noted as a tensor of
a plain storage becomes an array; all else stays a note. Both layouts are read: the zip of torch from 1.6
on, and the row of pickles before that.
"""

from __future__ import annotations

import io
import math
import pickletools
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from baselines.weight_files import WeightsError

__all__ = ["read_checkpoint"]

Array = npt.NDArray[Any]

_TYPES: Mapping[str, str] = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "<i1",
    "ByteStorage": "<u1",
    "BoolStorage": "?",
}
_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY = 1001
_MOST_ENTRIES = 5_000_000
_BROKEN = (ValueError, KeyError, IndexError, TypeError, AttributeError, EOFError, MemoryError, OverflowError)
"""What a damaged file leads to; a damaged length asks for any amount of memory."""


@dataclass(frozen=True, slots=True)
class _Name:
    """A function or class that a pickle names."""

    text: str


@dataclass(eq=False, slots=True)
class _Call:
    """A call that was not made, and what a pickle would have put into its result."""

    name: object
    arguments: tuple[Any, ...]
    items: dict[Any, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Stored:
    """What a pickle says of a storage: it lies elsewhere in the file."""

    kind: str
    key: str
    count: int


class _Mark:
    """The beginning of what a later instruction takes off the stack."""


def read_checkpoint(path: Path, key: str) -> dict[str, Array]:
    """Return the tensors under a key of a checkpoint, by name.

    Parameters
    ----------
    path
        A file that torch.save wrote, of either layout.
    key
        Such as "model_state"; empty for the tensors at the top.

    Raises
    ------
    WeightsError
        If it is no such file, is broken, or holds no dictionary of tensors there.
    """
    try:
        with path.open("rb") as file:
            zipped = zipfile.is_zipfile(file)
            file.seek(0)
            return _tensors(*(_read_zip(file) if zipped else _read_row(file)), key)
    except OSError as error:
        raise WeightsError(f"weights {path} cannot be read: {error.strerror or error}") from error
    except (*_BROKEN, zipfile.BadZipFile) as error:
        raise WeightsError(f"weights {path}: no checkpoint of torch, or a broken one: {error}") from error


def _tensors(tree: Any, stored: Callable[[_Stored], Array], key: str) -> dict[str, Array]:
    """Return the tensors under a key of what a pickle describes."""
    found = tree.get(key) if key and isinstance(tree, dict) else tree
    state = found.items if isinstance(found, _Call) else found
    if not isinstance(state, dict):
        known = ", ".join(map(repr, tree)) if isinstance(tree, dict) else type(tree).__name__
        raise ValueError(f"there is no dictionary {key!r} in it: it has {known}")  # noqa: TRY004  told as others
    return {name: _array(value, stored) for name, value in state.items() if _is_tensor(value)}


def _read_zip(file: BinaryIO) -> tuple[Any, Callable[[_Stored], Array]]:
    archive = zipfile.ZipFile(file)
    names = {info.filename.split("/", 1)[-1]: info for info in archive.infolist()}
    if any(info.compress_type != zipfile.ZIP_STORED for info in names.values()):
        raise ValueError("it is compressed, which torch never does")
    if "byteorder" in names and archive.read(names["byteorder"]).strip() != b"little":
        raise ValueError("its bytes are in another order")

    def stored(what: _Stored) -> Array:
        return np.frombuffer(archive.read(names[f"data/{what.key}"]), _TYPES[what.kind])

    return _Machine(io.BytesIO(archive.read(names["data.pkl"]))).run(), stored


def _read_row(file: BinaryIO) -> tuple[Any, Callable[[_Stored], Array]]:
    if _Machine(file).run() != _MAGIC or _Machine(file).run() != _LEGACY:
        raise ValueError("it does not begin like one")
    system = _Machine(file).run()
    if not system.get("little_endian", False):
        raise ValueError("its bytes are in another order")
    machine = _Machine(file)
    tree = machine.run()
    kinds = {what.key: what.kind for what in machine.stored}
    read: dict[str, Array] = {}
    for key in _Machine(file).run():
        kind = np.dtype(_TYPES[kinds[key]])
        count = int.from_bytes(file.read(8), "little")
        if count * kind.itemsize > _left(file):  # asked before: a damaged number may be any
            raise ValueError(f"storage {key} is cut short")
        read[key] = np.frombuffer(file.read(count * kind.itemsize), kind)
    return tree, lambda what: read[what.key]


def _left(file: BinaryIO) -> int:
    """Return how many bytes there are behind the place where a file is read."""
    place = file.tell()
    end = file.seek(0, io.SEEK_END)
    file.seek(place)
    return end - place


def _is_tensor(value: object) -> bool:
    if not isinstance(value, _Call) or not isinstance(value.name, _Name):
        return False
    if value.name.text == "torch._utils _rebuild_parameter":
        return _is_tensor(value.arguments[0])
    return value.name.text == "torch._utils _rebuild_tensor_v2"


def _array(value: _Call, stored: Callable[[_Stored], Array]) -> Array:
    """Return a tensor as an array of its own."""
    if isinstance(value.name, _Name) and value.name.text.endswith("_rebuild_parameter"):
        return _array(value.arguments[0], stored)
    storage, offset, shape, strides = value.arguments[:4]
    if not isinstance(storage, _Stored) or len(shape) != len(strides):
        raise ValueError("a tensor has no storage")
    flat = stored(storage)
    numbers = (offset, *shape, *strides)
    if not all(isinstance(number, int) and number >= 0 for number in numbers):
        raise ValueError("a tensor has an odd shape")
    last = offset + sum((size - 1) * step for size, step in zip(shape, strides, strict=True))
    if math.prod(shape) and last >= flat.size:
        raise ValueError("a tensor reaches beyond its storage")
    if math.prod(shape) > flat.size:
        raise ValueError("a tensor is larger than its storage")
    steps = [step * flat.itemsize for step in strides]
    return np.lib.stride_tricks.as_strided(flat[offset:], shape, steps, writeable=False).copy()


class _Machine:
    """Walks through one pickle; afterwards the file stands behind it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self.stored: list[_Stored] = []

    def run(self) -> Any:
        """Return what the pickle describes."""
        for number, (code, argument, _) in enumerate(pickletools.genops(self._file)):
            if code.name == "STOP":
                return self._stack.pop()
            if number > _MOST_ENTRIES:
                raise ValueError("it has too many entries")
            self._do(code.name, argument)
        raise ValueError("it has no end")

    def _do(self, name: str, argument: Any) -> None:
        if name in _VALUES:
            self._stack.append(argument)
        elif name in _CONSTANTS:
            self._stack.append(_CONSTANTS[name]())
        elif name in _MEMO:
            self._memo[len(self._memo) if argument is None else int(argument)] = self._stack[-1]
        elif name in {"BINGET", "LONG_BINGET", "GET"}:
            self._stack.append(self._memo[int(argument)])
        elif name not in {"PROTO", "FRAME"}:
            self._shape(name, argument)

    def _shape(self, name: str, argument: Any) -> None:
        """Do what takes values off the stack, or names something."""
        stack = self._stack
        if name in {"TUPLE1", "TUPLE2", "TUPLE3"}:
            count = int(name[-1])
            stack[-count:] = [tuple(stack[-count:])]
        elif name in {"TUPLE", "LIST", "DICT", "APPENDS", "SETITEMS"}:
            self._gather(name)
        elif name == "APPEND":
            value = stack.pop()
            stack[-1].append(value)
        elif name == "SETITEM":
            value, key = stack.pop(), stack.pop()
            _put(stack[-1], [key, value])
        elif name == "GLOBAL":
            stack.append(_Name(str(argument)))
        elif name == "STACK_GLOBAL":
            last, module = stack.pop(), stack.pop()
            stack.append(_Name(f"{module} {last}"))
        else:
            self._note(name)

    def _note(self, name: str) -> None:
        """Do what would call something in an unpickler: here it is noted."""
        stack = self._stack
        if name in {"REDUCE", "NEWOBJ"}:
            arguments, callee = stack.pop(), stack.pop()
            stack.append(_Call(callee, tuple(arguments)))
        elif name == "BUILD":  # the state of an object: of no interest
            stack.pop()
        elif name == "BINPERSID":
            stack.append(self._storage(stack.pop()))
        else:
            raise ValueError(f"it has an instruction {name}, which no checkpoint needs")

    def _gather(self, name: str) -> None:
        """Do what takes all from the last mark on."""
        stack = self._stack
        mark = max(place for place, value in enumerate(stack) if isinstance(value, _Mark))
        values = stack[mark + 1 :]
        del stack[mark:]
        if name == "TUPLE":
            stack.append(tuple(values))
        elif name == "LIST":
            stack.append(values)
        elif name == "DICT":
            stack.append({})
            _put(stack[-1], values)
        elif name == "APPENDS":
            stack[-1].extend(values)
        else:
            _put(stack[-1], values)

    def _storage(self, identity: Any) -> _Stored:
        """Read ("storage", type, key, device, count, ...)."""
        what, kind, key, _, count, *view = identity
        kind_name = kind.text.split()[-1] if isinstance(kind, _Name) else ""
        if what != "storage" or kind_name not in _TYPES or any(part is not None for part in view):
            raise ValueError(f"it refers to {what!r} of type {kind_name!r}: expected a plain storage")
        found = _Stored(kind_name, str(key), int(count))
        self.stored.append(found)
        return found


def _put(into: Any, pairs: list[Any]) -> None:
    """Put keys and values into a dictionary, or into the note of a call that would make one."""
    items = into.items if isinstance(into, _Call) else into
    items.update(zip(pairs[::2], pairs[1::2], strict=True))


_NUMBERS = ("BININT", "BININT1", "BININT2", "INT", "LONG", "LONG1", "LONG4", "BINFLOAT", "FLOAT")
_TEXTS = (
    "BINUNICODE",
    "SHORT_BINUNICODE",
    "BINUNICODE8",
    "UNICODE",
    "BINSTRING",
    "SHORT_BINSTRING",
    "STRING",
)
_BYTES = ("BINBYTES", "SHORT_BINBYTES", "BINBYTES8")
_VALUES = frozenset(_NUMBERS + _TEXTS + _BYTES)
_MEMO = frozenset(("BINPUT", "LONG_BINPUT", "PUT", "MEMOIZE"))
_CONSTANTS: Mapping[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "EMPTY_SET": set,
    "MARK": _Mark,
}
