"""Submissions for tests: a small board, sound files for it, and what is needed to spoil them."""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import PIL.Image
import pyarrow as pa
import pyarrow.parquet as pq

from leaderboard.board import Board, BoardImage, limits_of
from leaderboard.submission import METADATA, PREDICTIONS

Pixels = npt.NDArray[np.uint8]

SIZES = {"first": (40, 30), "second": (33, 47), "third": (64, 64)}
"""Image id -> (width, height)."""

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def small_board(*, classes: int = 2, task: str = "detection", **changes: Any) -> Board:
    """Return a board of three images."""
    mask = {"mask_sha256": "1" * 64} if task == "restoration" else {}
    images = tuple(
        BoardImage(id=name, width=width, height=height, sha256="0" * 64, **mask)
        for name, (width, height) in SIZES.items()
    )
    fields: dict[str, Any] = {
        "format": 1,
        "name": "small",
        "version": "1",
        "task": task,
        "classes": ("background", "craquelure", "paint loss")[:classes] if task == "detection" else (),
        "licence": "CC0-1.0",
        "images": images,
        "limits": limits_of(images, "restoration" if task == "restoration" else "detection"),
    }
    return Board(**{**fields, **changes})


def metadata(**changes: Any) -> dict[str, Any]:
    """Return what a sound submission to the small board says of itself."""
    fields: dict[str, Any] = {
        "format": 1,
        "board": "small",
        "board_version": "1",
        "task": "detection",
        "classes": 2,
        "track": "predictions",
        "method": "ridge",
        "version": "1.0",
        "authors": ["Ada Lovelace", "Émilie du Châtelet"],
        "code": "https://github.com/lab/ridge",
        "code_commit": "0" * 40,
        "weights": {"repository": "lab/ridge", "revision": "v1"},
        "training_data": "synthetic only",
        "used_real_annotations": False,
        "used_test_images": False,
        "seeds": [0, 1],
        "hardware": "2 cores",
        "seconds_per_megapixel": 0.5,
        "licence": "Apache-2.0",
    }
    return {**fields, **changes}


def as_json(content: Any) -> bytes:
    """Return JSON, with NaN where there is some."""
    return json.dumps(content).encode()


def png(values: npt.ArrayLike) -> bytes:
    """Return a picture as Pillow writes it: of values in uint8, or of another type as they are."""
    array = np.asarray(values)
    out = io.BytesIO()
    PIL.Image.fromarray(array).save(out, "PNG")
    return out.getvalue()


def chunk(kind: bytes, content: bytes = b"", *, crc: int | None = None) -> bytes:
    """Return a chunk of a PNG."""
    found = zlib.crc32(kind + content) if crc is None else crc
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", found)


def header(size: tuple[int, int], depth: int = 8, colour: int = 0, interlace: int = 0) -> bytes:
    """Return IHDR."""
    return chunk(b"IHDR", struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, interlace))


def raw_png(
    size: tuple[int, int], *, rows: bytes | None = None, before: bytes = b"", **changes: int
) -> bytes:
    """Return a PNG of zeros, put together by hand: with other rows, with chunks before its data."""
    width, height = size
    data = bytes(height * (width + 1)) if rows is None else rows
    return (
        SIGNATURE + header(size, **changes) + before + chunk(b"IDAT", zlib.compress(data, 9)) + chunk(b"IEND")
    )


def sound_masks(seed: int = 0) -> dict[str, bytes]:
    """Return a mask of 0 and 255 for each image."""
    rng = np.random.default_rng(seed)
    return {
        name: png((rng.random((height, width)) < 0.1).astype(np.uint8) * np.uint8(255))
        for name, (width, height) in SIZES.items()
    }


def table(columns: Mapping[str, Sequence[Any]] | None = None, **more: Sequence[Any]) -> pa.Table:
    """Return a sound table of predictions, or one of these columns."""
    masks = sound_masks()
    found = {"image_id": list(masks), "mask_png": list(masks.values())} if columns is None else dict(columns)
    return pa.table({**found, **more})


def parquet(content: pa.Table, **options: Any) -> bytes:
    """Return a table as a Parquet file."""
    out = io.BytesIO()
    pq.write_table(content, out, **options)
    return out.getvalue()


def write_submission(
    folder: Path, told: Mapping[str, Any] | bytes | None = None, predictions: bytes | None = None
) -> Path:
    """Write a sound submission, or one of these contents."""
    folder.mkdir(parents=True, exist_ok=True)
    data = told if isinstance(told, bytes) else as_json(metadata() if told is None else told)
    (folder / METADATA).write_bytes(data)
    (folder / PREDICTIONS).write_bytes(parquet(table()) if predictions is None else predictions)
    return folder


def with_mask(mask: bytes, name: str = "second") -> pa.Table:
    """Return a sound table but for one mask."""
    masks = {**sound_masks(), name: mask}
    return table({"image_id": list(masks), "mask_png": list(masks.values())})


def flat(values: Iterable[int], size: tuple[int, int]) -> Pixels:
    """Return an image whose first px have these values."""
    image = np.zeros(size[::-1], np.uint8)
    found = np.array(list(values), np.uint8)
    image.flat[: len(found)] = found
    return image
