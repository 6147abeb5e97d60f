"""A small git for the local hub: contents by hash, files, commits, branches and tags.

Identifiers are those of real git (blobs, trees, commits), so that what clients compute agrees.
"""

from __future__ import annotations

import fnmatch
import hashlib
import itertools
import re
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Literal

from local_hub_http import Refusal

LARGE = 10 << 20
"""Bytes from which any file goes to the large file storage."""

_SUFFIXES = (
    "7z arrow bin bz2 ckpt ftz gz h5 joblib lz4 mds model msgpack npy npz onnx parquet pb pickle pkl pt pth "
    "rar safetensors tar tflite tgz wasm xz zip zst pcm sam raw aac flac mp3 ogg wav bmp gif png tiff jpg "
    "jpeg webp mp4 webm"
)

ATTRIBUTES = "".join(f"*.{s} filter=lfs diff=lfs merge=lfs -text\n" for s in _SUFFIXES.split())
"""``.gitattributes`` of a new repository, after those that the Hub writes into a new dataset."""


def git_id(kind: str, content: bytes) -> str:
    """Return the SHA-1 that git gives to a blob, tree or commit."""
    return hashlib.sha1(f"{kind} {len(content)}\0".encode() + content, usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class Entry:
    """A file of a commit.

    Attributes
    ----------
    blob
        Git's identifier: of the content, or of the pointer where the content is large.
    size
        Bytes of the content.
    sha256
        Hash of the content in the large file storage; None for a file in git itself.
    pointer_size
        Bytes of the pointer; 0 for a file in git itself.
    """

    blob: str
    size: int
    sha256: str | None = None
    pointer_size: int = 0

    @classmethod
    def large(cls, sha256: str, size: int) -> Entry:
        """Return the entry of a file in the large file storage."""
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()
        return cls(git_id("blob", pointer), size, sha256, len(pointer))


@dataclass(frozen=True)
class Change:
    """One operation of a commit; `entry` for an addition only."""

    kind: Literal["add", "delete file", "delete folder"]
    path: str
    entry: Entry | None = None


@dataclass(frozen=True)
class Commit:
    """A state of all files."""

    oid: str
    parent: str | None
    files: Mapping[str, Entry]
    title: str
    message: str
    date: str
    author: str


class Contents:
    """Files of a folder by their hash: small ones under git's, large ones under SHA-256."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names = itertools.count()
        for part in ("git", "large"):
            (folder / part).mkdir(parents=True)

    def path(self, entry: Entry) -> Path:
        """Return where the content of a file lies."""
        return self.large(entry.sha256) if entry.sha256 else self._folder / "git" / entry.blob

    def large(self, sha256: str) -> Path:
        """Return where a large content lies, or would lie."""
        return self._folder / "large" / sha256

    def add(self, content: bytes) -> Entry:
        """Keep a small file."""
        entry = Entry(git_id("blob", content), len(content))
        self._write(self.path(entry), [content])
        return entry

    def add_large(self, sha256: str, pieces: Iterable[bytes]) -> int:
        """Keep a large file under its hash, or refuse it if it has another; return its size."""
        digest, size = hashlib.sha256(), 0

        def watched() -> Iterator[bytes]:
            nonlocal size
            for piece in pieces:
                digest.update(piece)
                size += len(piece)
                yield piece
            if digest.hexdigest() != sha256:
                raise Refusal(400, f"content has sha256 {digest.hexdigest()}, not {sha256}")

        self._write(self.large(sha256), watched())
        return size

    def _write(self, path: Path, pieces: Iterable[bytes]) -> None:
        partial = path.with_name(f"{path.name}.{next(self._names)}.partial")
        try:
            with partial.open("wb") as file:
                file.writelines(pieces)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)


def folders_of(files: Iterable[str]) -> set[str]:
    """Return all folders that hold some file, the root ("") among them."""
    return {"" if str(p) == "." else str(p) for file in files for p in PurePosixPath(file).parents} | {""}


def tree_ids(files: Mapping[str, Entry]) -> dict[str, str]:
    """Return git's identifier of each folder, the root being ""."""
    found: dict[str, str] = {}
    lines: dict[str, dict[str, bytes]] = defaultdict(dict)
    for path, entry in files.items():
        folder, _, name = path.rpartition("/")
        lines[folder][name] = b"100644 " + name.encode() + b"\0" + bytes.fromhex(entry.blob)
    for folder in sorted(folders_of(files), key=lambda f: (f == "", -f.count("/"))):
        content = b"".join(line for _, line in sorted(lines[folder].items()))
        found[folder] = git_id("tree", content)
        parent, _, name = folder.rpartition("/")
        # git sorts folders as though their names ended in a slash
        lines[parent][f"{name}/"] = b"40000 " + name.encode() + b"\0" + bytes.fromhex(found[folder])
    return found


@dataclass
class Repository:
    """A repository of the Hub: its commits, and the names that point to them.

    Attributes
    ----------
    kind
        "models", "datasets" or "spaces", as in the Hub's addresses.
    name
        ORG/NAME.
    private, gated
        Whether others see it; whether others read its files.
    """

    kind: str
    name: str
    private: bool = False
    gated: bool = False
    commits: dict[str, Commit] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def organisation(self) -> str:
        """The account or organisation that it belongs to."""
        return self.name.split("/")[0]

    @property
    def web_path(self) -> str:
        """Where it lies under the Hub's root."""
        return self.name if self.kind == "models" else f"{self.kind}/{self.name}"

    @property
    def label(self) -> str:
        """The kind in the singular."""
        return self.kind.removesuffix("s")

    def commit_of(self, revision: str) -> Commit:
        """Return the commit that a branch, tag, reference or (shortened) identifier means."""
        plain = revision.removeprefix("refs/heads/").removeprefix("refs/tags/")
        for names in (self.branches, self.tags):
            if plain in names:
                return self.commits[names[plain]]
        if re.fullmatch(r"[0-9a-f]{7,40}", revision):
            for oid, commit in self.commits.items():
                if oid.startswith(revision):
                    return commit
        raise Refusal(404, f"Invalid rev id: {revision}", "RevisionNotFound")

    def history(self, revision: str) -> list[Commit]:
        """Return the commit that a revision means and those before it, newest first."""
        found: list[Commit] = []
        commit: Commit | None = self.commit_of(revision)
        while commit:
            found.append(commit)
            commit = self.commits[commit.parent] if commit.parent else None
        return found

    def last_change(self, revision: str, path: str) -> Commit:
        """Return the last commit that changed a file, or anything in a folder."""
        commits = self.history(revision)
        for newer, older in itertools.pairwise(commits):
            if _below(newer.files, path) != _below(older.files, path):
                return newer
        return commits[-1]

    def add_commit(
        self,
        branch: str,
        changes: Iterable[Change],
        title: str,
        message: str,
        author: str,
        parent: str | None,
    ) -> Commit:
        """Put a commit onto a branch: all of its changes, or none."""
        with self.lock:
            head = self.branches.get(branch)
            if head is None and self.commits:
                raise Refusal(404, f"Invalid rev id: {branch}", "RevisionNotFound")
            if parent is not None and not (head or "").startswith(parent):
                raise Refusal(412, "A commit has happened since. Please refresh and try again.")
            files = dict(self.commits[head].files) if head else {}
            for change in changes:
                _apply(change, files)
            commit = _commit(files, head, title, message, author)
            self.commits[commit.oid] = commit
            self.branches[branch] = commit.oid
            return commit


def upload_mode(path: str, size: int, sample: bytes, attributes: str) -> Literal["lfs", "regular"]:
    """Return where a file that is to be added belongs, by its size, first bytes and ``.gitattributes``."""
    if size >= LARGE or b"\0" in sample:
        return "lfs"
    patterns = [line.split()[0] for line in attributes.splitlines() if "filter=lfs" in line]
    name = path.rsplit("/", 1)[-1]
    return "lfs" if any(fnmatch.fnmatch(name, p) or fnmatch.fnmatch(path, p) for p in patterns) else "regular"


def _below(files: Mapping[str, Entry], path: str) -> dict[str, Entry]:
    return {p: e for p, e in files.items() if p == path or p.startswith(f"{path}/")}


def _apply(change: Change, files: dict[str, Entry]) -> None:
    if change.kind == "add":
        assert change.entry
        files[change.path] = change.entry
        return
    path = change.path.rstrip("/")
    gone = [path] if change.kind == "delete file" else [p for p in files if p.startswith(f"{path}/")]
    if not gone or not set(gone) <= files.keys():
        raise Refusal(404, f"A file with this name doesn't exist: {change.path}", "EntryNotFound")
    for p in gone:
        del files[p]


def _commit(files: dict[str, Entry], parent: str | None, title: str, message: str, author: str) -> Commit:
    now = datetime.now(UTC)
    who = f"{author} <{author}@localhost> {int(now.timestamp())} +0000"
    lines = [f"tree {tree_ids(files)['']}", *([f"parent {parent}"] if parent else [])]
    lines += [f"author {who}", f"committer {who}", "", title, "", message]
    date = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    oid = git_id("commit", "\n".join(lines).encode())
    return Commit(oid, parent, MappingProxyType(files), title, message, date, author)
