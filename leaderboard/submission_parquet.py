"""``predictions.parquet`` as strangers sent it: the footer is checked first, then row by row.

A footer may lie about its pages, and then reading runs into a wall: of the sizes here, or of the memory that
the process may take, see `leaderboard.submission_process`. No more than one row is held at a time.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from leaderboard.submission_rules import quoted, refused

__all__ = ["ID", "IMAGE", "MASK", "ROW_GROUP_BYTES", "SCORE", "read_rows"]

ID, MASK, SCORE, IMAGE = "image_id", "mask_png", "score_png", "image_png"

ROW_GROUP_BYTES = 64_000_000
"""Most bytes of a row group, unpacked: a page of it, at worst all of it, is in memory at once."""

_MAGIC = b"PAR1"
_FOOTER_BYTES, _FOOTER_BYTES_PER_ROW = 64_000, 2_000
_THRIFT_STRING, _THRIFT_CONTAINER = 1_000_000, 200_000
_SCHEMA_DEPTH = 4
_BUFFER = 1 << 16
_TEXTS = (pa.string(), pa.large_string(), pa.string_view())
_BYTES = (pa.binary(), pa.large_binary(), pa.binary_view())
_KINDS = {ID: ("texts", _TEXTS)}


def read_rows(
    path: Path, columns: Sequence[str], optional: Sequence[str], most: Mapping[str, int]
) -> Iterator[Row]:
    """Yield the rows of a file, each a dict of a text and bytes.

    Parameters
    ----------
    path
        Of the file.
    columns, optional
        Those that it must have, and may have.
    most
        Image id -> most bytes of a picture of it; as many rows as entries.

    Raises
    ------
    Refused
        By a rule ``parquet-...`` or ``png-size``.
    MemoryError
        If it asks for more than this process may have.
    """
    _check_footer_size(path, len(most))
    with _explained(), _opened(path) as file:
        names = _check_schema(file, columns, optional)
        _check_sizes(file.metadata, most, len(names) - 1)
        count = 0
        for batch in file.iter_batches(batch_size=1, columns=names, use_threads=False):
            count += batch.num_rows
            if count > len(most):
                break
            yield _row({name: batch.column(name)[0] for name in names}, most)
        if count != len(most):
            raise refused("parquet-content", f"{count:,} rows: expected {len(most):,} as its footer says")


Row = dict[str, Any]


def _check_footer_size(path: Path, rows: int) -> None:
    """Look at the first and the last bytes, which say how long the footer is."""
    most = _FOOTER_BYTES + _FOOTER_BYTES_PER_ROW * rows
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(0)
        first = file.read(4)
        file.seek(max(0, size - 8))
        last = file.read(8)
    if size < 12 or first != _MAGIC or last[4:] != _MAGIC:
        found = f"it begins with {quoted(first)} and ends with {quoted(last[4:])}"
        raise refused("parquet-format", f"{found}: expected a Parquet file, PAR1 at both ends, not encrypted")
    footer = int.from_bytes(last[:4], "little")
    if footer > min(most, size - 12):
        raise refused(
            "parquet-footer", f"a footer of {footer:,} bytes: expected at most {min(most, size - 12):,}"
        )


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """Turn what pyarrow raises into a refusal; a lack of memory stays one."""
    try:
        yield
    except MemoryError:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        told = quoted(str(error).partition("\n")[0])
        raise refused("parquet-content", f"it cannot be read ({told}): expected a sound file") from error


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[pq.ParquetFile]:
    try:
        file = pq.ParquetFile(
            path,
            buffer_size=_BUFFER,
            pre_buffer=False,
            thrift_string_size_limit=_THRIFT_STRING,
            thrift_container_size_limit=_THRIFT_CONTAINER,
            schema_depth_limit=_SCHEMA_DEPTH,
            arrow_extensions_enabled=False,
        )
    except MemoryError:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        told = quoted(str(error).partition("\n")[0])
        raise refused(
            "parquet-format", f"its footer cannot be read ({told}): expected a sound file"
        ) from error
    with file:
        yield file


def _check_schema(file: pq.ParquetFile, columns: Sequence[str], optional: Sequence[str]) -> list[str]:
    schema = file.metadata.schema
    names = [schema.column(number).path for number in range(len(schema))]
    wanted = [*columns, *(name for name in optional if name in names)]
    if sorted(names) != sorted(wanted):
        found = ", ".join(map(quoted, names[:8])) + (", ..." if len(names) > 8 else "")
        beside = f", and {' or '.join(optional)} if there is any" if optional else ""
        raise refused("parquet-columns", f"columns {found}: expected exactly {', '.join(columns)}{beside}")
    for number, name in enumerate(names):
        _check_type(schema.column(number), file.schema_arrow, name)
    return wanted


def _check_type(column: Any, arrow: pa.Schema, name: str) -> None:
    what, types = _KINDS.get(name, ("bytes", _BYTES))
    flat = column.max_repetition_level == 0 and column.max_definition_level <= 1
    if not flat or column.physical_type != "BYTE_ARRAY" or arrow.field(name).type not in types:
        found = f"column {name} of {quoted(str(arrow.field(name).type))}"
        raise refused("parquet-types", f"{found}: expected a plain column of {what}")


def _check_sizes(metadata: pq.FileMetaData, most: Mapping[str, int], pictures: int) -> None:
    if metadata.num_rows != len(most):
        raise refused(
            "parquet-rows", f"{metadata.num_rows:,} rows: expected {len(most):,}, one for each image"
        )
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    if len(groups) > len(most) or sum(group.num_rows for group in groups) != metadata.num_rows:
        raise refused("parquet-row-groups", f"{len(groups):,} row groups that do not hold the rows")
    sizes = [_size(group) for group in groups]
    if max(sizes) > ROW_GROUP_BYTES:
        found = f"a row group of {max(sizes):,} bytes"
        raise refused(
            "parquet-row-groups", f"{found}: expected at most {ROW_GROUP_BYTES:,}: write smaller ones"
        )
    limit = pictures * sum(most.values()) + 1000 * len(most)
    if sum(sizes) > limit:
        raise refused("parquet-sizes", f"{sum(sizes):,} bytes unpacked: expected at most {limit:,}")


def _size(group: Any) -> int:
    """Return how many bytes a row group says that it unpacks to; more where it contradicts itself."""
    columns = [group.column(number) for number in range(group.num_columns)]
    if any(c.num_values != group.num_rows or c.total_uncompressed_size < 0 for c in columns):
        raise refused(
            "parquet-row-groups", "a column with another number of values than its row group has rows"
        )
    return max(int(group.total_byte_size), sum(int(column.total_uncompressed_size) for column in columns))


def _row(scalars: Mapping[str, Any], most: Mapping[str, int]) -> Row:
    empty = next((name for name, scalar in scalars.items() if not scalar.is_valid), None)
    if empty:
        raise refused("parquet-null", f"an empty cell in column {empty}: expected none")
    row = {ID: scalars[ID].as_py()}
    known = row[ID] in most
    limit = most[row[ID]] if known else max(most.values())
    for name in scalars.keys() - {ID}:
        buffer = scalars[name].as_buffer()
        if buffer.size > limit:
            problem = f"{buffer.size:,} bytes in column {name}: expected at most {limit:,}"
            raise refused("png-size", problem, row[ID] if known else None)
        row[name] = buffer.to_pybytes()
    return row
