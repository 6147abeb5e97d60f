"""Files appear whole or not at all, and a bad disk is explained."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from craqbench import storage
from craqbench.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of 64 kB; skip where that is not allowed."""
    where = tmp_path / "disk"
    where.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", where], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip(f"no tmpfs may be mounted here: {done.stderr.decode().strip()}")
    yield where
    subprocess.run(["umount", where], check=True)


def test_write_file(tmp_path: Path) -> None:
    """A file is written with its folders, replaces what was there, and leaves nothing else."""
    path = tmp_path / "a" / "b.txt"
    storage.write_file(path, b"first")
    storage.write_file(path, b"second")
    assert path.read_bytes() == b"second"
    assert [file.name for file in path.parent.iterdir()] == ["b.txt"]


def test_failure_keeps_what_was_there(tmp_path: Path) -> None:
    """After an error in mid-writing the old file is whole and the new one is gone."""
    path = tmp_path / "a"
    storage.write_file(path, b"old")
    with contextlib.suppress(ZeroDivisionError), storage.new_file(path) as file:
        file.write(b"half")
        raise ZeroDivisionError
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["a"]


def test_leftovers_of_the_dead_go_and_those_of_the_living_stay(tmp_path: Path) -> None:
    """Only files of that name that nobody is writing are removed."""
    path = tmp_path / "a.parquet"
    dead, other = tmp_path / ".a.parquet.0123.part", tmp_path / ".b.parquet.0123.part"
    dead.touch()
    other.touch()
    with storage.new_file(path) as file:
        storage.remove_leftovers(path)
        assert not dead.exists()
        assert other.exists()
        file.write(b"x")
    assert path.read_bytes() == b"x"
    assert storage.is_leftover(other)
    assert not storage.is_leftover(path)


@pytest.mark.parametrize("moment", ["_lock", "_sync_folder", "replace"])
def test_somebody_tidies_up_at_the_worst_moment(
    moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Leftovers are removed before the file is locked, at its renaming, or after: it is still written."""
    path, place = tmp_path / "a", Path if moment == "replace" else storage
    real = getattr(place, moment)
    tidied: list[str] = []

    def first_tidy(*arguments: Any) -> Any:
        if not tidied:
            tidied.append(moment)
            storage.remove_leftovers(path)
        return real(*arguments)

    monkeypatch.setattr(place, moment, first_tidy)
    storage.write_file(path, b"x")
    assert tidied
    assert path.read_bytes() == b"x"
    assert [file.name for file in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "No space left on device: expected free space; what is finished is kept"),
        (errno.EROFS, "Read-only file system: expected a disk that can be written to"),
        (errno.EACCES, "Permission denied: expected a folder that you may write to"),
        (errno.EIO, "Input/output error: expected a working disk"),
    ],
)
def test_a_bad_disk_is_explained(number: int, words: str, tmp_path: Path) -> None:
    """Each kind of trouble says what was expected, and names the path."""
    with pytest.raises(StorageError, match=f"cannot write {tmp_path}: {words}"), storage.on_disk(tmp_path):
        raise OSError(number, os.strerror(number))


def test_a_file_where_a_folder_should_be(tmp_path: Path) -> None:
    """A path through a file cannot be written."""
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match=r"cannot write .*file/a: .*expected a folder"):
        storage.write_file(tmp_path / "file" / "a", b"")


def test_full_disk(small_disk: Path) -> None:
    """On a full disk nothing is left of the file, and the error says so."""
    with pytest.raises(StorageError, match="No space left"):
        storage.write_file(small_disk / "a", bytes(200_000))
    assert not list(small_disk.iterdir())


def test_read_only_disk(small_disk: Path) -> None:
    """A read-only disk is an error of its own."""
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(StorageError, match="Read-only file system"):
        storage.write_file(small_disk / "a", b"x")
