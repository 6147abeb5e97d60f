"""What goes from a scan's file into a new one beside the pixels, what does not, and what is added.

Colour profile, resolution, orientation, EXIF, GPS, IPTC, XMP and all tags and chunks that still hold are
carried as they are. Description, software and XMP say that the new file is a virtual restoration.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass

from craqbench.scans import Scan
from craqbench.scans_jpeg import CODING, EXIF, LARGEST, XMP, Segment
from craqbench.scans_notes import SOFTWARE, described, with_properties
from craqbench.scans_png import PIXELS, Chunk, text_chunk, xmp_chunk, xmp_of
from craqbench.scans_tiff import (
    CLASSIC_HEAD,
    Page,
    Tag,
    add_tags,
    ascii_tag,
    bytes_tag,
    number_tag,
    read_pages,
)

__all__ = ["Notes", "chunks_for", "mask_chunks", "page_for", "segments_for"]

_DESCRIPTION, _SOFTWARE, _XMP, _EXTRA = 270, 305, 700, 338
_RESOLUTION = {282: number_tag(1, 1, kind=5), 283: number_tag(1, 1, kind=5), 296: number_tag(1)}
"""Of a file that says nothing of its resolution; TIFF wants these tags, and a unit of 1 means none."""

_PIXEL_TAGS = frozenset(
    {254, 255, 256, 257, 258, 259, 262, 263, 264, 265, 266, 273, 277, 278, 279, 280, 281, 284, 292, 293, 317}
    | {320, 322, 323, 324, 325, 330, 339, 340, 341, 347, 512, 513, 514, 515, 517, 518, 519, 520, 521}
    | {529, 530, 531, 532}
)
"""What says how pixels lie: those of the new file count."""

_CREDENTIALS = "content credentials (C2PA), which hold for the original only"
_NOT_FOR_A_COPY = {37724: "layers of Photoshop", 52545: _CREDENTIALS}
_NOT_FOR_A_JPEG = {(0xE2, b"MPF\0"): "further pictures in the file (MPF)", (0xEB, b"JP"): _CREDENTIALS}
_CREDENTIALS_CHUNK = b"caBX"
_DAMAGED_XMP = "an XMP packet that is damaged"

_KNOWN_CHUNKS = frozenset({b"cHRM", b"gAMA", b"iCCP", b"sBIT", b"sRGB", b"cICP", b"mDCV", b"cLLI", b"bKGD"})
"""Chunks that depend on the pixels, and still hold when cracks are filled."""

_ROOM = 512
"""Bytes that the tags of a virtual restoration take in an EXIF block, but those of the description."""

_TEXTS = frozenset({b"tEXt", b"zTXt", b"iTXt"})


@dataclass(frozen=True, slots=True)
class Notes:
    """What a file says of itself.

    Attributes
    ----------
    statement
        In words.
    properties
        For programs, name -> value.
    """

    statement: str
    properties: Mapping[str, str]


def page_for(scan: Scan, notes: Notes) -> tuple[Page, list[str]]:
    """Return the tags of a new TIFF file, but those of its pixels; and in words what is left out."""
    source = scan.page.tags
    tags, left_out = _carried(source)
    if scan.format != "TIFF":
        tags.pop(_EXTRA, None)  # in an EXIF block it is none of the picture's
    if scan.format == "PNG" and any(c.kind in _TEXTS and xmp_of(c) is None for c in scan.chunks):
        left_out.append("texts in PNG chunks")
    before = source[_DESCRIPTION].text if _DESCRIPTION in source else ""
    packet, kept = with_properties(source[_XMP].value if _XMP in source else None, notes.properties)
    if not kept:
        left_out.append(_DAMAGED_XMP)
    tags |= {
        _DESCRIPTION: ascii_tag(described(notes.statement, before)),
        _SOFTWARE: ascii_tag(SOFTWARE),
        _XMP: bytes_tag(packet, kind=1),
    }
    return Page({**_RESOLUTION, **tags}, scan.page.sub_pages), left_out


def _carried(source: Mapping[int, Tag]) -> tuple[dict[int, Tag], list[str]]:
    """Return the tags that still hold, and in words what is left out."""
    left_out = [what for number, what in _NOT_FOR_A_COPY.items() if number in source]
    held = {n: tag for n, tag in source.items() if n not in _PIXEL_TAGS and n not in _NOT_FOR_A_COPY}
    left_out += [f"tag {n}, of more than 64 MB" for n, tag in held.items() if tag.count and not tag.value]
    return {n: tag for n, tag in held.items() if tag.value or not tag.count}, left_out


def chunks_for(scan: Scan, notes: Notes) -> tuple[list[Chunk], list[str]]:
    """Return the chunks of a new PNG file, but those of its pixels; and in words what is left out."""
    carried, left_out, before = list[Chunk](), list[str](), None
    for chunk in scan.chunks:
        if (packet := xmp_of(chunk)) is not None:
            before = packet
        elif chunk.kind == _CREDENTIALS_CHUNK:
            left_out.append(_CREDENTIALS)
        elif chunk.kind in _KNOWN_CHUNKS or (chunk.kind[3:].islower() and chunk.kind != b"tIME"):
            carried.append(chunk)
        elif chunk.kind not in PIXELS and chunk.kind != b"tIME":
            left_out.append(f"a chunk {chunk.kind.decode('latin-1')}, which may depend on the pixels")
    properties, kept = with_properties(before, notes.properties)
    if not kept:
        left_out.append(_DAMAGED_XMP)
    said = [text_chunk("Software", SOFTWARE), text_chunk("Description", notes.statement)]
    return [*carried, *said, xmp_chunk(properties)], left_out


def segments_for(scan: Scan, notes: Notes) -> tuple[list[Segment], list[str]]:
    """Return the segments of a new JPEG file, but those of its pixels; and in words what is left out."""
    carried, left_out, exif, xmp = list[Segment](), list[str](), b"", None
    for segment in scan.segments:
        if segment.data.startswith(EXIF):
            exif = exif or segment.data.removeprefix(EXIF)
        elif segment.data.startswith(XMP):
            xmp = segment.data.removeprefix(XMP)
        elif what := _not_for_a_jpeg(segment):
            left_out.append(what)
        else:
            carried.append(segment)
    packet, kept = with_properties(xmp, notes.properties)
    if not kept:
        left_out.append(_DAMAGED_XMP)
    if len(packet) + len(XMP) > LARGEST:
        packet = with_properties(None, notes.properties)[0]
        left_out.append("an XMP packet that has no room for more")
    block, without = _exif_for(exif, notes)
    said = [Segment(0xE1, EXIF + block), Segment(0xE1, XMP + packet)]
    first = [segment for segment in carried if segment.marker in CODING]
    others = [segment for segment in carried if segment.marker not in CODING]
    return [*first, *said, *others], list(dict.fromkeys([*left_out, *without]))


def _not_for_a_jpeg(segment: Segment) -> str:
    """Return in words why a segment is not carried, or nothing if it is."""
    found = (
        what
        for (marker, start), what in _NOT_FOR_A_JPEG.items()
        if segment.marker == marker and segment.data.startswith(start)
    )
    return next(found, "")


def _exif_for(block: bytes, notes: Notes) -> tuple[bytes, list[str]]:
    """Add to an EXIF block that it is of a virtual restoration; what makers put into it stays where it is."""
    left_out = list[str]()
    try:
        first, *others = read_pages(io.BytesIO(block))
    except ValueError:
        first, others, left_out = Page({}), [], ["an EXIF block that is damaged"] if block else []
        block = CLASSIC_HEAD
    if others:
        left_out.append("a small copy for previews")
    before = first.tags[_DESCRIPTION].text if _DESCRIPTION in first.tags else ""
    description = ascii_tag(described(notes.statement, before))
    if len(block) + description.count > LARGEST - _ROOM:
        block, description = CLASSIC_HEAD, ascii_tag(notes.statement)
        left_out.append("an EXIF block that has no room for more")
    out = io.BytesIO(block)
    add_tags(out, Page({_DESCRIPTION: description, _SOFTWARE: ascii_tag(SOFTWARE)}), alone=True)
    return out.getvalue(), left_out


def mask_chunks(scan: Scan) -> list[Chunk]:
    """Return the chunks of the mask of a scan: what it is, and how viewers turn it, as they turn the scan."""
    chunks = [text_chunk("Software", SOFTWARE), text_chunk("Title", "White: what was filled")]
    if scan.orientation != 1:
        tag = b"\x12\x01\x03\x00\x01\x00\x00\x00" + bytes([scan.orientation, 0, 0, 0])
        chunks.append(Chunk(b"eXIf", b"II*\0\x08\0\0\0\x01\0" + tag + bytes(4)))
    return chunks
