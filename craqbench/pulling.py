"""Pull a version of a dataset from the Hub: download beside, check every hash, then give it its name."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from craqbench.dataset import CARD, MANIFEST, SAMPLE, load_manifest
from craqbench.errors import DatasetError, StorageError, UsageError
from craqbench.generation import Interrupted
from craqbench.hub import Piece, Repository, Version
from craqbench.hub_errors import GONE, HubError, patiently
from craqbench.storage import on_disk
from craqbench.uploading import SHARD_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from huggingface_hub import RepoFile

    from craqbench.engines import Progress

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["Pulled", "pull"]


@dataclass(frozen=True)
class Pulled:
    """What `pull` brought.

    Attributes
    ----------
    folder, repository, version, sha
        Where the dataset is, and which commit of which repository.
    manifest
        Of the dataset.
    bytes
        Of its files.
    was_there
        Whether the folder held this version already; then its hashes were checked, nothing else.
    """

    folder: Path
    repository: str
    version: Version
    sha: str
    manifest: Mapping[str, Any]
    bytes: int
    was_there: bool


@dataclass(frozen=True)
class _Wanted:
    """A version of a repository, and where it goes."""

    repository: Repository
    version: Version
    sha: str
    files: Mapping[str, RepoFile]

    def __str__(self) -> str:
        return f"{self.repository.name}@{self.version}"


def pull(
    repository: str, version: Version | None, out: Path | None = None, *, progress: Progress | None = None
) -> Pulled:
    """Download a version of a published dataset and check every hash in its manifest.

    Files arrive in a folder ``.NAME.pull`` beside the final one, where a second run finds those that are
    complete. It is renamed when all is there and sound.

    Parameters
    ----------
    repository
        ORG/NAME.
    version
        None for the highest.
    out
        A new or empty folder, or one that holds this version already; by default ``NAME-VERSION``.
    progress
        Stage "downloading", in rows.

    Raises
    ------
    HubError
        If there is no such repository or version, or the Hub cannot be reached.
    DatasetError
        If it is no dataset of ours, a file is not what the manifest says, or `out` holds something else.
    StorageError
        If the disk is full, read-only or gone.
    Interrupted
        After Ctrl-C; what has arrived is kept.
    """
    where = Repository(repository)
    found = _find_version(where, version)
    folder = out if out is not None else Path(f"{repository.split('/')[1]}-{found}")
    try:
        return _pull(where, found, folder, progress)
    except KeyboardInterrupt:
        raise Interrupted(
            f"stopped: {folder} is not there yet; what has arrived is kept, run the command again to go on"
        ) from None


def _find_version(repository: Repository, version: Version | None) -> Version:
    if repository.head() is None:
        raise HubError(f"{repository}: {GONE}")
    known = repository.versions()
    if version is None and known:
        return max(known)
    if version is None or version not in known:
        wanted = f"no version {version}" if version else "no version"
        some = f"one of {', '.join(map(str, known))}" if known else "a published dataset (craqbench publish)"
        raise HubError(f"{repository} has {wanted}: expected {some}")
    return version


def _pull(repository: Repository, version: Version, folder: Path, progress: Progress | None) -> Pulled:
    sha = repository.commit_of(version)
    wanted = _Wanted(repository, version, sha, repository.files(sha))
    if _holds_something(folder):
        manifest = _check_there(wanted, folder)
        was_there = True
    else:
        manifest = _bring(wanted, folder.resolve(), progress)
        was_there = False
    size = sum(wanted.files[name].size for name in _digests(manifest))
    return Pulled(folder, repository.name, version, sha, manifest, size, was_there)


def _holds_something(folder: Path) -> bool:
    """Whether the final folder is taken.

    Raises
    ------
    UsageError, StorageError
        If it cannot be replaced by a renamed one.
    """
    if folder.resolve() == Path.cwd():
        raise UsageError(f"out {str(folder)!r} is the current folder: expected one inside it, or elsewhere")
    with on_disk(folder):
        return folder.exists() and any(folder.iterdir())


def _check_there(wanted: _Wanted, folder: Path) -> dict[str, Any]:
    """Check a folder that is there: it must be this very version."""
    try:
        manifest = load_manifest(folder)
    except DatasetError as error:
        raise DatasetError(
            f"{str(folder)!r} is not empty: expected a new folder, or {wanted} in it"
        ) from error
    if manifest.get("published") != {"repository": wanted.repository.name, "version": str(wanted.version)}:
        raise DatasetError(f"{str(folder)!r} holds another dataset: expected a new folder, or {wanted} in it")
    for name, sha256 in {MANIFEST: "", **_digests(manifest)}.items():
        problem = _problem(wanted, folder, name, sha256)
        if problem:
            raise DatasetError(f"{folder / name}: {problem}: expected {wanted} as published, or a new folder")
    return manifest


def _bring(wanted: _Wanted, folder: Path, progress: Progress | None) -> dict[str, Any]:
    """Download into a folder beside, and rename it."""
    part = folder.with_name(f".{folder.name}.pull")
    with on_disk(part), _alone(part):
        _remove_halves(part)
        manifest = _fetch_manifest(wanted, part)
        _check_room(wanted, manifest, part)
        _fetch_all(wanted, manifest, part, progress)
        _remove_others(part, {MANIFEST, *_digests(manifest)})
        with contextlib.suppress(FileNotFoundError):
            folder.rmdir()
        part.rename(folder)
    return manifest


@contextlib.contextmanager
def _alone(part: Path) -> Iterator[None]:
    """Make the folder, and keep other processes out of it."""
    part.mkdir(parents=True, exist_ok=True)
    if fcntl is None:
        yield
        return
    handle = os.open(part, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise StorageError(f"{part} is in use by another pull: expected that it ends first") from None
    except OSError:  # a network disk without locks
        pass
    try:
        yield
    finally:
        os.close(handle)


def _remove_halves(part: Path) -> None:
    """Remove what a killed process left of single files: the client begins them anew."""
    for half in (part / ".cache").rglob("*.incomplete"):
        half.unlink()


def _fetch_manifest(wanted: _Wanted, part: Path) -> dict[str, Any]:
    if MANIFEST not in wanted.files:
        raise DatasetError(f"{wanted} has no {MANIFEST}: expected a dataset that 'craqbench publish' brought")
    _fetch(wanted, part, MANIFEST)
    try:
        manifest = load_manifest(part)
    except DatasetError as error:
        raise DatasetError(f"{wanted} cannot be read by this craqbench: {error}") from error
    if not _is_well_formed(manifest):
        raise DatasetError(
            f"{wanted}: its {MANIFEST} lacks what each has: expected that of a complete dataset"
        )
    for item in manifest["shards"]:
        _check_told(wanted, item)
    for name in (CARD, SAMPLE):
        if name not in wanted.files:
            raise DatasetError(f"{wanted} has no {name}: expected a complete dataset")
    return manifest


def _is_well_formed(manifest: Mapping[str, Any]) -> bool:
    """Whether what is read of a manifest is there: it comes from a stranger."""
    try:
        numbers = [manifest["seed"], *(item["bytes"] for item in manifest["shards"])]
        texts = [item[name] for item in manifest["shards"] for name in ("file", "sha256")]
        texts += [manifest["recipe"]["name"], *manifest["versions"].values()]
        rows = sum(item["rows"] for item in manifest["shards"])
        kinds = all(isinstance(n, int) for n in numbers) and all(isinstance(text, str) for text in texts)
        return kinds and manifest["complete"] is True and rows == manifest["rows"]
    except (KeyError, TypeError, AttributeError):
        return False


def _check_told(wanted: _Wanted, item: Mapping[str, Any]) -> None:
    """Check what the Hub says of a shard, before it is downloaded."""
    name = item["file"]
    if not SHARD_NAME.fullmatch(name):
        raise DatasetError(
            f"{wanted}: its manifest names a file {name!r}: expected such as data/NAME.parquet"
        )
    entry = wanted.files.get(name)
    if entry is None:
        raise DatasetError(f"{wanted} has no {name}: expected all files of its manifest")
    told = entry.lfs.sha256 if entry.lfs else item["sha256"]
    if (entry.size, told) != (item["bytes"], item["sha256"]):
        raise DatasetError(
            f"{wanted}: {name} on the Hub has {entry.size} bytes with sha256 {told}: expected "
            f"{item['bytes']} with {item['sha256']}, as its manifest says"
        )


def _digests(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Return the files beside the manifest: name -> sha256 in it, empty for those it says nothing of."""
    return {**{item["file"]: item["sha256"] for item in manifest["shards"]}, SAMPLE: "", CARD: ""}


def _check_room(wanted: _Wanted, manifest: Mapping[str, Any], part: Path) -> None:
    missing = sum(wanted.files[name].size for name in _digests(manifest) if not (part / name).exists())
    free = shutil.disk_usage(part).free
    if missing > free:
        raise StorageError(
            f"{part}: the disk has {free:,} bytes left: expected {missing:,} for the rest of {wanted}"
        )


def _fetch_all(wanted: _Wanted, manifest: Mapping[str, Any], part: Path, progress: Progress | None) -> None:
    rows = {item["file"]: item["rows"] for item in manifest["shards"]}
    done, total = 0, sum(rows.values())
    for name, sha256 in _digests(manifest).items():
        if progress:
            progress("downloading", done, total)
        _fetch(wanted, part, name, sha256)
        done += rows.get(name, 0)
    if progress:
        progress("downloading", done, total)


def _fetch(wanted: _Wanted, part: Path, name: str, sha256: str = "") -> None:
    """Download a file and check it; one that an earlier run left is checked first, and replaced if bad."""
    path, repository = part / name, wanted.repository
    if path.exists() and not _problem(wanted, part, name, sha256):
        return
    path.unlink(missing_ok=True)
    download = functools.partial(repository.api.hf_hub_download, repository.name, name, repo_type="dataset")
    with repository.explained():
        patiently(lambda: download(revision=wanted.sha, local_dir=part))
    problem = _problem(wanted, part, name, sha256)
    if problem:
        path.unlink()
        raise DatasetError(f"{wanted}: {name} as the Hub sends it {problem}: expected what was published")


def _problem(wanted: _Wanted, folder: Path, name: str, sha256: str) -> str:
    """Say how a file differs from what the Hub lists and the manifest says; nothing if it does not."""
    path = folder / name
    if not path.is_file():
        return "is missing"
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        with contextlib.suppress(OSError):  # after a power cut, too, a complete folder is complete
            os.fsync(file.fileno())
    found = Piece(name, path, path.stat().st_size, digest)
    if found.is_in(wanted.files) and sha256 in ("", digest):
        return ""
    return f"has {found.size} bytes with sha256 {digest}"


def _remove_others(part: Path, names: set[str]) -> None:
    """Leave nothing but the dataset: neither the client's notes nor files of another version."""
    shutil.rmtree(part / ".cache", ignore_errors=True)
    for path in sorted(part.rglob("*"), reverse=True):
        if path.is_dir():
            with contextlib.suppress(OSError):
                path.rmdir()
        elif path.relative_to(part).as_posix() not in names:
            path.unlink()
