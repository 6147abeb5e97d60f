"""Pictures from the Hub on this disk: a folder of bounded size that any number of processes share.

The unit is a block: the pictures of one Parquet row group, unpacked into an Arrow file of one picture per
record batch, because inside Parquet a single picture costs the decoding of all (1 GB of memory for a
group of 500 MB). One process at a time fetches, so that room and memory are accounted for; the others
wait for it, or read. A process keeps the block it read last, and what is kept is never evicted.
"""

from __future__ import annotations

import contextlib
import math
import os
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import pyarrow as pa

from craqbench.downloads import cache_folder
from craqbench.engines import stop_if_asked
from craqbench.errors import StorageError, UsageError
from craqbench.storage import on_disk

if TYPE_CHECKING:
    from collections.abc import Iterator

try:
    import fcntl
except ImportError:  # Windows, where an open file cannot be deleted anyway
    fcntl = None  # type: ignore[assignment]

__all__ = ["CACHE_GB", "DEFAULT_GB", "BlockCache", "open_cache"]

CACHE_GB = "CRAQBENCH_CACHE_GB"
"""Environment variable: the greatest size of the folder in GB (10^9 bytes)."""

DEFAULT_GB = 20.0

_PATIENCE = 600.0
"""Seconds to wait for room while other processes keep every block in use."""

_PAUSE = 0.2


class _Kept(NamedTuple):
    """A block that this process has open, and locked, so that nobody evicts it."""

    path: Path
    pictures: Any
    unlock: Callable[[], object]


@dataclass
class BlockCache:
    """A bounded folder of blocks; picklable, without what it keeps open.

    Attributes
    ----------
    folder
        Made when it is first needed.
    limit
        Most bytes that blocks and unfinished downloads may take, all together.
    """

    folder: Path
    limit: int
    _kept: _Kept | None = field(default=None, repr=False, compare=False)

    def __getstate__(self) -> dict[str, Any]:
        return {"folder": self.folder, "limit": self.limit, "_kept": None}

    def picture(self, key: str, number: int, room: int, fetch: Callable[[Path, Path], None]) -> bytes | None:
        """Return picture `number` of a block: the bytes of its file, or None where there are none.

        Parameters
        ----------
        key
            Name of the block: letters and digits.
        number
            Position in the block.
        room
            Most bytes that fetching it takes, download and block together.
        fetch
            ``fetch(block, part)`` makes the file `block`; what it leaves in `part` it finds there again
            after an interruption.

        Raises
        ------
        StorageError
            If the cache is too small, or the disk full, read-only or gone.
        """
        path = self._block(key)
        if self._kept is None or self._kept.path != path:
            self.release()
            self._kept = self._open(path) or self._fetch(path, room, fetch)
        column = self._kept.pictures.get_batch(number).column(0)
        return column[0].as_buffer().to_pybytes() if column[0].is_valid else None

    def release(self) -> None:
        """Keep nothing in use."""
        if self._kept is not None:
            self._kept.unlock()
        self._kept = None

    def _block(self, key: str) -> Path:
        return self.folder / "blocks" / f"{key}.arrow"

    def _open(self, path: Path) -> _Kept | None:
        """Open a block and keep it; None if it is not there, or broken."""
        try:
            lock = os.open(path, os.O_RDONLY)
        except OSError:
            return None
        _lock(lock, shared=True)
        try:
            pictures = pa.ipc.open_file(pa.OSFile(str(path)))
            os.utime(path)
        except (OSError, pa.ArrowException):  # evicted before the lock was had, or damaged
            os.close(lock)
            return None
        return _Kept(path, pictures, weakref.finalize(self, os.close, lock))

    def _fetch(self, path: Path, room: int, fetch: Callable[[Path, Path], None]) -> _Kept:
        with self._alone():
            found = self._open(path)
            if found is None:
                part = path.with_suffix(".part")
                self._make_room(room, part)
                fetch(path, part)
                with on_disk(part):
                    part.unlink(missing_ok=True)
                found = self._open(path)
                self._evict(
                    self.limit, part
                )  # a block may turn out larger: Parquet keeps equal pictures once
        if found is None:
            raise StorageError(f"{path} cannot be read right after it was written: expected a working disk")
        return found

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Be the only process that fetches."""
        with on_disk(self.folder):
            (self.folder / "blocks").mkdir(parents=True, exist_ok=True)
            lock = (self.folder / "fetching.lock").open("ab")
        with lock:
            _lock(lock)
            yield

    def _make_room(self, room: int, part: Path) -> None:
        """Evict blocks, those longest unused first, until `room` bytes are free; `part` stays."""
        if room > self.limit:
            raise StorageError(
                f"--cache-gb {self.limit / 1e9:g}: too small for {self.folder}: expected "
                f"{math.ceil(room / 1e8) / 10:g} or more, which one block takes on its way"
            )
        deadline = time.monotonic() + _PATIENCE
        while not self._evict(self.limit - room, part):
            if time.monotonic() > deadline:
                raise StorageError(
                    f"--cache-gb {self.limit / 1e9:g}: other processes use all of {self.folder}: expected "
                    "more, or fewer processes"
                )
            stop_if_asked()
            time.sleep(_PAUSE)

    def _evict(self, most: int, part: Path) -> bool:
        """Remove files until those left have `most` bytes; return whether that could be done."""
        with on_disk(self.folder):
            files = [(path, path.stat()) for path in (self.folder / "blocks").iterdir() if path != part]
        used = sum(status.st_size for _, status in files)
        for path, status in sorted(files, key=lambda item: item[1].st_mtime_ns):
            if used <= most:
                break
            if _remove_unused(path):
                used -= status.st_size
        return used <= most


def open_cache() -> BlockCache:
    """Return the cache that the environment names: `craqbench.downloads.cache_folder`, `CACHE_GB`.

    Raises
    ------
    UsageError
        If the size is no positive number.
    """
    text = os.environ.get(CACHE_GB) or str(DEFAULT_GB)
    try:
        size = float(text)
    except ValueError:
        size = math.nan
    if not 0 < size < math.inf:
        raise UsageError(f"{CACHE_GB} {text!r}: expected GB, such as {DEFAULT_GB:g}")
    return BlockCache(cache_folder() / "hub", round(size * 1e9))


def _remove_unused(path: Path) -> bool:
    """Remove a file that no process has locked; return whether it is gone."""
    try:
        with path.open("rb") as file:
            if not _lock(file, wait=False):
                return False
            path.unlink()
    except FileNotFoundError:
        return True
    except PermissionError:  # Windows: it is open somewhere
        return False
    return True


def _lock(file: BinaryIO | int, *, shared: bool = False, wait: bool = True) -> bool:
    """Lock an open file until it is closed; return whether it was had. Disks without locks do without."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
