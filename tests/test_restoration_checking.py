"""A restored file is read again: what is wrong is noticed; views show what is there, as viewers show it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageOps
import pytest
from restoration_samples import stored
from scan_samples import PROFILE, cracked, exif, pixels, tiff

from craqbench import restoration_checking, restoration_filling
from craqbench.errors import StorageError
from craqbench.restoration_checking import Outside, Views, check
from craqbench.restoration_filling import Change
from craqbench.scans_opening import open_scan


def checked(path: Path, after: Any, mask: Any, wrote: Path | None = None) -> Views:
    """Check a file against what was to be written, by default that itself."""
    scan = open_scan(path)
    restored = wrote or tiff(path.with_name("restored.tif"), after)
    cell = restoration_filling.CELL
    change = Change(np.zeros((-(-scan.height // cell), -(-scan.width // cell))))
    with stored(path.parent, mask, scan) as (holes, into):
        into.append(after)
        with PIL.Image.open(path) as before:
            old = np.asarray(before).reshape(after.shape)
        change.count(old, after, mask, 0, 0)
        rows = list[int]()
        views, outside = check(scan, open_scan(restored), into, holes, change.cells, rows.append)
        assert sum(rows) == scan.height
        assert outside == Outside()
        return views


def restored_pair(height: int = 70, width: int = 90) -> tuple[Any, Any, Any]:
    """Return a picture before and after, and what was filled."""
    before, mask = cracked(pixels(height, width), share=0.02)
    return before, pixels(height, width), mask


def png(path: Path, image: Any, **options: Any) -> Path:
    """Write a PNG file."""
    PIL.Image.fromarray(image).save(path, **options)
    return path


def test_a_small_picture_is_shown_as_it_is(tmp_path: Path) -> None:
    """Before, after and what was filled, at full size; there are no details of it."""
    before, _, mask = restored_pair()
    after = np.where(mask[..., None], 200, before).astype(np.uint8)
    views = checked(png(tmp_path / "a.png", before), after, mask)
    np.testing.assert_array_equal(views.whole.before, before)
    np.testing.assert_array_equal(views.whole.after, after)
    np.testing.assert_array_equal(views.whole.cracks, mask * 255)
    assert (views.details, views.whole.scale, views.whole.box) == ((), 1, (0, 0, 90, 70))


@pytest.mark.parametrize("where", ["mask", "elsewhere"])
def test_a_px_that_is_not_what_was_written(tmp_path: Path, where: str) -> None:
    """One px that differs from what was to be written, in the mask or not, is noticed, with its place."""
    before, _, mask = restored_pair()
    after = np.where(mask[..., None], 200, before).astype(np.uint8)
    y, x = np.argwhere(mask if where == "mask" else ~mask)[100]
    wrong = after.copy()
    wrong[y, x, 1] += 1
    path = png(tmp_path / "a.png", before)
    with pytest.raises(
        StorageError, match=f"is not what was written at x {x}, y {y}: expected a working disk"
    ):
        checked(path, after, mask, wrote=png(tmp_path / "wrong.png", wrong))


def test_a_px_outside_the_mask(tmp_path: Path) -> None:
    """A px that was changed outside the mask, and written so, is noticed."""
    before, _, mask = restored_pair()
    after = before.copy()
    y, x = np.argwhere(~mask)[50]
    after[y, x] = 0
    with pytest.raises(StorageError, match=f"at x {x}, y {y}"):
        checked(png(tmp_path / "a.png", before), after, mask)


def small_details(monkeypatch: pytest.MonkeyPatch, side: int) -> None:
    """Take pictures for large that are longer than `side`, and details of 64 px."""
    monkeypatch.setattr(restoration_checking, "SIDE", side)
    monkeypatch.setattr(restoration_checking, "DETAIL", 64)
    for module in (restoration_checking, restoration_filling):
        monkeypatch.setattr(module, "CELL", 16)


def test_large_pictures_are_made_smaller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is shown of a large picture are means of squares; details are the squares most changed."""
    small_details(monkeypatch, 100)
    before = pixels(180, 260)
    mask = np.zeros((180, 260), np.bool_)
    mask[60:66, 180:200], mask[140:143, 20:24] = True, True
    after = before.copy()
    after[mask] = 255 - after[mask]
    views = checked(tiff(tmp_path / "a.tif", before), after, mask)
    assert views.whole.scale == 3
    means = before[:, :258].reshape(60, 3, 86, 3, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(views.whole.before, means, atol=1)
    first, second = views.details
    for view, places in ((first, mask[60:66, 180:200]), (second, mask[140:143, 20:24])):
        left, top, right, bottom = view.box
        assert (right - left, bottom - top) == (64, 64)
        np.testing.assert_array_equal(view.before, before[top:bottom, left:right])
        np.testing.assert_array_equal(view.after, after[top:bottom, left:right])
        assert (view.cracks > 0).sum() == places.sum()


@pytest.mark.parametrize(("height", "width"), [(5, 3000), (3000, 7), (1601, 1), (1, 1)])
def test_odd_shapes(tmp_path: Path, height: int, width: int) -> None:
    """Stripes and single px are shown too."""
    image = pixels(height, width)
    views = checked(png(tmp_path / "a.png", image), image, np.zeros((height, width), np.bool_))
    assert views.whole.before.size
    assert abs(float(views.whole.before.mean()) - float(image.mean())) < 10
    assert not views.details


@pytest.mark.parametrize("orientation", range(1, 9))
def test_views_are_turned(tmp_path: Path, orientation: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Views and the places of details are as a viewer shows the picture."""
    small_details(monkeypatch, 120)
    before = pixels(140, 200)
    mask = np.zeros((140, 200), np.bool_)
    mask[100:103, 10:30] = True
    after = np.where(mask[..., None], 0, before).astype(np.uint8)
    views = checked(png(tmp_path / "a.png", before, exif=exif(orientation)), after, mask)
    with PIL.Image.open(tmp_path / "a.png") as picture:
        upright = np.asarray(PIL.ImageOps.exif_transpose(picture))
    (detail,) = views.details
    left, top, right, bottom = detail.box
    np.testing.assert_array_equal(detail.before, upright[top:bottom, left:right])
    assert views.whole.box == (0, 0, upright.shape[1], upright.shape[0])
    assert views.whole.before.shape[:2] == (upright.shape[0] // 2, upright.shape[1] // 2)


def test_profiles_are_looked_through(tmp_path: Path) -> None:
    """What the page shows is sRGB, whatever profile the file has; a damaged one is passed over."""
    image = pixels()
    none = np.zeros((70, 90), np.bool_)
    same = checked(png(tmp_path / "a.png", image, icc_profile=PROFILE), image, none)
    assert np.abs(same.whole.before.astype(int) - image).max() <= 2
    broken = checked(png(tmp_path / "b.png", image, icc_profile=PROFILE[:200]), image, none)
    np.testing.assert_array_equal(broken.whole.before, image)
    wide = _linear(PROFILE)
    other = checked(png(tmp_path / "c.png", image, icc_profile=wide), image, none)
    assert np.abs(other.whole.before.astype(int) - image).max() > 20


def _linear(profile: bytes) -> bytes:
    """Return a profile of the same primaries without gamma: each curve becomes that of a gamma of 1."""
    where = profile.index(b"para")
    count = int.from_bytes(profile[where + 8 : where + 10])
    assert count == 3
    return profile[: where + 12] + (65536).to_bytes(4) + profile[where + 16 :]
