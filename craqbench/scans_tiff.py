"""Tags of TIFF files, classic and BigTIFF, of either byte order: read them, and give a file more of them.

libvips writes pixels and drops most of what cameras, scanners and their operators wrote beside them (EXIF,
artist, copyright, date). What it drops is carried here, bit for bit, from one file to the other.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

from craqbench.scans_bytes import exactly, put

__all__ = [
    "CLASSIC_HEAD",
    "HEAD",
    "SUB_PAGES",
    "Page",
    "Tag",
    "add_tags",
    "ascii_tag",
    "bytes_tag",
    "number_tag",
    "read_pages",
]

SUB_PAGES = frozenset({34665, 34853, 40965})
"""Tags that point at further tags: EXIF, GPS, and interoperability inside EXIF."""

CLASSIC_HEAD = b"II*\0" + bytes(4)
HEAD = b"II+\0\x08\0\0\0" + bytes(8)
"""The beginning of a file that has no page yet: of TIFF 6.0, and of BigTIFF."""

MOST_PAGES = 1000
LARGEST = 1 << 26
"""Bytes of the largest value that is read; offsets of strips and tiles are never asked for."""

_BY_UNIT = {1: (1, 2, 6, 7), 2: (3, 8), 4: (4, 5, 9, 10, 11, 13), 8: (12, 16, 17, 18)}
_UNITS = {kind: unit for unit, kinds in _BY_UNIT.items() for kind in kinds}
"""Type -> bytes that are swapped together."""

_SIZES = {**_UNITS, 5: 8, 10: 8}
_WHOLE = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}


@dataclass(frozen=True, slots=True)
class Tag:
    """A value.

    Attributes
    ----------
    type
        Number of the type in TIFF 6.0.
    value
        Its bytes, little-endian whatever the file is; empty where it is larger than `LARGEST`.
    count
        How many of that type.
    """

    type: int
    value: bytes
    count: int

    @property
    def numbers(self) -> tuple[int, ...]:
        """The value as whole numbers; empty for any other type."""
        letter = _WHOLE.get(self.type)
        return struct.unpack(f"<{len(self.value) // _SIZES[self.type]}{letter}", self.value) if letter else ()

    @property
    def text(self) -> str:
        """The value as text, up to its first null."""
        return self.value.split(b"\0")[0].decode("utf-8", "replace")


@dataclass(frozen=True)
class Page:
    """An image file directory: its tags by number, and those that `SUB_PAGES` of them point at."""

    tags: Mapping[int, Tag]
    sub_pages: Mapping[int, Page] = field(default_factory=dict)

    def number(self, tag: int, default: int = 0) -> int:
        """Return the first number of a tag."""
        found = self.tags[tag].numbers if tag in self.tags else ()
        return found[0] if found else default

    def numbers(self, tag: int) -> tuple[int, ...]:
        """Return all numbers of a tag."""
        return self.tags[tag].numbers if tag in self.tags else ()


def ascii_tag(text: str) -> Tag:
    """Return a text as a tag; UTF-8 where ASCII does not do, as most programs write it."""
    return bytes_tag(text.encode() + b"\0", kind=2)


def bytes_tag(value: bytes, *, kind: int = 7) -> Tag:
    """Return bytes as a tag of type 7 (undefined) or another type of single bytes."""
    return Tag(kind, value, len(value))


def number_tag(*numbers: int, kind: int = 3) -> Tag:
    """Return whole numbers as a tag: of 16, 32 or 64 bits (types 3, 4, 16), or fractions of two (type 5)."""
    packed = struct.pack(f"<{len(numbers)}{_WHOLE.get(kind, 'I')}", *numbers)
    return Tag(kind, packed, len(numbers) // (2 if kind == 5 else 1))


def read_pages(file: BinaryIO) -> list[Page]:
    """Read all pages of a TIFF file, or of an EXIF block, which is one.

    Raises
    ------
    ValueError
        If it is none, or is cut off or damaged where the tags lie.
    """
    form = _Form.of(file)
    pages, seen = list[Page](), set[int]()
    where = form.first
    while where:
        if where in seen or len(pages) >= MOST_PAGES:
            raise ValueError(f"its pages run in a circle, or are more than {MOST_PAGES}")
        seen.add(where)
        entries, where = form.entries(file, where)
        pages.append(form.page(file, entries, depth=0))
    if not pages:
        raise ValueError("it holds no picture")
    return pages


def add_tags(file: BinaryIO, page: Page, drop: frozenset[int] = frozenset(), *, alone: bool = False) -> None:
    """Give the first page of a TIFF file tags, or the file its first page.

    Tags that it has of the same numbers are replaced.

    Parameters
    ----------
    file
        Open for reading and writing. Values and a new directory go to its end, the old directory stays
        behind unused.
    page
        What is added.
    drop
        Numbers of tags that are taken away.
    alone
        Whether the pages that follow are taken away.

    Raises
    ------
    ValueError
        If the file is no TIFF, or would pass 4 GiB without being a BigTIFF.
    OSError
        If it cannot be written.
    """
    form = _Form.of(file)
    kept, following = form.entries(file, form.first) if form.first else ([], 0)
    gone = drop | set(page.tags) | set(page.sub_pages)
    entries = [entry for entry in kept if entry.number not in gone]
    where = form.append(file, [*entries, *form.written(file, page)], 0 if alone else following)
    file.seek(form.first_at)
    file.write(form.pack_offset(where))


@dataclass(frozen=True, slots=True)
class _Entry:
    """A tag as it lies in a file: its field is the value itself where that fits, otherwise where it lies."""

    number: int
    type: int
    count: int
    field: bytes


@dataclass(frozen=True, slots=True)
class _Form:
    """How a TIFF file is written: byte order, and how wide offsets are."""

    order: str
    big: bool
    first: int

    @classmethod
    def of(cls, file: BinaryIO) -> _Form:
        file.seek(0)
        head = file.read(16)
        order = {b"II": "<", b"MM": ">"}.get(head[:2])
        if order is None or len(head) < 8:
            raise ValueError("it is no TIFF file")
        (magic,) = struct.unpack_from(f"{order}H", head, 2)
        if magic not in (42, 43) or (magic == 43 and len(head) < 16):
            raise ValueError("it is no TIFF file")
        big = magic == 43
        (first,) = struct.unpack_from(f"{order}{'Q' if big else 'I'}", head, 8 if big else 4)
        return cls(order, big, first)

    @property
    def first_at(self) -> int:
        """Where the file says where its first page is."""
        return 8 if self.big else 4

    @property
    def room(self) -> int:
        """Bytes of an offset, and of a value that needs none."""
        return 8 if self.big else 4

    def pack_offset(self, where: int) -> bytes:
        if not self.big and where >= 1 << 32:
            raise ValueError("it would be larger than 4 GiB: expected a BigTIFF")
        return struct.pack(f"{self.order}{'Q' if self.big else 'I'}", where)

    def entries(self, file: BinaryIO, where: int) -> tuple[list[_Entry], int]:
        """Return a directory, and where the next one is, 0 after the last."""
        file.seek(where)
        (count,) = self._unpack("Q" if self.big else "H", file)
        if count > 4096:
            raise ValueError(f"a page with {count} tags: it is damaged or cut off")
        letters = "HHQ" if self.big else "HHI"
        found = []
        for _ in range(count):
            number, kind, many = self._unpack(letters, file)
            found.append(_Entry(number, kind, many, exactly(file, self.room)))
        return found, self._unpack("Q" if self.big else "I", file)[0]

    def page(self, file: BinaryIO, entries: list[_Entry], depth: int) -> Page:
        """Read the values of a directory, and the directories it points at."""
        tags, below = dict[int, Tag](), dict[int, Page]()
        for entry in entries:
            if entry.type not in _SIZES:
                continue
            tag = self._tag(file, entry)
            if entry.number in SUB_PAGES and depth < 2 and tag.numbers:
                try:
                    below[entry.number] = self.page(file, self.entries(file, tag.numbers[0])[0], depth + 1)
                except ValueError:
                    continue  # a broken EXIF block is no reason to refuse a picture
            else:
                tags[entry.number] = tag
        return Page(tags, below)

    def _tag(self, file: BinaryIO, entry: _Entry) -> Tag:
        size = _SIZES[entry.type] * entry.count
        if size <= self.room:
            raw = entry.field[:size]
        elif size > LARGEST:
            raw = b""
        else:
            file.seek(struct.unpack(f"{self.order}{'Q' if self.big else 'I'}", entry.field)[0])
            raw = exactly(file, size)
        return Tag(entry.type, self._swapped(raw, entry.type), entry.count)

    def _swapped(self, raw: bytes, kind: int) -> bytes:
        """Turn the bytes of a value between the file's order and little-endian."""
        unit = _UNITS[kind]
        if self.order == "<" or unit == 1:
            return raw
        return b"".join(raw[i : i + unit][::-1] for i in range(0, len(raw), unit))

    def written(self, file: BinaryIO, page: Page) -> Iterator[_Entry]:
        """Append the values of a page to a file, and yield its entries."""
        for number, tag in page.tags.items():
            yield self._put(file, number, tag)
        for number, below in page.sub_pages.items():
            where = self.append(file, list(self.written(file, below)), 0)
            yield _Entry(number, 18 if self.big else 4, 1, self.pack_offset(where))

    def _put(self, file: BinaryIO, number: int, tag: Tag) -> _Entry:
        raw = self._swapped(tag.value, tag.type)
        if len(raw) <= self.room:
            return _Entry(number, tag.type, tag.count, raw.ljust(self.room, b"\0"))
        return _Entry(number, tag.type, tag.count, self.pack_offset(self._at_end(file, raw)))

    def append(self, file: BinaryIO, entries: list[_Entry], following: int) -> int:
        """Append a directory to a file, and return where it lies."""
        letters = f"{self.order}HH{'Q' if self.big else 'I'}"
        rows = [
            struct.pack(letters, entry.number, entry.type, entry.count) + entry.field
            for entry in sorted(entries, key=lambda entry: entry.number)
        ]
        head = struct.pack(f"{self.order}{'Q' if self.big else 'H'}", len(rows))
        return self._at_end(file, b"".join([head, *rows, self.pack_offset(following)]))

    def _at_end(self, file: BinaryIO, data: bytes) -> int:
        where = file.seek(0, io.SEEK_END)
        gap = -where % self.room
        put(file, bytes(gap) + data)
        return where + gap

    def _unpack(self, letters: str, file: BinaryIO) -> tuple[int, ...]:
        form = f"{self.order}{letters}"
        return struct.unpack(form, exactly(file, struct.calcsize(form)))
