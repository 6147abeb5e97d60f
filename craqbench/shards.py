"""One Parquet file of a dataset: columns, writing row by row, and what the file says of itself."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from craqbench.configuration import BYTES_PER_PX, FORMAT, Shard
from craqbench.errors import DatasetError
from craqbench.storage import new_file

if TYPE_CHECKING:
    from pathlib import Path

    from craqbench.engines import Beat
    from generators.triplets import Size

__all__ = ["BrokenShardError", "Record", "Sealed", "check_shard", "features", "read_cells", "write_shard"]

Cells = Mapping[str, Any]
"""The cells of a row by column: str, int, or the bytes of a picture."""

PICTURES = ("image", "mask", "damaged", "labels")
INTEGERS = ("recipe_version", "seed", "index")

READ_ERRORS = (OSError, ValueError, TypeError, KeyError, pa.ArrowException)
"""What reading a damaged Parquet file raises."""

_KEY = b"craqbench"
_GROUP_ROWS = 8
_GROUP_BYTES = 32_000_000


class BrokenShardError(Exception):
    """A file that is no complete, sound shard; the message says why."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """What a shard's footer says of the shard.

    Attributes
    ----------
    fingerprint
        Of the dataset it belongs to.
    split, first, rows
        As in `craqbench.configuration.Shard`.
    content_sha256
        Over the cells of all rows: it does not depend on how Parquet lays them out.
    format
        Version of the layout.
    """

    fingerprint: str
    split: str
    first: int
    rows: int
    content_sha256: str
    format: int = FORMAT


@dataclass(frozen=True, slots=True)
class Record:
    """What the manifest says of a shard."""

    file: str
    split: str
    first: int
    rows: int
    bytes: int
    sha256: str
    content_sha256: str


@dataclass(frozen=True, slots=True)
class Layout:
    """What all shards of a dataset share.

    Attributes
    ----------
    columns
        Their names in order, see `columns`.
    size
        (width, height) of the pictures in px: it decides how many rows make a row group.
    fingerprint
        Of the dataset.
    """

    columns: tuple[str, ...]
    size: Size
    fingerprint: str


def columns(classes: Sequence[str]) -> tuple[str, ...]:
    """Return the columns of a dataset: with ``labels`` where there are more classes than two."""
    pictures = PICTURES if len(classes) > 2 else PICTURES[:3]
    numbers = ("recipe", "recipe_version", "seed", "index")
    return ("id", *pictures, *numbers, "painting", "title", "artist", "licence", "source", "meta")


def features(names: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return the columns as the ``datasets`` library describes them."""
    return {name: _feature(name) for name in names}


def _feature(name: str) -> dict[str, str]:
    if name in PICTURES:
        return {"_type": "Image"}
    return {"dtype": "int64" if name in INTEGERS else "string", "_type": "Value"}


def write_shard(path: Path, shard: Shard, rows: Iterable[Cells], layout: Layout) -> Record:
    """Write a shard, streaming; the file appears under its name when it is complete.

    Raises
    ------
    StorageError
        If the disk is full, read-only or gone.
    """
    schema = _schema(layout.columns)
    content = _Content(layout.columns)
    with new_file(path) as file:
        sink = _Sink(file)
        with _writer(sink, schema) as writer:
            for group in _groups(content.passing(rows), layout.size):
                writer.write_batch(_batch(group, schema))
            sealed = Sealed(layout.fingerprint, shard.split, shard.first, shard.rows, content.hexdigest())
            writer.add_key_value_metadata({_KEY: json.dumps(asdict(sealed), sort_keys=True).encode()})
            writer.close()
    return _record(shard, sink.size, sink.digest.hexdigest(), sealed)


def check_shard(path: Path, shard: Shard, fingerprint: str, beat: Beat) -> Record:
    """Read a finished shard in full and return its record.

    Raises
    ------
    BrokenShardError
        If the file is damaged, truncated, or not the shard that it should be.
    DatasetError
        If it is a sound shard of another configuration or code version.
    """
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        sealed = read_seal(path)
        if sealed.fingerprint != fingerprint:
            raise DatasetError(
                f"shard {path} is of another configuration or code version: its fingerprint is "
                f"{sealed.fingerprint}, expected {fingerprint}"
            )
        if (sealed.split, sealed.first, sealed.rows) != (shard.split, shard.first, shard.rows):
            found = f"{sealed.rows} rows from {sealed.first} of {sealed.split!r}"
            raise BrokenShardError(f"{found}: another shard under this name")
        if content_digest(path, beat) != sealed.content_sha256:
            raise BrokenShardError("the rows do not have the digest in its footer")
        return _record(shard, path.stat().st_size, digest, sealed)
    except READ_ERRORS as error:
        raise BrokenShardError(f"not a readable Parquet file ({first_line(error)})") from error


def read_seal(path: Path) -> Sealed:
    """Return what a shard's footer says of it.

    Raises
    ------
    BrokenShardError
        If it says nothing, or in another format.
    """
    metadata = pq.read_metadata(path).metadata or {}
    try:
        sealed = Sealed(**json.loads(metadata[_KEY]))
    except (KeyError, TypeError, ValueError) as error:
        raise BrokenShardError("no craqbench footer") from error
    if sealed.format != FORMAT:
        raise BrokenShardError(f"format {sealed.format}: expected {FORMAT}")
    return sealed


def content_digest(path: Path, beat: Beat | None = None) -> str:
    """Return sha256 (hex) over the cells of a shard as they are on the disk."""
    with pq.ParquetFile(path) as file:
        content = _Content(file.schema_arrow.names)
    for _ in content.passing(read_cells(path)):
        if beat:
            beat()
    return content.hexdigest()


def read_cells(path: Path) -> Iterator[dict[str, Any]]:
    """Read the rows of a shard, a few at a time.

    Raises
    ------
    OSError, pyarrow.ArrowException
        If the file cannot be read.
    """
    with pq.ParquetFile(path, pre_buffer=False) as file:
        for batch in file.iter_batches(batch_size=1, use_threads=False):
            for row in batch.to_pylist():
                yield {name: cell["bytes"] if name in PICTURES else cell for name, cell in row.items()}


def first_line(error: Exception) -> str:
    """Return the part of a message that people read."""
    return next(iter(str(error).splitlines()), type(error).__name__)


def _record(shard: Shard, size: int, sha256: str, sealed: Sealed) -> Record:
    return Record(shard.file, shard.split, shard.first, shard.rows, size, sha256, sealed.content_sha256)


class _Content:
    """The digest over cells: names, then each cell's length and bytes, row by row."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._digest = hashlib.sha256("\0".join(names).encode())

    def passing(self, rows: Iterable[Cells]) -> Iterator[Cells]:
        """Take in the rows as they pass."""
        for row in rows:
            for name in self._names:
                cell = row[name]
                data = cell if isinstance(cell, bytes) else str(cell).encode()
                self._digest.update(len(data).to_bytes(8, "big"))
                self._digest.update(data)
            yield row

    def hexdigest(self) -> str:
        return self._digest.hexdigest()


class _Sink:
    """A file for pyarrow: counts and digests what goes through, and after an error swallows the rest."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self.digest, self.size, self.closed, self.broken = file, hashlib.sha256(), 0, False, False

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        if self.broken:
            return len(view)
        self.digest.update(view)
        self.size += len(view)
        left = view
        while left:
            left = left[self._file.write(left) :]
        return len(view)

    def tell(self) -> int:
        return self.size

    def flush(self) -> None: ...

    def close(self) -> None:
        self.closed = True


@contextlib.contextmanager
def _writer(sink: _Sink, schema: pa.Schema) -> Iterator[pq.ParquetWriter]:
    # Pictures are compressed already, and nothing is ever looked up by their smallest value.
    writer = pq.ParquetWriter(
        pa.PythonFile(sink, "w"),
        schema,
        compression="none",
        use_dictionary=False,
        write_statistics=False,
    )
    try:
        yield writer
    except BaseException:
        # The writer closes itself when it is forgotten, and would write to a disk that is full.
        sink.broken = True
        with contextlib.suppress(OSError, pa.ArrowException):
            writer.close()
        raise


def _groups(rows: Iterable[Cells], size: Size) -> Iterator[list[Cells]]:
    """Gather rows into row groups: few, so that memory stays flat and a reader can skip."""
    most = int(_GROUP_BYTES / (BYTES_PER_PX * size[0] * size[1]))
    iterator = iter(rows)
    while group := list(itertools.islice(iterator, max(1, min(_GROUP_ROWS, most)))):
        yield group


def _schema(names: Sequence[str]) -> pa.Schema:
    picture = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    special = {**dict.fromkeys(PICTURES, picture), **dict.fromkeys(INTEGERS, pa.int64())}
    huggingface = json.dumps({"info": {"features": features(names)}})
    return pa.schema([(name, special.get(name, pa.string())) for name in names], {"huggingface": huggingface})


def _batch(rows: Sequence[Cells], schema: pa.Schema) -> pa.RecordBatch:
    arrays = [_array(field, [row[field.name] for row in rows]) for field in schema]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _array(field: pa.Field, cells: list[Any]) -> pa.Array:
    """Build a column from buffers: `pyarrow.array` would import pandas into every worker."""
    if field.name in PICTURES:
        data = _variable(pa.binary(), cells)
        return pa.StructArray.from_arrays([data, pa.nulls(len(cells), pa.string())], fields=list(field.type))
    if field.name in INTEGERS:
        return pa.Array.from_buffers(field.type, len(cells), [None, pa.py_buffer(np.array(cells, np.int64))])
    return _variable(field.type, [cell.encode() for cell in cells])


def _variable(kind: pa.DataType, values: list[bytes]) -> pa.Array:
    ends = np.cumsum([0, *map(len, values)]).astype(np.int32)
    buffers = [None, pa.py_buffer(ends), pa.py_buffer(b"".join(values))]
    return pa.Array.from_buffers(kind, len(values), buffers)
