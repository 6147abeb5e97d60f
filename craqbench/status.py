"""How far a dataset is, from its files alone: no lock is taken, nothing is written, nobody is disturbed."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from craqbench.configuration import Shard, lay_out
from craqbench.dataset import load_manifest
from craqbench.making import NOTES
from craqbench.shards import READ_ERRORS, BrokenShardError, Sealed, first_line, read_seal
from craqbench.storage import leftovers

__all__ = ["Status", "Unfinished", "read_status"]

READERS = 16
"""Threads: on a disk of a network, opening files is waiting."""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A shard that is being written, or was when its process was killed.

    Attributes
    ----------
    file
        The shard's name inside the dataset.
    bytes
        Written so far.
    age
        Seconds since the last of them.
    """

    file: str
    bytes: int
    age: float


@dataclass(frozen=True)
class Status:
    """How far a dataset is.

    Attributes
    ----------
    folder, manifest
        The dataset, and what its manifest says it is to be.
    layout
        All its shards.
    finished
        File -> bytes of those whose footer is as it should be. Their rows are not read: `verify` does.
    damaged
        File -> reason of those whose footer is not.
    unfinished
        Temporary files, the latest first.
    failed
        File -> reason of those that are not there and that an engine could not make.
    """

    folder: Path
    manifest: Mapping[str, Any]
    layout: tuple[Shard, ...]
    finished: Mapping[str, int]
    damaged: Mapping[str, str]
    unfinished: tuple[Unfinished, ...]
    failed: Mapping[str, str]

    @property
    def rows(self) -> int:
        """Rows in finished shards."""
        return sum(shard.rows for shard in self.layout if shard.file in self.finished)

    @property
    def missing(self) -> tuple[Shard, ...]:
        """The shards of which there is no file."""
        there = self.finished.keys() | self.damaged.keys()
        return tuple(shard for shard in self.layout if shard.file not in there)

    @property
    def complete(self) -> bool:
        """Whether all shards are finished, and the manifest says so."""
        return bool(self.manifest["complete"]) and len(self.finished) == len(self.layout)


def read_status(folder: Path) -> Status:
    """Read how far a dataset is. One footer per shard is read, and no row.

    Raises
    ------
    DatasetError
        If the folder is no dataset.
    """
    manifest = load_manifest(folder)
    layout = lay_out(manifest["splits"].items(), manifest["options"]["shard-size"])
    sizes = {item["file"]: item["bytes"] for item in manifest["shards"]}

    def look(shard: Shard) -> int | str | None:
        return _look(folder / shard.file, shard, manifest["fingerprint"], sizes.get(shard.file))

    with ThreadPoolExecutor(READERS) as readers:
        seen = dict(zip((shard.file for shard in layout), readers.map(look, layout), strict=True))
    finished = {file: found for file, found in seen.items() if isinstance(found, int)}
    return Status(
        folder=folder,
        manifest=manifest,
        layout=layout,
        finished=finished,
        damaged={file: found for file, found in seen.items() if isinstance(found, str)},
        unfinished=_unfinished(folder / "data"),
        failed={
            layout[number].file: reason
            for number, reason in _noted(folder / NOTES / "failures").items()
            if number < len(layout) and layout[number].file not in finished
        },
    )


def _look(path: Path, shard: Shard, fingerprint: str, recorded: int | None) -> int | str | None:
    """Return the size of a sound shard, what is wrong with another, or None if it is not there."""
    try:
        size = path.stat().st_size
        seal = read_seal(path)
    except FileNotFoundError:
        return None
    except BrokenShardError as error:
        return str(error)
    except READ_ERRORS as error:
        return f"not a readable Parquet file ({first_line(error)})"
    if recorded not in (None, size):
        return f"{size:,} bytes, where the manifest says {recorded:,}"
    return _strange(seal, shard, fingerprint) or size


def _strange(seal: Sealed, shard: Shard, fingerprint: str) -> str:
    if seal.fingerprint != fingerprint:
        return "of another configuration or code version"
    if (seal.split, seal.first, seal.rows) != (shard.split, shard.first, shard.rows):
        return "another shard under this name"
    return ""


def _unfinished(data: Path) -> tuple[Unfinished, ...]:
    found = []
    for path, name in leftovers(data):
        try:
            status = path.stat()
        except FileNotFoundError:  # finished meanwhile
            continue
        age = max(0.0, time.time() - status.st_mtime)
        found.append(Unfinished(f"data/{name}", status.st_size, age))
    return tuple(sorted(found, key=lambda item: item.age))


def _noted(folder: Path) -> dict[int, str]:
    """Return what engines have noted of failures, by the number of the shard; see `craqbench.cluster`."""
    paths = sorted(folder.iterdir()) if folder.is_dir() else []
    return {int(path.name): path.read_text() for path in paths if path.name.isdigit()}
