"""Paths among a method's settings: a result tells which file it was, and not where it lay.

>>> told("runs/best.safetensors")  # doctest: +SKIP
'best.safetensors#5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03'
>>> told("light"), short(1.5)
('light', '1.5')
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

__all__ = ["from_here", "named", "short", "told"]

_DIGITS = 8

Settings = Iterable[tuple[str, Any]]


def told(value: Any) -> Any:
    """Return a setting's value as a result tells it.

    Of a file it is ``NAME#SHA256``; of a folder, or what is not there, in place of its contents sha256 of the
    whole path is taken, which tells two of the same name apart. Anything else is returned as it is.
    """
    return f"{Path(value).name}#{_digest(Path(value))}" if _is_path(value) else value


def short(value: Any) -> str:
    """Return a setting's value for a label: of a file the stem and the first digits of its digest."""
    if _is_path(value):
        return f"{Path(value).stem}#{_digest(Path(value))[:_DIGITS]}"
    return ":".join(map(str, value)) if isinstance(value, tuple | list) else str(value)


def named(text: str, settings: Settings) -> str:
    """Return ``NAME,SETTING=VALUE,...`` as it was typed, but of files only their names."""
    return _replaced(text, settings, lambda path: path.name)


def from_here(text: str, settings: Settings) -> str:
    """Return ``NAME,SETTING=VALUE,...`` as it was typed, but files under this folder as seen from here."""
    here = Path.cwd()
    return _replaced(text, settings, lambda p: p.relative_to(here) if p.is_relative_to(here) else p)


def _replaced(text: str, settings: Settings, write: Callable[[Path], object]) -> str:
    for name, value in settings:
        if _is_path(value):
            text = text.replace(f",{name}={value}", f",{name}={write(Path(value))}")
    return text


def _is_path(value: Any) -> bool:
    """Whether a value is a path: an absolute one, or that of something with a folder or an ending."""
    if not isinstance(value, str | Path):
        return False
    path = Path(value)
    with contextlib.suppress(OSError, ValueError):  # a text too long for a name, or with a NUL
        return path.is_absolute() or ((len(path.parts) > 1 or path.suffix != "") and path.exists())
    return False


def _digest(path: Path) -> str:
    with contextlib.suppress(OSError):
        if path.is_file():
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
    return hashlib.sha256(str(path.absolute()).encode()).hexdigest()
