"""Files that are created once and never changed, on a disk or, see `leaderboard.store_hub`, on the Hub.

That a file is there is all that is ever said: so two writers cannot contradict each other, and whoever is
killed has either said it or not. Reading goes through fsspec.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Protocol

from fsspec.implementations.local import LocalFileSystem  # type: ignore[import-untyped]  # has no types

from craqbench.errors import StorageError
from craqbench.storage import is_leftover, on_disk

__all__ = ["Content", "Files", "LocalFiles"]

Content = bytes | Path
"""Of a file: in memory, or where it lies."""


class Files(Protocol):
    """Files by their path, "a/b.json", below one place. Methods raise `StorageError` or `HubError`."""

    def look(self) -> None:
        """See what others have written; what oneself has written is always seen."""

    def names(self, folder: str) -> list[str]:
        """Return the paths of all files in a folder and its folders, sorted; of none, an empty list."""

    def read(self, path: str) -> bytes | None:
        """Return the content of a file; None if there is none."""

    def read_all(self, paths: Sequence[str]) -> list[bytes]:
        """Return the contents of files that are there."""

    def fetch(self, path: str, target: Path) -> None:
        """Copy a file to this machine."""

    def create(self, path: str, data: bytes, beside: Mapping[str, Content] | None = None) -> bool:
        """Create a file, whole, if there is none of this path.

        Parameters
        ----------
        path, data
            Of the file.
        beside
            Files whose names nobody else uses, which must be there before it is: they are created first, or
            together with it.

        Returns
        -------
        Whether it was created; False if somebody was faster, and then perhaps `beside` is there, too.
        """

    def discard(self, folder: str) -> None:
        """Remove, as far as possible, what a `create` that returned False left of `beside`."""


class LocalFiles:
    """Files in a folder of this machine.

    A file is written under a temporary name, brought to the disk, and then linked to its own name, which
    fails if that is taken: the name appears at once and with the whole content, or not at all.

    Parameters
    ----------
    root
        The folder; it is made by the first `create`.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self._files = LocalFileSystem(use_listings_cache=False)

    def __str__(self) -> str:
        return str(self.root)

    def look(self) -> None:
        """Do nothing: a disk is always seen as it is."""

    def names(self, folder: str) -> list[str]:
        """Return paths, see `Files`."""
        with on_reading(self.root):
            found = self._files.find(str(self.root / folder))
        paths = [Path(name) for name in found]
        return sorted(path.relative_to(self.root).as_posix() for path in paths if not is_leftover(path))

    def read(self, path: str) -> bytes | None:
        """Return a content, see `Files`."""
        with on_reading(self.root / path):
            try:
                data: bytes = self._files.cat_file(str(self.root / path))
            except (FileNotFoundError, NotADirectoryError):
                return None
        return data

    def read_all(self, paths: Sequence[str]) -> list[bytes]:
        """Return contents, see `Files`."""
        found = [(path, self.read(path)) for path in paths]
        gone = [path for path, data in found if data is None]
        if gone:
            raise StorageError(f"{self.root / gone[0]} has been removed: expected that nothing ever is")
        return [data for _, data in found if data is not None]

    def fetch(self, path: str, target: Path) -> None:
        """Copy a file, see `Files`."""
        with on_disk(target):
            self._files.get_file(str(self.root / path), str(target))

    def create(self, path: str, data: bytes, beside: Mapping[str, Content] | None = None) -> bool:
        """Create a file, see `Files`."""
        for name, content in (beside or {}).items():
            self._create(self.root / name, content)
        return self._create(self.root / path, data)

    def discard(self, folder: str) -> None:
        """Remove a folder, see `Files`."""
        shutil.rmtree(self.root / folder, ignore_errors=True)

    def _create(self, path: Path, content: Content) -> bool:
        with on_disk(path):
            if path.exists():
                return False
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
            try:
                with temporary.open("xb") as file:
                    _write(file, content)
                return _link(temporary, path)
            finally:
                with contextlib.suppress(OSError):
                    temporary.unlink()
                for folder in (path.parent, path.parent.parent):  # both may be new
                    _sync(folder)


@contextlib.contextmanager
def on_reading(path: Path) -> Iterator[None]:
    """Turn an `OSError` while reading into a `StorageError`."""
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"cannot read {path}: {error.strerror or error}: expected a working disk"
        ) from error


def _write(file: BinaryIO, content: Content) -> None:
    if isinstance(content, Path):
        with content.open("rb") as source:
            shutil.copyfileobj(source, file)
    else:
        file.write(content)
    file.flush()
    os.fsync(file.fileno())


def _link(temporary: Path, path: Path) -> bool:
    """Give a file its name if that is free; two links are its name and the temporary one."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        return temporary.stat().st_nlink > 1  # a network disk may have done it and lost the answer
    return True


def _sync(folder: Path) -> None:
    """Make names last through a power cut, where the platform can."""
    with contextlib.suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
