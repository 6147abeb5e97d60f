"""Small annotated sets, an image too large to open, and a web server with faults, for several test files."""

from __future__ import annotations

import struct
import threading
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import PIL.Image
from tiny import smooth_picture

Array = npt.NDArray[np.uint8]
SIZE = (96, 72)
"""(width, height) of the images."""


def crack_mask(number: int, size: tuple[int, int] = SIZE) -> Array:
    """Return (h, w) uint8 with a few lines of 255 and a corner of 128."""
    rng = np.random.default_rng(number)
    mask = np.zeros(size[::-1], np.uint8)
    for ends in rng.integers(0, size, (3, 2, 2)):
        cv2.line(mask, ends[0].tolist(), ends[1].tolist(), 255, 2)
    mask[:8, :8] = 128
    return mask


def save(path: Path, array: Array, **options: Any) -> Path:
    """Write an array as a picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(array).save(path, **options)
    return path


def write_set(folder: Path, count: int = 3) -> Path:
    """Write ``images/0.png`` and so on, and their masks."""
    for number in range(count):
        save(folder / "images" / f"{number}.png", smooth_picture(number, SIZE))
        save(folder / "masks" / f"{number}.png", crack_mask(number))
    return folder


def bomb(side: int = 20_000) -> bytes:
    """Return a sound PNG of side x side black px in one bit each: small as a file, huge when opened."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(1)
    rows = bytes(1 + (side + 7) // 8) * 1000
    data = b"".join(packer.compress(rows) for _ in range(side // 1000)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@dataclass
class Web:
    """A web server on the loopback.

    Attributes
    ----------
    files
        Path -> content.
    faults
        Path -> what its first answers are: a status, or "cut" for half a body. Sound answers follow.
    asked
        The paths that were asked for, in order.
    """

    address: str
    files: Mapping[str, bytes]
    faults: dict[str, list[int | str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)


@contextmanager
def web_server(files: Mapping[str, bytes]) -> Iterator[Web]:
    """Serve files until the end of the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.lstrip("/")
            web.asked.append(path)
            fault = web.faults[path].pop(0) if web.faults.get(path) else None
            content = files.get(path)
            if isinstance(fault, int) or content is None:
                self.send_error(fault if isinstance(fault, int) else 404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if fault == "cut" else content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    web = Web(f"http://127.0.0.1:{server.server_port}", files)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield web
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
