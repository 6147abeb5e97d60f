"""Chunks of PNG files: read, and put in place of others, so that other programs find them."""

from __future__ import annotations

import io
import zlib
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from scan_samples import PROFILE, XMP, pixels

from craqbench.scans_png import (
    Chunk,
    header,
    read_chunks,
    text_chunk,
    with_chunks,
    xmp_chunk,
    xmp_of,
)


def png(**options: object) -> io.BytesIO:
    """Return a PNG file as Pillow writes it."""
    out = io.BytesIO()
    PIL.Image.fromarray(pixels()).save(out, "PNG", **options)
    return out


def test_chunks_take_the_place_of_others(tmp_path: Path) -> None:
    """Pixels stay as they are, chunks of before go, new ones are found by Pillow."""
    chunks = [
        Chunk(b"iCCP", b"name\0\0" + zlib.compress(PROFILE)),
        text_chunk("Software", "craqbench"),
        text_chunk("Title", "Ümläut"),
        text_chunk("Author", "Ада"),
        xmp_chunk(XMP),
    ]
    with (tmp_path / "a.png").open("wb") as target:
        with_chunks(png(dpi=(300, 300)), chunks, target)
    with PIL.Image.open(tmp_path / "a.png") as picture:
        np.testing.assert_array_equal(np.asarray(picture), pixels())
        found = dict(picture.info)
    assert found.pop("icc_profile") == PROFILE
    assert (found["Software"], found["Title"], found["Author"]) == ("craqbench", "Ümläut", "Ада")
    assert found["xmp"] == XMP
    assert "dpi" not in found


def test_read() -> None:
    """Kinds and data are those of the file, but for pixels, of which none is read."""
    chunks = read_chunks(png(dpi=(300, 300)))
    assert header(chunks) == (8, 2, 0)
    assert [chunk.kind for chunk in chunks][-2:] == [b"IDAT", b"IEND"]
    assert [len(chunk.data) for chunk in chunks if chunk.kind == b"pHYs"] == [9]
    assert not any(chunk.data for chunk in chunks if chunk.kind == b"IDAT")


def test_xmp() -> None:
    """An XMP packet is found, plain or compressed; other texts are none; a damaged one is an error."""
    assert xmp_of(xmp_chunk(XMP)) == XMP
    packed = b"XML:com.adobe.xmp\0\1\0\0\0"
    assert xmp_of(Chunk(b"iTXt", packed + zlib.compress(XMP))) == XMP
    assert xmp_of(text_chunk("Title", "Ада")) is None
    assert xmp_of(Chunk(b"tEXt", b"XML:com.adobe.xmp\0x")) is None
    with pytest.raises(ValueError, match="its XMP packet is damaged"):
        xmp_of(Chunk(b"iTXt", packed + b"nothing"))


@pytest.mark.parametrize("cut", [0, 5, 20, 40, -3])
def test_broken(cut: int) -> None:
    """What is no PNG, or is cut off, is a ValueError."""
    data = png().getvalue()[: cut or None] if cut else b"GIF89a"
    with pytest.raises(ValueError, match=r"no PNG file|cut off"):
        read_chunks(io.BytesIO(data))
    with pytest.raises(ValueError, match="no header"):
        header([Chunk(b"IHDR")])
