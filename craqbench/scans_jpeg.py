"""Segments of JPEG files: read them, and write a file that has others; and how finely a file was saved.

libvips writes pixels; profile, resolution, EXIF, IPTC and comments are carried from one file to the other as
they are.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from craqbench.scans_bytes import exactly, put

__all__ = [
    "CODING",
    "EXIF",
    "LARGEST",
    "XMP",
    "Segment",
    "read_segments",
    "steps",
    "subsampling",
    "with_segments",
]

LARGEST = 65_533
"""Bytes that fit into a segment."""

EXIF = b"Exif\0\0"
XMP = b"http://ns.adobe.com/xap/1.0/\0"

_TABLES, _SCAN, _JFIF, _ADOBE = 0xDB, 0xDA, 0xE0, 0xEE
_PIECE = 1 << 20
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}

CODING = frozenset({_TABLES, _JFIF, _ADOBE, 0xC4, 0xCC, 0xDC, 0xDD, 0xDE, 0xDF}) | _FRAMES
"""Markers that say how pixels are coded; those of Adobe (APP14) tell of which colours they are."""


@dataclass(frozen=True, slots=True)
class Segment:
    """The second byte of a marker, and its data."""

    marker: int
    data: bytes = b""


def read_segments(file: BinaryIO) -> list[Segment]:
    """Read all segments of a JPEG file before its pixels, and stop there.

    Raises
    ------
    ValueError
        If it is none, or is cut off.
    """
    file.seek(0)
    if exactly(file, 2) != b"\xff\xd8":
        raise ValueError("it is no JPEG file")
    found = list[Segment]()
    while (marker := _marker(file)) != _SCAN:
        (size,) = struct.unpack(">H", exactly(file, 2))
        found.append(Segment(marker, exactly(file, max(0, size - 2))))
    file.seek(-2, 1)
    return found


def with_segments(source: BinaryIO, segments: Sequence[Segment], target: BinaryIO) -> None:
    """Copy the pixels of a JPEG file, and put segments in place of all its others.

    The size of a px (JFIF) is that of the segments, or none.

    Raises
    ------
    ValueError
        If the source is cut off.
    OSError
        If the target cannot be written.
    """
    coding = [segment for segment in read_segments(source) if segment.marker in CODING - {_JFIF}]
    jfif = [s for s in segments if s.marker == _JFIF and s.data.startswith(b"JFIF\0")][:1]
    others = [segment for segment in segments if segment.marker not in CODING]
    first = jfif or [Segment(_JFIF, b"JFIF\0\1\1\0\0\1\0\1\0\0")]
    put(target, b"\xff\xd8" + b"".join(_encoded(segment) for segment in (*first, *others, *coding)))
    while piece := source.read(_PIECE):
        put(target, piece)


def steps(segments: Iterable[Segment]) -> list[tuple[int, ...]]:
    """Return how coarsely a file was saved: for each of its components, the 64 steps of quantisation.

    Raises
    ------
    ValueError
        If it does not tell.
    """
    tables = dict[int, tuple[int, ...]]()
    for segment in segments:
        if segment.marker == _TABLES:
            tables |= _tables(segment.data)
    try:
        return [tables[table] for _, table in _components(segments)]
    except KeyError as error:
        raise ValueError("it has no table of how coarsely it was saved") from error


def subsampling(segments: Iterable[Segment]) -> tuple[int, int]:
    """Return for how many px, across and down, there is one value of colour.

    Raises
    ------
    ValueError
        If it does not tell.
    """
    factors = [(byte >> 4, byte & 15) for byte, _ in _components(segments)]
    if not all(across and down for across, down in factors):
        raise ValueError("its header is damaged")
    widest, highest = (max(sides) for sides in zip(*factors, strict=True))
    return widest // factors[-1][0], highest // factors[-1][1]


def _components(segments: Iterable[Segment]) -> list[tuple[int, int]]:
    """Return sampling and number of the table of each component."""
    frame = next((segment.data for segment in segments if segment.marker in _FRAMES), b"")
    if len(frame) < 9 or len(frame) < 6 + 3 * frame[5]:
        raise ValueError("it has no header")
    return [(frame[at + 1], frame[at + 2]) for at in range(6, 6 + 3 * frame[5], 3)]


def _tables(data: bytes) -> dict[int, tuple[int, ...]]:
    found, where = dict[int, tuple[int, ...]](), 0
    while where < len(data):
        form = ">64H" if data[where] >> 4 else ">64B"
        end = where + 1 + struct.calcsize(form)
        if end > len(data):
            raise ValueError("a table of how coarsely it was saved is cut off")
        found[data[where] & 15] = struct.unpack(form, data[where + 1 : end])
        where = end
    return found


def _marker(file: BinaryIO) -> int:
    """Return the next marker; any number of 0xFF may stand before it."""
    if exactly(file, 1) != b"\xff":
        raise ValueError("there is no marker where one is expected")
    while (byte := exactly(file, 1)[0]) == 0xFF:
        pass
    return byte


def _encoded(segment: Segment) -> bytes:
    return struct.pack(">BBH", 0xFF, segment.marker, len(segment.data) + 2) + segment.data
