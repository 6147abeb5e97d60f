"""Pictures that strangers sent: a PNG is walked chunk by chunk before anything of it is decoded.

What passes has one way to be read: 8 bits, grey or RGB, not interlaced, the size that was asked for, data
that unpack to exactly its px, and no chunk that changes their meaning, holds text, or is packed itself.
Memory and time are bounded by the number of px.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import PIL.Image

from leaderboard.submission_rules import quoted, refused

__all__ = ["GREY", "RGB", "decode_png", "most_bytes"]

GREY, RGB = 1, 3
"""Channels."""

Pixels = npt.NDArray[np.uint8]

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOUR_TYPES = {GREY: 0, RGB: 2}
_COLOUR_NAMES = {0: "grey", 2: "RGB", 3: "a palette", 4: "grey with alpha", 6: "RGB with alpha"}
_MODES = {GREY: "L", RGB: "RGB"}
_HARMLESS = {b"pHYs": (9,), b"gAMA": (4,), b"cHRM": (32,), b"sRGB": (1,), b"sBIT": (1, 3), b"tIME": (7,)}
"""Chunks that no decoder acts upon here, and the lengths that they may have."""

_OVERHEAD = 4096
_PIECE = 1 << 18
_FILTERS = 4


class _Header(NamedTuple):
    width: int
    height: int
    depth: int
    colour: int
    compression: int
    filtering: int
    interlace: int


def most_bytes(width: int, height: int, channels: int) -> int:
    """Return the most bytes that a PNG may have: those of one that is not packed at all, and some spare."""
    raw = height * (width * channels + 1)
    return raw + raw // 64 + _OVERHEAD


def decode_png(data: bytes, size: tuple[int, int], channels: int, image: str) -> Pixels:
    """Decode a picture.

    Parameters
    ----------
    data
        The file.
    size
        (width, height) that it must have.
    channels
        `GREY` or `RGB`.
    image
        Its id, for the message.

    Returns
    -------
    (H, W) or (H, W, 3) uint8.

    Raises
    ------
    Refused
        By a rule ``png-...``.
    """
    most = most_bytes(*size, channels)
    if len(data) > most:
        raise refused("png-size", f"{len(data):,} bytes: expected at most {most:,}", image)
    packed = _check_chunks(data, size, channels, image)
    _check_data(packed, size, channels, image)
    try:
        with PIL.Image.open(io.BytesIO(data), formats=("PNG",)) as picture:
            if picture.mode == _MODES[channels] and picture.size == size:
                return np.asarray(picture)
    except (OSError, ValueError, SyntaxError) as error:
        raise refused("png-format", f"it cannot be decoded ({type(error).__name__})", image) from error
    raise refused("png-format", f"it is decoded as {picture.mode}: expected {_MODES[channels]}", image)


def _check_chunks(data: bytes, size: tuple[int, int], channels: int, image: str) -> list[memoryview]:
    """Check everything but the px, and return the parts of their packed stream."""
    packed: list[memoryview] = []
    last = b""
    for number, (kind, content) in enumerate(_chunks(data, image)):
        if (number == 0) != (kind == b"IHDR"):
            raise refused(
                "png-format", f"chunk {number} is {quoted(_name(kind))}: expected IHDR first", image
            )
        if kind == b"IHDR":
            _check_header(content, size, channels, image)
        elif kind == b"IDAT":
            if packed and last != b"IDAT":
                raise refused("png-format", "IDAT chunks lie apart: expected one run of them", image)
            packed.append(content)
        elif kind != b"IEND" and len(content) not in _HARMLESS.get(kind, ()):
            name, kept = quoted(_name(kind)), ", ".join(map(_name, _HARMLESS))
            problem = f"chunk {name} of {len(content):,} bytes: expected IHDR, IDAT, IEND and at most {kept}"
            raise refused("png-chunks", problem, image)
        last = kind
    return packed


def _chunks(data: bytes, image: str) -> Iterator[tuple[bytes, memoryview]]:
    """Yield (kind, content) of each chunk, to IEND and the end of the file."""
    if not data.startswith(_SIGNATURE):
        raise refused("png-format", f"it begins with {quoted(data[:8])}: expected a PNG file", image)
    view, at, kind = memoryview(data), len(_SIGNATURE), b""
    most = 64 + len(data) // 512
    for _ in range(most):
        if len(data) - at < 12:
            raise refused("png-format", f"it ends at byte {len(data):,}: expected a chunk IEND", image)
        length, kind = struct.unpack_from(">I4s", data, at)
        if length > len(data) - at - 12:
            raise refused("png-format", f"a chunk of {length:,} bytes: expected what the file has", image)
        content = view[at + 8 : at + 8 + length]
        if zlib.crc32(view[at + 4 : at + 8 + length]) != int.from_bytes(
            view[at + 8 + length : at + 12 + length]
        ):
            raise refused("png-format", f"chunk {quoted(_name(kind))} has another check sum", image)
        yield kind, content
        at += 12 + length
        if kind == b"IEND":
            break
    if kind != b"IEND":
        raise refused("png-chunks", f"more than {most} chunks: expected fewer and larger ones", image)
    if at < len(data) or len(content):
        raise refused("png-trailing", f"{len(data) - at + len(content):,} bytes after the end", image)


def _name(kind: bytes) -> str:
    return kind.decode("latin-1")


def _check_header(content: memoryview, size: tuple[int, int], channels: int, image: str) -> None:
    if len(content) != 13:
        raise refused("png-format", f"IHDR of {len(content)} bytes: expected 13", image)
    header = _Header(*struct.unpack(">IIBBBBB", content))
    if (header.width, header.height) != size:
        found = f"{header.width} x {header.height} px"
        raise refused("png-dimensions", f"{found}: expected {size[0]} x {size[1]} like the image", image)
    if header.colour != _COLOUR_TYPES[channels]:
        found = _COLOUR_NAMES.get(header.colour, f"colour type {header.colour}")
        raise refused("png-colour", f"{found}: expected {_COLOUR_NAMES[_COLOUR_TYPES[channels]]}", image)
    if header.depth != 8:
        raise refused("png-depth", f"{header.depth} bit: expected 8", image)
    if header.interlace:
        raise refused("png-interlaced", "it is interlaced: expected rows in their order", image)
    if header.compression or header.filtering:
        raise refused("png-format", "unknown compression or filters: expected those of the standard", image)


def _check_data(packed: list[memoryview], size: tuple[int, int], channels: int, image: str) -> None:
    """Unpack the px piece by piece, no byte more than there should be, and drop them."""
    row = size[0] * channels + 1
    expected, found = size[1] * row, 0
    stream = zlib.decompressobj()
    try:
        for piece in _unpacked(stream, packed):
            first = -found % row  # of the next row: the number of its filter
            if any(number > _FILTERS for number in piece[first::row]):
                raise refused("png-data", "an unknown filter: expected 0 to 4", image)
            found += len(piece)
            if found > expected:
                break
    except zlib.error as error:
        raise refused("png-data", "its data are broken: expected a whole zlib stream", image) from error
    if found != expected or not stream.eof or stream.unused_data or stream.unconsumed_tail:
        told = f"more than {expected:,}" if found > expected else f"{found:,}"
        raise refused(
            "png-data", f"its data unpack to {told} bytes: expected {expected:,} in one stream", image
        )


def _unpacked(stream: zlib._Decompress, packed: list[memoryview]) -> Iterator[bytes]:
    for part in packed:
        for start in range(0, len(part), _PIECE):
            data: bytes | memoryview = part[start : start + _PIECE]
            while data:
                if stream.eof:
                    raise zlib.error("data after the stream")
                yield stream.decompress(data, _PIECE)
                data = stream.unconsumed_tail
    yield stream.flush()
