"""Masks on the disk: found in tiles as in the whole, dilated, or given; what is no mask is refused."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL.Image
import PIL.ImageOps
import pytest
from restoration_samples import Blurred, Broken, stored
from scan_samples import cracked, exif, pixels, tiff

from baselines.protocols import Detector, Mask, MethodError
from baselines.registry import get_detector
from craqbench import restoration_finding
from craqbench.errors import UsageError
from craqbench.paintings import read_painting
from craqbench.restoration_finding import dilate, find, take
from craqbench.scans import Scan
from craqbench.scans_opening import open_scan
from craqbench.scans_rows import Store


def store(folder: Path, scan: Scan, stack: ExitStack, name: str = "found") -> Store:
    """Return an empty mask on the disk."""
    (folder / name).write_bytes(b"")
    return stack.enter_context(Store(folder / name, scan.width))


def found(path: Path, detector: Detector, threshold: float = 0.5) -> Mask:
    """Return what a detector finds in a file, and check that all rows are counted."""
    scan, rows = open_scan(path), list[int]()
    with ExitStack() as stack:
        into = store(path.parent, scan, stack)
        find(scan, detector, threshold, into, rows.append)
        assert sum(rows) == scan.height
        return into.mask(0, scan.height)


def taken(mask: Path, scan: Path) -> Mask:
    """Return a mask that is given."""
    with ExitStack() as stack:
        into = store(scan.parent, open_scan(scan), stack)
        take(mask, open_scan(scan), into)
        return into.mask(0, open_scan(scan).height)


# -- found --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["tophat", "ridge"])
def test_small_pictures_are_seen_as_by_detect(tmp_path: Path, method: str) -> None:
    """A picture that fits is shown whole: the mask is that of `craqbench detect`."""
    path = tiff(tmp_path / "a.tif", cracked(pixels(150, 220))[0])
    detector = get_detector(method)
    want = detector.predict(read_painting(path)) >= detector.threshold
    np.testing.assert_array_equal(found(path, detector, detector.threshold), want)


def test_tiles_are_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A detector that looks no further than the margin finds the same in tiles as in the whole."""
    path = tiff(tmp_path / "a.tif", cracked(pixels(300, 430))[0])
    whole = found(path, Blurred(), 0.3)
    monkeypatch.setattr(restoration_finding, "WHOLE", 0)
    monkeypatch.setattr(restoration_finding, "TILE", 64)
    monkeypatch.setattr(restoration_finding, "MARGIN", 15)
    assert 0.01 < whole.mean() < 0.3
    np.testing.assert_array_equal(found(path, Blurred(), 0.3), whole)
    monkeypatch.setattr(restoration_finding, "MARGIN", 4)
    assert (found(path, Blurred(), 0.3) != whole).any()


def test_16_bits_are_shown_as_8(tmp_path: Path) -> None:
    """What a detector sees of 16 bits is their high byte."""
    image = cracked(pixels())[0]
    deep = image.astype(np.uint16) * 256 + np.random.default_rng(0).integers(
        0, 256, image.shape, dtype=np.uint16
    )
    detector = get_detector("tophat")
    eight, sixteen = tiff(tmp_path / "a.tif", image), tiff(tmp_path / "b.tif", deep)
    np.testing.assert_array_equal(found(eight, detector), found(sixteen, detector))


def test_failures_are_told(tmp_path: Path) -> None:
    """A detector that fails is named, with the picture."""
    with pytest.raises(MethodError, match=r"'broken' on image 'a\.tif': raised RuntimeError"):
        found(tiff(tmp_path / "a.tif", pixels()), Broken())


@pytest.mark.parametrize("times", [1, 2, 5])
def test_dilated(tmp_path: Path, times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mask grows across bands as it does in one piece."""
    monkeypatch.setattr(restoration_finding, "TILE", 9)
    scan = open_scan(tiff(tmp_path / "a.tif", pixels()))
    mask = np.random.default_rng(0).random((70, 90)) < 0.01
    want = cv2.dilate(mask.view(np.uint8), np.ones((3, 3), np.uint8), iterations=times) > 0
    with stored(tmp_path, mask, scan) as (holes, _), ExitStack() as stack:
        into = store(tmp_path, scan, stack)
        dilate(scan, holes, into, times)
        np.testing.assert_array_equal(into.mask(0, 70), want)


# -- given --------------------------------------------------------------------------------------------------

MASK = pixels()[..., 0] > 120


@pytest.mark.parametrize(
    ("name", "image"),
    [
        ("m.png", MASK * np.uint8(255)),
        ("m.png", MASK),
        ("m.png", MASK * np.uint8(1)),
        ("m.png", MASK * np.uint16(65535)),
        ("m.tif", MASK),
        ("m.tif", MASK * np.uint8(255)),
        ("m.png", np.repeat(MASK[..., None] * np.uint8(255), 3, axis=2)),
        ("m.png", np.dstack([MASK * np.uint8(255)] * 3 + [np.full(MASK.shape, 255, np.uint8)])),
        ("m.webp", np.repeat(MASK[..., None] * np.uint8(255), 3, axis=2)),
    ],
)
def test_taken(tmp_path: Path, name: str, image: Any) -> None:
    """A mask may be of one bit, of 0 and 1, of 8 or 16 bits, RGB, or have an alpha that hides nothing."""
    options: dict[str, Any] = {"lossless": True} if name == "m.webp" else {}
    PIL.Image.fromarray(image).save(tmp_path / name, **options)
    np.testing.assert_array_equal(taken(tmp_path / name, tiff(tmp_path / "a.tif", pixels())), MASK)


def test_a_palette_is_looked_up(tmp_path: Path) -> None:
    """A mask of two colours in a palette is one of black and white, if they are."""
    PIL.Image.fromarray(MASK * np.uint8(255)).convert("P").save(tmp_path / "m.png")
    np.testing.assert_array_equal(taken(tmp_path / "m.png", tiff(tmp_path / "a.tif", pixels())), MASK)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("same", [False, True])
def test_masks_lie_as_viewers_show_them(tmp_path: Path, orientation: int, same: bool) -> None:  # noqa: FBT001  a case
    """A mask drawn over what a viewer shows, or turned as the scan is by its own EXIF, fits."""
    PIL.Image.fromarray(pixels()).save(tmp_path / "a.jpg", exif=exif(orientation))
    stored_mask = PIL.Image.fromarray(MASK * np.uint8(255))
    if same:
        stored_mask.save(tmp_path / "m.png", exif=exif(orientation))
    else:
        stored_mask.getexif()[274] = orientation
        PIL.ImageOps.exif_transpose(stored_mask).save(tmp_path / "m.png")
    np.testing.assert_array_equal(taken(tmp_path / "m.png", tmp_path / "a.jpg"), MASK)


def _alpha() -> Any:
    image = np.dstack([MASK * np.uint8(255)] * 3 + [np.full(MASK.shape, 255, np.uint8)])
    image[3, 4, 3] = 0
    return image


def _one_grey() -> Any:
    image = MASK * np.uint8(255)
    image[5, 7] = 128
    return image


def _red() -> Any:
    return np.dstack([MASK * np.uint8(255), np.zeros((*MASK.shape, 2), np.uint8)])


@pytest.mark.parametrize(
    ("name", "image", "words"),
    [
        ("m.png", MASK[:, :-1], r"89 x 70 px: expected 90 x 70, as a\.tif has"),
        ("m.png", _one_grey(), r"128 at x 7, y 5: expected black \(0\) and white \(255\), nothing between"),
        ("m.jpg", MASK * np.uint8(255), "JPEG always puts something there"),
        ("m.png", _red(), r"0, 255 at x \d+, y \d+: expected black"),
        ("m.png", _alpha(), "px that are transparent: expected black and white"),
        ("m.tif", MASK.astype(np.float32), "neither of 8 nor of 16 bits"),
    ],
)
def test_refused(tmp_path: Path, name: str, image: Any, words: str) -> None:
    """A mask of another size, with anything between black and white, or transparent is refused."""
    PIL.Image.fromarray(image).save(tmp_path / name)
    with pytest.raises(UsageError, match=rf"mask .*{name}: .*{words}"):
        taken(tmp_path / name, tiff(tmp_path / "a.tif", pixels()))


def test_what_is_no_mask_at_all(tmp_path: Path) -> None:
    """No file, no picture, pages, and a file that is cut off are told as such."""
    scan = tiff(tmp_path / "a.tif", pixels())
    (tmp_path / "m.txt").write_text("none")
    frames = [PIL.Image.fromarray(MASK)] * 2
    frames[0].save(tmp_path / "m.tif", save_all=True, append_images=frames[1:])
    PIL.Image.fromarray(pixels(400, 300, 1, seed=2)[..., 0] > 120).save(tmp_path / "whole.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:-60])
    for name, words in (
        ("none.png", "No such file"),
        ("m.txt", "no TIFF, PNG, JPEG or WebP picture"),
        ("m.tif", "2 pages: expected one"),
    ):
        with pytest.raises(UsageError, match=words):
            taken(tmp_path / name, scan)
    with pytest.raises(UsageError, match="damaged"):
        taken(tmp_path / "cut.png", tiff(tmp_path / "b.tif", pixels(400, 300)))
