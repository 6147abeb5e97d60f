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
from weakref import WeakValueDictionary

import httpx2
from huggingface_hub import CommitOperationAdd, HfFileSystem
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


class _View:
    """A commit, and what has been listed of it."""

    def __init__(self, repository: Repository, head: str) -> None:
        self.head, self._repository = head, repository
        self._root = f"datasets/{repository.name}@{head}/"
        self._files = self._file_system()
        self._lock = threading.Lock()

    def names(self, folder: str) -> list[str]:
        find = functools.partial(self._files.find, f"{self._root}{folder}")
        with self._lock, self._repository.explained():
            return sorted(name.removeprefix(self._root) for name in patiently(find))

    def fetch(self, path: str, target: Path) -> None:
        """Raise `FileNotFoundError`, among what the client raises, if there is none."""
        patiently(functools.partial(self._file_system().get_file, f"{self._root}{path}", str(target)))

    def _file_system(self) -> HfFileSystem:
        """Make a client: it remembers listings, and no two threads may use one at once."""
        api = self._repository.api
        return HfFileSystem(endpoint=api.endpoint, token=api.token, skip_instance_cache=True)


class HubFiles:
    """Files in a dataset repository, see `leaderboard.store_files.Files`. Methods raise `HubError`.

    Threads may share it. What a thread reads is as of its own last look: it cannot be thrown back to what
    another was told late.

    Parameters
    ----------
    name
        ORG/NAME of a repository that is there.
    """

    def __init__(self, name: str) -> None:
        self.repository = Repository(name)
        self._lock = threading.Lock()
        self._views: WeakValueDictionary[str, _View] = WeakValueDictionary()
        self._last: _View | None = None  # keeps its listings while no thread looks at it
        self._mine = threading.local()

    def __str__(self) -> str:
        return f"hf://datasets/{self.repository.name}"

    def look(self) -> None:
        """See the newest commit; this thread reads everything from that, until its next look."""
        self._see(self._newest())

    def _newest(self) -> str:
        head = self.repository.head()
        if head is None:
            raise HubError(f"{self.repository}: there is none, or the login (hf auth login) may not see it")
        return head.sha

    def _see(self, head: str) -> None:
        with self._lock:
            view = self._views.get(head) or _View(self.repository, head)
            self._views[head] = self._last = self._mine.view = view

    @property
    def _view(self) -> _View:
        if not hasattr(self._mine, "view"):
            self.look()
        view: _View = self._mine.view
        return view

    def names(self, folder: str) -> list[str]:
        """Return paths, see `Files`."""
        return self._view.names(folder)

    def read(self, path: str) -> bytes | None:
        """Return a content, see `Files`."""
        return self.repository.read(path, self._view.head)

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
        read = functools.partial(self.repository.read, sha=self._view.head)
        with ThreadPoolExecutor(_THREADS) as pool:
            return list(pool.map(read, paths))

    def fetch(self, path: str, target: Path) -> None:
        """Copy a file, see `Files`."""
        with on_disk(target), self.repository.explained():
            try:
                self._view.fetch(path, target)
            except FileNotFoundError:
                self.look()  # as in `read_all`
                self._view.fetch(path, target)

    def create(self, path: str, data: bytes, beside: Mapping[str, Content] | None = None) -> bool:
        """Create files in one commit, see `Files`."""
        contents = {**(beside or {}), path: data}
        added = [CommitOperationAdd(name, content) for name, content in contents.items()]
        failure: Exception | None = None
        for attempt in range(_ATTEMPTS):
            if attempt:
                time.sleep(random.uniform(0, min(_LONGEST_PAUSE, 0.05 * 2**attempt)))  # noqa: S311  no secret
            head = self._newest()
            found = self.repository.read(path, head)
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
