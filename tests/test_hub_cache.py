"""The cache of pictures from the Hub: bounded, shared, and never in the way."""

from __future__ import annotations

import fcntl
import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from craqbench import hub_cache
from craqbench.errors import StorageError, UsageError
from craqbench.hub_cache import CACHE_GB, BlockCache, open_cache
from craqbench.storage import new_file

if TYPE_CHECKING:
    from collections.abc import Callable

SIZE = 1000
"""Bytes of a picture."""

BLOCK = 1700
"""Bytes of a block of one picture and a missing one, at most, and of fetching it."""


class Store:
    """Where blocks come from; counts what is fetched."""

    def __init__(self) -> None:
        self.fetched: list[str] = []

    def of(self, key: str) -> Callable[[Path, Path], None]:
        """Return what makes the block `key`."""

        def fetch(block: Path, part: Path) -> None:
            self.fetched.append(key)
            part.write_bytes(b"x" * 100)
            write_block(block, [key.encode() * SIZE, None])

        return fetch


def write_block(path: Path, pictures: list[bytes | None]) -> None:
    """Write a block as the Hub source does."""
    schema = pa.schema([("picture", pa.binary())])
    with (
        new_file(path) as file,
        pa.OSFile(str(file.name), "wb") as sink,
        pa.ipc.new_file(sink, schema) as out,
    ):
        for data in pictures:
            out.write_batch(pa.record_batch([pa.array([data], pa.binary())], schema=schema))


def used(cache: BlockCache) -> int:
    """Return how many bytes a cache takes."""
    return sum(path.stat().st_size for path in (cache.folder / "blocks").iterdir())


def names(cache: BlockCache) -> str:
    """Return the keys of the blocks in a cache."""
    return "".join(sorted(path.stem for path in (cache.folder / "blocks").iterdir()))


def test_pictures(tmp_path: Path) -> None:
    """A picture is fetched with its block, once; a missing one is None; nothing else is left."""
    cache, store = BlockCache(tmp_path / "cache", 10_000), Store()
    for key in "aab":
        assert cache.picture(key, 0, BLOCK, store.of(key)) == key.encode() * SIZE
        assert cache.picture(key, 1, BLOCK, store.of(key)) is None
    again = BlockCache(tmp_path / "cache", 10_000)
    assert again.picture("a", 0, BLOCK, store.of("a")) == b"a" * SIZE
    assert store.fetched == ["a", "b"]
    assert names(cache) == "ab"
    assert used(cache) < 2 * BLOCK


def test_bound(tmp_path: Path) -> None:
    """What was not used for longest goes first, before there is too much."""
    cache, store = BlockCache(tmp_path / "cache", 3 * BLOCK + 100), Store()
    for key in "abc":
        cache.picture(key, 0, BLOCK, store.of(key))
    cache.picture("a", 0, BLOCK, store.of("a"))
    for key in "de":
        cache.picture(key, 0, BLOCK, store.of(key))
        assert used(cache) <= cache.limit
    assert names(cache) == "ade"
    assert store.fetched == list("abcde")


def test_unfinished_downloads_count(tmp_path: Path) -> None:
    """What an interruption left takes room too, until room is needed for something else."""
    cache, store = BlockCache(tmp_path / "cache", 2 * BLOCK + 150), Store()
    cache.picture("a", 0, BLOCK, store.of("a"))
    left = cache.folder / "blocks/z.part"
    left.write_bytes(bytes(BLOCK))
    os.utime(left, (1, 1))
    dead = cache.folder / "blocks/.y.arrow.1234.part"
    dead.write_bytes(bytes(100))
    cache.picture("b", 0, BLOCK, store.of("b"))
    assert names(cache) == ".y.arrow.1234ab"
    assert used(cache) <= cache.limit


def test_too_small(tmp_path: Path) -> None:
    """A cache that one block does not fit into says how large it should be."""
    with pytest.raises(StorageError, match=r"--cache-gb 2e-06: too small .*: expected 0.6 or more"):
        BlockCache(tmp_path / "cache", 2000).picture("a", 0, 512_000_000, Store().of("a"))


def test_blocks_in_use_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody evicts what another has open: who needs room waits until there is some, or gives up."""
    monkeypatch.setattr(hub_cache, "_PAUSE", 0.01)
    first = BlockCache(tmp_path / "cache", BLOCK + 100)
    second = BlockCache(tmp_path / "cache", BLOCK + 100)
    store = Store()
    first.picture("a", 0, BLOCK, store.of("a"))
    monkeypatch.setattr(hub_cache, "_PATIENCE", 0.05)
    with pytest.raises(StorageError, match=r"other processes use all of .*: expected more, or fewer"):
        second.picture("b", 0, BLOCK, store.of("b"))
    assert names(first) == "a"
    monkeypatch.setattr(hub_cache, "_PATIENCE", 60.0)
    threading.Timer(0.1, first.release).start()
    assert second.picture("b", 0, BLOCK, store.of("b")) == b"b" * SIZE
    assert names(first) == "b"


def test_pictures_outlive_their_eviction(tmp_path: Path) -> None:
    """A cache sent to another process keeps nothing open there; here it goes on."""
    cache, store = BlockCache(tmp_path / "cache", 10_000), Store()
    cache.picture("a", 0, BLOCK, store.of("a"))
    sent = pickle.loads(pickle.dumps(cache))  # noqa: S301  made in the line before
    assert sent == cache
    assert sent.picture("a", 0, BLOCK, store.of("a")) == b"a" * SIZE
    assert store.fetched == ["a"]


def test_damaged_block_is_made_again(tmp_path: Path) -> None:
    """A block that was cut short on the disk is fetched anew."""
    cache, store = BlockCache(tmp_path / "cache", 10_000), Store()
    cache.picture("a", 0, BLOCK, store.of("a"))
    cache.release()
    block = cache.folder / "blocks/a.arrow"
    block.write_bytes(block.read_bytes()[:-50])
    assert cache.picture("a", 0, BLOCK, store.of("a")) == b"a" * SIZE
    assert store.fetched == ["a", "a"]


def test_failed_fetch(tmp_path: Path) -> None:
    """A fetch that fails leaves no block, keeps what had arrived, and hinders nobody."""
    cache, store = BlockCache(tmp_path / "cache", 10_000), Store()

    def fail(_: Path, part: Path) -> None:
        part.write_bytes(b"half")
        raise ConnectionError

    with pytest.raises(ConnectionError):
        cache.picture("a", 0, BLOCK, fail)
    assert (cache.folder / "blocks/a.part").read_bytes() == b"half"
    assert cache.picture("a", 0, BLOCK, store.of("a")) == b"a" * SIZE
    assert not (cache.folder / "blocks/a.part").exists()


PROCESS = """
import sys, time
from pathlib import Path
from craqbench.hub_cache import BlockCache
sys.path.insert(0, sys.argv[2])
from test_hub_cache import BLOCK, SIZE, write_block

cache = BlockCache(Path(sys.argv[1]), 3 * BLOCK)

def fetch(block, part):
    with open(block.parent.parent / "log", "a") as log:
        log.write(block.stem)
    used = sum(path.stat().st_size for path in block.parent.iterdir())
    assert used + BLOCK <= cache.limit, used
    time.sleep(0.02)
    write_block(block, [block.stem.encode() * SIZE])

for key in sys.argv[3]:
    assert cache.picture(key, 0, BLOCK, fetch) == key.encode() * SIZE
    time.sleep(0.005)
"""


def test_many_processes(tmp_path: Path) -> None:
    """Processes at once get right pictures, fetch one at a time, and keep to the bound."""
    here = str(Path(__file__).parent)
    orders = ("abcabc", "abccba", "cbabca")
    command = [sys.executable, "-c", PROCESS, str(tmp_path / "cache"), here]
    running = [subprocess.Popen([*command, order], stderr=subprocess.PIPE, text=True) for order in orders]
    for process in running:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    assert set((tmp_path / "cache/log").read_text()) == set("abc")
    assert used(BlockCache(tmp_path / "cache", 0)) <= 3 * BLOCK


def test_disk_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where files cannot be locked, all else works."""

    def refuse(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", refuse)
    cache, store = BlockCache(tmp_path / "cache", 2 * BLOCK), Store()
    for key in "abca":
        assert cache.picture(key, 0, BLOCK, store.of(key)) == key.encode() * SIZE
    assert used(cache) <= cache.limit


def test_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folder and size come from the environment; the size must be one."""
    monkeypatch.setenv("CRAQBENCH_CACHE", str(tmp_path))
    monkeypatch.setenv(CACHE_GB, "1.5")
    assert open_cache() == BlockCache(tmp_path / "hub", 1_500_000_000)
    monkeypatch.delenv(CACHE_GB)
    assert open_cache().limit == 20_000_000_000
    for wrong in ("0", "-1", "inf", "nan", "much"):
        monkeypatch.setenv(CACHE_GB, wrong)
        with pytest.raises(UsageError, match=f"CRAQBENCH_CACHE_GB '{wrong}': expected GB"):
            open_cache()


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """A cache below a file is one clear error."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"cannot write .*file"):
        BlockCache(tmp_path / "file/cache", 10_000).picture("a", 0, BLOCK, Store().of("a"))
