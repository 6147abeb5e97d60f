"""Filling window by window: as if all were filled at once, bit by bit, of any depth, 8 bits and 16."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from restoration_samples import Broken, Grey, Real, stored
from scan_samples import cracked, pixels, tiff
from scipy import ndimage

from baselines.inpainting.diffusion import Diffusion
from baselines.inpainting.mtm import Mtm
from baselines.protocols import Inpainter, Mask, MethodError
from baselines.registry import get_inpainter
from craqbench import restoration_filling
from craqbench.errors import UsageError
from craqbench.restoration_filling import Change, deepest, fill, fills_16_bits, reach
from craqbench.scans_opening import open_scan


def filled(folder: Path, image: Any, mask: Mask, filler: Inpainter) -> tuple[Any, Change]:
    """Fill a picture on the disk, and return what is written and counted."""
    scan = open_scan(tiff(folder / "a.tif", image))
    done = list[int]()
    with stored(folder, mask, scan) as (holes, into):
        change = fill(scan, holes, filler, into, done.append)
        assert sum(done) == scan.height
        return into.read(0, scan.height), change


def windows(monkeypatch: pytest.MonkeyPatch, tile: int = 16, grid: int = 1) -> None:
    """Make windows so small, and overlap by no px more than needed."""
    monkeypatch.setattr(restoration_filling, "TILE", tile)
    monkeypatch.setattr(restoration_filling, "_GRID", grid)


def holes_of(rng: np.random.Generator, height: int, width: int) -> Mask:
    """Return cracks, specks and holes, some of them deep, some at the border."""
    mask = rng.random((height, width)) < rng.choice([0.0, 0.02, 0.3])
    for _ in range(rng.integers(0, 4)):
        y, x, side = rng.integers(0, height), rng.integers(0, width), rng.integers(1, 30)
        mask[max(0, y - side) : y + side, max(0, x - side // 3) : x + side // 3 + 1] = True
    return np.asarray(mask)


FILLERS = (Mtm(), Diffusion(), Diffusion(steps=3), Diffusion(steps=7, start="damaged"))


@pytest.mark.parametrize("filler", FILLERS, ids=str)
def test_windows_are_the_whole(filler: Inpainter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What windows that overlap by no px too many give is what the whole picture gives, on any mask."""
    windows(monkeypatch)
    for seed in range(12):
        rng = np.random.default_rng(seed)
        height, width = (int(side) for side in rng.integers(1, 90, 2))
        image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        mask = holes_of(rng, height, width)
        if mask.all():
            continue
        got, change = filled(tmp_path, image, mask, filler)
        want = filler.fill(image, mask)
        np.testing.assert_array_equal(got, want)
        difference = np.abs(want.astype(int) - image).mean(axis=2)
        assert (change.filled, change.changed) == (mask.sum(), (difference > 0).sum())
        assert change.cells.sum() == pytest.approx(difference.sum())


@pytest.mark.parametrize("filler", FILLERS, ids=str)
def test_windows_are_the_whole_of_16_bits(
    filler: Inpainter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 16 bits, too, windows give bit by bit what one window over all gives."""
    for seed in range(6):
        rng = np.random.default_rng(seed)
        image = rng.integers(0, 65536, (70, 90, 3), dtype=np.uint16)
        mask = holes_of(rng, 70, 90)
        want = filled(tmp_path, image, mask, filler)[0]
        with monkeypatch.context() as patch:
            windows(patch)
            got = filled(tmp_path, image, mask, filler)[0]
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("filler", FILLERS, ids=str)
def test_nothing_beyond_the_reach_counts(filler: Mtm | Diffusion) -> None:
    """A filled px stays the same, to the last bit, whatever is changed farther away than the reach."""
    for seed in range(20):
        rng = np.random.default_rng(seed)
        image, mask = rng.integers(0, 256, (60, 70, 3), dtype=np.uint8), holes_of(rng, 60, 70)
        if not mask.any() or mask.all():
            continue
        y, x = np.argwhere(mask)[rng.integers(mask.sum())]
        far = reach(filler, int(ndimage.distance_transform_cdt(mask, "chessboard").max()))
        assert far is not None
        rows, columns = np.mgrid[:60, :70]
        beyond = np.maximum(abs(rows - y), abs(columns - x)) > far
        other = np.where(beyond[..., None], rng.integers(0, 256, image.shape, dtype=np.uint8), image)
        at = int(mask[:y].sum() + mask[y, :x].sum())
        np.testing.assert_array_equal(filler.values(image, mask)[at], filler.values(other, mask)[at])


@pytest.mark.parametrize("filler", FILLERS, ids=str)
def test_the_reach_is_needed(filler: Mtm | Diffusion) -> None:
    """A px as far away as the reach does count: along a hairline, or in a wide hole."""
    image, mask = np.full((81, 81, 3), 100, np.uint8), np.zeros((81, 81), np.bool_)
    if isinstance(filler, Mtm):
        mask[20:61, 20:61] = True
        far = reach(filler, 21)
    else:
        mask[40, :] = True
        far = reach(filler, 1)
        image[40] = 90
    assert far is not None
    other = image.copy()
    other[40 if filler == FILLERS[3] else 41, 40 + far] = 250
    at = int(mask[:40].sum() + mask[40, :40].sum())
    assert (filler.values(image, mask)[at] != filler.values(other, mask)[at]).all()


@pytest.mark.parametrize("name", ["mtm", "diffusion", "telea"])
def test_seams_in_windows_of_the_usual_size(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A picture of several windows: mtm and diffusion are exact, telea is nearly so on nearly all px."""
    image, mask = cracked(pixels(800, 820), share=0.02)
    filler = get_inpainter(name)
    monkeypatch.setattr(restoration_filling, "WHOLE", 0)
    got = filled(tmp_path, image, mask, filler)[0]
    difference = np.abs(got.astype(int) - filler.fill(image, mask))
    assert difference.max() <= (2 if name == "telea" else 0)
    assert (difference > 0).mean() < 1e-4


def test_unknown_reach(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A filler that does not say how far it reaches sees a small picture whole, a large one in windows."""
    image, mask = cracked(pixels(200, 300))
    Grey.shown.clear()
    filled(tmp_path, image, mask, Grey())
    assert Grey.shown == [(200, 300)]
    monkeypatch.setattr(restoration_filling, "WHOLE", 50_000)
    monkeypatch.setattr(restoration_filling, "_UNKNOWN", 20)
    windows(monkeypatch, tile=64)
    Grey.shown.clear()
    filled(tmp_path, image, mask, Grey())
    assert len(Grey.shown) > 4
    assert max(height * width for height, width in Grey.shown) < 200 * 300


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("bits", [8, 16])
def test_only_colours_in_the_mask_change(tmp_path: Path, channels: int, bits: int) -> None:
    """Alpha and further channels stay, inside the mask too; grey is filled as grey."""
    image, mask = cracked(pixels(channels=channels, bits=bits))
    got, change = filled(tmp_path, image, mask, Mtm())
    colours = 3 if channels > 2 else 1
    np.testing.assert_array_equal(got[~mask], image[~mask])
    np.testing.assert_array_equal(got[..., colours:], image[..., colours:])
    assert change.changed == mask.sum()
    high = image[..., :colours] if bits == 8 else np.rint(image[..., :colours] / 257).astype(np.uint8)
    want = Mtm().fill(np.repeat(high, 3, axis=2) if colours == 1 else high, mask)[..., :colours].astype(int)
    assert np.abs(got[..., :colours] / (1 if bits == 8 else 257) - want)[mask].max() <= (
        0 if bits == 8 else 1
    )


def test_16_bits_are_filled_with_real_numbers(tmp_path: Path) -> None:
    """A filler that says what it fills before rounding loses nothing of 16 bits; others fill 8 of them."""
    image, mask = cracked(pixels(bits=16))
    assert fills_16_bits(Real())
    assert not fills_16_bits(Grey())
    got = filled(tmp_path, image, mask, Real())[0]
    want = image[~mask].mean(axis=0) + 0.25 * 257
    assert np.abs(got[mask] - want).max() <= 0.5
    coarse = filled(tmp_path, image, mask, Grey())[0]
    assert set(np.unique(coarse[mask] % 257)) == {0}
    np.testing.assert_array_equal(coarse[~mask], image[~mask])


@pytest.mark.parametrize("filler", FILLERS[:2], ids=str)
def test_16_bits_by_the_fillers_of_paper_a(filler: Inpainter, tmp_path: Path) -> None:
    """Of a 16-bit picture, what they fill is smooth to a part of a level of 255."""
    assert fills_16_bits(filler)
    image, mask = np.full((40, 50, 3), 30_007, np.uint16), np.zeros((40, 50), np.bool_)
    image[20:] = 30_100
    mask[18:22, 5:45] = True
    image[mask] = 0
    got = filled(tmp_path, image, mask, filler)[0][mask]
    assert got.min() >= 30_007
    assert got.max() <= 30_100
    assert len(np.unique(got)) > 2


@settings(max_examples=40, derandomize=True, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_depth(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    """The depth of a mask is the largest chessboard distance to a known px, however wide and flat it is."""
    rng = np.random.default_rng(seed)
    height, width = (int(side) for side in rng.integers(1, 200, 2))
    mask = holes_of(rng, height, width)
    mask[:, : rng.integers(0, width)] |= rng.random() < 0.3
    folder = tmp_path_factory.getbasetemp()
    scan = open_scan(tiff(folder / "depth.tif", pixels(height, width)))
    with pytest.MonkeyPatch.context() as patch, stored(folder, mask, scan) as (holes, _):
        windows(patch, tile=13, grid=4)
        if mask.all():
            with pytest.raises(UsageError, match="the mask covers the whole picture"):
                deepest(scan, holes)
        else:
            assert deepest(scan, holes) == ndimage.distance_transform_cdt(mask, "chessboard").max()


def test_a_mask_that_is_too_deep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What would need more memory than there may be is refused, with how wide the mask is."""
    image, mask = pixels(3000, 40), np.zeros((3000, 40), np.bool_)
    mask[100:2500] = True
    monkeypatch.setattr(restoration_filling, "MOST_MEMORY", 200_000)
    with pytest.raises(UsageError, match=r"the mask is 2,400 px wide in one place: expected cracks"):
        filled(tmp_path, image, mask, Mtm())


def test_failures_are_told(tmp_path: Path) -> None:
    """A filler that fails, or changes what is outside the mask, is a MethodError."""
    image, mask = cracked(pixels())

    class Careless(Grey):
        """Changes everything."""

        def fill(self, image: Any, mask: Mask) -> Any:
            """Return black."""
            return image * mask[..., None]

    with pytest.raises(MethodError, match="outside the mask"):
        filled(tmp_path, image, mask, Careless())
    with pytest.raises(MethodError, match="has no attribute 'fill'"):
        filled(tmp_path, image, mask, Broken())  # type: ignore[arg-type]
