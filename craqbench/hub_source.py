"""A dataset repository of the Hugging Face Hub as a source of clean paintings.

A row group of a Parquet file is the unit that is fetched, so rows that are near each other use paintings of
the same row group: see `craqbench.sources.candidates`. Which painting a row uses is a pure function of the
pinned commit, the filters and the seed: machines agree without talking. The price: a dataset much smaller
than the repository is made from few row groups of it, drawn by chance.

Pictures are not looked at before they are used. One that turns out unusable is replaced, in its row, by
the next candidate, which every machine finds alike; the row says so, and the manifest at the end.
"""

from __future__ import annotations

import collections
import functools
import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from craqbench.engines import stop_if_asked
from craqbench.errors import SourceError
from craqbench.hub_cache import BlockCache, open_cache
from craqbench.hub_client import RangeFile, quiet, read_range
from craqbench.hub_index import Group, Index, open_index
from craqbench.hub_spec import SCHEME, parse_hub
from craqbench.paintings import Painting, Skipped, UnusableError, decode_painting
from craqbench.storage import new_file, on_disk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from craqbench.engines import Progress
    from generators.triplets import Image

__all__ = ["HubSource", "open_hub"]

PIECE = 16 << 20
"""Bytes in one request: what is lost when the connection is."""

_AT_ONCE = 4
_BATCH = 16
_PER_PICTURE = 512
"""Bytes in a block beside a picture's own, at most."""

_PICTURE = pa.schema([("picture", pa.binary())])


@dataclass(frozen=True, eq=False)
class HubSource:
    """The chosen pictures of a split. Made by `craqbench.sources.open_source`."""

    index: Index
    cache: BlockCache
    paintings: tuple[Painting, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    kind: str = "hub"
    endless: bool = False

    @property
    def name(self) -> str:
        """The source with commit, split and column pinned: as ``--source`` it means the same for ever."""
        return str(self.index.spec)

    @property
    def fingerprint(self) -> str:
        """sha256 (hex) over commit, filters, rows, titles, artists and licences."""
        return hashlib.sha256(f"hub {self.name} {self.index.digest}".encode()).hexdigest()

    @property
    def blocks(self) -> npt.NDArray[np.int64]:
        """Number of the first picture of each row group."""
        return self.index.starts[:-1]

    @property
    def facts(self) -> dict[str, Any]:
        """What the manifest says beyond the name: repository, commit, filters, pictures, licences."""
        spec = self.index.spec
        licences = collections.Counter(
            self._licence(word) for word in self.index.texts["licence"].to_pylist()
        )
        filters: dict[str, list[str]] = {}
        for column, value in spec.where:
            filters.setdefault(column, []).append(value)
        return {
            "repository": spec.repository,
            "revision": spec.revision,
            "split": spec.split,
            "column": spec.column,
            "filters": filters,
            "images": len(self),
            "licences": dict(sorted(licences.items())),
        }

    def __len__(self) -> int:
        return len(self.index.rows)

    def provenance(self, index: int) -> Painting:
        """Return what the row of a picture says; `sha256` is that of its place, for it has not been read."""
        spec, (group, _) = self.index.spec, self._group(index)
        title, artist, licence = (column[index].as_py() for column in self.index.texts.columns)
        name = f"{spec.repository}@{spec.revision}#{self.index.rows[index]}"
        place = f"{spec.repository}/{group.path}#{group.number}#{self.index.within[index]}"
        digest = hashlib.sha256(place.encode()).hexdigest()
        return Painting(name, title, artist, self._licence(licence), f"{SCHEME}{spec.repository}", digest)

    def painting(self, index: int) -> Image:
        """Read a picture, and its row group with it if that is not in the cache.

        Raises
        ------
        UnusableError
            If it is missing, broken or too small.
        SourceError, StorageError
            If it cannot be had now.
        """
        group, (first, last) = self._group(index)
        wanted = self.index.within[first:last]
        fetch = functools.partial(_fetch, self.index, group, wanted)
        room = group.stop - group.start + group.unpacked + _PER_PICTURE * (len(wanted) + 8)
        data = self.cache.picture(_key(self.index, group, wanted), index - first, room, fetch)
        if data is None:
            raise UnusableError("no image in this row")
        try:
            return decode_painting(data)
        except SourceError as error:
            raise UnusableError(str(error)) from error

    def _group(self, index: int) -> tuple[Group, tuple[int, int]]:
        """Return the row group of a picture, and the numbers of its first picture and of the next one's."""
        number = int(self.index.starts.searchsorted(index, side="right")) - 1
        return self.index.groups[number], (int(self.index.starts[number]), int(self.index.starts[number + 1]))

    def _licence(self, of_row: str) -> str:
        return of_row or self.index.licence


def open_hub(spec: str, progress: Progress | None) -> HubSource:
    """Open a dataset repository, see `craqbench.hub_spec.parse_hub`.

    Titles, artists and licences are those of the columns ``title``, ``artist`` and ``licence`` or
    ``license``, where there are some; other licences are the repository's.

    Raises
    ------
    SourceError
        If there is no such repository, revision, split, column or value, or the Hub cannot be reached.
    UsageError, StorageError
        If the cache cannot be used.
    """
    wanted, cache = parse_hub(spec), open_cache()
    with quiet():
        return HubSource(open_index(wanted, cache.folder, progress), cache)


def _key(index: Index, group: Group, wanted: npt.NDArray[np.int64]) -> str:
    """Return a name for the chosen pictures of a row group."""
    place = f"{index.spec.repository}@{index.spec.revision}/{group.path}#{group.number} {group.leaf} "
    return hashlib.sha256(place.encode() + wanted.astype("<i8").tobytes()).hexdigest()[:32]


def _fetch(index: Index, group: Group, wanted: npt.NDArray[np.int64], block: Path, part: Path) -> None:
    """Download a row group's pictures to `part`, and unpack those wanted into `block`."""
    spec = index.spec
    read = functools.partial(read_range, spec.repository, str(spec.revision), group.path)
    with quiet(), on_disk(part), part.open("a+b") as file:
        _download(read, group, file)
        try:
            _unpack(_local(read, group, file), group, wanted, block)
        except _DamagedError as error:
            file.truncate(0)
            where = f"{group.path} of dataset {spec.repository!r}"
            raise SourceError(f"{where} cannot be read: {error}: run the command again to go on") from error


def _download(read: Callable[[int, int], bytes], group: Group, file: BinaryIO) -> None:
    """Append what is missing, several pieces at once."""
    size = group.stop - group.start
    if file.tell() > size:
        file.truncate(0)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        while (here := file.tell()) < size:
            stop_if_asked()
            starts = range(group.start + here, group.stop, PIECE)[:_AT_ONCE]
            file.writelines(pool.map(lambda start: read(start, min(start + PIECE, group.stop)), starts))
            file.flush()
            os.fsync(file.fileno())  # after a power cut, what has its length has its content


def _local(read: Callable[[int, int], bytes], group: Group, file: BinaryIO) -> RangeFile:
    """Return the Parquet file as if it were here: pictures from the disk, the footer from the Hub."""

    def look(start: int, stop: int) -> bytes:
        if group.start <= start and stop <= group.stop:
            file.seek(start - group.start)
            return file.read(stop - start)
        return read(start, stop)

    return RangeFile(group.size, look)


def _unpack(parquet: RangeFile, group: Group, wanted: npt.NDArray[np.int64], block: Path) -> None:
    """Write the pictures at the positions `wanted` of a row group, one to a record batch."""
    left = collections.deque(wanted.tolist())
    with (
        new_file(block) as file,
        pa.OSFile(str(file.name), "wb") as sink,
        pa.ipc.new_file(sink, _PICTURE) as writer,
    ):
        first = 0
        for column in _columns(parquet, group):
            while left and left[0] < first + len(column):
                picture = column.slice(left.popleft() - first, 1)
                writer.write_batch(pa.record_batch([picture], schema=_PICTURE))
            first += len(column)
        if left:
            raise _DamagedError(f"{first} rows: expected more than {left[0]}")
    pa.default_memory_pool().release_unused()


def _columns(parquet: RangeFile, group: Group) -> Iterator[pa.Array]:
    """Yield the bytes of the pictures of a row group, some at a time; null where there are none."""
    try:
        with pq.ParquetFile(pa.PythonFile(parquet, "r"), pre_buffer=False, buffer_size=1 << 20) as file:
            for batch in file.iter_batches(_BATCH, [group.number], [group.leaf], use_threads=False):
                column = batch.column(0)
                inner = column.flatten()[0] if pa.types.is_struct(column.type) else column
                yield inner.cast(pa.binary())
    except (pa.ArrowException, OSError) as error:
        raise _DamagedError(str(error).partition("\n")[0]) from error


class _DamagedError(Exception):
    """A download that cannot be read."""
