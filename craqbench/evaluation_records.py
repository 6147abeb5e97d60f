"""What is kept of each image while a method is evaluated: its prediction, and a record of its counts.

::

    FOLDER/evaluation.json          what is evaluated: another method, set or version is refused here
    FOLDER/predictions/STEM.png     of a detector: 0 and 255; label maps: class numbers
    FOLDER/fillings/STEM.png        of an inpainter: the filled picture
    FOLDER/scores/STEM.png          where they were asked for: 255 for a score of 1
    FOLDER/records/STEM.json        counts, time, digests of these files
    FOLDER/result.json              at the end, see `craqbench.results`

A record is written last, and an image is done when its record is whole and its files are those of the
record: what SIGKILL, a full disk or a power cut leaves behind is found out and made again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from craqbench.errors import StorageError, UsageError
from craqbench.results import RESULT
from craqbench.storage import on_disk, write_file

try:
    import fcntl
except ImportError:  # Windows: two runs into one folder are not noticed there
    fcntl = None  # type: ignore[assignment]

__all__ = [
    "FILLINGS",
    "IDENTITY",
    "PREDICTIONS",
    "SCORES",
    "Record",
    "claim",
    "digest_of_answer",
    "keep",
    "locked",
    "read_record",
    "slug",
]

IDENTITY, RECORDS = "evaluation.json", "records"
PREDICTIONS, SCORES, FILLINGS = "predictions", "scores", "fillings"

Record = dict[str, Any]


def slug(text: str) -> str:
    """Return a text as the name of a folder.

    >>> slug("nga-val,polarity=light")
    'nga-val-polarity-light'
    """
    name = "".join(c if c.isalnum() or c in "-._" else "-" for c in text).lstrip(".") or "-"
    return name if len(name) <= 120 else f"{name[:103]}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def digest_of_answer(answer: npt.NDArray[np.uint8]) -> str:
    r"""Return sha256 (hex) of (H, W) or (H, W, 3) uint8: ``"H W\n"``, then its values row by row."""
    height, width = answer.shape[:2]
    return hashlib.sha256(f"{height} {width}\n".encode() + answer.tobytes()).hexdigest()


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other runs out of a folder, which is made, until the block or the process ends.

    Raises
    ------
    UsageError
        If another run is in it.
    StorageError
        If it cannot be written to.
    """
    with on_disk(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("wb")
    with lock:
        if fcntl is not None:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise UsageError(
                    f"{folder} is being written by another 'craqbench evaluate': wait for it, "
                    "or expected another --out"
                ) from error
            except OSError:  # some network disks have no locks, and then nothing is lost
                pass
        yield


def claim(folder: Path, identity: Mapping[str, Any], *, fresh: bool) -> None:
    """Say in a folder what is evaluated there, or compare with what it says.

    Parameters
    ----------
    folder
        Of a method on a set.
    identity
        JSON types; all that figures depend on.
    fresh
        Throw away what an evaluation left there.

    Raises
    ------
    UsageError
        If something else was evaluated there; the message names the first difference.
    """
    path = folder / IDENTITY
    told = json.loads(json.dumps(identity))
    with on_disk(folder):
        found = _read_json(path)
        if fresh and found is not None:
            _clear(folder)
    if found is None or fresh:
        write_file(path, f"{json.dumps(told, indent=1)}\n".encode())
    elif found != told:
        place, there, here = _difference(found, told)
        raise UsageError(
            f"{folder} holds an evaluation with {place} {there}, and this one has {here}: "
            "expected --fresh to replace it, or another --out"
        )


def _clear(folder: Path) -> None:
    for name in (PREDICTIONS, SCORES, FILLINGS, RECORDS):
        shutil.rmtree(folder / name, ignore_errors=True)
    for name in (RESULT, IDENTITY):
        (folder / name).unlink(missing_ok=True)


def _difference(found: Any, told: Any, place: str = "") -> tuple[str, str, str]:
    """Return where two JSON values first differ, and the two values there."""
    if not (isinstance(found, dict) and isinstance(told, dict)):
        return place or "contents", _short(found), _short(told)
    key = next(k for k in [*told, *found] if found.get(k) != told.get(k) or (k in found) != (k in told))
    return _difference(found.get(key), told.get(key), f"{place}.{key}" if place else key)


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 100 else f"{text[:97]}..."


def keep(folder: Path, stem: str, record: Record, files: Mapping[str, bytes]) -> None:
    """Write the files of an image, by the folder that each belongs to, and then its record.

    Raises
    ------
    StorageError
        If the disk is full, read-only or gone; no half of a file is left.
    """
    for kind, data in files.items():
        _replace(folder / kind / f"{stem}.png", data)
    digests = {kind: hashlib.sha256(data).hexdigest() for kind, data in files.items()}
    text = json.dumps({**record, "files": digests}, separators=(",", ":"))
    _replace(folder / RECORDS / f"{stem}.json", text.encode())


def _replace(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, without waiting for the disk: records tell what a power cut took."""
    temporary = path.with_name(f".{path.name}.part")  # the next run writes over it
    with on_disk(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_bytes(data)
            temporary.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise


def is_kept(folder: Path, stem: str) -> bool:
    """Whether a record is there, sound or not."""
    return (folder / RECORDS / f"{stem}.json").exists()


def forget(folder: Path, stem: str) -> None:
    """Remove a record that is not sound."""
    path = folder / RECORDS / f"{stem}.json"
    with on_disk(path):
        path.unlink(missing_ok=True)


def is_done(folder: Path, stem: str, item_id: str, kinds: tuple[str, ...]) -> bool:
    """Whether an image's record is whole, and the files of these kinds are those of the record."""
    record = read_record(folder, stem)
    if record is None or record.get("id") != item_id:
        return False
    files = record.get("files", {})
    try:
        return all(_sha256(folder / kind / f"{stem}.png") == files.get(kind) for kind in kinds)
    except OSError:
        return False


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read_record(folder: Path, stem: str) -> Record | None:
    """Read a record; None where there is none, or what is left of one."""
    return _read_json(folder / RECORDS / f"{stem}.json")


def _read_json(path: Path) -> Record | None:
    try:
        content = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    except OSError as error:
        raise StorageError(
            f"cannot read {path}: {error.strerror or error}: expected a working disk"
        ) from error
    return content if isinstance(content, dict) else None
