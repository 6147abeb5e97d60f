"""Scans: what files of all kinds hold, what is refused and why, and their rows, byte by byte."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import pyvips
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from scan_samples import exif, pixels, tiff

from craqbench.errors import SourceError, StorageError
from craqbench.scans_opening import is_ours, open_scan
from craqbench.scans_rows import SCRATCH, RowReader, Store, eight_bits, scratch, spans
from craqbench.storage import leftovers, remove_leftovers


def rows_of(path: Path) -> Any:
    """Return all pixels of a file."""
    scan = open_scan(path)
    return RowReader.of(scan, scan.height).read(0, scan.height)


# -- what is read -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"tile": (32, 48)},
        {"bigtiff": True, "rowsperstrip": 7},
        {"byteorder": ">"},
        {"compression": "zlib", "predictor": True},
        {"planarconfig": "separate", "rowsperstrip": 8},
        {"planarconfig": "separate", "tile": (32, 48)},
    ],
    ids=lambda options: "-".join(map(str, options)) or "plain",
)
def test_tiff(tmp_path: Path, bits: int, channels: int, options: dict[str, Any]) -> None:
    """Strips, tiles, planes, BigTIFF, either byte order, alpha and more: each px is as it was written."""
    image = pixels(channels=channels, bits=bits)
    colours = 1 if channels < 3 else 3
    if planes := "planarconfig" in options and channels > 1:
        image = np.moveaxis(image, 2, 0).copy()
    path = tiff(tmp_path / "a.tif", image, planes=planes, **options)
    if planes and (channels == 2 or "tile" in options):
        with pytest.raises(SourceError, match=r"(tiles|grey and alpha) in separate planes: expected"):
            open_scan(path)
        return
    scan = open_scan(path)
    assert (scan.format, scan.width, scan.height, scan.channels) == ("TIFF", 90, 70, channels)
    assert (scan.colours, scan.bits, scan.layout.big) == (colours, bits, "bigtiff" in options)
    assert scan.layout.tile == ((48, 32) if "tile" in options else None)
    np.testing.assert_array_equal(rows_of(path), np.moveaxis(image, 0, 2) if planes else image)


@pytest.mark.parametrize(
    ("mode", "channels", "bits"), [("L", 1, 8), ("LA", 2, 8), ("RGB", 3, 8), ("RGBA", 4, 8), ("I;16", 1, 16)]
)
def test_png(tmp_path: Path, mode: str, channels: int, bits: int) -> None:
    """Grey and RGB, with alpha and without, of 8 and 16 bits."""
    image = pixels(channels=channels, bits=bits)
    PIL.Image.fromarray(image[..., 0] if channels == 1 else image).save(tmp_path / "a.png")
    scan = open_scan(tmp_path / "a.png")
    assert (scan.format, scan.channels, scan.bits, mode) == ("PNG", channels, bits, mode)
    np.testing.assert_array_equal(rows_of(tmp_path / "a.png"), image)


@pytest.mark.parametrize("name", ["a.jpg", "a.webp"])
def test_lossy(tmp_path: Path, name: str) -> None:
    """JPEG and WebP are read as any other program reads them, and their orientation is known."""
    PIL.Image.fromarray(pixels()).save(tmp_path / name, quality=95, exif=exif(6))
    scan = open_scan(tmp_path / name)
    assert (scan.orientation, scan.bits, scan.channels) == (6, 8, 3)
    with PIL.Image.open(tmp_path / name) as other:
        difference = np.abs(rows_of(tmp_path / name).astype(int) - np.asarray(other))
    assert difference.max() <= 1  # two decoders


@pytest.mark.parametrize("below", [True, False])
def test_pyramids(tmp_path: Path, below: bool) -> None:  # noqa: FBT001  a case
    """Smaller copies are no pages, whether they follow or hang below."""
    image, tile = pixels(200, 300), dict[str, Any](tile=(64, 64), photometric="rgb")
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(image, subifds=int(below), **tile)
        file.write(image[::2, ::2], subfiletype=1, **tile)
    layout = open_scan(tmp_path / "a.tif").layout
    assert layout.pyramid
    assert layout.sub_pages == below


def test_a_preview_is_no_page(tmp_path: Path) -> None:
    """A small copy that follows is left out, and that is told."""
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(pixels(), photometric="rgb")
        file.write(pixels(20, 30), subfiletype=1, photometric="rgb")
    scan = open_scan(tmp_path / "a.tif")
    assert scan.left_out == ("a small copy for previews",)
    assert not scan.layout.pyramid


# -- what is refused ----------------------------------------------------------------------------------------


def _save(mode: str, name: str, **options: Any) -> Any:
    def make(path: Path) -> Path:
        PIL.Image.fromarray(pixels()).convert(mode).save(path / name, **options)
        return path / name

    return make


def _tiff(image: Any, **options: Any) -> Any:
    return lambda path: tiff(path / "a.tif", image, **options)


def _animation(name: str) -> Any:
    def make(path: Path) -> Path:
        frames = [PIL.Image.fromarray(pixels(seed=seed)) for seed in (0, 1)]
        frames[0].save(path / name, save_all=True, append_images=frames[1:])
        return path / name

    return make


def _raw(path: Path) -> Path:
    return tiff(path / "a.tif", pixels(), extratags=[(50706, 1, 4, b"\1\4\0\0", True)])


def _reduced(path: Path) -> Path:
    return tiff(path / "a.tif", pixels(), subfiletype=1)


def _cut(path: Path) -> Path:
    tiff(path / "whole.tif", pixels())
    (path / "a.tif").write_bytes((path / "whole.tif").read_bytes()[:60])
    return path / "a.tif"


def _circle(path: Path) -> Path:
    """Write a TIFF file whose first page says that it is its own next page."""
    entry = struct.pack("<HHII", 256, 4, 1, 5)
    (path / "a.tif").write_bytes(b"II*\0" + struct.pack("<IH", 8, 1) + entry + struct.pack("<I", 8))
    return path / "a.tif"


def _key_colour(path: Path) -> Path:
    PIL.Image.fromarray(pixels()).save(path / "a.png", transparency=(1, 2, 3))
    return path / "a.png"


def _four_bits(path: Path) -> Path:
    pyvips.Image.black(9, 8).pngsave(str(path / "a.png"), bitdepth=4)
    return path / "a.png"


def _text(path: Path) -> Path:
    (path / "a.tif").write_text("no picture")
    return path / "a.tif"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (_save("CMYK", "a.tif"), "CMYK: expected RGB or grey; convert it"),
        (_save("CMYK", "a.jpg"), "CMYK: expected RGB or grey; convert it"),
        (_save("P", "a.png"), "a palette: expected RGB or grey"),
        (_save("P", "a.tif"), "a palette: expected RGB or grey"),
        (_save("1", "a.png"), "1 bit per px: expected 8 or 16"),
        (_save("1", "a.tif"), "1 bit per px: expected 8 or 16"),
        (_save("LAB", "a.tif"), "CIELAB: expected RGB or grey"),
        (_four_bits, "4 bits per sample: expected 8 or 16"),
        (_key_colour, "a colour that means transparent: expected an alpha channel"),
        (_animation("a.png"), "an animation: expected a single picture"),
        (_animation("a.webp"), "an animation: expected a single picture"),
        (_animation("a.tif"), "2 pages: expected one; save each page as a file of its own"),
        (_tiff(pixels().astype(np.float32)), "32 bits per sample: expected 8 or 16"),
        (_tiff(pixels(bits=16).astype(np.float16)), "samples with a sign, or of floating point"),
        (_tiff(pixels(channels=4), extrasamples=["assocalpha"]), "colours that are multiplied by alpha"),
        (_tiff(pixels()[..., 0], photometric="miniswhite"), "grey where 0 is white"),
        (_raw, "raw data of a camera"),
        (_reduced, "its first page is a small copy"),
        (_cut, "a damaged picture: it is cut off"),
        (_circle, "a damaged picture: its pages run in a circle"),
        (_text, "no TIFF, PNG, JPEG or WebP picture"),
        (lambda path: path / "none.tif", "No such file"),
    ],
)
def test_refused(tmp_path: Path, make: Any, words: str) -> None:
    """What could not be given back as it was is refused, with what it is and what is expected."""
    with pytest.raises(SourceError, match=words):
        open_scan(make(tmp_path))


@pytest.mark.parametrize("name", ["a.tif", "a.png", "a.jpg", "a.webp"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_cut_off(tmp_path: Path, name: str, share: float) -> None:
    """A file that ends too early is refused when it is opened or, at the latest, at its last row."""
    image = PIL.Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 200, 3), dtype=np.uint8))
    options = {"compression": "tiff_lzw"} if name == "a.tif" else {}
    image.save(tmp_path / "whole", {"jpg": "JPEG", "tif": "TIFF"}.get(name[2:], name[2:].upper()), **options)
    data = (tmp_path / "whole").read_bytes()
    (tmp_path / name).write_bytes(data[: int(len(data) * share)])
    with pytest.raises(SourceError, match="damaged"):
        rows_of(tmp_path / name)


def test_compression_that_libvips_has_not(tmp_path: Path) -> None:
    """A compression that this libvips was built without is no damage."""
    PIL.Image.fromarray(pixels()).save(tmp_path / "a.tif", compression="zstd")
    try:
        rows_of(tmp_path / "a.tif")
    except SourceError as error:
        assert "does not read here" in str(error)  # noqa: PT017  another libvips may read it


@settings(max_examples=60, derandomize=True, deadline=None)
@given(st.data())
def test_damage_is_an_error_of_ours(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Whatever bytes of the tags or chunks are changed: a picture comes out, or a SourceError."""
    name = data.draw(st.sampled_from(["a.tif", "b.tif", "a.png"]))
    folder = tmp_path_factory.getbasetemp() / "damage"
    if not folder.exists():
        folder.mkdir()
        tiff(folder / "a.tif", pixels(8, 9), description="text", resolution=(300, 300))
        tiff(folder / "b.tif", pixels(8, 9), bigtiff=True, byteorder=">")
        PIL.Image.fromarray(pixels(8, 9)).save(folder / "a.png", dpi=(300, 300), exif=exif())
    content = bytearray((folder / name).read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (folder / f"x-{name}").write_bytes(content)
    try:
        scan = open_scan(folder / f"x-{name}")
        if scan.size < 1_000_000:
            RowReader.of(scan, scan.height).read(0, scan.height)
    except SourceError:
        pass


def test_ours_is_told_from_others(tmp_path: Path) -> None:
    """A file says of itself that this program made it; nothing else does."""
    tiff(tmp_path / "a.tif", pixels(), software="craqbench 0.1.0 (virtual restoration)")
    tiff(tmp_path / "b.tif", pixels(), software="craqbenchmark")
    PIL.Image.fromarray(pixels()).save(tmp_path / "c.png")
    assert [is_ours(tmp_path / name) for name in ("a.tif", "b.tif", "c.png", "none")] == [
        True,
        False,
        False,
        False,
    ]


# -- rows ---------------------------------------------------------------------------------------------------


def test_rows_in_pieces_are_the_picture(tmp_path: Path) -> None:
    """Pieces that overlap, of any height, hold the same rows as the whole; no row is decoded twice."""
    image = pixels(500, 40)
    scan = open_scan(tiff(tmp_path / "a.tif", image))
    for size, margin in ((1, 0), (7, 3), (64, 64), (100, 230), (500, 0), (1000, 5)):
        reader = RowReader.of(scan, size + 2 * margin)
        for rows in spans(500, size, margin):
            np.testing.assert_array_equal(reader.read(rows.first, rows.last), image[rows.first : rows.last])
            assert rows.core == slice(rows.top - rows.first, rows.bottom - rows.first)


def test_eight_bits_are_those_of_detect() -> None:
    """16 bits keep the high byte, grey becomes RGB, and what is transparent is laid over white."""
    grey = pixels(channels=1, bits=16)
    np.testing.assert_array_equal(eight_bits(1)(grey), np.repeat(grey >> 8, 3, axis=2).astype(np.uint8))
    image = pixels(channels=4)
    image[:10, :, 3], image[10:20, :, 3] = 0, 255
    laid = eight_bits(3)(image)
    assert (laid[:10] == 255).all()
    np.testing.assert_array_equal(laid[10:20], image[10:20, :, :3])
    alpha = image[..., 3:] / 255
    np.testing.assert_allclose(laid, image[..., :3] * alpha + 255 * (1 - alpha), atol=0.51)
    np.testing.assert_array_equal(eight_bits(3)(pixels(channels=5)), pixels(channels=5)[..., :3])


def test_rows_on_the_disk(tmp_path: Path) -> None:
    """What is appended is read anywhere, bit for bit, and a short file is an error."""
    image = pixels(50, 30, 4, 16)
    (tmp_path / "rows").touch()
    with Store(tmp_path / "rows", 30, 4, 16) as store:
        for top in range(0, 50, 8):
            store.append(image[top : top + 8])
        np.testing.assert_array_equal(store.read(5, 47), image[5:47])
        with pytest.raises(StorageError, match="it ends before row 51"):
            store.read(40, 51)
        store.finish(3)
        np.testing.assert_array_equal(store.read(5, 47), image[5:47])
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "rows"), image)
    np.testing.assert_array_equal(rows_of(tmp_path / "rows"), image)
    (tmp_path / "mask").touch()
    with Store(tmp_path / "mask", 30) as store:
        store.append(np.where(image[..., 0] > 30000, 255, 0))
        np.testing.assert_array_equal(store.mask(3, 20), image[3:20, :, 0] > 30000)


def test_scratch_goes(tmp_path: Path) -> None:
    """A scratch file goes when it is done, after an error too; what a killed process left can be removed."""
    with scratch(tmp_path) as path:
        path.write_bytes(b"x")
        assert [name for _, name in leftovers(tmp_path)] == [SCRATCH]
    with pytest.raises(ZeroDivisionError), scratch(tmp_path) as path:
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())
    (tmp_path / f".{SCRATCH}.0123.part").touch()
    remove_leftovers(tmp_path / SCRATCH)
    assert not list(tmp_path.iterdir())


def test_no_command_but_restore_loads_libvips() -> None:
    """Whoever does not restore does not wait for libvips, nor needs it; nor does who asks for help."""
    script = (
        "import sys; from importlib import import_module\n"
        "for name in ('demo', 'detect', 'report', 'restore'): import_module(f'craqbench.cli.{name}')\n"
        "print([name for name in sys.modules if 'vips' in name])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
