"""Pictures in memory that several processes share: each is read once, however many look at it."""

from __future__ import annotations

import ctypes
import functools
import itertools
import math
import multiprocessing
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import cv2
import numpy as np
import numpy.typing as npt

from craqbench.engines import Beat, Progress, run
from craqbench.errors import SourceError, UsageError
from craqbench.sources import Source, draw, share_out

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from generators.triplets import Image

__all__ = ["CANVASES", "HELD_OUT", "PAINTINGS", "Gallery", "Hung", "hang"]

HELD_OUT = 0.1
"""Share of the paintings that are for validation."""

MOST_PX = 4_000_000
"""A painting of more px is reduced to so many: it is shown at training size in the end."""

MOST_BYTES = 16_000_000_000
"""All pictures together may take so much memory."""

CANVASES = 64
"""Procedural canvases, if not told otherwise."""

PAINTINGS = 1024
"""Most paintings of any other source, if not told otherwise."""

_PARALLEL_FROM = 256
_ORDER = 0
"""Seed of the choice among paintings, if there are too many: every run chooses the same."""


class Gallery:
    """Pictures of any shapes in one piece of memory, which goes along to processes that are being started.

    Parameters
    ----------
    shapes
        Of each; all are black until they are set.

    Raises
    ------
    UsageError
        If they take more than `MOST_BYTES`, or more than there is.
    """

    def __init__(self, shapes: Sequence[tuple[int, ...]]) -> None:
        self._shapes = list(shapes)
        self._starts = [0, *itertools.accumulate(math.prod(shape) for shape in shapes)]
        total = self._starts[-1]
        told = f"{len(shapes):,} pictures take {total:,} bytes"
        if total > MOST_BYTES:
            raise UsageError(f"{told}: expected {MOST_BYTES:,} at most")
        try:
            self._bytes: Any = multiprocessing.get_context("spawn").RawArray(ctypes.c_uint8, max(1, total))
        except (MemoryError, OSError) as error:
            raise UsageError(f"{told}, more than are free: expected fewer") from error

    @classmethod
    def of(cls, pictures: Iterable[npt.NDArray[np.uint8]]) -> Self:
        """Return a gallery of these pictures, uint8 of any shapes."""
        held = list(pictures)
        made = cls([picture.shape for picture in held])
        for number, picture in enumerate(held):
            made[number] = picture
        return made

    def __len__(self) -> int:
        return len(self._shapes)

    def __getitem__(self, number: int) -> npt.NDArray[np.uint8]:
        picture = self._view(number)
        picture.flags.writeable = False
        return picture

    def __setitem__(self, number: int, picture: npt.NDArray[np.uint8]) -> None:
        self._view(number)[...] = picture

    def _view(self, number: int) -> npt.NDArray[np.uint8]:
        shape = self._shapes[number]
        return _seen(self._bytes, math.prod(shape), self._starts[number]).reshape(shape)


def _seen(memory: Any, count: int = -1, start: int = 0) -> npt.NDArray[np.uint8]:
    return np.frombuffer(memory, np.uint8, count, start)


class Hung(NamedTuple):
    """Paintings to train on.

    Attributes
    ----------
    gallery
        All of them.
    training, validation
        The numbers of those for either.
    """

    gallery: Gallery
    training: tuple[int, ...]
    validation: tuple[int, ...]


def hang(source: Source, most: int | None, *, workers: int, progress: Progress | None = None) -> Hung:
    """Read paintings, and set a tenth of them apart for validation.

    Which are set apart depends on their bytes (the rank of their sha256); of procedural canvases, on their
    numbers. No seed plays a part.

    Parameters
    ----------
    source
        Of clean paintings.
    most
        Read so many at most. None: `CANVASES` procedural ones, `PAINTINGS` of any other source.
    workers, progress
        They are read in parallel where that pays (stage "reading paintings").

    Raises
    ------
    SourceError
        If there are fewer than two, or they cannot be read.
    """
    wanted = (most or CANVASES) if source.endless else min(len(source), most or PAINTINGS)

    def report(done: int) -> None:
        if progress:
            progress("reading paintings", done, wanted)

    report(0)
    parallel = source.endless or wanted >= _PARALLEL_FROM
    task = functools.partial(_read, source)
    found = dict(run(task, range(wanted), workers=workers if parallel else 1, on_beat=report))
    if len(found) < 2:
        raise SourceError(f"source {source.name!r} has one usable painting: expected two, one for validation")
    training, validation = _hold_out(source, list(found))
    return Hung(Gallery.of(found.values()), training, validation)


def _read(source: Source, turn: int, beat: Beat) -> tuple[int, Image]:
    """Return the number of a painting and its pixels."""
    drawn = draw(source, _ORDER, turn, np.arange(len(source)))
    beat()
    height, width = drawn.image.shape[:2]
    factor = math.sqrt(height * width / MOST_PX)
    if factor <= 1:
        return drawn.number, drawn.image
    size = (round(width / factor), round(height / factor))
    return drawn.number, np.asarray(cv2.resize(drawn.image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _hold_out(source: Source, numbers: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the places in the gallery of what is for training, and for validation."""
    if source.endless:
        cut = len(numbers) - max(1, round(HELD_OUT * len(numbers)))
        return tuple(range(cut)), tuple(range(cut, len(numbers)))
    paintings = [source.provenance(number) for number in numbers]
    kept, held = share_out(paintings, (1 - HELD_OUT, HELD_OUT))
    return tuple(kept), tuple(held)
