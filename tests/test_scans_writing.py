"""A new file is like the scan it comes from: pixels, layout, metadata; and says that it is none."""

from __future__ import annotations

import re
import struct
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import PIL.PngImagePlugin
import pytest
import tifffile
from scan_samples import PROFILE, XMP, exif, pixels, tiff

from craqbench.errors import StorageError
from craqbench.scans import Scan
from craqbench.scans_carrying import Notes
from craqbench.scans_jpeg import EXIF, Segment, steps
from craqbench.scans_jpeg import XMP as JPEG_XMP
from craqbench.scans_notes import MARK, NAMESPACE, described, with_properties
from craqbench.scans_opening import is_ours, open_scan
from craqbench.scans_png import Chunk, read_chunks, with_chunks
from craqbench.scans_rows import RowReader, Store
from craqbench.scans_writing import jpeg_settings, output_format, write_mask, write_picture
from craqbench.storage import new_file

NOTES = Notes(f"{MARK}: a test with 'quotes' & <signs>", {"filledPixels": "12", "filledBy": 'a "b" <c> & ü'})


def stored(path: Path, rows: Any, colours: int) -> Path:
    """Write pixels as a finished store."""
    path.write_bytes(b"")
    with Store(path, rows.shape[1], rows.shape[2], 8 * rows.dtype.itemsize) as store:
        store.append(rows)
        store.finish(colours)
    return path


def copied(
    path: Path,
    *,
    pyramid: bool = False,
    lossless: bool = False,
    share: Callable[[float], None] = lambda _: None,
) -> Path:
    """Write a scan again, as it is; return the new file, beside the old one."""
    scan = open_scan(path)
    raw = path.with_name("raw")
    stored(raw, RowReader.of(scan, scan.height).read(0, scan.height), scan.colours)
    target = path.with_name(f"copy.{output_format(scan, pyramid=pyramid, lossless=lossless).lower()}")
    with new_file(target) as file:
        write_picture(scan, raw, file, NOTES, pyramid=pyramid, lossless=lossless, share=share)
    return target


def left_out(path: Path) -> tuple[str, ...]:
    """Return what a scan has that a new file would not have."""
    scan = open_scan(path)
    raw = path.with_name("raw")
    stored(raw, RowReader.of(scan, scan.height).read(0, scan.height), scan.colours)
    with new_file(path.with_name("copy")) as file:
        return write_picture(scan, raw, file, NOTES, pyramid=False, share=lambda _: None)


def tags_of(path: Path) -> dict[str, Any]:
    """Return the tags of a file's first page as tifffile has them."""
    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        assert isinstance(page, tifffile.TiffPage)
        return {tag.name: tag.value for tag in page.tags}


def same(scan: Scan, other: Scan) -> bool:
    """Whether two scans have the same shape and the same pixels."""
    shapes = [(s.width, s.height, s.channels, s.colours, s.bits, s.orientation) for s in (scan, other)]
    rows = [RowReader.of(s, s.height).read(0, s.height) for s in (scan, other)]
    return shapes[0] == shapes[1] and bool((rows[0] == rows[1]).all())


# -- TIFF ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("pyramid", [False, True])
def test_tiff_stays(tmp_path: Path, bits: int, channels: int, pyramid: bool) -> None:  # noqa: FBT001  a case
    """Bits, channels and what extra channels mean stay, and every px; a pyramid has the levels it needs."""
    path = tiff(tmp_path / "a.tif", pixels(300, 600, channels, bits))
    copy = copied(path, pyramid=pyramid)
    assert same(open_scan(path), open_scan(copy))
    assert tags_of(copy).get("ExtraSamples") == tags_of(path).get("ExtraSamples")
    with tifffile.TiffFile(copy) as file:
        assert [page.shape[:2] for page in file.pages] == [(300, 600), (150, 300), (75, 150)][
            : 1 + 2 * pyramid
        ]


@pytest.mark.parametrize(
    ("options", "name", "value"),
    [
        ({"compression": "zlib", "predictor": True}, "Compression", 8),
        ({"tile": (48, 32)}, "TileLength", 48),
        ({"tile": (48, 32)}, "TileWidth", 32),
        ({"rowsperstrip": 13}, "RowsPerStrip", 13),
        ({}, "Compression", 1),
    ],
)
def test_layout_stays(tmp_path: Path, options: dict[str, Any], name: str, value: int) -> None:
    """Compression, tiles and strips are those of the scan."""
    copy = copied(tiff(tmp_path / "a.tif", pixels(), **options))
    assert tags_of(copy)[name] == value
    assert not open_scan(copy).layout.big


@pytest.mark.parametrize(
    ("compression", "code"),
    [("tiff_lzw", 5), ("packbits", 32773), ("tiff_adobe_deflate", 8)],
)
def test_compression_stays(tmp_path: Path, compression: str, code: int) -> None:
    """Each compression without loss is kept."""
    PIL.Image.fromarray(pixels()).save(tmp_path / "a.tif", compression=compression)
    assert tags_of(copied(tmp_path / "a.tif"))["Compression"] == code
    assert same(open_scan(tmp_path / "a.tif"), open_scan(tmp_path / "copy.tiff"))


@pytest.mark.parametrize("below", [False, True])
def test_pyramids_stay_pyramids(tmp_path: Path, below: bool) -> None:  # noqa: FBT001  a case
    """Smaller copies are made anew, in the same place; the largest is no larger than a tile."""
    image, tile = pixels(200, 300), dict[str, Any](tile=(64, 64), photometric="rgb")
    with tifffile.TiffWriter(tmp_path / "a.tif", bigtiff=True) as file:
        file.write(image, subifds=int(below), **tile)
        file.write(image[::2, ::2], subfiletype=1, **tile)
    copy = open_scan(copied(tmp_path / "a.tif"))
    assert (copy.layout.pyramid, copy.layout.sub_pages, copy.layout.big) == (True, below, True)


def test_large_files_are_big(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that might not fit into classic TIFF is a BigTIFF."""
    path = tiff(tmp_path / "a.tif", pixels())
    monkeypatch.setattr("craqbench.scans_writing.MOST_CLASSIC", 20_000)
    assert open_scan(copied(path)).layout.big


def test_metadata_of_tiff_stay(tmp_path: Path) -> None:
    """Profile, resolution, orientation, date and private tags stay; three tags say what the file is."""
    extra: list[tuple[Any, ...]] = [
        (271, 2, 0, "Maker", True),
        (274, 3, 1, 6, True),
        (306, 2, 0, "2020:01:02 03:04:05", True),
        (700, 1, len(XMP), XMP, True),
        (33723, 7, 5, b"iptc!", True),
        (65000, 3, 2, (7, 8), True),
    ]
    path = tiff(
        tmp_path / "a.tif",
        pixels(),
        description="A panel, 1640",
        software="Scanner 3",
        resolution=(118.11, 118.11),
        resolutionunit=3,
        iccprofile=PROFILE,
        extratags=extra,
    )
    before, after = tags_of(path), tags_of(copied(path))
    for name in ("Make", "DateTime", "Orientation", "XResolution", "YResolution", "ResolutionUnit", "65000"):
        assert after[name] == before[name]
    assert (after["InterColorProfile"], after["IPTCNAA"]) == (PROFILE, b"iptc!")
    assert after["ImageDescription"] == f"{NOTES.statement}\n\nDescription of the original: A panel, 1640"
    assert re.fullmatch(r"craqbench \S+ \(virtual restoration\)", after["Software"])
    assert after["XMP"].startswith(XMP[: XMP.index(b"</r:RDF>")])
    assert is_ours(tmp_path / "copy.tiff")


def test_no_resolution_is_invented(tmp_path: Path) -> None:
    """A scan that does not say how large it is in centimetres has a copy that does not either."""
    after = tags_of(copied(tiff(tmp_path / "a.tif", pixels())))
    assert (after["XResolution"], after["ResolutionUnit"]) == ((1, 1), 1)
    with PIL.Image.open(tmp_path / "copy.tiff") as picture:
        assert "dpi" not in picture.info


def test_what_holds_for_the_original_only_is_left_out(tmp_path: Path) -> None:
    """Layers of Photoshop and content credentials would show the original, or lie: they are left out."""
    extra = [(37724, 7, 3, b"abc", True), (52545, 7, 3, b"abc", True), (700, 1, 3, b"abc", True)]
    told = left_out(tiff(tmp_path / "a.tif", pixels(), extratags=extra))
    assert told == (
        "layers of Photoshop",
        "content credentials (C2PA), which hold for the original only",
        "an XMP packet that is damaged",
    )
    assert not {"ImageSourceData", "52545"} & set(tags_of(tmp_path / "copy"))


def test_lossy_compression_is_not_repeated(tmp_path: Path) -> None:
    """JPEG inside TIFF would change every px once more: it becomes LZW, and that is told."""
    PIL.Image.fromarray(pixels()).save(tmp_path / "a.tif", compression="jpeg")
    assert "would change every pixel once more" in left_out(tmp_path / "a.tif")[0]
    assert tags_of(tmp_path / "copy")["Compression"] == 5
    assert same(open_scan(tmp_path / "a.tif"), open_scan(tmp_path / "copy"))


@pytest.mark.parametrize("name", ["a.jpg", "a.webp"])
def test_lossy_files_become_tiff(tmp_path: Path, name: str) -> None:
    """WebP, and JPEG if asked, become TIFF with the same px; profile, EXIF, GPS and XMP come along."""
    picture = PIL.Image.fromarray(pixels())
    picture.save(tmp_path / name, exif=exif(6), icc_profile=PROFILE, xmp=XMP, dpi=(300, 300))
    copy = copied(tmp_path / name, lossless=True)
    assert same(open_scan(tmp_path / name), open_scan(copy))
    tags = tags_of(copy)
    assert (tags["Make"], tags["Orientation"], tags["InterColorProfile"]) == ("Maker", 6, PROFILE)
    assert tags["ExifTag"]["ExposureTime"] == (1, 200)
    assert tags["GPSTag"]["GPSLatitudeRef"] == "N"
    assert b'dc:creator="Ada"' in tags["XMP"]
    if name == "a.jpg":
        with PIL.Image.open(copy) as other:
            assert other.info["dpi"] == (300, 300)


def test_iptc_of_jpeg(tmp_path: Path) -> None:
    """IPTC, which JPEG has inside a block of Photoshop's, becomes a tag of its own."""
    PIL.Image.fromarray(pixels()).save(tmp_path / "plain.jpg")
    data = (tmp_path / "plain.jpg").read_bytes()
    first = b"8BIM\x04\x25\0\0\0\0\0\x03abc\0"
    block = b"Photoshop 3.0\0" + first + b"8BIM\x04\x04\x01n\0\0\0\x06\x1c\x02\x05\0\x01A"
    segment = b"\xff\xed" + (len(block) + 2).to_bytes(2) + block
    (tmp_path / "a.jpg").write_bytes(data[:2] + segment + data[2:])
    assert tags_of(copied(tmp_path / "a.jpg", lossless=True))["IPTCNAA"] == b"\x1c\x02\x05\0\x01A"


# -- JPEG ---------------------------------------------------------------------------------------------------


def _with(path: Path, *segments: Segment) -> Path:
    """Put segments before the pixels of a JPEG file."""
    data = b"".join(struct.pack(">BBH", 0xFF, s.marker, len(s.data) + 2) + s.data for s in segments)
    whole = path.read_bytes()
    path.write_bytes(whole[:2] + data + whole[2:])
    return path


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("quality", [1, 24, 75, 90, 100])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_jpeg_is_saved_as_finely(tmp_path: Path, mode: str, quality: int, subsampling: int) -> None:
    """Tables of the standard are found again, and colours are halved only where they were."""
    path = tmp_path / "a.jpg"
    PIL.Image.fromarray(pixels()).convert(mode).save(path, quality=quality, subsampling=subsampling)
    assert jpeg_settings(open_scan(path).segments) == (quality, subsampling == 2 and mode == "RGB")
    with PIL.Image.open(path) as before, PIL.Image.open(copied(path)) as after:
        assert (after.format, after.mode, after.size) == ("JPEG", mode, before.size)
        assert [list(table) for table in after.quantization.values()] == [  # type: ignore[attr-defined]
            list(table)
            for table in before.quantization.values()  # type: ignore[attr-defined]
        ]
        assert np.abs(np.asarray(after, np.int32) - np.asarray(before)).mean() < 2


def test_other_tables_are_no_coarser(tmp_path: Path) -> None:
    """Where a program has tables of its own, no step of the new file is larger than the old one's."""
    PIL.Image.fromarray(pixels()).save(
        tmp_path / "a.jpg", qtables=[list(range(3, 67)), list(range(70, 6, -1))]
    )
    wanted = steps(open_scan(tmp_path / "a.jpg").segments)
    have = steps(open_scan(copied(tmp_path / "a.jpg")).segments)
    assert (np.array(have) <= np.array(wanted)).all()
    assert jpeg_settings(open_scan(tmp_path / "a.jpg").segments)[0] < 100


def test_metadata_of_jpeg_stay(tmp_path: Path) -> None:
    """Profile, EXIF, GPS, size of a px, XMP, IPTC and comments stay; the file says what it is."""
    picture = PIL.Image.fromarray(pixels())
    block = exif(6)
    block[270] = "A panel, 1640"
    profile = PROFILE + bytes(70_000)  # of two segments
    picture.save(tmp_path / "a.jpg", exif=block, icc_profile=profile, xmp=XMP, dpi=(300, 300), comment=b"old")
    iptc = b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0\0\0\0\x06\x1c\x02\x05\0\x01A"
    _with(tmp_path / "a.jpg", Segment(0xED, iptc))
    assert left_out(tmp_path / "a.jpg") == ()
    copy = copied(tmp_path / "a.jpg")
    with PIL.Image.open(copy) as found:
        info, tags = found.info, found.getexif()
        assert (info["icc_profile"], info["dpi"], info["comment"]) == (profile, (300, 300), b"old")
        assert info["photoshop"][0x0404] == b"\x1c\x02\x05\0\x01A"
        assert b'dc:creator="Ada"' in info["xmp"]
        assert b'filledPixels="12"' in info["xmp"]
        assert (tags[271], tags[274], tags[315]) == ("Maker", 6, "Ada")
        assert tags[270] == f"{NOTES.statement}\n\nDescription of the original: A panel, 1640"
        assert re.fullmatch(r"craqbench \S+ \(virtual restoration\)", tags[305])
        assert tags.get_ifd(0x8769)[0x829A] == (1, 200)
        assert tags.get_ifd(0x8825)[1] == "N"
    assert is_ours(copy)
    assert not is_ours(tmp_path / "a.jpg")


def test_what_makers_wrote_stays_where_it_is(tmp_path: Path) -> None:
    """An EXIF block is added to, not written anew: notes of makers point at places in it."""
    path = tmp_path / "a.jpg"
    PIL.Image.fromarray(pixels()).save(path, exif=exif())
    (before,) = (s.data for s in open_scan(path).segments if s.data.startswith(EXIF))
    (after,) = (s.data for s in open_scan(copied(path)).segments if s.data.startswith(EXIF))
    assert after[14 : len(before)] == before[14:]


def test_a_jpeg_that_says_nothing(tmp_path: Path) -> None:
    """No size of a px, profile or orientation is invented; that it is a restoration is said all the same."""
    PIL.Image.fromarray(pixels()).save(tmp_path / "a.jpg")
    with PIL.Image.open(copied(tmp_path / "a.jpg")) as found:
        assert found.info["jfif_unit"] == 0
        assert set(found.getexif()) == {270, 305}
        assert "icc_profile" not in found.info


def test_colours_of_adobe(tmp_path: Path) -> None:
    """A file of RGB as such, which its Adobe segment tells, comes out in its colours."""
    PIL.Image.fromarray(pixels()).save(tmp_path / "a.jpg", keep_rgb=True, quality=95)
    with PIL.Image.open(tmp_path / "a.jpg") as before, PIL.Image.open(copied(tmp_path / "a.jpg")) as after:
        assert np.abs(np.asarray(after, np.int32) - np.asarray(before)).max() < 12


def test_what_no_jpeg_can_carry(tmp_path: Path) -> None:
    """Credentials, further pictures, damaged or overfull blocks are left out, and told."""
    path = tmp_path / "a.jpg"
    PIL.Image.fromarray(pixels()).save(path)
    plain = path.read_bytes()
    full = b"II*\0\x08\0\0\0" + bytes(6) + bytes(65_400)
    for segment, words in (
        (Segment(0xEB, b"JP\0\1c2pa"), "content credentials"),
        (Segment(0xE2, b"MPF\0rest"), "further pictures"),
        (Segment(0xE1, EXIF + b"none"), "an EXIF block that is damaged"),
        (Segment(0xE1, EXIF + full), "an EXIF block that has no room for more"),
        (Segment(0xE1, JPEG_XMP + b"none"), "an XMP packet that is damaged"),
        (Segment(0xE1, JPEG_XMP + XMP + b" " * 65_200), "an XMP packet that has no room for more"),
    ):
        path.write_bytes(plain)
        (told,) = left_out(_with(path, segment))
        assert told.startswith(words)
        assert is_ours(copied(path))


# -- PNG ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("channels", "bits"), [(1, 8), (1, 16), (2, 8), (3, 8), (4, 8)])
def test_png_stays(tmp_path: Path, channels: int, bits: int) -> None:
    """Bits and channels stay, and every px."""
    PIL.Image.fromarray(np.squeeze(pixels(channels=channels, bits=bits))).save(tmp_path / "a.png")
    assert same(open_scan(tmp_path / "a.png"), open_scan(copied(tmp_path / "a.png")))


def test_metadata_of_png_stay(tmp_path: Path) -> None:
    """Profile, gamma, resolution, EXIF and texts stay; what may depend on px does not, and that is told."""
    out = tmp_path / "plain.png"
    PIL.Image.fromarray(pixels()).save(out, icc_profile=PROFILE, dpi=(300, 300), exif=exif(3))
    with out.open("rb") as source, (tmp_path / "a.png").open("wb") as target:
        own = [chunk for chunk in read_chunks(source) if chunk.kind in (b"iCCP", b"pHYs", b"eXIf")]
        others = [Chunk(b"gAMA", b"\0\0\xb1\x8f"), Chunk(b"tEXt", b"Author\0Ada"), Chunk(b"tIME", bytes(7))]
        others += [Chunk(b"caBX", b"c2pa"), Chunk(b"abCD", b"of px"), Chunk(b"abCd", b"of none")]
        with_chunks(source, [*own, *others], target)
    assert left_out(tmp_path / "a.png") == (
        "content credentials (C2PA), which hold for the original only",
        "a chunk abCD, which may depend on the pixels",
    )
    with (tmp_path / "copy").open("rb") as file:
        kinds = {chunk.kind: chunk.data for chunk in read_chunks(file)}
    assert {k: kinds[k] for k in (b"gAMA", b"abCd")} == {b"gAMA": b"\0\0\xb1\x8f", b"abCd": b"of none"}
    assert not {b"caBX", b"abCD", b"tIME"} & set(kinds)
    with PIL.Image.open(tmp_path / "copy") as picture:
        found = picture.info
        assert picture.getexif()[274] == 3
    assert (found["icc_profile"], found["Author"]) == (PROFILE, "Ada")
    assert (found["Description"], round(found["dpi"][0])) == (NOTES.statement, 300)
    assert b"filledPixels" in found["xmp"]
    assert is_ours(tmp_path / "copy")


def test_a_pyramid_of_a_png(tmp_path: Path) -> None:
    """A pyramid is a TIFF file, whatever it is made of; profile and EXIF come along, texts do not."""
    info = PIL.PngImagePlugin.PngInfo()
    info.add_text("Author", "Ada")
    PIL.Image.fromarray(pixels(300, 300)).save(
        tmp_path / "a.png", icc_profile=PROFILE, exif=exif(), dpi=(300, 300), pnginfo=info
    )
    copy = copied(tmp_path / "a.png", pyramid=True)
    assert copy.suffix == ".tiff"
    assert same(open_scan(tmp_path / "a.png"), open_scan(copy))
    tags = tags_of(copy)
    assert (tags["InterColorProfile"], tags["Make"], tags["TileWidth"]) == (PROFILE, "Maker", 256)
    assert tags["XResolution"][0] / tags["XResolution"][1] == pytest.approx(300, abs=0.01)


def test_masks(tmp_path: Path) -> None:
    """A mask is a PNG of one bit per px, which viewers turn as they turn the scan."""
    path = tmp_path / "a.jpg"
    PIL.Image.fromarray(pixels()).save(path, exif=exif(6))
    mask = pixels()[..., 0] > 120
    stored(tmp_path / "raw", (mask * np.uint8(255))[..., None], 1)
    with new_file(tmp_path / "mask.png") as file:
        write_mask(open_scan(path), tmp_path / "raw", file)
    with PIL.Image.open(tmp_path / "mask.png") as picture:
        assert (picture.mode, picture.getexif()[274]) == ("1", 6)
        np.testing.assert_array_equal(np.asarray(picture), mask)
    assert is_ours(tmp_path / "mask.png")


# -- what is said of it -------------------------------------------------------------------------------------


def test_descriptions() -> None:
    """A statement comes first, what was there stays; XML stays XML."""
    assert described("S") == described("S", "\0 \n") == "S"
    assert described("S", "old") == "S\n\nDescription of the original: old"
    both = described("a -- b", "<?xml version='1.0'?><OME/>")
    assert ET.fromstring(both).tag == "OME"  # noqa: S314  our own text
    assert "<!-- a - - b -->" in both


@pytest.mark.parametrize("packet", [None, XMP])
def test_xmp(packet: bytes | None) -> None:
    """Properties are read by a parser of XML, whatever signs are in them, beside all that was there."""
    found, kept = with_properties(packet, NOTES.properties)
    assert kept
    blocks = list(ET.fromstring(found.decode().lstrip("\ufeff")).iter())  # noqa: S314  our own text
    values = {name: value for block in blocks for name, value in block.attrib.items()}
    for name, value in NOTES.properties.items():
        assert values[f"{{{NAMESPACE}#}}{name}"] == value
    assert (values.get("{http://purl.org/dc/elements/1.1/}creator") == "Ada") == (packet is not None)


def test_a_damaged_packet_is_replaced() -> None:
    """What is no XMP cannot be added to: a new packet takes its place, and that is told."""
    packet, kept = with_properties(b"nothing", {"a": "b"})
    assert not kept
    assert packet == with_properties(None, {"a": "b"})[0]


# -- troubles -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.tif", "a.png"])
def test_ctrl_c_ends_the_writing(tmp_path: Path, name: str) -> None:
    """Ctrl-C inside libvips gets out, and nothing is left of the file."""
    PIL.Image.fromarray(pixels(600, 400)).save(tmp_path / name)

    def press(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copied(tmp_path / name, share=press)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, "raw"])


def test_how_much_is_done_is_told(tmp_path: Path) -> None:
    """Shares rise to 1."""
    shares = list[float]()
    copied(tiff(tmp_path / "a.tif", pixels(900, 300)), share=shares.append)
    assert shares == sorted(shares)
    assert shares
    assert shares[-1] == 1


LIMITED = """
import resource, sys, signal
from pathlib import Path
sys.path.insert(0, {tests!r})
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from test_scans_writing import copied
limit = lambda _: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
copied(Path(sys.argv[1]), share=limit)
"""


@pytest.mark.parametrize("name", ["a.tif", "a.png"])
def test_a_disk_that_is_full_half_way(tmp_path: Path, name: str) -> None:
    """What the system says of a file that cannot grow is told, and nothing is left of it."""
    noise = np.random.default_rng(0).integers(0, 256, (250, 250, 3), dtype=np.uint8)
    PIL.Image.fromarray(noise).save(
        tmp_path / name, **({"compression": "tiff_lzw"} if name == "a.tif" else {})
    )
    script = LIMITED.format(tests=str(Path(__file__).parent))
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / name)], capture_output=True, text=True, check=False
    )
    assert "StorageError" in done.stderr
    assert "File too large" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, "raw"])


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    """What libvips cannot even open is an error of the disk."""
    PIL.Image.fromarray(pixels()).save(tmp_path / "a.tif")
    stored(tmp_path / "raw", pixels(), 3)
    with (tmp_path / "x").open("wb") as file:
        pass
    (tmp_path / "x").unlink()
    (tmp_path / "x").mkdir()
    with pytest.raises(StorageError, match=f"cannot write {tmp_path / 'x'}"):
        write_picture(
            open_scan(tmp_path / "a.tif"), tmp_path / "raw", file, NOTES, pyramid=False, share=lambda _: None
        )
