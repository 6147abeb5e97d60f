"""A repository on the Hugging Face Hub, of a dataset or of weights: names, versions, what it holds.

Everything goes through `huggingface_hub`, which knows where the Hub is (HF_ENDPOINT) and who is logged in
(``hf auth login``, or HF_TOKEN): no credentials pass through here.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import huggingface_hub
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
)
from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status  # type: ignore[attr-defined]

import craqbench
from craqbench.errors import UsageError
from craqbench.hub_errors import PASSING, HubError, explained, patiently, status_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = [
    "PASSING",
    "Piece",
    "Repository",
    "Version",
    "parse_reference",
    "parse_repository",
    "parse_version",
    "patiently",
    "status_of",
]

_NAME = re.compile(r"\b[\w.-]{1,96}\b", re.ASCII)
_NUMBER = r"(0|[1-9][0-9]{0,8})"
_TIMEOUT = 30.0


class Version(NamedTuple):
    """A semantic version (https://semver.org), without labels."""

    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"

    @property
    def tag(self) -> str:
        """Return the name of its tag in a repository."""
        return f"v{self}"


def parse_version(text: str) -> Version:
    """Read ``1.0.0``.

    Raises
    ------
    UsageError
        If the text is none.

    Examples
    --------
    >>> parse_version("1.10.0") > parse_version("1.9.2")
    True
    """
    match = re.fullmatch(rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}", text)
    if not match:
        raise UsageError(f"version {text!r}: expected MAJOR.MINOR.PATCH, such as 1.0.0 (https://semver.org)")
    return Version(*map(int, match.groups()))


def parse_repository(text: str) -> str:
    """Read ``ORG/NAME``.

    Raises
    ------
    UsageError
        If no repository can have this name.
    """
    parts = text.split("/")
    doubled = "--" in text or ".." in text or text.endswith(".git")
    if len(parts) != 2 or doubled or not all(map(_NAME.fullmatch, parts)):
        raise UsageError(
            f"repository {text!r}: expected ORG/NAME of letters, digits, '-', '_' and '.', such as lab/cracks"
        )
    return text


def parse_reference(text: str) -> tuple[str, Version | None]:
    """Read ``ORG/NAME@1.0.0``, or ``ORG/NAME`` for the highest version.

    Raises
    ------
    UsageError
        If the text is none.

    Examples
    --------
    >>> parse_reference("lab/cracks@1.0.0")
    ('lab/cracks', Version(major=1, minor=0, patch=0))
    """
    name, at, version = text.partition("@")
    return parse_repository(name), parse_version(version.removeprefix("v")) if at else None


@dataclass(frozen=True)
class Piece:
    """A file as it should be in a repository.

    Attributes
    ----------
    path
        Inside the repository.
    data
        Its content, or where on this machine it lies.
    size, sha256
        What the content must be: bytes, and hex digest.
    rows
        Of a shard; 0 of other files.
    """

    path: str
    data: bytes | Path
    size: int
    sha256: str
    rows: int = 0

    @classmethod
    def of(cls, path: str, data: bytes) -> Piece:
        """Return the piece of a content in memory."""
        return cls(path, data, len(data), hashlib.sha256(data).hexdigest())

    def is_in(self, files: Mapping[str, huggingface_hub.RepoFile]) -> bool:
        """Whether a repository has this content at this path, by the hash that the Hub keeps of it."""
        entry = files.get(self.path)
        if entry is None or entry.size != self.size:
            return False
        if entry.lfs:
            return entry.lfs.sha256 == self.sha256
        data = self.data.read_bytes() if isinstance(self.data, Path) else self.data
        return entry.blob_id == git_blob_id(data)


def git_blob_id(data: bytes) -> str:
    """Return the name that git gives to a content: SHA-1 (hex)."""
    return hashlib.sha1(b"blob %d\0%b" % (len(data), data), usedforsecurity=False).hexdigest()


class Head(NamedTuple):
    """The state of a repository's main branch: its commit, and whether strangers are kept out."""

    sha: str
    private: bool


class Repository:
    """A repository, as whoever is logged in sees it. Methods raise `HubError`.

    Parameters
    ----------
    name
        ORG/NAME.
    kind
        "dataset" or "model".

    Attributes
    ----------
    api
        The client. Calls belong inside ``with repository.explained():``.
    url
        Of its page.
    """

    def __init__(self, name: str, kind: Literal["dataset", "model"] = "dataset") -> None:
        self.name, self.kind = name, kind
        self.api = huggingface_hub.HfApi(library_name="craqbench", library_version=craqbench.__version__)
        self.url = f"{self.api.endpoint}/{'datasets/' if kind == 'dataset' else ''}{name}"

    def __str__(self) -> str:
        return f"{self.name!r} on {self.api.endpoint}"

    @contextlib.contextmanager
    def explained(self) -> Iterator[None]:
        """Turn what the client raises into a `HubError` that says what to do, and keep the client quiet."""
        with explained(str(self)):
            yield

    def login(self) -> set[str]:
        """Return under which names whoever is logged in may own repositories: their own, organisations'."""
        with self.explained():
            about = patiently(self.api.whoami)
        return {about["name"], *(organisation["name"] for organisation in about.get("orgs", []))}

    def head(self) -> Head | None:
        """Return the state of the main branch; None if there is no such repository to be seen."""
        with self.explained():
            try:
                info = patiently(functools.partial(self.api.repo_info, self.name, repo_type=self.kind))
            except GatedRepoError:
                raise
            except RepositoryNotFoundError:
                return None
        return Head(str(info.sha), bool(info.private))

    def read(self, path: str, sha: str) -> bytes | None:
        """Return the content of a small file in a commit; None if there is none. Safe in threads."""
        with self.explained():
            try:
                return patiently(functools.partial(self._read, path, sha))
            except RemoteEntryNotFoundError:
                return None

    def _read(self, path: str, sha: str) -> bytes:
        url = huggingface_hub.hf_hub_url(
            self.name, path, repo_type=self.kind, revision=sha, endpoint=self.api.endpoint
        )
        headers = build_hf_headers(token=self.api.token, library_name="craqbench")
        answer = get_session().get(url, headers=headers, timeout=_TIMEOUT, follow_redirects=True)
        hf_raise_for_status(answer)
        return bytes(answer.content)

    def check_writable(self) -> None:
        """Raise `HubError` if whoever is logged in may not write."""
        with self.explained():
            patiently(lambda: self.api.auth_check(self.name, repo_type=self.kind, write=True))

    def create(self, *, private: bool) -> None:
        """Create the repository, unless it is there by now."""
        wanted = True if private else None  # None: what the organisation has chosen for itself
        with self.explained():
            patiently(
                lambda: self.api.create_repo(self.name, repo_type=self.kind, private=wanted, exist_ok=True)
            )

    def versions(self) -> dict[Version, str]:
        """Return the tags that are versions, ascending: version -> what the tag points to."""
        with self.explained():
            refs = patiently(lambda: self.api.list_repo_refs(self.name, repo_type=self.kind))
        found = {}
        for tag in refs.tags:
            with contextlib.suppress(UsageError):
                version = parse_version(tag.name[1:])
                if version.tag == tag.name:
                    found[version] = tag.target_commit
        return dict(sorted(found.items()))

    def commit_of(self, version: Version) -> str:
        """Return the commit that a version's tag stands for."""
        with self.explained():
            info = patiently(lambda: self.api.repo_info(self.name, revision=version.tag, repo_type=self.kind))
        return str(info.sha)

    def files(self, revision: str) -> dict[str, huggingface_hub.RepoFile]:
        """Return all files of a commit or tag by path."""
        with self.explained():
            entries = patiently(
                lambda: list(
                    self.api.list_repo_tree(self.name, recursive=True, revision=revision, repo_type=self.kind)
                )
            )
        return {entry.path: entry for entry in entries if isinstance(entry, huggingface_hub.RepoFile)}

    def tag(self, version: Version, sha: str) -> None:
        """Name a commit for good; done already is done."""
        with self.explained():
            try:
                patiently(
                    lambda: self.api.create_tag(self.name, tag=version.tag, revision=sha, repo_type=self.kind)
                )
            except HfHubHTTPError as error:
                if status_of(error) != 409:
                    raise
        found = self.commit_of(version)
        if found != sha:
            raise HubError(f"{self}: tag {version.tag} was set to {found} by somebody else, expected {sha}")
