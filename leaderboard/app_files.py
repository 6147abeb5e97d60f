"""Files of a store as the page reads them: what is small and was read once is remembered.

Files of a store never change, so what is remembered cannot be wrong; which there are is always asked anew.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path

from leaderboard.store import Store
from leaderboard.store_files import Content, Files

__all__ = ["RememberedFiles", "remembering"]

SMALL, MOST = 64_000, 64_000_000
"""Bytes of a file that is remembered, and of all of them."""


def remembering(store: Store) -> Store:
    """Return the store, reading every small file once."""
    return Store(RememberedFiles(store.files), store.settings)


class RememberedFiles:
    """Files that are read once, see `leaderboard.store_files.Files`.

    Parameters
    ----------
    files
        Where they are.
    most
        Bytes that are remembered; what was not asked for the longest goes first.
    """

    def __init__(self, files: Files, most: int = MOST) -> None:
        self._files, self._most = files, most
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def __str__(self) -> str:
        return str(self._files)

    def look(self) -> None:
        """See what others have written."""
        self._files.look()

    def names(self, folder: str) -> list[str]:
        """Return paths."""
        return self._files.names(folder)

    def read(self, path: str) -> bytes | None:
        """Return a content."""
        found = self._find(path)
        if found is None:
            found = self._files.read(path)
            if found is not None:
                self._keep(path, found)
        return found

    def read_all(self, paths: Sequence[str]) -> list[bytes]:
        """Return contents, asking for those that are not remembered together."""
        known = {path: self._find(path) for path in paths}
        wanted = [path for path, data in known.items() if data is None]
        for path, data in zip(wanted, self._files.read_all(wanted) if wanted else [], strict=True):
            self._keep(path, data)
            known[path] = data
        return [data for data in (known[path] for path in paths) if data is not None]

    def fetch(self, path: str, target: Path) -> None:
        """Copy a file to this machine."""
        self._files.fetch(path, target)

    def create(self, path: str, data: bytes, beside: Mapping[str, Content] | None = None) -> bool:
        """Create a file."""
        return self._files.create(path, data, beside)

    def discard(self, folder: str) -> None:
        """Remove what a `create` that returned False left."""
        self._files.discard(folder)

    def _find(self, path: str) -> bytes | None:
        with self._lock:
            found = self._kept.get(path)
            if found is not None:
                self._kept.move_to_end(path)
            return found

    def _keep(self, path: str, data: bytes) -> None:
        if len(data) > SMALL:
            return
        with self._lock:
            if path not in self._kept:
                self._kept[path] = data
                self._size += len(data)
            while self._size > self._most:
                self._size -= len(self._kept.popitem(last=False)[1])
