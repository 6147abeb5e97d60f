"""Publish a dataset: verify, upload in parts that resume, one commit, and the tag of its version last.

One commit moves the main branch from one version to the next, and a tag names it once the Hub's own hashes
say that everything is there. An interruption at any point leaves the old state or the new one, and the
same command goes on from there.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from craqbench.card import card
from craqbench.dataset import CARD, MANIFEST, SAMPLE, load_manifest
from craqbench.errors import DatasetError
from craqbench.generation import Interrupted
from craqbench.hub import Piece, Repository, Version
from craqbench.hub_errors import HubError
from craqbench.storage import on_disk
from craqbench.uploading import SHARD_NAME, bring, plan_changes
from craqbench.verification import verify

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from huggingface_hub import RepoFile

    from craqbench.engines import Progress
    from craqbench.hub import Head

__all__ = ["Publication", "publish"]


@dataclass(frozen=True)
class Publication:
    """What `publish` did, or in a dry run would do.

    Attributes
    ----------
    repository, version, url
        ORG/NAME, the version, and the page of its tag.
    sha
        The commit that is tagged; empty in a dry run.
    rows
        Of the dataset.
    created
        Whether the repository is new.
    private
        Whether strangers are kept out, as far as is known.
    sent, kept, removed
        Files that the commits brought, that were there already, and of an older version that are gone.
    bytes
        Of the files that were sent; through chunks fewer may have travelled.
    strange
        Files in the repository that are not of the dataset: left alone.
    """

    repository: str
    version: Version
    url: str
    sha: str
    rows: int
    created: bool
    private: bool
    sent: tuple[str, ...]
    kept: tuple[str, ...]
    removed: tuple[str, ...]
    bytes: int
    strange: tuple[str, ...]


def publish(
    folder: Path,
    repository: str,
    version: Version,
    *,
    private: bool = False,
    dry_run: bool = False,
    workers: int = 1,
    progress: Progress | None = None,
) -> Publication:
    """Publish a finished dataset as a version of a dataset repository on the Hub.

    Parameters
    ----------
    folder
        The dataset; nothing in it is changed. Card and manifest carry repository and version on the Hub.
    repository
        ORG/NAME; created if there is none.
    version
        Must be new, and so must be the content.
    private
        Create a private repository; one that is there must be private.
    dry_run
        Check everything, and send nothing.
    workers
        Processes for the verification.
    progress
        Stages "verifying" and "uploading", in rows.

    Raises
    ------
    DatasetError
        If the dataset is not complete, or has faults.
    HubError
        If nobody is logged in, may not write, the version or its content is published already, the
        repository holds other things, or the Hub cannot be reached. What has arrived is kept.
    Interrupted
        After Ctrl-C; what has arrived is kept.
    """
    try:
        crew = _Crew(workers, progress)
        return _publish(folder, Repository(repository), version, crew, private=private, dry_run=dry_run)
    except KeyboardInterrupt:
        raise Interrupted(
            f"stopped: version {version} of {repository} has no tag yet; what has arrived is kept, run the "
            "same command again to go on"
        ) from None


@dataclass(frozen=True)
class _Crew:
    """How many work, and who is told how far they are."""

    workers: int
    progress: Progress | None

    def report(self, done: int, total: int) -> None:
        """Tell how many rows are on the Hub."""
        if self.progress:
            self.progress("uploading", done, total)


def _publish(
    folder: Path, repository: Repository, version: Version, crew: _Crew, *, private: bool, dry_run: bool
) -> Publication:
    manifest = load_manifest(folder)
    if not manifest["complete"]:
        raise DatasetError(f"dataset {str(folder)!r} is not complete: run its 'craqbench generate' again")
    pieces = pieces_of(folder, stamped(manifest, repository.name, version))
    head = _look(repository, version, pieces, private=private)
    _verify(folder, crew)
    plan = plan_changes(repository, head, pieces)
    sha = ""
    if not dry_run:
        if head is None:
            repository.create(private=private)
        sha = bring(repository, pieces, f"Version {version}", crew.report)
        repository.tag(version, sha)
    return Publication(
        repository=repository.name,
        version=version,
        url=f"{repository.url}/tree/{version.tag}",
        sha=sha,
        rows=manifest["rows"],
        created=head is None,
        private=head.private if head else private,
        sent=tuple(piece.path for piece in plan.add),
        kept=tuple(piece.path for piece in plan.kept),
        removed=tuple(plan.remove),
        bytes=plan.bytes,
        strange=tuple(plan.strange),
    )


def stamped(manifest: Mapping[str, Any], repository: str, version: Version) -> dict[str, Any]:
    """Return a manifest that says as what it is published."""
    published = {"repository": repository, "version": str(version)}
    head = {name: manifest[name] for name in ("kind", "format", "complete")}
    return {**head, "published": published, **{n: v for n, v in manifest.items() if n != "published"}}


def pieces_of(folder: Path, manifest: Mapping[str, Any]) -> list[Piece]:
    """Return all files of a published dataset: shards in their order, then sample, card and manifest."""
    shards = [
        Piece(item["file"], folder / item["file"], item["bytes"], item["sha256"], item["rows"])
        for item in manifest["shards"]
    ]
    with on_disk(folder / SAMPLE):
        sample = (folder / SAMPLE).read_bytes()
    texts = {
        SAMPLE: sample,
        CARD: card(manifest).encode(),
        MANIFEST: (json.dumps(manifest, indent=2, ensure_ascii=False) + "\n").encode(),
    }
    return [*shards, *(Piece.of(name, data) for name, data in texts.items())]


def _look(repository: Repository, version: Version, pieces: Sequence[Piece], *, private: bool) -> Head | None:
    """Check all that the Hub can say against publishing, before anything costs time."""
    owners = repository.login()
    head = repository.head()
    if head is None:
        owner = repository.name.split("/")[0]
        if owner not in owners:
            known = ", ".join(sorted(owners))
            raise HubError(
                f"{repository}: there is none, and the login may not create it under {owner!r}: expected "
                f"one of {known}"
            )
        return None
    repository.check_writable()
    if private and not head.private:
        raise HubError(
            f"{repository} is public: expected a private one for --private (its settings on the Hub can "
            "make it so)"
        )
    _refuse_known(repository, version, pieces)
    return head


def _refuse_known(repository: Repository, version: Version, pieces: Sequence[Piece]) -> None:
    """Refuse a version that exists, and one whose rows another version has."""
    shards = [piece for piece in pieces if SHARD_NAME.fullmatch(piece.path)]
    versions = repository.versions()
    if version in versions:
        files = repository.files(version.tag)
        same = (
            "with exactly these rows: nothing was left to do" if _holds(files, shards) else "with other rows"
        )
        raise HubError(f"{repository} has version {version} already, {same}; expected a new version")
    for known in versions:
        if _holds(repository.files(known.tag), shards):
            raise HubError(
                f"{repository}: version {version} would have the same rows as version {known}, byte for "
                f"byte: nothing published; expected other rows, or a reference to {known}"
            )


def _holds(files: dict[str, RepoFile], shards: Sequence[Piece]) -> bool:
    """Whether a commit's data are these shards, all of them and no others."""
    data = {path for path in files if SHARD_NAME.fullmatch(path)}
    return data == {shard.path for shard in shards} and all(shard.is_in(files) for shard in shards)


def _verify(folder: Path, crew: _Crew) -> None:
    report = verify(folder, workers=crew.workers, progress=crew.progress)
    if not report.ok:
        first, count = report.faults[0], len(report.faults)
        more = f" (and {count - 1:,} more: 'craqbench verify' lists them)" if count > 1 else ""
        raise DatasetError(f"dataset {str(folder)!r} has faults, nothing published: {first}{more}")
