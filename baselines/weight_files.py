"""Files of weights and their cards, without torch: checked before anything is read.

Weights are a safetensors file; beside it lies its card, a JSON file of the same name that says how they
came to be. Nothing in here, nor in `baselines.weights`, ever unpickles anything.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = [
    "CARD_FIELDS",
    "INPAINT",
    "SHIPPED",
    "WeightsError",
    "card_path",
    "checked_card",
    "digest",
    "given_file",
    "read_card",
    "read_header",
    "shipped_weights",
    "write_atomically",
]

SHIPPED = Path(__file__).parent / "weights"
"""Where the weights of this package lie."""

CARD_FIELDS: Mapping[str, str] = {
    "method": "the name of the detector, or of the inpainter",
    "classes": "2 or 3",
    "base": "where the encoder's first weights came from, or null",
    "switches": "an object: what the network was made with",
    "threshold": "a number from 0 to 1",
    "version": "some text",
    "command": "the command that made the weights",
    "steps": "a number of steps",
    "seed": "a whole number",
    "recipe": "the recipe of the synthetic cracks",
    "source": "the clean paintings",
    "data": "what it was trained on, in words",
    "hardware": "what it was trained on, the machine",
    "licence": "of the weights",
}
"""What each card says, and what is expected there."""

INPAINT = "inpaint"
"""The `task` on cards of inpainters; on those of detectors there is none."""

_OF_DETECTORS = ("classes", "threshold")
"""Fields that a card of an inpainter has no use for."""

_LARGEST_HEADER = 100_000_000
_SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}


class WeightsError(ValueError):
    """Weights that are not there, are no weights, or do not fit the network."""


# --- cards -----------------------------------------------------------------------------------------------


def card_path(path: Path) -> Path:
    """Return where the card of a file of weights lies."""
    return path.with_suffix(".json")


def checked_card(card: Mapping[str, Any], origin: str) -> dict[str, Any]:
    """Return a card if it says all that `CARD_FIELDS` names; an inpainter has neither classes nor threshold.

    Raises
    ------
    WeightsError
        If a field is absent or of another kind; the message names it, and `origin`.
    """
    for name, expected in CARD_FIELDS.items():
        if name in _OF_DETECTORS and card.get("task") == INPAINT:
            continue
        if name not in card:
            raise WeightsError(f"card of {origin}: there is no {name!r}: expected {expected}")
        if not _is_right(name, card[name]):
            raise WeightsError(f"card of {origin}: {name!r} is {card[name]!r}: expected {expected}")
    return dict(card)


def _is_right(name: str, value: object) -> bool:
    if name == "classes":
        return value in {2, 3} and not isinstance(value, bool)
    if name in {"steps", "seed"}:
        return isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if name == "threshold":
        return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
    if name == "switches":
        return isinstance(value, Mapping) and all(isinstance(key, str) for key in value)
    if name == "base":
        return value is None or isinstance(value, str)
    return isinstance(value, str) and bool(value.strip())


def read_card(path: Path) -> dict[str, Any]:
    """Return the card beside a file of weights, checked, and checked to belong to this file.

    Raises
    ------
    WeightsError
        If there is none, it is none, or it tells the digest of another file.
    """
    where = card_path(path)
    try:
        card: object = json.loads(where.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise WeightsError(
            f"weights {path}: there is no card {where.name} beside them: expected both files of a run"
        ) from None
    except (OSError, ValueError) as error:
        raise WeightsError(f"card {where} cannot be read: {error}") from error
    if not isinstance(card, dict):
        raise WeightsError(f"card {where} is {type(card).__name__}: expected an object")
    checked = checked_card(card, str(path))
    found = digest(path)
    if checked.get("sha256") != found:
        raise WeightsError(
            f"card {where} is that of other weights: expected sha256 {found}. Got {checked.get('sha256')}"
        )
    return checked


# --- files -----------------------------------------------------------------------------------------------


def digest(path: Path) -> str:
    """Return the sha256 of a file, 64 hexadecimal digits.

    Raises
    ------
    WeightsError
        If it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(path, error) from error


def given_file(method: str, weights: str | None, where: str) -> Path:
    """Return the file that a setting names, of weights that this package does not ship.

    Parameters
    ----------
    method
        Its name, for the message.
    weights
        The setting.
    where
        What file is expected, where it comes from, and under which licence.

    Raises
    ------
    WeightsError
        If there is no such file.
    """
    path = Path(weights or "")
    if not weights or not path.is_file():
        told = "no setting weights" if not weights else f"no file {weights!r}"
        raise WeightsError(f"method {method!r}: there is {told}: expected the file {where}")
    return path


def read_header(path: Path) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Return (type, shape) of each tensor of a safetensors file by name, having checked the whole layout.

    Raises
    ------
    WeightsError
        If it is no safetensors file (the message says what it is), or is cut short.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(512)
            length = int.from_bytes(start[:8], "little")
            what = kind_of_other(start)
            if what:
                raise WeightsError(f"weights {path}: this is {what}: expected a safetensors file")
            if not (
                len(start) >= 10 and start[8:9] == b"{" and 2 <= length <= min(_LARGEST_HEADER, size - 8)
            ):
                raise WeightsError(f"weights {path}: this is no safetensors file, or it is cut short")
            file.seek(8)
            text = file.read(length)
    except OSError as error:
        raise _unreadable(path, error) from error
    return _parsed_header(path, text, size - 8 - length)


def kind_of_other(start: bytes) -> str:
    """Say what a file is that begins like this and is no safetensors file; nothing if it is none known."""
    if start.startswith(b"PK\x03\x04"):
        return (
            "a zip, as torch.save writes it: it holds a pickle, which can run any code when it is opened, "
            "and is not opened"
        )
    if re.match(rb"\x80[\x02-\x05]", start):
        return "a pickle, which can run any code when it is opened, and is not opened"
    if start.startswith(b"version https://git-lfs"):
        return "the pointer of Git LFS, not the file itself (git lfs pull)"
    if start.lstrip()[:1] == b"<":
        return "a page of the web, not a file of weights"
    for beginning, kind in (
        (b"\x89HDF", "an HDF5 file"),
        (b"GGUF", "a GGUF file"),
        (b"\x1f\x8b", "a gzip file"),
    ):
        if start.startswith(beginning):
            return kind
    return "" if start else "an empty file"


def _parsed_header(path: Path, text: bytes, room: int) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Read the table of tensors; the values of each lie inside the file and have the size that it tells."""
    found: dict[str, tuple[str, tuple[int, ...]]] = {}
    end = 0
    try:
        table = json.loads(text)
        for name, entry in table.items():
            if name == "__metadata__":
                continue
            found[name] = (str(entry["dtype"]), tuple(entry["shape"]))
            end = max(end, _end_of(*found[name], *entry["data_offsets"]))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise WeightsError(f"weights {path}: their table of tensors is broken: {error!r}") from error
    if end != room:
        raise WeightsError(f"weights {path}: cut short or added to: expected {end} bytes. Got {room}")
    return found


def _end_of(kind: str, shape: tuple[int, ...], first: int, last: int) -> int:
    """Return where a tensor ends, if it has the size that its type and shape tell."""
    if first < 0 or min(shape, default=0) < 0 or last - first != math.prod(shape) * _SIZES[kind]:
        raise ValueError(f"{kind} {shape} from {first} to {last}")
    return last


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file whole or not at all.

    Raises
    ------
    WeightsError
        If the disk refuses.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError):
            raise WeightsError(f"weights {path} cannot be written: {error.strerror or error}") from error
        raise


def _unreadable(path: Path, error: OSError) -> WeightsError:
    reason = error.strerror or error
    return WeightsError(f"weights {path} cannot be read: {reason}: expected a safetensors file")


def shipped_weights() -> dict[str, Path]:
    """Return the files of weights that come with this package, by the name of their method."""
    return {path.stem: path for path in sorted(SHIPPED.glob("*.safetensors"))}
