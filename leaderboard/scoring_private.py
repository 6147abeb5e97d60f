"""What a worker keeps beside the hidden labels: counts of images and paintings, its seat, its errors.

::

    PRIVATE/counts/KEY/ULID/board/result.json   as `craqbench evaluate` writes it: of the half that counts now
    PRIVATE/counts/KEY/ULID/final/result.json   of the other half
    PRIVATE/errors/KEY/ULID.txt                 what a failed scoring said: it may name labels
    PRIVATE/workers/NAME/                       locked while that worker lives, and its temporary files

None of it may be published, and nothing is lost with it: what is missing is counted again.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from craqbench.errors import StorageError
from craqbench.figures import FILLING_RANKING, RANKING
from craqbench.metrics.filling import ERRORS
from craqbench.metrics.inputs import Counts as Array
from craqbench.metrics.inputs import Floats
from craqbench.results import (
    RESULT,
    DetectionResult,
    InpaintingResult,
    ResultError,
    Score,
    load_result,
)
from craqbench.storage import on_disk, write_file

try:
    import fcntl
except ImportError:  # Windows: whose worker was killed waits until its claim has run out
    fcntl = None  # type: ignore[assignment]

__all__ = ["Counted", "Private", "Result", "Seat"]

Result = DetectionResult | InpaintingResult

_LOCK, _SEAT, _LEFT = "lock", "worker-", ".left-"


_KINDS = {RANKING: "tolerance", FILLING_RANKING: "errors"}


class Counted(NamedTuple):
    """What a rank is made of.

    Attributes
    ----------
    scores
        All figures, with all digits.
    table
        (paintings, ...) counts of the ranking figure, paintings in alphabetical order.
    """

    scores: Mapping[str, Score]
    table: Array | Floats


class Seat:
    """The place of a worker: a folder that is locked as long as its process lives, however that ends.

    Attributes
    ----------
    name
        A random one, which says nothing about the machine.
    folder
        For temporary files.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.folder = name, folder


class Private:
    """The private folder of a board, see the module.

    Parameters
    ----------
    folder
        Of `leaderboard.board_making.make_board`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self._counted: dict[tuple[str, str, str], Counted] = {}

    def keep(self, key: str, entry: str, results: Mapping[str, bytes]) -> None:
        """Write the results of an entry by side; the same once more is no fault."""
        for side, data in results.items():
            self._counted.pop((key, entry, side), None)
            write_file(self._path(key, entry, side), data)

    def load(self, key: str, entry: str, side: str) -> Result | None:
        """Return a result; None if it is not there, or what is there is none."""
        path = self._path(key, entry, side)
        try:
            return load_result(path) if path.exists() else None
        except ResultError:
            return None

    def counted(self, key: str, entry: str, side: str) -> Counted | None:
        """Return what ranks need of a result, which is read once; None if it is not there."""
        place = (key, entry, side)
        if place not in self._counted:
            result = self.load(*place)
            if result is None:
                return None
            self._counted[place] = Counted(result.scores, _table(result))
        return self._counted[place]

    def complain(self, key: str, entry: str, details: str) -> None:
        """Keep what went wrong, for the operator alone."""
        write_file(self.folder / "errors" / key / f"{entry}.txt", details.encode(errors="replace"))

    @contextlib.contextmanager
    def seat(self) -> Iterator[Seat]:
        """Take a seat until the block, or the process, ends.

        Raises
        ------
        StorageError
            If the folder cannot be written to.
        """
        name = f"{_SEAT}{secrets.token_hex(6)}"
        folder = self.folder / "workers" / name
        new = folder.with_name(f".{name}")
        with on_disk(folder):
            new.mkdir(parents=True)
            lock = (new / _LOCK).open("wb")
        with lock:
            if fcntl is not None:
                fcntl.flock(lock, fcntl.LOCK_EX)
            with on_disk(folder):
                new.rename(folder)  # locked already: nobody takes it for a dead one's
            yield Seat(name, folder)
            self.clear(name)  # not after an error: it may have left a claim

    def dead(self) -> list[str]:
        """Return the workers whose process has ended without leaving its seat."""
        folder = self.folder / "workers"
        names = sorted(path.name for path in folder.glob(f"{_SEAT}*"))
        return [name for name in names if _is_free(folder / name / _LOCK)]

    def clear(self, worker: str) -> None:
        """Remove the seat of a worker that is dead, or leaves."""
        folder = self.folder / "workers"
        with contextlib.suppress(OSError):
            # Renamed first: half a seat, without its lock, would never be known for a dead one's.
            (folder / worker).rename(folder / f"{_LEFT}{worker}")
        for left in folder.glob(f"{_LEFT}*"):
            shutil.rmtree(left, ignore_errors=True)

    def _path(self, key: str, entry: str, side: str) -> Path:
        return self.folder / "counts" / key / entry / side / RESULT


def _table(result: Result) -> Array | Floats:
    """Return counts by painting; paintings without px of the figure are left out, as comparisons do."""
    table = result.tables(result.paintings)[_KINDS[result.ranking]]
    if result.ranking != FILLING_RANKING:
        return table
    place = ERRORS.index(result.ranking.partition(":")[2])
    return table[table[:, place, -1] > 0]


def _is_free(lock: Path) -> bool:
    if fcntl is None:
        return False
    try:
        number = os.open(lock, os.O_RDWR)
    except FileNotFoundError:  # its worker has just left
        return False
    except OSError as error:
        raise StorageError(f"cannot read {lock}: {error.strerror}: expected a working disk") from error
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(number)
    return True
