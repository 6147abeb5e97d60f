"""Names and versions are read strictly; a repository tells what it holds, and is tagged once."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from hub_datasets import REPO, adopted_hub  # noqa: F401  a fixture
from huggingface_hub import RepoFile
from hypothesis import given, settings
from hypothesis import strategies as st
from local_hub import (
    READER,
    LocalHub,
    client_warnings,
    local_hub,  # noqa: F401  a fixture
)

from craqbench.errors import UsageError
from craqbench.hub import Piece, Repository, Version, parse_reference, parse_repository, parse_version
from craqbench.hub_errors import HubError

pytestmark = client_warnings

numbers = st.integers(0, 10**9 - 1)
KIND: dict[str, Any] = {"repo_type": "dataset"}


@settings(max_examples=50, derandomize=True)
@given(numbers, numbers, numbers)
def test_versions_are_read_back(major: int, minor: int, patch: int) -> None:
    """What a version is written as is read as that version, and its tag begins with v."""
    version = Version(major, minor, patch)
    assert parse_version(str(version)) == version
    assert version.tag == f"v{major}.{minor}.{patch}"


@pytest.mark.parametrize(
    "text", ["1", "1.0", "v1.0.0", "1.0.0-rc1", "01.0.0", "1.0.0 ", "", "1.0.٣", "1.0.0\n", "latest", "1..0"]
)
def test_no_versions(text: str) -> None:
    """What is no semantic version is refused with an example of one."""
    with pytest.raises(UsageError, match=r"expected MAJOR.MINOR.PATCH, such as 1.0.0"):
        parse_version(text)


def test_versions_are_ordered_by_number() -> None:
    """1.10.0 comes after 1.9.0."""
    assert max(map(parse_version, ("1.9.0", "1.10.0", "0.99.99"))) == Version(1, 10, 0)


@pytest.mark.parametrize(
    "text",
    ["cracks", "lab/cracks/1", "/cracks", "lab/", "lab/cr acks", "lab/-cracks", "lab/a--b", "lab/a..b",
     "lab/cracks.git", "läb/cracks", "lab/" + 97 * "a", "", "lab\\cracks", "https://huggingface.co/lab/cracks"],
)  # fmt: skip
def test_no_repositories(text: str) -> None:
    """What cannot name a repository is refused before anybody is asked."""
    with pytest.raises(UsageError, match="expected ORG/NAME"):
        parse_repository(text)


def test_references() -> None:
    """A reference has a version, with v or without, or none."""
    assert parse_reference("lab/cracks") == ("lab/cracks", None)
    assert parse_reference("lab/cracks@1.2.3") == parse_reference("lab/cracks@v1.2.3")
    for text in ("lab/cracks@", "lab/cracks@main", "cracks@1.0.0"):
        with pytest.raises(UsageError):
            parse_reference(text)


def test_pieces_are_recognised_by_content(tmp_path: Path) -> None:
    """Of a large file the Hub keeps SHA-256, of a small one git's hash; both must agree, and the size."""
    data = b"cracks\n"
    sha256 = hashlib.sha256(data).hexdigest()
    (tmp_path / "a").write_bytes(data)
    piece = Piece("a", tmp_path / "a", len(data), sha256)
    blob = {"path": "a", "size": 7, "oid": "9a0b7a9b2b1e0e1cd0cf0fcf7b0ee8a19a7d3b5b"}
    large = {**blob, "lfs": {"oid": sha256, "size": 7, "pointerSize": 1}}
    small = {**blob, "oid": hashlib.sha1(b"blob 7\0cracks\n", usedforsecurity=False).hexdigest()}
    for entry, expected in (
        (large, True),
        (small, True),
        (blob, False),
        ({**large, "size": 8}, False),
        ({**large, "lfs": {"oid": 64 * "0", "size": 7, "pointerSize": 1}}, False),
    ):
        files: Any = {"a": RepoFile(**entry)}  # type: ignore[no-untyped-call]
        assert piece.is_in(files) is expected
        assert Piece.of("a", data).is_in(files) is expected
    assert not piece.is_in({})


def test_repository(at_home: LocalHub) -> None:
    """A repository that is not there has no head; one that is tells commit, files and versions."""
    repository = Repository(REPO)
    assert repository.login() == {"writer", "lab"}
    assert repository.head() is None
    repository.create(private=True)
    repository.create(private=True)
    head = repository.head()
    assert head
    assert head.private
    assert list(repository.files(head.sha)) == [".gitattributes"]
    for name in ("v1.10.0", "v1.9.0", "2.0.0", "x2.0.0", "v1", "draft"):
        at_home.api().create_tag(REPO, tag=name, **KIND)
    assert list(repository.versions()) == [Version(1, 9, 0), Version(1, 10, 0)]
    assert repository.commit_of(Version(1, 9, 0)) == head.sha


def test_tags_are_set_once(at_home: LocalHub) -> None:
    """A tag that is there for the same commit is fine, for another it is not, and it never moves."""
    repository, version = Repository(REPO), Version(1, 0, 0)
    repository.create(private=False)
    first = repository.head()
    assert first
    repository.tag(version, first.sha)
    repository.tag(version, first.sha)
    at_home.api().upload_file(path_or_fileobj=b"1", path_in_repo="one.txt", repo_id=REPO, **KIND)
    second = repository.head()
    assert second
    with pytest.raises(HubError, match=f"set to {first.sha} by somebody else, expected {second.sha}"):
        repository.tag(version, second.sha)
    assert repository.commit_of(version) == first.sha


def test_who_may_not_write(at_home: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever may only read is told so before anything is sent."""
    Repository(REPO).create(private=False)
    monkeypatch.setenv("HF_TOKEN", READER)
    with pytest.raises(HubError, match=r"no right to do this \(Forbidden.*\): expected"):
        Repository(REPO).check_writable()
    assert at_home.calls.count("auth-check/write") == 1
