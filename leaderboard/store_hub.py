"""The files of a store in a dataset repository on the Hugging Face Hub.

One write is one commit on top of the newest that was seen: the Hub refuses it if another has come since, and
then we look again. So a file is created by one writer, and what belongs together appears together.
"""

from __future__ import annotations

import functools
import random
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
from huggingface_hub import CommitOperationAdd, HfApi, HfFileSystem
from huggingface_hub.errors import HfHubHTTPError

from craqbench.hub import Repository
from craqbench.hub_errors import HubError, may_pass, patiently, status_of
from craqbench.storage import on_disk
from leaderboard.store_files import Content

__all__ = ["HubFiles"]

_MOVED = 412
"""Status that says that the parent of a commit is not the newest any more."""

_ATTEMPTS = 40
_LONGEST_PAUSE = 4.0
_THREADS = 8


class _View(threading.local):
    """What a thread sees: each has its own, or one could be thrown back to what another saw earlier."""

    def __init__(self, api: HfApi) -> None:
        self.files = HfFileSystem(endpoint=api.endpoint, token=api.token, skip_instance_cache=True)
        self.head = ""


class HubFiles:
    """Files in a dataset repository, see `leaderboard.store_files.Files`. Methods raise `HubError`.

    Threads may share it: a look is that of the thread which takes it.

    Parameters
    ----------
    name
        ORG/NAME of a repository that is there.
    """

    def __init__(self, name: str) -> None:
        self.repository = Repository(name)
        self._view = _View(self.repository.api)

    def __str__(self) -> str:
        return f"hf://datasets/{self.repository.name}"

    def look(self) -> None:
        """See the newest commit; everything is read from that, until the next look."""
        self._see(self._newest())

    def _newest(self) -> str:
        head = self.repository.head()
        if head is None:
            raise HubError(f"{self.repository}: there is none, or the login (hf auth login) may not see it")
        return head.sha

    def _see(self, head: str) -> None:
        if head != self._view.head:
            self._view.files.invalidate_cache()  # of listings of a commit that is not read any more
        self._view.head = head

    def names(self, folder: str) -> list[str]:
        """Return paths, see `Files`."""
        start = self._root()
        with self.repository.explained():
            found = patiently(functools.partial(self._view.files.find, f"{start}{folder}"))
        return sorted(name.removeprefix(start) for name in found)

    def read(self, path: str) -> bytes | None:
        """Return a content, see `Files`."""
        return self._read(self._view.files, f"{self._root()}{path}")

    def _read(self, files: HfFileSystem, address: str) -> bytes | None:
        with self.repository.explained():
            try:
                data: bytes = patiently(functools.partial(files.cat_file, address))
            except FileNotFoundError:
                return None
        return data

    def read_all(self, paths: Sequence[str]) -> list[bytes]:
        """Return contents, see `Files`: several at a time."""
        found = self._read_each(paths)
        if None in found:
            self.look()  # they may have been found by another thread, which saw more
            found = self._read_each(paths)
        gone = [path for path, data in zip(paths, found, strict=True) if data is None]
        if gone:
            raise HubError(f"{self.repository}: {gone[0]} has been removed: expected that nothing ever is")
        return [data for data in found if data is not None]

    def _read_each(self, paths: Sequence[str]) -> list[bytes | None]:
        read, start = functools.partial(self._read, self._view.files), self._root()
        with ThreadPoolExecutor(_THREADS) as pool:
            return list(pool.map(read, [f"{start}{path}" for path in paths]))

    def fetch(self, path: str, target: Path) -> None:
        """Copy a file, see `Files`."""
        with on_disk(target), self.repository.explained():
            try:
                self._fetch(path, target)
            except FileNotFoundError:
                self.look()  # as in `read_all`
                self._fetch(path, target)

    def _fetch(self, path: str, target: Path) -> None:
        patiently(functools.partial(self._view.files.get_file, f"{self._root()}{path}", str(target)))

    def create(self, path: str, data: bytes, beside: Mapping[str, Content] | None = None) -> bool:
        """Create files in one commit, see `Files`."""
        contents = {**(beside or {}), path: data}
        added = [CommitOperationAdd(name, content) for name, content in contents.items()]
        failure: Exception | None = None
        for attempt in range(_ATTEMPTS):
            if attempt:
                time.sleep(random.uniform(0, min(_LONGEST_PAUSE, 0.05 * 2**attempt)))  # noqa: S311  no secret
            head = self._newest()
            found = self._read(self._view.files, f"{self._root(head)}{path}")
            if found is not None:
                self._see(head)
                return found == data  # ours, if the answer to an earlier attempt was lost
            failure = self._commit(added, f"Add {path}", head)
            if failure is None:
                return True
        with self.repository.explained():
            raise failure or HubError(f"{self.repository} is busy")

    def discard(self, folder: str) -> None:
        """Do nothing: a commit that was refused leaves nothing."""

    def _commit(self, added: Sequence[CommitOperationAdd], message: str, head: str) -> Exception | None:
        """Commit upon a state; return why it did not happen, or perhaps not, if a look can help."""
        with self.repository.explained():
            try:
                made = self.repository.api.create_commit(
                    self.repository.name,
                    added,
                    commit_message=message,
                    repo_type="dataset",
                    parent_commit=head,
                )
            except (HfHubHTTPError, httpx2.TransportError) as error:
                if may_pass(error) or status_of(error) == _MOVED:
                    return error
                raise
        self._see(str(made.oid))
        return None

    def _root(self, head: str = "") -> str:
        if not head and not self._view.head:
            self.look()
        return f"datasets/{self.repository.name}@{head or self._view.head}/"
