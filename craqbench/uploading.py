"""Bring files to a repository on the Hub: contents in parts that resume, then one commit.

Contents go to the Hub's storage first, where nobody sees them. Then a commit moves the main branch from
one state to the next, so that an interruption at any point leaves the one or the other.
"""

from __future__ import annotations

import functools
import math
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httpx2
from huggingface_hub import CommitOperationAdd, CommitOperationDelete
from huggingface_hub.errors import HfHubHTTPError

from craqbench.dataset import MANIFEST
from craqbench.errors import DatasetError
from craqbench.hub import Piece, Repository
from craqbench.hub_errors import WAITS, HubError, may_pass, patiently, status_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from craqbench.hub import Head

__all__ = ["SHARD_NAME", "Plan", "bring", "plan_changes"]

PART_FILES, PART_BYTES = 8, 256_000_000
"""A part of an upload: at most so many files, and no more once it has so many bytes."""

COMMIT_FILES = 1000
"""Most files in a commit: a larger one takes the Hub longer than its answers may take."""

_MOVED = 412
"""Status that says that the parent of a commit is not the newest any more."""

Report = Callable[[int, int], None]

_Operation = CommitOperationAdd | CommitOperationDelete

SHARD_NAME = re.compile(r"data/[A-Za-z][A-Za-z0-9_]*-[0-9]{5,}-of-[0-9]{5,}\.parquet")
"""What files of ours in ``data/`` are called."""


@dataclass(frozen=True)
class Plan:
    """What separates a state of a repository from what it should be.

    Attributes
    ----------
    add, kept
        Files that it lacks, and those that it has.
    remove
        Shards of ours that it should not have.
    strange
        Files that are none of ours: left alone.
    """

    add: list[Piece] = field(default_factory=list)
    kept: list[Piece] = field(default_factory=list)
    remove: list[str] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)

    @property
    def done(self) -> bool:
        """Whether it is as it should be."""
        return not self.add and not self.remove

    @property
    def bytes(self) -> int:
        """Size of the files that it lacks."""
        return sum(piece.size for piece in self.add)


def plan_changes(repository: Repository, head: Head | None, pieces: Sequence[Piece]) -> Plan:
    """Compare a state of the repository with what it should be.

    Raises
    ------
    HubError
        If it holds something else than datasets of ours.
    """
    if head is None:
        return Plan(add=list(pieces))
    files = repository.files(head.sha)
    plan = Plan()
    for piece in pieces:
        (plan.kept if piece.is_in(files) else plan.add).append(piece)
    others = sorted(files.keys() - {piece.path for piece in pieces})
    plan.remove.extend(path for path in others if SHARD_NAME.fullmatch(path))
    plan.strange.extend(
        path for path in others if not SHARD_NAME.fullmatch(path) and path != ".gitattributes"
    )
    data = [path for path in plan.strange if path.startswith("data/")]
    if data or (plan.strange and MANIFEST not in files):
        shown = ", ".join((data or plan.strange)[:3])
        raise HubError(f"{repository} holds other things ({shown}): expected a new one, or a dataset of ours")
    return plan


def bring(repository: Repository, pieces: Sequence[Piece], title: str, report: Report) -> str:
    """Make the main branch hold these files: look, send what is missing, look again.

    Looking is what tells a commit that failed from one whose answer was lost.

    Parameters
    ----------
    repository
        There already.
    pieces
        All files of the dataset; shards that are not among them are removed.
    title
        Of the commit.
    report
        ``report(done, total)``, in rows.

    Returns
    -------
    str
        The commit that holds them by the Hub's own hashes.

    Raises
    ------
    HubError, DatasetError
        If the Hub does not let it happen, or a file changes meanwhile. What has arrived is kept.
    """
    uploaded: dict[str, CommitOperationAdd] = {}
    failure: HfHubHTTPError | httpx2.TransportError | None = None
    for wait in (*WAITS, None):
        head = repository.head()
        if head is None:
            raise HubError(f"{repository} was there a moment ago: expected that nobody removes it")
        plan = plan_changes(repository, head, pieces)
        if plan.done:
            return head.sha
        if wait is None:
            break
        _upload(repository, plan, uploaded, report)
        failure = _commit(repository, title, _operations(plan, uploaded), head.sha)
        if failure:
            time.sleep(wait)
    if failure:
        with repository.explained():
            raise failure
    raise HubError(f"{repository} changes while {title!r} is brought there: expected one publisher")


def _upload(
    repository: Repository, plan: Plan, uploaded: dict[str, CommitOperationAdd], report: Report
) -> None:
    """Send contents to the storage, part by part; what is there already does not travel again."""
    total = sum(piece.rows for piece in (*plan.kept, *plan.add))
    wanted = [piece for piece in plan.add if piece.path not in uploaded]
    done = total - sum(piece.rows for piece in wanted)
    report(done, total)
    for part in _parts(wanted):
        sent = [CommitOperationAdd(piece.path, piece.data) for piece in part]
        send = functools.partial(repository.api.preupload_lfs_files, repository.name, sent)
        with repository.explained():
            patiently(functools.partial(send, repo_type="dataset", free_memory=False))
        for piece, operation in zip(part, sent, strict=True):
            if operation.upload_info.sha256.hex() != piece.sha256:
                raise DatasetError(f"{piece.path} has changed since it was verified: expected that it rests")
            uploaded[piece.path] = operation
        done += sum(piece.rows for piece in part)
        report(done, total)


def _parts(pieces: Sequence[Piece]) -> Iterator[list[Piece]]:
    """Divide an upload into parts: each is finished for good before the next one begins."""
    part: list[Piece] = []
    for piece in pieces:
        part.append(piece)
        if len(part) == PART_FILES or sum(piece.size for piece in part) >= PART_BYTES:
            yield part
            part = []
    if part:
        yield part


def _operations(plan: Plan, uploaded: Mapping[str, CommitOperationAdd]) -> list[_Operation]:
    """Return what a commit does; removals and the manifest come last, if it takes several."""
    add = [uploaded[piece.path] for piece in plan.add]
    return [*add, *(CommitOperationDelete(path) for path in plan.remove)]


def _commit(
    repository: Repository, title: str, operations: Sequence[_Operation], parent: str
) -> HfHubHTTPError | httpx2.TransportError | None:
    """Commit upon `parent`; return why it did not happen, or perhaps not, if another look can help."""
    count = math.ceil(len(operations) / COMMIT_FILES)
    for number in range(count):
        part = operations[number * COMMIT_FILES : (number + 1) * COMMIT_FILES]
        message = title if count == 1 else f"{title} (part {number + 1} of {count})"
        with repository.explained():
            try:
                made = repository.api.create_commit(
                    repository.name, part, commit_message=message, repo_type="dataset", parent_commit=parent
                )
            except (HfHubHTTPError, httpx2.TransportError) as error:
                if may_pass(error) or status_of(error) == _MOVED:
                    return error
                raise
        parent = made.oid
    return None
