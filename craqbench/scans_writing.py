"""Write pixels as a file like the scan they come from, in format, depth, compression and layout.

A JPEG file cannot be saved once more without loss: it is saved no more coarsely than the scan was, or as a
TIFF file without loss, if that is asked for. In place of WebP there is always a TIFF file. What is carried
beside the pixels is the business of `craqbench.scans_carrying`.
"""

from __future__ import annotations

import bisect
import errno
import io
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import pyvips

from craqbench.errors import StorageError
from craqbench.scans import Layout, Scan, load, spell
from craqbench.scans_carrying import Notes, chunks_for, mask_chunks, page_for, segments_for
from craqbench.scans_jpeg import Segment, read_segments, steps, subsampling, with_segments
from craqbench.scans_png import Chunk, with_chunks
from craqbench.scans_rows import scratch
from craqbench.scans_tiff import Page, add_tags

__all__ = ["Share", "jpeg_settings", "output_format", "write_mask", "write_picture"]

Share = Callable[[float], None]
"""Told how much is done, 0 to 1."""

MOST_CLASSIC = 4_000_000_000
"""Bytes that may go into a TIFF file of the old form, whose offsets have 32 bits."""

_UNASKED = frozenset({270, 274, 282, 283, 296, 305, 700})
"""Tags that libvips may write without being asked."""


def output_format(scan: Scan, *, pyramid: bool, lossless: bool) -> str:
    """Return the format that a restored scan is written in: "PNG", "JPEG" or "TIFF"."""
    kept = ("PNG",) if lossless else ("PNG", "JPEG")
    return scan.format if scan.format in kept and not pyramid else "TIFF"


def jpeg_settings(segments: Sequence[Segment]) -> tuple[int, bool]:
    """Return how to save a JPEG file no more coarsely than one of such segments was.

    Returns
    -------
    The least quality, 1 to 100, of which no step of quantisation is larger; it is that of the file if its
    steps are those of the standard. And whether colours may be halved in width and height (4:2:0).

    Raises
    ------
    ValueError
        If the segments do not tell.
    """
    wanted = steps(segments)

    def fine(quality: int) -> bool:
        block = pyvips.Image.black(8, 8, bands=len(wanted)).copy(
            interpretation="srgb" if wanted[1:] else "b-w"
        )
        have = steps(read_segments(io.BytesIO(block.jpegsave_buffer(Q=quality, keep="none"))))
        return all(
            h <= w
            for mine, theirs in zip(have, wanted, strict=True)
            for h, w in zip(mine, theirs, strict=True)
        )

    quality = bisect.bisect_left(range(1, 100), x=True, key=fine) + 1
    return quality, subsampling(segments) == (2, 2)


def write_picture(
    scan: Scan,
    pixels: Path,
    target: BinaryIO,
    notes: Notes,
    *,
    pyramid: bool,
    lossless: bool = False,
    share: Share,
) -> tuple[str, ...]:
    """Write pixels as a file like a scan.

    Parameters
    ----------
    scan
        What it is to be like.
    pixels
        A file of its pixels, as `craqbench.scans_rows.Store` finishes it.
    target
        A named file, open for writing.
    notes
        Go into its metadata.
    pyramid
        Whether a pyramidal, tiled TIFF file is wanted; one is written anyhow where the scan is one.
    lossless
        Whether a TIFF file is wanted in place of JPEG.
    share
        Told how much is done.

    Returns
    -------
    In words, what the scan's file holds beside the picture and the new one does not.

    Raises
    ------
    StorageError
        If the file would be too large for its format.
    OSError
        If the disk is full, read-only or gone.
    """
    image = load(pixels, "TIFF")
    kind = output_format(scan, pyramid=pyramid, lossless=lossless)
    if kind == "PNG":
        chunks, left_out = chunks_for(scan, notes)
        _write_png(image, target, chunks, share)
    elif kind == "JPEG":
        segments, left_out = segments_for(scan, notes)
        _write_jpeg(image, target, segments, jpeg_settings(scan.segments), share)
    else:
        page, left_out = page_for(scan, notes)
        _write_tiff(image, target, page, _wanted(scan, pyramid=pyramid), share)
    return (*scan.left_out, *left_out)


def write_mask(scan: Scan, pixels: Path, target: BinaryIO) -> None:
    """Write a mask of a scan, a finished store of 0 and 255, as PNG of one bit per px.

    Raises
    ------
    OSError
        If the disk is full, read-only or gone.
    """
    image = load(pixels, "TIFF")
    _write_png(image, target, mask_chunks(scan), lambda _: None, bitdepth=1)


def _write_png(
    image: pyvips.Image, target: BinaryIO, chunks: Sequence[Chunk], share: Share, **options: Any
) -> None:
    """Let libvips write a PNG file, and put other chunks beside its pixels."""
    path = Path(str(target.name))
    with scratch(path.parent) as plain:
        _save(image, "pngsave", plain, share, filter="all", **options)
        with plain.open("rb") as source:
            with_chunks(source, chunks, target)


def _write_jpeg(
    image: pyvips.Image,
    target: BinaryIO,
    segments: Sequence[Segment],
    settings: tuple[int, bool],
    share: Share,
) -> None:
    """Let libvips write a JPEG file, and put other segments beside its pixels."""
    quality, halved = settings
    with scratch(Path(str(target.name)).parent) as plain:
        _save(image, "jpegsave", plain, share, Q=quality, subsample_mode="on" if halved else "off")
        with plain.open("rb") as source:
            with_segments(source, segments, target)


def _write_tiff(image: pyvips.Image, target: BinaryIO, page: Page, layout: Layout, share: Share) -> None:
    """Let libvips write a TIFF file, and give it tags."""
    path = Path(str(target.name))
    _save(image, "tiffsave", path, share, **_options(layout))
    try:
        with path.open("r+b") as file:
            add_tags(file, page, _UNASKED)
    except ValueError as error:
        raise StorageError(f"cannot write {path}: {error}") from error


def _wanted(scan: Scan, *, pyramid: bool) -> Layout:
    """Return how the new file lays out its pixels."""
    layout = scan.layout
    if pyramid:
        layout = replace(layout, pyramid=True, tile=layout.tile or (256, 256))
    largest = scan.size * (4 / 3 if layout.pyramid else 1) * 1.1
    return replace(layout, big=layout.big or largest > MOST_CLASSIC)


def _options(layout: Layout) -> dict[str, Any]:
    """Return a layout as libvips takes it."""
    options: dict[str, Any] = {"compression": layout.compression, "bigtiff": layout.big}
    if layout.compression in ("lzw", "deflate"):
        options["predictor"] = "horizontal"
    if layout.tile is None:
        return {**options, "tile_height": layout.rows}
    width, height = layout.tile
    tiles = {"tile": True, "tile_width": width, "tile_height": height}
    return {**options, **tiles, "pyramid": layout.pyramid, "subifd": layout.sub_pages}


def _save(image: pyvips.Image, how: str, path: Path, share: Share, **options: Any) -> None:
    """Let libvips write a file; Ctrl-C ends it."""
    stopped = list[BaseException]()

    def show(_: pyvips.Image, progress: Any) -> None:
        try:
            share(progress.percent / 100)
        except BaseException as error:  # noqa: BLE001  nothing gets through C: it is raised below
            stopped.append(error)
            image.set_kill(True)

    image.set_progress(True)
    image.signal_connect("eval", show)
    try:
        getattr(image, how)(str(path), keep="none", **options)
    except pyvips.Error as error:
        if not stopped:
            _refuse(error, path)
    if stopped:
        raise stopped[0]
    share(1.0)


def _refuse(error: pyvips.Error, path: Path) -> None:
    """Raise the system's error, which libvips quotes."""
    quoted = (n for n in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO) if os.strerror(n) in str(error))
    number = next(quoted, None)
    if number is None:
        raise StorageError(f"cannot write {path}: {spell(error)}") from error
    raise OSError(number, os.strerror(number)) from error
