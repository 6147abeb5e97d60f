"""One Parquet file: what it holds, what it says of itself, and what is noticed when it is damaged."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from craqbench import shards
from craqbench.configuration import Shard
from craqbench.errors import DatasetError, StorageError
from craqbench.shards import BrokenShardError, Layout, check_shard, columns, read_cells, write_shard
from generators.triplets import CLASSES

if TYPE_CHECKING:
    from collections.abc import Iterator

SHARD = Shard("data/train-00000-of-00001.parquet", "train", 40, 20)
LAYOUT = Layout(columns(CLASSES), (96, 64), "fingerprint")


def cells(number: int) -> dict[str, Any]:
    """Return made-up cells of a row."""
    row: dict[str, Any] = {name: f"{name} {number} é" for name in LAYOUT.columns}
    row |= {name: f"{name}{number}".encode() * 50 for name in shards.PICTURES}
    return row | dict.fromkeys(shards.INTEGERS, number)


def rows() -> Iterator[dict[str, Any]]:
    """Yield the rows of the shard."""
    return (cells(number) for number in range(40, 60))


def beat(done: int = 1) -> None:
    """Take no notice."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a finished shard."""
    write_shard(tmp_path / "a.parquet", SHARD, rows(), LAYOUT)
    return tmp_path / "a.parquet"


def test_round_trip(path: Path) -> None:
    """Cells come back as they went in, in order."""
    assert list(read_cells(path)) == list(rows())


def test_labels_only_where_there_are_classes() -> None:
    """Two classes need no labels: the mask says all."""
    assert "labels" in columns(CLASSES)
    assert "labels" not in columns(CLASSES[:2])


def test_record_and_seal_agree(path: Path) -> None:
    """The record returned by writing is the one that checking returns."""
    written = write_shard(path, SHARD, rows(), LAYOUT)
    assert check_shard(path, SHARD, "fingerprint", beat) == written
    assert written.bytes == path.stat().st_size
    seal = json.loads(pq.read_metadata(path).metadata[b"craqbench"])
    assert (seal["split"], seal["first"], seal["rows"]) == ("train", 40, 20)


def test_same_rows_make_the_same_bytes(path: Path, tmp_path: Path) -> None:
    """There is nothing in a file but its rows, its seal and the versions."""
    write_shard(tmp_path / "b.parquet", SHARD, rows(), LAYOUT)
    assert (tmp_path / "b.parquet").read_bytes() == path.read_bytes()


def test_content_digest_does_not_depend_on_parquet(path: Path, tmp_path: Path) -> None:
    """The same rows laid out in another way have the same content digest; other rows have another."""
    table = pq.read_table(path)
    pq.write_table(table, tmp_path / "b.parquet", compression="zstd", row_group_size=3)
    pq.write_table(table.slice(1), tmp_path / "c.parquet")
    first, same, other = (
        shards.content_digest(file) for file in (path, tmp_path / "b.parquet", tmp_path / "c.parquet")
    )
    assert first == same != other


def test_row_groups_are_small(path: Path) -> None:
    """Memory stays flat: no row group has more than 8 rows, or one if the pictures are huge."""
    metadata = pq.read_metadata(path)
    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == [8, 8, 4]
    huge = Layout(LAYOUT.columns, (8192, 8192), "fingerprint")
    write_shard(path, SHARD, rows(), huge)
    assert pq.read_metadata(path).num_row_groups == 20


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_truncated(path: Path, share: float) -> None:
    """A truncated file is broken."""
    os.truncate(path, int(path.stat().st_size * share))
    with pytest.raises(BrokenShardError, match="not a readable Parquet file"):
        check_shard(path, SHARD, "fingerprint", beat)


@pytest.mark.parametrize("share", [i / 25 for i in range(1, 25)])
def test_flipped_bits(path: Path, share: float) -> None:
    """A flipped byte among the rows is noticed, wherever it is."""
    data = bytearray(path.read_bytes())
    end = len(data) - 12 - int.from_bytes(data[-8:-4], "little")
    data[int(share * end)] ^= 0x10
    path.write_bytes(data)
    try:
        check_shard(path, SHARD, "fingerprint", beat)
    except BrokenShardError:
        return
    # A page header holds a few numbers that no reader looks at: then the rows must be as they were.
    assert list(read_cells(path)) == list(rows())


def test_other_shards(path: Path, tmp_path: Path) -> None:
    """A shard under a wrong name, of another dataset or of somebody else is told apart."""
    with pytest.raises(BrokenShardError, match="20 rows from 40 of 'train': another shard"):
        check_shard(path, Shard(SHARD.file, "test", 40, 20), "fingerprint", beat)
    with pytest.raises(DatasetError, match="its fingerprint is fingerprint, expected other"):
        check_shard(path, SHARD, "other", beat)
    pq.write_table(pa.table({"id": ["a"]}), tmp_path / "foreign.parquet")
    with pytest.raises(BrokenShardError, match="no craqbench footer"):
        check_shard(tmp_path / "foreign.parquet", SHARD, "fingerprint", beat)


@pytest.mark.parametrize("after", [0, 3000, 20_000])
def test_full_disk(after: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk fills up, nothing is left, and the writer is not heard of again."""
    real_open = Path.open

    class Full:
        def __init__(self, file: Any) -> None:
            self.file, self.left = file, after

        def write(self, data: memoryview) -> int:
            self.left -= len(data)
            if self.left < 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return int(self.file.write(data))

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            self.file.close()

        def fileno(self) -> int:
            return int(self.file.fileno())

    monkeypatch.setattr(Path, "open", lambda *args, **options: Full(real_open(*args, **options)))
    with pytest.raises(StorageError, match="No space left on device"):
        write_shard(tmp_path / "a.parquet", SHARD, rows(), LAYOUT)
    assert not list(tmp_path.iterdir())


def test_an_error_in_a_row_leaves_nothing(tmp_path: Path) -> None:
    """When a row cannot be made, there is no file, and the error is the row's own."""

    def broken() -> Iterator[dict[str, Any]]:
        yield cells(40)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_shard(tmp_path / "a.parquet", SHARD, broken(), LAYOUT)
    assert not list(tmp_path.iterdir())
