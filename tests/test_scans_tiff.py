"""Tags of TIFF files: read as others read them, added so that others read them, nothing else changed."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import tifffile
from scan_samples import exif, pixels, tiff

from craqbench.scans_tiff import Page, Tag, add_tags, ascii_tag, bytes_tag, number_tag, read_pages


def page_of(path: Path) -> Page:
    """Return the first page of a file."""
    with path.open("rb") as file:
        return read_pages(file)[0]


def values(path: Path) -> dict[int, Any]:
    """Return the tags of a file's first page as another reader has them, in the file's order."""
    with tifffile.TiffFile(path) as other:
        page = other.pages[0]
        assert isinstance(page, tifffile.TiffPage)
        return {tag.code: tag.value for tag in page.tags}


def written(page: Page, path: Path, drop: frozenset[int] = frozenset()) -> dict[int, Any]:
    """Add tags to a file, and return all that it has then."""
    with path.open("r+b") as file:
        add_tags(file, page, drop)
    return values(path)


KINDS = [{}, {"bigtiff": True}, {"byteorder": ">"}, {"bigtiff": True, "byteorder": ">"}]
ALL_TYPES = [
    (65000, 1, 3, (1, 2, 3)),
    (65001, 2, 0, "some text"),
    (65002, 3, 2, (1, 60000)),
    (65003, 4, 2, (7, 4_000_000_000)),
    (65004, 5, 2, (1, 3, 5, 7)),
    (65005, 7, 9, b"undefined"),
    (65006, 8, 1, -5),
    (65007, 10, 1, (-1, 3)),
    (65008, 11, 3, (0.5, 1.5, 2.5)),
    (65009, 12, 2, (0.1, 1e300)),
]


@pytest.mark.parametrize("source", KINDS, ids=str)
@pytest.mark.parametrize("target", KINDS, ids=str)
def test_tags_of_all_types_go_from_any_file_to_any(
    tmp_path: Path, source: dict[str, Any], target: dict[str, Any]
) -> None:
    """Values of every type arrive as they were, whatever byte order and size of offsets the files have."""
    tags = [(code, kind, count, value, True) for code, kind, count, value in ALL_TYPES]
    tiff(tmp_path / "a.tif", pixels(), extratags=tags, **source)
    tiff(tmp_path / "b.tif", pixels(seed=1), **target)
    wanted = page_of(tmp_path / "a.tif").tags
    before = values(tmp_path / "a.tif")
    after = written(Page({code: wanted[code] for code, *_ in ALL_TYPES}), tmp_path / "b.tif")
    assert {code: after[code] for code, *_ in ALL_TYPES} == {code: before[code] for code, *_ in ALL_TYPES}
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "b.tif"), pixels(seed=1))
    assert page_of(tmp_path / "b.tif").tags[65004] == wanted[65004]


@pytest.mark.parametrize("big", [False, True])
def test_exif_and_gps_arrive(tmp_path: Path, big: bool) -> None:  # noqa: FBT001  a case
    """The blocks that EXIF hangs below a page are carried, and Pillow and tifffile find them."""
    PIL.Image.fromarray(pixels()).save(tmp_path / "a.jpg", exif=exif())
    with PIL.Image.open(tmp_path / "a.jpg") as picture:
        block = picture.info["exif"]
    (page, *_) = read_pages(io.BytesIO(block.removeprefix(b"Exif\0\0")))
    assert sorted(page.sub_pages) == [34665, 34853]
    tiff(tmp_path / "b.tif", pixels(), bigtiff=big)
    other = written(Page({271: page.tags[271]}, page.sub_pages), tmp_path / "b.tif")
    assert other[271] == "Maker"
    assert other[34665]["ExposureTime"] == (1, 200)
    assert other[34853]["GPSLatitudeRef"] == "N"
    with PIL.Image.open(tmp_path / "b.tif") as picture:
        found = picture.getexif().get_ifd(0x8769)
    assert big or found[0x829A] == (1, 200)  # Pillow reads none in BigTIFF


def test_tags_are_replaced_and_dropped(tmp_path: Path) -> None:
    """A tag of the same number is replaced, one that is dropped is gone, and tags stay in order."""
    tiff(tmp_path / "a.tif", pixels(), description="old", software="gone", resolution=(72, 72))
    page = Page({270: ascii_tag("new, with ü"), 700: bytes_tag(b"<x/>", kind=1), 296: number_tag(3)})
    other = written(page, tmp_path / "a.tif", frozenset({305}))
    assert other[270] == "new, with ü"
    assert 305 not in other
    assert other[296] == 3
    assert list(other) == sorted(other)


def test_further_pages_stay(tmp_path: Path) -> None:
    """Pages that follow the first are still there, and as they were."""
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for seed in range(3):
            file.write(pixels(seed=seed), photometric="rgb")
    written(Page({270: ascii_tag("first")}), tmp_path / "a.tif")
    with tifffile.TiffFile(tmp_path / "a.tif") as other:
        for seed, page in enumerate(other.pages):
            np.testing.assert_array_equal(page.asarray(), pixels(seed=seed))


def test_numbers_and_texts() -> None:
    """A tag knows its numbers and its text; another type has none."""
    assert number_tag(1, 60000).numbers == (1, 60000)
    assert number_tag(3, 7, kind=5).count == 1
    assert number_tag(3, 7, kind=5).numbers == ()
    assert ascii_tag("a").text == "a"
    assert Tag(2, b"a\0b\0", 4).text == "a"
    page = Page({1: number_tag(5, 6)})
    assert (page.number(1), page.numbers(1), page.number(2, 9), page.numbers(2)) == (5, (5, 6), 9, ())


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no TIFF file"),
        (b"II*\0", "no TIFF file"),
        (b"II+\0\x08\0\0\0", "no TIFF file"),
        (b"II*\0" + struct.pack("<I", 0), "holds no picture"),
        (b"II*\0" + struct.pack("<I", 99), "cut off"),
        (b"II*\0" + struct.pack("<IH", 8, 60000), "60000 tags"),
        (b"II*\0" + struct.pack("<IHHHII", 8, 1, 270, 2, 1000, 500), "cut off"),
    ],
)
def test_broken(data: bytes, words: str) -> None:
    """What is no TIFF, is cut off, or cannot be, is a ValueError that says so."""
    with pytest.raises(ValueError, match=words):
        read_pages(io.BytesIO(data))


def test_a_broken_exif_block_is_passed_over() -> None:
    """A pointer that leads nowhere takes its block with it, and nothing else."""
    entries = struct.pack("<HHII", 256, 4, 1, 7) + struct.pack("<HHII", 34665, 4, 1, 9999)
    data = b"II*\0" + struct.pack("<IH", 8, 2) + entries + struct.pack("<I", 0)
    (page,) = read_pages(io.BytesIO(data))
    assert page.number(256) == 7
    assert not page.sub_pages


class _Far(io.BytesIO):
    """A file that says it is 4 GiB longer than it is."""

    def seek(self, where: int, whence: int = 0) -> int:
        return super().seek(where, whence) + (2**32 if whence == io.SEEK_END else 0)


def test_four_gigabytes(tmp_path: Path) -> None:
    """A classic TIFF file that would grow beyond its offsets is refused."""
    tiff(tmp_path / "a.tif", pixels())
    with pytest.raises(ValueError, match="larger than 4 GiB: expected a BigTIFF"):
        add_tags(_Far((tmp_path / "a.tif").read_bytes()), Page({270: ascii_tag("some long text")}))
