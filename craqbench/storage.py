"""Write files whole or not at all, and say in words what is wrong with a disk."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from typing import TYPE_CHECKING, BinaryIO

from craqbench.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, where an open file cannot be deleted anyway
    fcntl = None  # type: ignore[assignment]

__all__ = ["leftovers", "new_file", "on_disk", "remove_leftovers", "write_file"]

_SUFFIX = ".part"
_GO_ON = "what is finished is kept, run the command again to go on"


@contextlib.contextmanager
def on_disk(path: Path) -> Iterator[None]:
    """Turn an `OSError` inside into a `StorageError` that names the path and what to do."""
    try:
        yield
    except OSError as error:
        raise StorageError(_explain(error, path)) from error


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing that gets its name only when it is complete and on the disk.

    Until then it is called ``.NAME.RANDOM.part`` and locked; on any error it is removed.

    Raises
    ------
    StorageError
        If the disk is full, read-only or gone.
    """
    with on_disk(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        file, temporary = _begin(path)
        try:
            with file:
                yield file
                os.fsync(file.fileno())
                if fcntl is None:
                    file.close()
                temporary.replace(path)  # while it is locked: else somebody takes it for a leftover
            _sync_folder(path.parent)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise


def write_file(path: Path, data: bytes) -> None:
    """Write a whole file atomically; see `new_file`."""
    with new_file(path) as file:
        view = memoryview(data)
        while view:
            view = view[file.write(view) :]


def remove_leftovers(*paths: Path) -> None:
    """Remove what a killed process left of these files; what a living one is writing stays."""
    wanted: dict[Path, set[str]] = {}
    for path in paths:
        wanted.setdefault(path.parent, set()).add(path.name)
    for folder, names in wanted.items():
        with on_disk(folder):
            for leftover, name in leftovers(folder):
                with contextlib.suppress(FileNotFoundError):
                    if name in names:
                        _remove_unlocked(leftover)


def leftovers(folder: Path) -> list[tuple[Path, str]]:
    """Return (path, name that it is to get) of the unfinished files in a folder, sorted.

    Raises
    ------
    OSError
        If the folder cannot be read; one that is not there has none.
    """
    if not folder.is_dir():
        return []
    found = sorted(path for path in folder.iterdir() if is_leftover(path))
    return [(path, path.name[1:].rsplit(".", 2)[0]) for path in found]


def is_leftover(path: Path) -> bool:
    """Whether a file has the kind of name that `new_file` gives while writing."""
    return path.name.startswith(".") and path.name.endswith(_SUFFIX)


def _begin(path: Path) -> tuple[BinaryIO, Path]:
    """Open and lock the file that is to be `path`, and return it with the name that it has until then."""
    while True:
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{_SUFFIX}")
        file = temporary.open("xb", buffering=0)
        _lock(file)
        if temporary.exists():
            return file, temporary
        file.close()  # somebody took it for a leftover before it was locked


def _lock(file: BinaryIO) -> None:
    """Lock a file until it is closed; some network disks have no locks, and then nothing is lost."""
    if fcntl is not None:
        with contextlib.suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)


def _remove_unlocked(path: Path) -> None:
    if fcntl is None:
        path.unlink()
        return
    with path.open("rb") as file:
        with contextlib.suppress(OSError):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
        path.unlink()


def _sync_folder(folder: Path) -> None:
    """Make a rename last through a power cut, where the platform can."""
    with contextlib.suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def _explain(error: OSError, path: Path) -> str:
    reason = error.strerror or str(error)
    hints = {
        errno.ENOSPC: f"expected free space; {_GO_ON}",
        errno.EDQUOT: f"expected room in your quota; {_GO_ON}",
        errno.EROFS: "expected a disk that can be written to",
        errno.EACCES: "expected a folder that you may write to",
        errno.EPERM: "expected a folder that you may write to",
        errno.ENOTDIR: "expected a folder, not a path through a file",
        errno.EEXIST: "expected a folder, not a file",
    }
    hint = hints.get(error.errno or 0, f"expected a working disk; {_GO_ON}")
    return f"cannot write {path}: {reason}: {hint}"
