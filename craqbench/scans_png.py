"""Chunks of PNG files: read them, and write a file that has others.

libvips writes pixels; colour, resolution, EXIF and texts are carried from one file to the other as they are.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from craqbench.scans_bytes import exactly, put

__all__ = ["SIGNATURE", "Chunk", "header", "read_chunks", "text_chunk", "with_chunks", "xmp_chunk", "xmp_of"]

SIGNATURE = b"\x89PNG\r\n\x1a\n"
LARGEST = 1 << 26
"""Bytes of the largest chunk, beside the pixels, that is read."""

PIXELS = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND"})
XMP = b"XML:com.adobe.xmp"

_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk: four letters, and its data; no data is read of chunks of pixels."""

    kind: bytes
    data: bytes = b""


def read_chunks(file: BinaryIO) -> list[Chunk]:
    """Read all chunks of a PNG file.

    Raises
    ------
    ValueError
        If it is none, or is cut off.
    """
    return [
        Chunk(kind, b"" if kind == b"IDAT" or size > LARGEST else exactly(file, size))
        for kind, size in _walk(file)
    ]


def header(chunks: Sequence[Chunk]) -> tuple[int, int, int]:
    """Return bits of a sample, colour type, and whether interlaced (1), of the first chunk.

    Raises
    ------
    ValueError
        If that is none.
    """
    if not chunks or chunks[0].kind != b"IHDR" or len(chunks[0].data) != 13:
        raise ValueError("it has no header")
    _, _, bits, colour, _, _, interlaced = struct.unpack(">IIBBBBB", chunks[0].data)
    return bits, colour, interlaced


def text_chunk(keyword: str, text: str) -> Chunk:
    """Return a text as a chunk."""
    try:
        return Chunk(b"tEXt", keyword.encode("latin-1") + b"\0" + text.encode("latin-1"))
    except UnicodeEncodeError:
        return _international(keyword.encode("latin-1"), text.encode())


def xmp_chunk(packet: bytes) -> Chunk:
    """Return an XMP packet as a chunk."""
    return _international(XMP, packet)


def xmp_of(chunk: Chunk) -> bytes | None:
    """Return the XMP packet that a chunk holds, or None.

    Raises
    ------
    ValueError
        If it is compressed, and damaged.
    """
    keyword, _, rest = chunk.data.partition(b"\0")
    if chunk.kind != b"iTXt" or keyword != XMP or len(rest) < 4:
        return None
    text = rest[2:].split(b"\0", 2)[-1]
    if not rest[0]:
        return text
    try:
        return zlib.decompressobj().decompress(text, LARGEST)
    except zlib.error as error:
        raise ValueError(f"its XMP packet is damaged: {error}") from error


def with_chunks(source: BinaryIO, chunks: Sequence[Chunk], target: BinaryIO) -> None:
    """Copy the pixels of a PNG file, and put chunks in place of all its others.

    Raises
    ------
    ValueError
        If the source is cut off.
    OSError
        If the target cannot be written.
    """
    put(target, SIGNATURE)
    for kind, size in _walk(source):
        if kind not in PIXELS:
            continue
        put(target, struct.pack(">I", size) + kind)
        left = size + 4
        while left:
            piece = exactly(source, min(left, _PIECE))
            left -= len(piece)
            put(target, piece)
        if kind == b"IHDR":
            for chunk in chunks:
                put(target, _encoded(chunk))


def _walk(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Yield kind and size of each chunk, with the file at its data."""
    file.seek(0)
    if file.read(8) != SIGNATURE:
        raise ValueError("it is no PNG file")
    kind = b""
    while kind != b"IEND":
        size, kind = struct.unpack(">I4s", exactly(file, 8))
        where = file.tell()
        yield kind, size
        file.seek(where + size)
        exactly(file, 4)


def _international(keyword: bytes, text: bytes) -> Chunk:
    return Chunk(b"iTXt", keyword + b"\0\0\0\0\0" + text)


def _encoded(chunk: Chunk) -> bytes:
    body = chunk.kind + chunk.data
    return struct.pack(">I", len(chunk.data)) + body + struct.pack(">I", zlib.crc32(body))
