"""Which pictures a split of a dataset repository has, and whose: read from footers and small columns.

The pictures themselves are not touched: of WikiArt's 37 GB this reads about 10 MB, once for each
commit and filter; then the index lies in the cache, and needs no network.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from craqbench.errors import SourceError
from craqbench.hub_client import (
    OutOfReachError,
    RangeFile,
    file_sizes,
    find_files,
    find_snapshot,
    read_range,
)
from craqbench.hub_columns import TEXTS, Columns, near
from craqbench.hub_spec import HubSpec
from craqbench.storage import write_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from craqbench.engines import Progress
    from craqbench.hub_client import Snapshot

__all__ = ["Group", "Index", "open_index"]

_FORMAT = 1
_THREADS = 8
_SAME = "expected the columns of the split's first file"


class Group(NamedTuple):
    """A row group of a Parquet file.

    Attributes
    ----------
    path, number
        The file in the repository, and which row group of it.
    size
        Of the file, in bytes.
    leaf
        Parquet's path of the column that holds the bytes of the pictures.
    start, stop
        Where this column's part of the row group lies in the file.
    unpacked
        Bytes of it without compression.
    """

    path: str
    number: int
    size: int
    leaf: str
    start: int
    stop: int
    unpacked: int


@dataclass(frozen=True, eq=False)
class Index:
    """The chosen pictures of a split, numbered from 0 in the order of its rows.

    Attributes
    ----------
    spec
        The source, with everything pinned.
    licence
        Of the repository.
    groups
        The row groups that have chosen pictures.
    starts
        (groups + 1,) int64: the number of the first picture of each group, and how many there are.
    rows
        (pictures,) int64: row in the split, filters or not.
    within
        (pictures,) int64: row in its row group.
    texts
        Title, artist and licence of each picture; "" where unknown.
    """

    spec: HubSpec
    licence: str
    groups: tuple[Group, ...]
    starts: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64]
    within: npt.NDArray[np.int64]
    texts: pa.Table

    @functools.cached_property
    def digest(self) -> str:
        """sha256 (hex) over all of it."""
        digest = hashlib.sha256(_head(self).encode())
        for numbers in (self.starts, self.rows, self.within):
            digest.update(numbers.astype("<i8").tobytes())
        for name in TEXTS:
            digest.update("\0".join(self.texts[name].to_pylist()).encode())
        return digest.hexdigest()


def open_index(spec: HubSpec, folder: Path, progress: Progress | None) -> Index:
    """Return the index of a source: from the cache in `folder`, or from the Hub.

    A branch or tag is resolved by the Hub; where that cannot be reached, to what it was the last time.

    Raises
    ------
    SourceError
        If there is no such repository, revision, split, column or value, or the Hub cannot be reached.
    StorageError
        If the cache cannot be written to.
    """
    known = _recall(spec, folder) if spec.is_pinned else None
    if known is not None:
        return known
    try:
        snapshot = find_snapshot(spec.repository, spec.revision)
    except OutOfReachError:
        known = _recall(_last_seen(spec, folder), folder)
        if known is None:
            raise
        return known
    pinned = dataclasses.replace(spec, repository=snapshot.repository, revision=snapshot.sha)
    index = _recall(pinned, folder) or _build(pinned, snapshot, progress)
    for name in {str(pinned), str(index.spec)}:
        path = _place(name, folder)
        if not path.exists():
            write_file(path, _packed(index))
    write_file(_note(spec, folder), json.dumps({"sha": snapshot.sha}).encode())
    return index


def _place(name: str, folder: Path) -> Path:
    return folder / "indexes" / f"{_key(name)}.arrow"


def _note(spec: HubSpec, folder: Path) -> Path:
    return folder / "revisions" / f"{_key(f'{spec.repository}@{spec.revision}')}.json"


def _key(name: str) -> str:
    return hashlib.sha256(f"{_FORMAT} {name}".encode()).hexdigest()[:32]


def _last_seen(spec: HubSpec, folder: Path) -> HubSpec:
    with contextlib.suppress(OSError, ValueError, KeyError):
        sha = json.loads(_note(spec, folder).read_bytes())["sha"]
        return dataclasses.replace(spec, revision=str(sha))
    return spec


def _recall(spec: HubSpec, folder: Path) -> Index | None:
    """Return an index from the cache; None if it is not there, or not readable."""
    try:
        data = _place(str(spec), folder).read_bytes()
        return _unpacked(data)
    except (OSError, pa.ArrowException, ValueError, KeyError, TypeError):
        return None


def _head(index: Index) -> str:
    content = {
        "spec": dataclasses.asdict(index.spec),
        "licence": index.licence,
        "groups": [list(group) for group in index.groups],
    }
    return json.dumps(content, sort_keys=True)


def _packed(index: Index) -> bytes:
    """Write an index as an Arrow file."""
    table = pa.table(
        {"rows": index.rows, "within": index.within, **dict(zip(TEXTS, index.texts, strict=True))}
    )
    head = {"head": _head(index), "starts": json.dumps(index.starts.tolist())}
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema.with_metadata(head)) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def _unpacked(data: bytes) -> Index:
    table = pa.ipc.open_file(pa.py_buffer(data)).read_all()
    metadata = table.schema.metadata
    head = json.loads(metadata[b"head"])
    where = tuple((column, value) for column, value in head["spec"].pop("where"))
    return Index(
        spec=HubSpec(**head["spec"], where=where),
        licence=head["licence"],
        groups=tuple(Group(*group) for group in head["groups"]),
        starts=np.array(json.loads(metadata[b"starts"]), np.int64),
        rows=table["rows"].to_numpy(),
        within=table["within"].to_numpy(),
        texts=table.select(list(TEXTS)).replace_schema_metadata(None),
    )


class _Part(NamedTuple):
    """What one file says: its row groups, and the text columns of all its rows."""

    groups: tuple[Group, ...]
    rows: tuple[int, ...]
    texts: dict[str, pa.DictionaryArray]


def _build(spec: HubSpec, snapshot: Snapshot, progress: Progress | None) -> Index:
    """Read an index from the Hub."""
    where = f"dataset {spec.repository!r} on the Hub"
    files = find_files(snapshot.repository, snapshot.sha, spec.config, spec.split)
    sizes = file_sizes(snapshot.repository, snapshot.sha, files.paths)
    with _open_footer(snapshot, files.paths[0], sizes[0]) as first:
        columns = Columns.of(where, spec, files, first.schema_arrow)
    parts = _read_parts(snapshot, columns, files.paths, sizes, progress)
    pinned = dataclasses.replace(spec, split=files.split, column=columns.picture)
    return _select(where, pinned, snapshot.licence, parts)


def _read_parts(
    snapshot: Snapshot,
    columns: Columns,
    paths: Sequence[str],
    sizes: Sequence[int],
    progress: Progress | None,
) -> list[_Part]:
    task = functools.partial(_read_part, snapshot, columns)
    parts = []
    with ThreadPoolExecutor(_THREADS) as pool:
        try:
            for part in pool.map(task, paths, sizes):
                parts.append(part)
                if progress:
                    progress("reading the index", len(parts), len(paths))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return parts


@contextlib.contextmanager
def _open_footer(snapshot: Snapshot, path: str, size: int) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file on the Hub: only what is asked for is read."""
    remote = RangeFile(size, functools.partial(read_range, snapshot.repository, snapshot.sha, path))
    try:
        with pq.ParquetFile(pa.PythonFile(remote, "r"), pre_buffer=False) as file:
            yield file
    except pa.ArrowException as error:
        reason = str(error).partition("\n")[0]
        message = f"{path} of dataset {snapshot.repository!r} is no sound Parquet file: {reason}"
        raise SourceError(message) from error


def _read_part(snapshot: Snapshot, columns: Columns, path: str, size: int) -> _Part:
    with _open_footer(snapshot, path, size) as file:
        if missing := [name for name in columns.read if name not in file.schema_arrow.names]:
            raise SourceError(f"{path}: no column {missing[0]!r}: {_SAME}")
        count = file.metadata.num_row_groups
        groups = tuple(_group(file, path, size, number, columns.leaf) for number in range(count))
        rows = tuple(file.metadata.row_group(number).num_rows for number in range(count))
        table = file.read(columns=list(columns.read), use_threads=False)
    return _Part(groups, rows, {name: columns.texts(name, table[name]) for name in columns.read})


def _group(file: pq.ParquetFile, path: str, size: int, number: int, leaf: str) -> Group:
    group = file.metadata.row_group(number)
    for column in map(group.column, range(group.num_columns)):
        if column.path_in_schema == leaf:
            first = column.data_page_offset
            start = min(first, column.dictionary_page_offset) if column.has_dictionary_page else first
            stop = start + column.total_compressed_size
            return Group(path, number, size, leaf, start, stop, column.total_uncompressed_size)
    raise SourceError(f"{path}: no column {leaf!r}: {_SAME}")


def _select(where: str, spec: HubSpec, licence: str, parts: Sequence[_Part]) -> Index:
    """Keep the rows that fit the filters: any of the values given for a column, and so for each column."""
    groups = [group for part in parts for group in part.groups]
    sizes = np.array([rows for part in parts for rows in part.rows], np.int64)
    of_group = np.repeat(np.arange(len(groups)), sizes)
    within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    columns = {
        name: pa.chunked_array([p.texts[name] for p in parts]).unify_dictionaries() for name in parts[0].texts
    }
    fits = np.ones(int(sizes.sum()), bool)
    for name in dict(spec.where):
        values = [value for column, value in spec.where if column == name]
        some = np.isin(np.array(columns[name].to_pylist(), object), values)
        if not some.any():
            present = sorted(set(columns[name].to_pylist()) - {""})
            raise SourceError(
                f"{where} has no row with {name} {' or '.join(values)}{near(values[0], present)}"
            )
        fits &= some
    rows = np.flatnonzero(fits)
    if not len(rows):
        asked = ", ".join(f"{name} {value}" for name, value in spec.where)
        raise SourceError(f"{where}, split {spec.split}: none of {len(fits):,} rows fits {asked or 'it'}")
    used, starts = np.unique(of_group[rows], return_index=True)
    return Index(
        spec,
        licence,
        tuple(groups[number] for number in used),
        np.append(starts, len(rows)).astype(np.int64),
        rows,
        within[rows],
        pa.table({name: _told(columns, TEXTS[name], rows) for name in TEXTS}),
    )


def _told(columns: dict[str, pa.ChunkedArray], names: Sequence[str], rows: npt.NDArray[np.int64]) -> pa.Array:
    """Return the first column of those named that is there, at some rows."""
    for name in names:
        if name in columns:
            return pa.array(columns[name].take(rows).to_pylist(), pa.string()).dictionary_encode()
    return pa.array([""] * len(rows), pa.string()).dictionary_encode()
