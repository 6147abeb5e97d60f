"""Rows of a scan: read from top to bottom, kept on the disk in between, cut into windows.

What is done to a picture is done band by band: some rows of it at full width, and those above and below that
they depend on. Memory then grows with the width of a picture, not with its area.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyvips

from baselines.protocols import Image, Mask
from craqbench.scans import Scan, load, unreadable
from craqbench.scans_tiff import HEAD, Page, add_tags, number_tag
from craqbench.storage import new_file, on_disk

__all__ = ["SCRATCH", "RowReader", "Rows", "Span", "Store", "eight_bits", "scratch", "spans"]

Rows = npt.NDArray[Any]
"""(rows, width, channels) uint8 or uint16."""

SCRATCH = "craqbench-scratch"
"""The name that files in use only while a picture is worked on never get."""

CHUNK = 64
"""Rows that are fetched from libvips at once."""

_TYPES = {"uchar": np.uint8, "ushort": np.uint16}


class RowReader:
    """The rows of a picture, each decoded once; those that are still needed are held.

    Parameters
    ----------
    image
        Opened for sequential reading, uint8 or uint16.
    most
        Rows that will be asked for at once, at most.
    change
        What becomes of rows when they are decoded, such as `eight_bits`.
    """

    def __init__(self, image: pyvips.Image, most: int, change: Callable[[Rows], Rows] | None = None) -> None:
        self._image, self._region, self._change = image, pyvips.Region.new(image), change
        self._capacity = min(most, image.height) + CHUNK
        self._start, self._end = 0, 0
        self._buffer: Rows = np.empty((0, 0, 0), np.uint8)

    @classmethod
    def of(cls, scan: Scan, most: int, change: Callable[[Rows], Rows] | None = None) -> Self:
        """Open a scan; raises `SourceError` if libvips cannot."""
        return cls(load(scan.path, scan.format), most, change)

    def read(self, top: int, bottom: int) -> Rows:
        """Return the rows from `top` to before `bottom`; no later call may ask for rows above `top`.

        The array is good until the next call.

        Raises
        ------
        SourceError
            If the file is damaged or cut off there.
        """
        self._forget(top)
        while self._end < bottom:
            rows = self._fetch(self._end, min(CHUNK, self._image.height - self._end))
            if not len(self._buffer):
                self._buffer = np.empty((self._capacity, *rows.shape[1:]), rows.dtype)
            held = self._end - self._start
            self._buffer[held : held + len(rows)] = rows
            self._end += len(rows)
        return self._buffer[top - self._start : bottom - self._start]

    def _forget(self, top: int) -> None:
        """Move the rows from `top` on to the beginning of the buffer."""
        kept, step = max(0, self._end - top), CHUNK
        if top > self._start and kept:
            shift = top - self._start
            for row in range(0, kept, step):  # in pieces: where from and where to may overlap
                rows = min(step, kept - row)
                self._buffer[row : row + rows] = self._buffer[row + shift : row + shift + rows].copy()
        self._start = max(self._start, min(top, self._end))

    def _fetch(self, top: int, count: int) -> Rows:
        image = self._image
        try:
            data = self._region.fetch(0, top, image.width, count)
        except pyvips.Error as error:
            raise unreadable(error, f", at row {top:,} or below") from error
        rows = np.frombuffer(data, _TYPES[image.format]).reshape(count, image.width, image.bands)
        return self._change(rows) if self._change else rows


def eight_bits(colours: int) -> Callable[[Rows], Image]:
    """Return what makes (n, w, 3) uint8 RGB of the rows of a scan, as `craqbench.paintings` does.

    16-bit values keep their high byte, grey becomes equal R, G, B, what is transparent is laid over white.

    Parameters
    ----------
    colours
        How many of the channels are colours; a channel after them is alpha if it is the only one.
    """

    def change(rows: Rows) -> Image:
        small = rows if rows.dtype == np.uint8 else (rows >> 8).astype(np.uint8)
        rgb = np.repeat(small[..., :1], 3, axis=2) if colours == 1 else small[..., :3]
        if small.shape[2] != colours + 1 or small[..., -1].min() == 255:
            return np.ascontiguousarray(rgb)
        alpha = small[..., -1:].astype(np.uint16)
        return ((rgb * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)

    return change


class Store:
    """Rows on the disk, written from top to bottom and read anywhere.

    They lie in a file as an uncompressed TIFF file has them. libvips reads such a file row by row when it is
    finished, where it would map all of a file of mere pixels into memory.

    Parameters
    ----------
    path
        A file that is there, and empty; see `scratch`.
    width, channels, bits
        Px of a row, channels of a px, and 8 or 16 bits of each.
    """

    def __init__(self, path: Path, width: int, channels: int = 1, bits: int = 8) -> None:
        self.path = path
        self._shape, self._kind = (width, channels), np.dtype("<u1" if bits == 8 else "<u2")
        self._row = width * channels * self._kind.itemsize
        self._file, self._height = path.open("r+b", buffering=0), 0
        self._write(HEAD)

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self._file.close()

    def append(self, rows: Rows) -> None:
        """Write the next rows.

        Raises
        ------
        StorageError
            If the disk is full or gone.
        """
        self._write(np.ascontiguousarray(rows, self._kind).data.cast("B"))
        self._height += len(rows)

    def finish(self, colours: int = 1) -> None:
        """Make it a TIFF file, of which so many channels are colours: nothing can be appended any more.

        Raises
        ------
        StorageError
            If the disk is full or gone.
        """
        (width, channels), strips = self._shape, range(0, self._height, CHUNK)
        sizes = [min(CHUNK, self._height - top) * self._row for top in strips]
        tags = {
            256: number_tag(width, kind=4),
            257: number_tag(self._height, kind=4),
            258: number_tag(*[8 * self._kind.itemsize] * channels),
            259: number_tag(1),
            262: number_tag(1 if colours == 1 else 2),
            273: number_tag(*(len(HEAD) + top * self._row for top in strips), kind=16),
            277: number_tag(channels),
            278: number_tag(CHUNK),
            279: number_tag(*sizes, kind=16),
            338: number_tag(*[0] * (channels - colours)),
        }
        with on_disk(self.path):
            add_tags(self._file, Page({number: tag for number, tag in tags.items() if tag.count}))

    def _write(self, data: bytes | memoryview) -> None:
        with on_disk(self.path):
            self._file.seek(0, 2)
            rest = memoryview(data)
            while rest:
                rest = rest[self._file.write(rest) :]

    def read(self, top: int, bottom: int) -> Rows:
        """Return the rows from `top` to before `bottom`: (rows, width, channels).

        Raises
        ------
        StorageError
            If the disk is gone.
        """
        rows = np.empty((bottom - top, *self._shape), self._kind)
        with on_disk(self.path):
            self._file.seek(len(HEAD) + top * self._row)
            rest = rows.data.cast("B")
            while rest:
                count = self._file.readinto(rest)
                if not count:
                    raise OSError(0, f"it ends before row {bottom:,}")
                rest = rest[count:]
        return rows

    def mask(self, top: int, bottom: int) -> Mask:
        """Return rows of a mask that was written as 0 and 255: (rows, width) bool."""
        return np.asarray(self.read(top, bottom)[..., 0] > 0)


class _DoneError(Exception):
    """A scratch file has done its work."""


@contextlib.contextmanager
def scratch(folder: Path) -> Iterator[Path]:
    """Yield an empty file that goes when it has done its work.

    What a killed process leaves behind is an unfinished file called `SCRATCH`, as
    `craqbench.storage.remove_leftovers` takes it.

    Raises
    ------
    StorageError
        If the disk is full, read-only or gone.
    """
    with contextlib.suppress(_DoneError), new_file(folder / SCRATCH) as file:
        yield Path(str(file.name))
        raise _DoneError


@dataclass(frozen=True, slots=True)
class Span:
    """Rows that are worked on together, and those that they depend on.

    Attributes
    ----------
    top, bottom
        The rows that are worked on.
    first, last
        From where to before where they depend on others.
    """

    top: int
    bottom: int
    first: int
    last: int

    @property
    def core(self) -> slice:
        """The rows that are worked on, counted from `first`."""
        return self.near(0)

    def near(self, margin: int) -> slice:
        """Return those rows and up to `margin` on each side, counted from `first`."""
        start, stop = max(self.first, self.top - margin), min(self.last, self.bottom + margin)
        return slice(start - self.first, stop - self.first)

    def within(self, margin: int, length: int) -> Span:
        """Return the same rows of `length`, which depend on `margin` px on each side."""
        first, last = max(0, self.top - margin), min(length, self.bottom + margin)
        return Span(self.top, self.bottom, first, last)


def spans(length: int, size: int, margin: int) -> Iterator[Span]:
    """Cut a side into pieces.

    Parameters
    ----------
    length
        Of the side, in px.
    size
        Of a piece; the last one may be shorter.
    margin
        Px on either side that a piece depends on; fewer at the ends of the side.

    Examples
    --------
    >>> [(b.first, b.top, b.bottom, b.last) for b in spans(250, 100, 20)]
    [(0, 0, 100, 120), (80, 100, 200, 220), (180, 200, 250, 250)]
    """
    for top in range(0, length, size):
        bottom = min(top + size, length)
        yield Span(top, bottom, top, bottom).within(margin, length)
