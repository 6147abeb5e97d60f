"""Uploading: a lost answer is found out, other people's commits are respected, a large one takes several."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hub_datasets import (
    REPO,
    adopted_hub,  # noqa: F401  a fixture
    is_whole,
    publish_first,
    small_dataset,  # noqa: F401  a fixture
)
from local_hub import (
    LocalHub,
    client_warnings,
    local_hub,  # noqa: F401  a fixture
)

from craqbench import uploading
from craqbench.hub import Piece, Repository
from craqbench.hub_errors import HubError

pytestmark = client_warnings

KIND: dict[str, Any] = {"repo_type": "dataset"}


@pytest.mark.parametrize("request_", ["POST .*/commit/", "POST .*/tag/", "POST .*/repos/create"])
def test_lost_answers(at_home: LocalHub, dataset: Path, request_: str) -> None:
    """What happened although its answer was lost is not done again."""
    fault = at_home.faults.cut(request_, where="processed")
    publish_first(dataset)
    assert fault.exhausted
    assert is_whole(at_home, dataset, "v1.0.0")
    assert len(at_home.repository(REPO).history("main")) == 2


def test_somebody_else_commits(at_home: LocalHub, dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit that happened between looking and sending is kept, and ours comes upon it."""
    looks: list[str] = []

    def look(self: Repository, revision: str) -> Any:
        found = files(self, revision)
        if not looks:
            api = at_home.api()
            api.upload_file(path_or_fileobj=b"# Soon", path_in_repo="README.md", repo_id=REPO, **KIND)
        looks.append(revision)
        return found

    files = Repository.files
    monkeypatch.setattr(Repository, "files", look)
    publish_first(dataset)
    titles = [commit.title for commit in at_home.repository(REPO).history("main")]
    assert titles == ["Version 1.0.0", "Upload README.md with huggingface_hub", "initial commit"]
    assert is_whole(at_home, dataset, "v1.0.0")


def test_somebody_else_never_stops(at_home: LocalHub, dataset: Path) -> None:
    """Against somebody who commits all the time we give up, without a tag."""
    fault = at_home.faults.answer(412, "POST .*/commit/", times=100)
    with pytest.raises(HubError, match="status 412"):
        publish_first(dataset)
    assert fault.struck == 3
    assert not at_home.repository(REPO).tags


def test_many_files(at_home: LocalHub, dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More files than a commit takes come in several; cut between them, the second run brings the rest."""
    monkeypatch.setattr(uploading, "COMMIT_FILES", 3)
    fault = at_home.faults.answer(400, "POST .*/commit/", nth=2)
    with pytest.raises(HubError, match="status 400"):
        publish_first(dataset)
    assert fault.exhausted
    assert not at_home.repository(REPO).tags
    done = publish_first(dataset)
    assert len(done.kept) == 3
    titles = [commit.title for commit in at_home.repository(REPO).history("main")]
    assert titles == [
        "Version 1.0.0 (part 2 of 2)",
        "Version 1.0.0 (part 1 of 2)",
        "Version 1.0.0 (part 1 of 3)",
        "initial commit",
    ]
    assert is_whole(at_home, dataset, "v1.0.0")
    assert at_home.calls.count("PUT /large/") == 5, "four shards and the sample, each once"


def test_parts(at_home: LocalHub, dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An upload goes part by part, by number of files or by bytes, and tells the rows that are there."""
    told: list[tuple[str, int, int]] = []
    monkeypatch.setattr(uploading, "PART_FILES", 2)
    publish_first(dataset, progress=lambda *word: told.append(word))
    assert [(done, total) for stage, done, total in told if stage == "uploading"] == [
        (0, 12), (6, 12), (12, 12), (12, 12), (12, 12)
    ]  # fmt: skip
    assert at_home.calls.count("preupload") == 4
    monkeypatch.setattr(uploading, "PART_BYTES", 1)
    pieces: Any = [Piece.of(str(number), b"1") for number in range(3)]
    assert [len(part) for part in uploading._parts(pieces)] == [1, 1, 1]
