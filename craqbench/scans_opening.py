"""What a picture file holds, but its pixels; and which files are refused.

TIFF (also BigTIFF, tiled, pyramidal), PNG, JPEG and WebP are read: grey or RGB of 8 or 16 bits, with or
without alpha and further channels. What could not be given back as it was is refused, with the reason:
several pages, animations, palettes, CMYK, single bits, floating point.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import pyvips

from craqbench.errors import SourceError
from craqbench.scans import FORMATS, Layout, Scan, load
from craqbench.scans_jpeg import EXIF, Segment, read_segments
from craqbench.scans_notes import SOFTWARE
from craqbench.scans_png import SIGNATURE, header, read_chunks
from craqbench.scans_tiff import Page, Tag, bytes_tag, number_tag, read_pages

__all__ = ["is_ours", "open_scan", "sniff"]

# Tags: TIFF 6.0 and its supplements.
_SUBFILE, _BITS, _COMPRESSION, _PHOTOMETRIC, _SAMPLES = 254, 258, 259, 262, 277
_ORIENTATION, _ROWS_PER_STRIP, _TILE_WIDTH, _TILE_HEIGHT = 274, 278, 322, 323
_PLANAR, _SUB_IFDS, _EXTRA, _SAMPLE_FORMAT, _SOFTWARE = 284, 330, 338, 339, 305
_RESOLUTION, _RESOLUTION_UNIT, _XMP, _IPTC, _ICC, _RAW = 282, 296, 700, 33723, 34675, 50706

_US = SOFTWARE.split()[0].encode() + b" "

_GREY, _RGB, _YCBCR = 1, 2, 6
_RAW_DATA = "raw data of a camera: expected a developed picture, RGB or grey"
_PALETTE = "a palette: expected RGB or grey; what is filled may need a colour that the palette has not"
_CMYK = "CMYK: expected RGB or grey; convert it with the profile that it was made with"
_ONE_BIT = "1 bit per px: expected 8 or 16; there are no tones to fill cracks with"
_ANIMATION = "an animation: expected a single picture"
_REFUSED = {
    0: "grey where 0 is white: expected grey where 0 is black",
    3: _PALETTE,
    4: "a transparency mask: expected RGB or grey",
    5: _CMYK,
    8: "CIELAB: expected RGB or grey",
    9: "CIELAB: expected RGB or grey",
    32803: _RAW_DATA,
    34892: _RAW_DATA,
}
"""Photometric interpretations that are refused, and why."""

_LOSSLESS = {1: "none", 5: "lzw", 8: "deflate", 32946: "deflate", 32773: "packbits"}
"""Compressions that are kept; others lose something, or few programs can read them."""


def open_scan(path: Path) -> Scan:
    """Read what a picture file holds, but its pixels.

    Raises
    ------
    SourceError
        If it is none, is damaged or cut off, or holds what could not be given back as it was. Says what it is
        and what is expected; the file is not named.
    """
    try:
        with path.open("rb") as file:
            return _OPENERS[sniff(file)](path, file)
    except OSError as error:
        raise SourceError(error.strerror or str(error)) from error
    except ValueError as error:
        raise SourceError(f"a damaged picture: {error}") from error


def is_ours(path: Path) -> bool:
    """Whether a file says of itself that this program made it: a restored picture, or the mask of one."""
    try:
        with path.open("rb") as file:
            kind = sniff(file)
            if kind == "PNG":
                return any(chunk.data.startswith(b"Software\0" + _US) for chunk in read_chunks(file))
            tags = _tags_of(kind, file)
            return _SOFTWARE in tags and tags[_SOFTWARE].value.startswith(_US)
    except (OSError, ValueError, SourceError):
        return False


def _tags_of(kind: str, file: BinaryIO) -> Mapping[int, Tag]:
    """Return the tags of a TIFF or a JPEG file."""
    if kind == "TIFF":
        return read_pages(file)[0].tags
    blocks = [s.data for s in read_segments(file) if s.data.startswith(EXIF)] if kind == "JPEG" else []
    return _exif_page(blocks[0]).tags if blocks else {}


def sniff(file: BinaryIO) -> str:
    """Return which of `FORMATS` a file is.

    Raises
    ------
    SourceError
        If it is none of them.
    """
    file.seek(0)
    head = file.read(16)
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "TIFF"
    if head.startswith(SIGNATURE):
        return "PNG"
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    raise SourceError(f"no {', '.join(FORMATS[:-1])} or {FORMATS[-1]} picture")


# -- TIFF ---------------------------------------------------------------------------------------------------


def _open_tiff(path: Path, file: BinaryIO) -> Scan:
    first, *others = read_pages(file)
    _refuse_tiff(first, others)
    layout, left_out = _layout(first, others, big=_is_big(file))
    image = load(path, "TIFF")
    return Scan(
        path=path,
        format="TIFF",
        width=image.width,
        height=image.height,
        channels=_checked_channels(image, first.number(_SAMPLES, 1)),
        colours=1 if first.number(_PHOTOMETRIC) == _GREY else 3,
        bits=first.number(_BITS, 1),
        orientation=_orientation(first),
        layout=layout,
        page=first,
        left_out=left_out,
    )


def _refuse_tiff(first: Page, others: list[Page]) -> None:
    if _RAW in first.tags:
        raise SourceError(_RAW_DATA)
    if first.number(_SUBFILE) & 1:
        raise SourceError("its first page is a small copy: expected the picture itself")
    pages = 1 + sum(not page.number(_SUBFILE) & 1 for page in others)
    if pages > 1:
        raise SourceError(f"{pages} pages: expected one; save each page as a file of its own")
    bits = first.numbers(_BITS) or (1,)
    if set(bits) == {1}:
        raise SourceError(_ONE_BIT)
    colour = first.number(_PHOTOMETRIC, -1)
    if colour not in (_GREY, _RGB, _YCBCR):
        raise SourceError(_REFUSED.get(colour, f"colours of kind {colour}: expected RGB or grey"))
    _refuse_bits(bits)
    if set(first.numbers(_SAMPLE_FORMAT)) - {1}:
        raise SourceError("samples with a sign, or of floating point: expected whole numbers from 0 on")
    if 1 in first.numbers(_EXTRA):
        raise SourceError("colours that are multiplied by alpha: expected alpha that is not (unassociated)")
    planes = first.number(_PLANAR, 1) == 2 and first.number(_SAMPLES, 1) > 1
    if planes and (colour == _GREY or _TILE_WIDTH in first.tags):
        # libvips 8.18 mixes up rows of the one kind, and does not read the other.
        kind = "tiles" if _TILE_WIDTH in first.tags else "grey and alpha"
        raise SourceError(f"{kind} in separate planes: expected the channels of a px side by side")
    least = 1 if colour == _GREY else 3
    if first.number(_SAMPLES, 1) < least:
        raise SourceError(f"{first.number(_SAMPLES, 1)} channels: expected at least {least}")


def _refuse_bits(bits: tuple[int, ...]) -> None:
    if set(bits) not in ({8}, {16}):
        raise SourceError(f"{', '.join(map(str, sorted(set(bits))))} bits per sample: expected 8 or 16")


def _layout(first: Page, others: list[Page], *, big: bool) -> tuple[Layout, tuple[str, ...]]:
    """Return how the pixels lie, and what cannot be carried to another file."""
    code = first.number(_COMPRESSION, 1)
    tiled = _TILE_WIDTH in first.tags
    pyramid = tiled and bool(others or _SUB_IFDS in first.tags)
    layout = Layout(
        compression=_LOSSLESS.get(code, Layout().compression),
        tile=(first.number(_TILE_WIDTH), first.number(_TILE_HEIGHT)) if tiled else None,
        rows=min(max(1, first.number(_ROWS_PER_STRIP, 64)), 4096),
        big=big,
        pyramid=pyramid,
        sub_pages=pyramid and _SUB_IFDS in first.tags,
    )
    left_out = {
        "its compression, which would change every pixel once more: LZW instead, without loss": code
        not in _LOSSLESS,
        "a small copy for previews": bool(others or _SUB_IFDS in first.tags) and not pyramid,
    }
    return layout, tuple(what for what, there in left_out.items() if there)


def _is_big(file: BinaryIO) -> bool:
    file.seek(0)
    return b"+" in file.read(4)


def _orientation(page: Page) -> int:
    found = page.number(_ORIENTATION, 1)
    return found if 1 <= found <= 8 else 1


def _checked_channels(image: pyvips.Image, expected: int) -> int:
    """Return how many channels there are, if libvips sees as many."""
    if image.bands != expected:
        raise SourceError(f"{expected} channels, of which libvips sees {image.bands}: expected RGB or grey")
    return expected


# -- PNG ----------------------------------------------------------------------------------------------------


def _open_png(path: Path, file: BinaryIO) -> Scan:
    chunks = read_chunks(file)
    bits, colour, _ = header(chunks)
    kinds = {chunk.kind for chunk in chunks}
    if b"acTL" in kinds:
        raise SourceError(_ANIMATION)
    if colour == 3:
        raise SourceError(_PALETTE)
    if bits == 1:
        raise SourceError(_ONE_BIT)
    _refuse_bits((bits,))
    if b"tRNS" in kinds:
        raise SourceError("a colour that means transparent: expected an alpha channel, or none")
    exif = next((chunk.data for chunk in chunks if chunk.kind == b"eXIf"), b"")
    image = load(path, "PNG")
    return Scan(
        path=path,
        format="PNG",
        width=image.width,
        height=image.height,
        channels=_checked_channels(image, {0: 1, 2: 3, 4: 2, 6: 4}.get(colour, 0)),
        colours=1 if colour in (0, 4) else 3,
        bits=bits,
        orientation=_orientation(_exif_page(exif)),
        page=_page_of_blobs(image, measured=any(c.kind == b"pHYs" and c.data[8:] == b"\1" for c in chunks)),
        chunks=tuple(chunks),
    )


# -- JPEG and WebP -----------------------------------------------------------------------------------------


def _open_jpeg(path: Path, file: BinaryIO) -> Scan:
    segments = read_segments(file)
    image = load(path, "JPEG")
    if image.bands not in (1, 3):
        raise SourceError(_CMYK)
    return _open_lossy(path, "JPEG", image, colours=image.bands, segments=tuple(segments))


def _open_webp(path: Path, _: BinaryIO) -> Scan:
    image = load(path, "WebP")
    if _get(image, "n-pages", 1) > 1:
        raise SourceError(_ANIMATION)
    return _open_lossy(path, "WebP", image, colours=3)


def _open_lossy(
    path: Path, kind: str, image: pyvips.Image, *, colours: int, segments: tuple[Segment, ...] = ()
) -> Scan:
    page = _page_of_blobs(image, measured=bool(_get(image, "resolution-unit", "")))
    return Scan(
        path=path,
        format=kind,
        width=image.width,
        height=image.height,
        channels=image.bands,
        colours=colours,
        bits=8,
        orientation=_orientation(page),
        page=page,
        segments=segments,
        left_out=("a map of brighter highlights",) if _get(image, "gainmap-data", b"") else (),
    )


def _page_of_blobs(image: pyvips.Image, *, measured: bool) -> Page:
    """Return what a file holds beside its pixels, as the tags of a TIFF file.

    `measured` says that its px have a size; libvips gives them one in any case.
    """
    exif = _exif_page(_get(image, "exif-data", b""))
    found: dict[int, Tag] = dict(exif.tags)
    if measured and _RESOLUTION not in found:
        per_inch = [round(per_mm * 25.4 * 1000) for per_mm in (image.xres, image.yres)]
        found |= {_RESOLUTION + i: number_tag(dots, 1000, kind=5) for i, dots in enumerate(per_inch)}
        found[_RESOLUTION_UNIT] = number_tag(2)
    resources = _photoshop_resources(_get(image, "iptc-data", b""))
    blobs = {
        _ICC: _get(image, "icc-profile-data", b""),
        _XMP: _get(image, "xmp-data", b""),
        _IPTC: resources.get(0x0404, b""),
    }
    found |= {number: bytes_tag(blob) for number, blob in blobs.items() if blob}
    return Page(found, exif.sub_pages)


def _exif_page(block: bytes) -> Page:
    """Read an EXIF block; a damaged one is no reason to refuse a picture."""
    try:
        return read_pages(io.BytesIO(block.removeprefix(EXIF)))[0]
    except ValueError:
        return Page({})


def _photoshop_resources(block: bytes) -> Mapping[int, bytes]:
    """Split a block of Photoshop's image resources, of which 0x0404 is IPTC."""
    found, where = dict[int, bytes](), block.find(b"8BIM")
    while where >= 0 and block[where : where + 4] == b"8BIM" and where + 12 <= len(block):
        (number,) = struct.unpack_from(">H", block, where + 4)
        start = where + 6 + (block[where + 6] + 2) // 2 * 2
        if start + 4 > len(block):
            break
        (size,) = struct.unpack_from(">I", block, start)
        found[number] = block[start + 4 : start + 4 + size]
        where = start + 4 + (size + 1) // 2 * 2
    return found


def _get(image: pyvips.Image, name: str, default: Any) -> Any:
    """Return what libvips says of a picture, bytes as such."""
    value = image.get(name) if name in image.get_fields() else default
    return bytes(value) if isinstance(default, bytes) else value


_OPENERS = {"TIFF": _open_tiff, "PNG": _open_png, "JPEG": _open_jpeg, "WebP": _open_webp}
