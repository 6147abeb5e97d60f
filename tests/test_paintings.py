"""Image files of every kind come out as 8-bit RGB, by the rules of `decode_painting`."""

from __future__ import annotations

import contextlib
import io
import struct
import zlib
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import numpy.typing as npt
import PIL.Image
import pytest
from tiny import smooth_picture

from craqbench.errors import SourceError
from craqbench.paintings import decode_painting, read_painting

if TYPE_CHECKING:
    from pathlib import Path

RGB = smooth_picture(7, (80, 70))


def encoded(picture: PIL.Image.Image, kind: str, **options: Any) -> bytes:
    """Return a picture as a file of a kind."""
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def png_header(width: int, height: int) -> bytes:
    """Return a PNG that claims a size and has next to no data."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0"))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("TIFF", {}), ("WEBP", {"lossless": True})])
def test_lossless_rgb(kind: str, options: dict[str, Any]) -> None:
    """RGB files come out as they are."""
    assert np.array_equal(decode_painting(encoded(PIL.Image.fromarray(RGB), kind, **options)), RGB)


def test_jpeg_as_opencv_reads_it() -> None:
    """A JPEG comes out as an independent reader sees it, within rounding."""
    data = encoded(PIL.Image.fromarray(RGB), "JPEG", quality=90)
    opencv = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert opencv is not None
    assert np.abs(decode_painting(data).astype(int) - opencv).max() <= 2


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_grey(kind: str) -> None:
    """Grey becomes equal R, G and B."""
    grey = np.ascontiguousarray(RGB[..., 0])
    read = decode_painting(encoded(PIL.Image.fromarray(grey), kind))
    assert read.shape == RGB.shape
    assert (np.ptp(read.astype(int), axis=2) == 0).all()
    assert np.abs(read[..., 0].astype(int) - grey).max() <= (8 if kind == "JPEG" else 0)


@pytest.mark.parametrize("ending", [".png", ".tiff"])
@pytest.mark.parametrize("colour", [True, False])
def test_sixteen_bits(ending: str, *, colour: bool, tmp_path: Path) -> None:
    """16-bit files keep their high byte, grey and colour alike."""
    deep = RGB.astype(np.uint16) * 257
    if not colour:
        deep = np.ascontiguousarray(deep[..., 0])
    path = tmp_path / f"deep{ending}"
    assert cv2.imwrite(str(path), deep[..., ::-1] if colour else deep)
    read = read_painting(path)
    assert np.array_equal(read if colour else read[..., 0], (deep >> 8).astype(np.uint8))


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_alpha_lies_over_white(kind: str) -> None:
    """Transparent px are white, half-transparent ones half way to it, opaque ones unchanged."""
    alpha = np.full(RGB.shape[:2], 255, np.uint8)
    alpha[:20], alpha[20:40] = 0, 128
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    read = decode_painting(encoded(PIL.Image.fromarray(np.dstack([RGB, alpha])), kind, **options))
    assert (read[:20] == 255).all()
    expected = RGB[20:40] * (128 / 255) + 127
    assert np.abs(read[20:40] - expected).max() <= 1
    assert np.array_equal(read[40:], RGB[40:])


def test_palette() -> None:
    """A palette is looked up; its transparent colour becomes white."""
    picture = PIL.Image.fromarray(RGB).quantize(16)
    expected = np.asarray(picture.convert("RGB"))
    assert np.array_equal(decode_painting(encoded(picture, "PNG")), expected)
    numbers = np.asarray(picture)
    read = decode_painting(encoded(picture, "PNG", transparency=int(numbers[0, 0])))
    assert (read[numbers == numbers[0, 0]] == 255).all()


def test_cmyk() -> None:
    """CMYK is converted by R = (1 - C) (1 - K), also in JPEG, where Adobe stores it inverted."""
    inks = np.dstack([255 - RGB, np.full(RGB.shape[:2], 51, np.uint8)])
    picture = PIL.Image.frombytes("CMYK", (80, 70), inks.tobytes())
    assert np.abs(decode_painting(encoded(picture, "TIFF")) - RGB * 0.8).max() <= 1
    assert np.abs(decode_painting(encoded(picture, "JPEG", quality=98)) - RGB * 0.8).mean() <= 3


@pytest.mark.parametrize(("orientation", "turn"), [(3, 2), (6, -1), (8, 1)])
def test_exif_orientation(orientation: int, turn: int) -> None:
    """A picture that the camera turned is turned back."""
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    data = encoded(PIL.Image.fromarray(RGB), "PNG", exif=exif)
    assert np.array_equal(decode_painting(data), np.rot90(RGB, turn))


def test_colour_profile_is_left_alone() -> None:
    """A colour profile changes no number."""
    data = encoded(PIL.Image.fromarray(RGB), "PNG", icc_profile=b"not even a profile")
    assert np.array_equal(decode_painting(data), RGB)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_truncated(kind: str, share: float) -> None:
    """A truncated file is an error, never half a painting."""
    noise = np.random.default_rng(0).integers(0, 256, (70, 80, 3)).astype(np.uint8)
    data = encoded(PIL.Image.fromarray(noise), kind)
    with pytest.raises(SourceError, match=r"broken image|not a JPEG"):
        decode_painting(data[: int(share * len(data))])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not a JPEG, PNG, TIFF or WebP image"),
        (b"GIF89a" + bytes(100), "not a JPEG"),
        (png_header(60_000, 60_000), "decompression bomb"),
        (png_header(10_000, 10_000), "broken image"),
        (encoded(PIL.Image.new("RGB", (500, 63)), "PNG"), "500 x 63 px: shorter side below 64 px"),
        (encoded(PIL.Image.new("F", (80, 80)), "TIFF"), "32 bit"),
    ],
)
def test_refused(data: bytes, reason: str) -> None:
    """What is no painting is refused, with the reason, whatever Pillow makes of it."""
    with pytest.raises(SourceError, match=reason):
        decode_painting(data)


@pytest.mark.parametrize("seed", range(30))
def test_damaged_bytes_never_crash(seed: int) -> None:
    """A file with flipped bytes decodes or raises `SourceError`, nothing else."""
    rng = np.random.default_rng(seed)
    kind = ["JPEG", "PNG", "TIFF", "WEBP"][seed % 4]
    data: npt.NDArray[np.uint8] = np.frombuffer(encoded(PIL.Image.fromarray(RGB), kind), np.uint8).copy()
    data[rng.integers(0, min(200, len(data)), 8)] = rng.integers(0, 256, 8)
    with contextlib.suppress(SourceError):
        assert decode_painting(data.tobytes()).dtype == np.uint8


def test_error_names_the_file(tmp_path: Path) -> None:
    """`read_painting` says which file is meant."""
    with pytest.raises(SourceError, match=r"painting .*nowhere\.jpg: No such file"):
        read_painting(tmp_path / "nowhere.jpg")
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(SourceError, match=r"painting .*text\.png: not a JPEG"):
        read_painting(tmp_path / "text.png")
