"""Ask the Hub about a dataset repository: revision, licence, files, ranges of bytes; its errors in words.

Who may read is the business of the Hub's own login (`hf auth login`, or HF_TOKEN): no credentials pass
through here.
"""

from __future__ import annotations

import contextlib
import functools
import io
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import httpx2
import huggingface_hub
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import (  # type: ignore[attr-defined]  # documented, but not in its __all__
    build_hf_headers,
    hf_raise_for_status,
    http_backoff,
)
from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

from craqbench.errors import SourceError
from craqbench.hub import PASSING, patiently, status_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = [
    "Files",
    "OutOfReachError",
    "RangeFile",
    "Snapshot",
    "file_sizes",
    "find_files",
    "find_snapshot",
    "quiet",
    "read_range",
]

Result = TypeVar("Result")

UNKNOWN = "unknown"

_PATHS_PER_REQUEST = 500
_TIMEOUT = 30.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A repository at a commit.

    Attributes
    ----------
    repository
        ORG/NAME.
    sha
        The commit, 40 hex digits: unlike a branch or a tag it never moves.
    licence
        What the card says; "unknown" if nothing.
    """

    repository: str
    sha: str
    licence: str


class Files(NamedTuple):
    """The Parquet files of one split, in the order of its rows.

    Attributes
    ----------
    split
        Name of the split.
    paths
        Inside the repository.
    features
        Column -> `datasets` feature, as far as the card says; perhaps none.
    """

    split: str
    paths: tuple[str, ...]
    features: dict[str, Any]


def find_snapshot(repository: str, revision: str | None) -> Snapshot:
    """Resolve a branch, tag or commit (None: the main branch).

    Raises
    ------
    SourceError
        If there is no such repository or revision, or it may not be read, or the Hub cannot be reached.
    """
    api = huggingface_hub.HfApi()
    with explained(repository, revision):
        info = patiently(lambda: api.dataset_info(repository, revision=revision, timeout=_TIMEOUT))
        if info.gated:
            patiently(lambda: api.auth_check(repository, repo_type="dataset"))
    return Snapshot(info.id, str(info.sha), _licence(info.card_data))


def _licence(card: Any) -> str:
    """Return the licence of a card: its own name where the Hub has none for it."""
    found = (card or {}).get("license") or UNKNOWN
    if found == "other":
        found = card.get("license_name") or found
    return ", ".join(map(str, found)) if isinstance(found, list) else str(found)


def find_files(repository: str, sha: str, config: str, split: str) -> Files:
    """Return the Parquet files of a split, as `datasets.load_dataset` finds and orders them.

    Parameters
    ----------
    config, split
        Empty for the default configuration, and for the split "train", or the only one.

    Raises
    ------
    SourceError
        If there are no Parquet files, or no such configuration or split.
    """
    import datasets  # noqa: PLC0415  takes more than a second, and only a source not seen before needs it

    where = f"dataset {repository!r} on the Hub"
    load = functools.partial(datasets.load_dataset_builder, repository, name=config or None, revision=sha)
    with explained(repository, sha):
        try:
            builder = patiently(lambda: _bare(load))
        except (HfHubHTTPError, OfflineModeIsEnabled):
            raise
        except (ValueError, FileNotFoundError) as error:
            reason = str(error).partition("\n")[0]
            raise SourceError(
                f"{where}: {reason}: expected Parquet files, and a configuration of it"
            ) from error
    files = builder.config.data_files or {}
    if builder.name != "parquet" or not files:
        converted = f"hf://{repository}@refs/convert/parquet"
        raise SourceError(f"{where} holds no Parquet files: expected some; the Hub may have made {converted}")
    chosen = _choose_split(where, sorted(map(str, files)), split)
    prefix = f"hf://datasets/{repository}@{sha}/"
    paths = tuple(str(path).removeprefix(prefix) for path in files[chosen])
    if strange := [path for path in paths if "://" in path]:
        raise SourceError(f"{where} refers to {strange[0]}: expected files of its own")
    return Files(chosen, paths, dict(builder.info.features or {}))


def _choose_split(where: str, splits: Sequence[str], wanted: str) -> str:
    if wanted in splits:
        return wanted
    if not wanted and ("train" in splits or len(splits) == 1):
        return "train" if "train" in splits else splits[0]
    raise SourceError(f"{where}, split {wanted!r}: expected split={'|'.join(splits)}")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep the client's warnings and progress bars from the terminal: commands show their own."""
    log, bars = logging.getLogger("huggingface_hub"), not are_progress_bars_disabled()
    level = log.level
    log.setLevel(logging.ERROR)
    disable_progress_bars()
    try:
        yield
    finally:
        log.setLevel(level)
        if bars:
            enable_progress_bars()


def file_sizes(repository: str, sha: str, paths: Sequence[str]) -> list[int]:
    """Return the sizes of files in bytes.

    Raises
    ------
    SourceError
        If a file is not there, or the Hub cannot be reached.
    """
    api = huggingface_hub.HfApi()
    sizes: dict[str, int] = {}
    with explained(repository, sha):
        for first in range(0, len(paths), _PATHS_PER_REQUEST):
            some = list(paths[first : first + _PATHS_PER_REQUEST])
            found = patiently(lambda: api.get_paths_info(repository, some, revision=sha, repo_type="dataset"))  # noqa: B023  called at once
            sizes |= {item.path: item.size for item in found if isinstance(item, huggingface_hub.RepoFile)}
        if missing := [path for path in paths if path not in sizes]:
            raise SourceError(f"{missing[0]} of dataset {repository!r} is not on the Hub at {sha}")
    return [sizes[path] for path in paths]


def read_range(repository: str, sha: str, path: str, start: int, stop: int) -> bytes:
    """Read the bytes `start` to ``stop - 1`` of a file; cuts, 429 and 5xx are met by trying again.

    Raises
    ------
    SourceError
        If they cannot be had.
    """
    if stop <= start:
        return b""
    url = huggingface_hub.hf_hub_url(repository, path, repo_type="dataset", revision=sha)
    headers = {**build_hf_headers(), "range": f"bytes={start}-{stop - 1}"}
    with explained(repository, sha):
        answer = http_backoff("GET", url, headers=headers, timeout=_TIMEOUT)
        hf_raise_for_status(answer)
    data = answer.content[start:stop] if answer.status_code == 200 else answer.content
    if len(data) != stop - start:
        raise SourceError(
            f"{path} of dataset {repository!r}: the Hub sent {len(data)} bytes from {start} on, "
            f"expected {stop - start}: run the command again to go on"
        )
    return bytes(data)


class RangeFile(io.RawIOBase):
    """A file to read from, whose bytes a function gives.

    Parameters
    ----------
    size
        Of the file in bytes.
    read_range
        ``read_range(start, stop)`` returns the bytes `start` to ``stop - 1``.
    """

    def __init__(self, size: int, read_range: Callable[[int, int], bytes]) -> None:
        self._size, self._read_range, self._here = size, read_range, 0

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return self._here

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a position."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._here, io.SEEK_END: self._size}[whence]
        self._here = start + offset
        return self._here

    def read(self, size: int | None = -1) -> bytes:
        """Read so many bytes, or what is left."""
        left = max(self._size - self._here, 0)
        wanted = left if size is None or size < 0 else min(size, left)
        data = self._read_range(self._here, self._here + wanted) if wanted else b""
        self._here += len(data)
        return data


def _bare(call: Callable[[], Result]) -> Result:
    """Call; raise the error of the Hub's client that another library has wrapped into one of its own."""
    try:
        return call()
    except Exception as error:
        found = error.__cause__ or error.__context__
        while found is not None and not isinstance(found, HfHubHTTPError | httpx2.TransportError):
            found = found.__cause__ or found.__context__
        if found is None or isinstance(error, HfHubHTTPError | httpx2.TransportError):
            raise
        raise found from None


@contextlib.contextmanager
def explained(repository: str, revision: str | None) -> Iterator[None]:
    """Turn an error of the Hub inside into a `SourceError` that says what to do."""
    where = f"dataset {repository!r} on the Hub"
    try:
        yield
    except GatedRepoError as error:
        raise SourceError(f"{where} is gated: accept its terms there, and log in: hf auth login") from error
    except RevisionNotFoundError as error:
        raise SourceError(
            f"{where} has no revision {revision!r}: expected a branch, tag or commit"
        ) from error
    except RepositoryNotFoundError as error:
        raise SourceError(
            f"{where}: there is none, or it is private: expected hf://ORG/NAME, and a login: hf auth login"
        ) from error
    except HFValidationError as error:
        raise SourceError(f"{where}: no such name is possible: expected hf://ORG/NAME[@REVISION]") from error
    except OfflineModeIsEnabled as error:
        raise OutOfReachError(
            f"{where} is not in the cache, and HF_HUB_OFFLINE is set: expected a network, or a warm cache"
        ) from error
    except HfHubHTTPError as error:
        status = status_of(error)
        raise SourceError(f"{where}: the Hub answered {status}: {_meaning(status)}") from error
    except httpx2.TransportError as error:
        raise OutOfReachError(
            f"{where}: the Hub cannot be reached ({type(error).__name__}): expected a network, or a source "
            "in the cache; run the command again to go on"
        ) from error


class OutOfReachError(SourceError):
    """The Hub cannot be reached: what is in the cache may do."""


def _meaning(status: int) -> str:
    if status in (401, 403):
        return "expected the right to read it: hf auth login"
    if status in PASSING:
        return "it may pass, run the command again to go on"
    return "expected a repository and files that are there"
