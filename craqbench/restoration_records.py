"""The sidecar of a restored picture: what was changed, by what, how many px; and whether it is still that.

A picture is finished when its sidecar is there: it is written last.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyvips

import craqbench
from craqbench.errors import SourceError, UsageError
from craqbench.scans_notes import MARK
from craqbench.scans_opening import is_ours
from craqbench.storage import on_disk

__all__ = [
    "FORMAT",
    "Files",
    "describe_libraries",
    "digest",
    "outdated",
    "properties_of",
    "refuse_others",
    "settled",
    "statement_of",
]

FORMAT = "craqbench restoration 1"
"""What a sidecar begins with."""

_DIGEST = 64
_REDO = "expected another --out, or --redo to make it again"


@dataclass(frozen=True, slots=True)
class Files:
    """What is written for a picture.

    Attributes
    ----------
    restored, mask, page, record
        The picture, what was filled, before and after, and the sidecar.
    """

    restored: Path
    mask: Path
    page: Path
    record: Path

    @property
    def all(self) -> tuple[Path, ...]:
        """All of them, the sidecar last."""
        return self.restored, self.mask, self.page, self.record

    @classmethod
    def of(cls, folder: Path, name: str, suffix: str) -> Files:
        """Return those of a name."""
        return cls(
            folder / f"{name}-restored{suffix}",
            folder / f"{name}-mask.png",
            folder / f"{name}-before-after.html",
            folder / f"{name}-restored.json",
        )


def digest(path: Path) -> str:
    """Return the sha256 of a file.

    Raises
    ------
    SourceError
        If it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise SourceError(error.strerror or str(error)) from error


def describe_libraries() -> dict[str, str]:
    """Return the versions of what a restored picture may depend on."""
    return {
        "craqbench": craqbench.__version__,
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "libvips": ".".join(str(pyvips.version(part)) for part in range(3)),
    }


def settled(files: Files, told: Mapping[str, Any], sha256: str) -> dict[str, Any] | None:
    """Return the sidecar of a picture that is finished, or None if it is to be done.

    Parameters
    ----------
    files
        Where it would be.
    told
        What was asked for.
    sha256
        Of the original.

    Raises
    ------
    UsageError
        If the picture that is there was made of another original, or has changed since; or as
        `refuse_others`.
    """
    record = _read(files.record)
    if record is None:
        return None
    _refuse_other_settings(files.record, record["settings"], told)
    if record["input"]["sha256"] != sha256:
        raise UsageError(
            f"{files.record} is that of another painting, or of another version of this one: {_REDO}"
        )
    for path, kind in ((files.restored, "output"), (files.mask, "mask")):
        if path.exists() and digest(path) != record[kind]["sha256"]:
            raise UsageError(f"{path} has been changed since it was made: {_REDO}")
    return record if all(path.exists() for path in files.all) else None


def outdated(files: Files) -> Path | None:
    """Return the restored picture that a sidecar tells of, if it is of another format than the one to come.

    None, too, if it has been changed since it was made: then it is somebody's work.
    """
    try:
        record = _read(files.record)
    except UsageError:
        return None
    if record is None:
        return None
    path = files.record.with_name(Path(str(record["output"].get("name"))).name)
    there = path != files.restored and path.is_file()
    return path if there and digest(path) == record["output"]["sha256"] else None


def refuse_others(files: Files, told: Mapping[str, Any], *, redo: bool) -> None:
    """Refuse to write over what was made otherwise, before any work is done.

    Parameters
    ----------
    files, told
        As for `settled`.
    redo
        Whether what this program made may be written over, whatever its settings were.

    Raises
    ------
    UsageError
        If there is a picture of other settings, or one that somebody else made. What a run has left that was
        interrupted is ours.
    """
    record = None if redo and files.record.exists() else _read(files.record)
    if record is not None:
        _refuse_other_settings(files.record, record["settings"], told)
    if not files.record.exists():
        for path in (files.restored, files.mask):
            if path.exists() and not is_ours(path):
                raise UsageError(
                    f"{path} is there, and was not made by craqbench restore: expected another --out"
                )


def _read(path: Path) -> dict[str, Any] | None:
    """Return a sidecar, or None if there is none."""
    with on_disk(path):
        if not path.exists():
            return None
        data = path.read_bytes()
    try:
        found = json.loads(data)
        if found["format"] == FORMAT and all(found[kind]["sha256"] for kind in ("input", "output", "mask")):
            record: dict[str, Any] = {**found, "settings": dict(found["settings"])}
            return record
    except (ValueError, KeyError, TypeError):
        pass
    raise UsageError(f"{path} is no sidecar of this version of craqbench: {_REDO}")


def _refuse_other_settings(path: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    for name in sorted(set(before) | set(now)):
        was, wanted = before.get(name), now.get(name)
        if was != wanted:
            raise UsageError(f"{path} was made with {name} {_short(was)}, not {_short(wanted)}: {_REDO}")


def _short(value: object) -> str:
    """Return a setting in a few words; of a method its label, its version and its source's digest."""
    if not isinstance(value, dict):
        text = "none" if value is None else str(value)
        return f"of sha256 {text[:8]}..." if len(text) == _DIGEST else text  # a mask's
    source = str(value.get("source_sha256"))[:8]
    return f"{value.get('label')} (version {value.get('version')}, source {source})"


def statement_of(record: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    """Return what a restored picture says of itself, in words."""
    filled, share = record["filled_px"], 100 * record["filled_share"]
    found = f"found by {labels['found by']}" if labels["found by"] else "after a mask that was given"
    return (
        f"{MARK}: {filled:,} px ({share:.3g} %) were filled digitally by {labels['filled by']}, {found}. "
        f"Made by craqbench {craqbench.__version__} on {record['time'][:10]} from {record['input']['name']}, "
        f"sha256 {record['input']['sha256']}."
    )


def properties_of(record: Mapping[str, Any], labels: Mapping[str, str]) -> dict[str, str]:
    """Return what a restored picture says of itself, for programs."""
    return {
        "virtualRestoration": "True",
        "statement": record["statement"],
        "filledPixels": str(record["filled_px"]),
        "filledShare": f"{record['filled_share']:.6g}",
        "filledBy": labels["filled by"],
        "foundBy": labels["found by"] or "given mask",
        "originalName": record["input"]["name"],
        "originalSha256": record["input"]["sha256"],
        "madeBy": f"craqbench {craqbench.__version__}",
        "date": record["time"],
    }
