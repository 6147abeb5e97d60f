"""A folder of images as a source of clean paintings."""

from __future__ import annotations

import csv
import functools
import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from craqbench.engines import Beat, Progress, run
from craqbench.errors import SourceError
from craqbench.paintings import MIN_SIDE, SUFFIXES, Painting, Skipped, decode_painting

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from generators.triplets import Image

__all__ = ["FolderSource", "open_folder"]

UNKNOWN = "unknown"

_PARALLEL_FROM = 64


class _Stamp(NamedTuple):
    """Size and time of change of a file, to see whether it has changed since the scan."""

    size: int
    time: int


@dataclass(frozen=True)
class FolderSource:
    """The usable images of a folder. Made by `open_source`."""

    folder: Path
    paintings: tuple[Painting, ...]
    skipped: tuple[Skipped, ...]
    fingerprint: str
    stamps: tuple[_Stamp, ...]
    kind: str = "folder"
    endless: bool = False

    @property
    def name(self) -> str:
        """The folder's own name: where it lies on this machine is nobody's business."""
        return self.folder.resolve().name

    @property
    def blocks(self) -> npt.NDArray[np.int64]:
        """None: each file is read alone."""
        return np.zeros(0, np.int64)

    @property
    def facts(self) -> dict[str, Any]:
        """Nothing more."""
        return {}

    def __len__(self) -> int:
        return len(self.paintings)

    def provenance(self, index: int) -> Painting:
        """Return what ``index.csv`` says of a painting."""
        return self.paintings[index]

    def painting(self, index: int) -> Image:
        """Read a painting.

        Raises
        ------
        SourceError
            If the file is gone, or has changed since the folder was opened.
        """
        path = self.folder / self.paintings[index].id
        try:
            data = path.read_bytes()
            changed = _stamp(path) != self.stamps[index]
        except OSError as error:
            raise SourceError(f"painting {path} was there at the start, now: {error.strerror}") from error
        if changed:
            raise SourceError(f"painting {path} has changed since the start: expected the same file")
        return decode_painting(data)


class _Found(NamedTuple):
    """What the scan found in a file; `reason` is empty if it is usable."""

    reason: str
    sha256: str = ""
    stamp: _Stamp = _Stamp(0, 0)


def open_folder(spec: str, workers: int, progress: Progress | None) -> FolderSource:
    """Open a folder of images, see `craqbench.sources.open_source`.

    An image is skipped, with its reason, if it cannot be decoded (`craqbench.paintings.decode_painting`),
    is a copy of another (same sha256: it could bring one painting into two splits), or is not the file
    that ``index.csv`` gives a sha256 for (its licence would be another file's).

    Raises
    ------
    SourceError
        If the folder is missing, cannot be read or holds no usable image, or its index is malformed.
    """
    folder = Path(spec).expanduser()
    names, skipped = _list_images(folder)
    index = _read_index(folder)
    found = _scan(folder, names, workers, progress)
    skipped += [Skipped(name, "listed in index.csv, but not there") for name in index.keys() - set(names)]
    usable: dict[str, tuple[Painting, _Stamp]] = {}
    for name, item in zip(names, found, strict=True):
        row = index.get(name, {})
        reason = item.reason or _conflict(row, item.sha256, usable)
        if reason:
            skipped.append(Skipped(name, reason))
        else:
            usable[item.sha256] = _painting(name, item.sha256, row), item.stamp
    if not usable:
        raise SourceError(_no_usable(folder, skipped))
    paintings = tuple(painting for painting, _ in usable.values())
    stamps = tuple(stamp for _, stamp in usable.values())
    fingerprint = _digest(["folder", *(list(asdict(painting).values()) for painting in paintings)])
    skipped.sort(key=lambda item: item.path)
    return FolderSource(folder, paintings, tuple(skipped), fingerprint, stamps)


def _conflict(row: dict[str, str], sha256: str, usable: dict[str, tuple[Painting, _Stamp]]) -> str:
    """Say why a sound image is not used: not the file its licence was given for, or there already."""
    if row.get("sha256", sha256).lower() != sha256:
        return f"sha256 {sha256} is not the one in index.csv"
    if sha256 in usable:
        # A copy would let one painting into two splits.
        return f"a copy of {usable[sha256][0].id}"
    return ""


def _painting(name: str, sha256: str, row: dict[str, str]) -> Painting:
    licence, source = row.get("licence", UNKNOWN), row.get("source", UNKNOWN)
    return Painting(name, row.get("title", ""), row.get("artist", ""), licence, source, sha256)


def _list_images(folder: Path) -> tuple[list[str], list[Skipped]]:
    """Return the images under a folder, sorted, as paths inside it; hidden ones are passed over."""
    if not folder.exists():
        raise SourceError(f"source {str(folder)!r} does not exist: expected 'procedural' or a folder")
    if not folder.is_dir():
        raise SourceError(f"source {str(folder)!r} is a file: expected 'procedural' or a folder")
    names, skipped = [], []
    for name in _walk(folder):
        try:
            name.encode()
        except UnicodeEncodeError:
            printable = os.fsencode(name).decode("utf-8", "backslashreplace")
            skipped.append(Skipped(printable, "the file name is not UTF-8"))
        else:
            names.append(name)
    if not names and not skipped:
        endings = ", ".join(SUFFIXES)
        raise SourceError(f"source {str(folder)!r} holds no image: expected files ending in {endings}")
    return sorted(names), skipped


def _walk(folder: Path) -> Iterator[str]:
    def fail(error: OSError) -> None:
        raise SourceError(f"source folder {error.filename}: {error.strerror}") from error

    for where, folders, files in os.walk(folder, onerror=fail):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in files:
            if name.lower().endswith(SUFFIXES) and not name.startswith("."):
                yield (Path(where) / name).relative_to(folder).as_posix()


def _read_index(folder: Path) -> dict[str, dict[str, str]]:
    """Return the rows of ``index.csv`` by file; empty cells are left out."""
    path = folder / "index.csv"
    if not path.exists():
        return {}
    index: dict[str, dict[str, str]] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines, strict=True)
            if "file" not in (reader.fieldnames or ()):
                raise SourceError(f"{path}: columns {reader.fieldnames}: expected a column 'file'")
            for row in reader:
                if None in row or None in row.values() or not row["file"]:
                    cells = len(reader.fieldnames or ())
                    raise SourceError(f"{path}, line {reader.line_num}: expected {cells} cells")
                index[PurePosixPath(row["file"]).as_posix()] = {k: v for k, v in row.items() if v}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SourceError(f"{path} cannot be read: {error}") from error
    return index


def _scan(folder: Path, names: list[str], workers: int, progress: Progress | None) -> list[_Found]:
    """Read every image in full."""

    def report(done: int) -> None:
        if progress:
            progress("reading paintings", done, len(names))

    report(0)
    task = functools.partial(_examine, folder)
    return run(task, names, workers=workers if len(names) >= _PARALLEL_FROM else 1, on_beat=report)


def _examine(folder: Path, name: str, beat: Beat) -> _Found:
    path = folder / name
    try:
        stamp = _stamp(path)
        data = path.read_bytes()
        decode_painting(data)
        found = _Found("", hashlib.sha256(data).hexdigest(), stamp)
    except OSError as error:
        found = _Found(error.strerror or type(error).__name__)
    except SourceError as error:
        found = _Found(str(error))
    beat()
    return found


def _stamp(path: Path) -> _Stamp:
    status = path.stat()
    return _Stamp(status.st_size, status.st_mtime_ns)


def _no_usable(folder: Path, skipped: list[Skipped]) -> str:
    shown = "; ".join(f"{item.path}: {item.reason}" for item in skipped[:3])
    more = f"; and {len(skipped) - 3} more" if len(skipped) > 3 else ""
    return (
        f"source {str(folder)!r} holds no usable image of {MIN_SIDE} px or more on each side: {shown}{more}"
    )


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
