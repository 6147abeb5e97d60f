"""Read and write all bytes that are asked for, or fail: files may be cut off, and disks full."""

from __future__ import annotations

from typing import BinaryIO

__all__ = ["exactly", "put"]


def exactly(file: BinaryIO, size: int) -> bytes:
    """Read so many bytes; raises `ValueError` if there are fewer."""
    found = file.read(size)
    if len(found) != size:
        raise ValueError("it is cut off")
    return found


def put(file: BinaryIO, data: bytes | memoryview) -> None:
    """Write all bytes, however few a file without a buffer takes at once."""
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]
