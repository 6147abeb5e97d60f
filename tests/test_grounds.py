from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generators.grounds import Surface, lay, noise, smooth_noise, texture, wear
from generators.triplets import Image

SIZE = (200, 150)
BARE = Surface(
    strokes=0, ridges=0, weave=0, blotches=0, stain=0, grain=0, coarse_grain=0, salt=0, hairs=0, specks=0
)
"""Nothing on the paint at all."""

Plane = npt.NDArray[np.float32]


def bare(**changed: Any) -> Surface:
    """Return the bare surface with some strengths changed."""
    return replace(BARE, **changed)


def rng(seed: int = 0) -> np.random.Generator:
    """Return a stream."""
    return np.random.default_rng(seed)


def plain(level: int, size: tuple[int, int] = SIZE) -> Image:
    """Return paint of one grey."""
    return np.full((size[1], size[0], 3), level, np.uint8)


def reach(plane: Plane, axis: int) -> int:
    """How many px apart noise is still alike: where its autocorrelation falls below a half."""
    centred = plane - plane.mean()
    for lag in range(1, plane.shape[axis] // 2):
        first, second = (np.take(centred, np.arange(k, plane.shape[axis] - lag + k), axis) for k in (0, lag))
        if (first * second).mean() < 0.5 * (centred**2).mean():
            return lag
    return int(plane.shape[axis] // 2)


def main_direction(plane: Plane) -> float:
    """Direction along which a plane changes least, radians in [0, pi), by its structure tensor."""
    smooth = cv2.GaussianBlur(plane, (0, 0), 1.5)
    gy, gx = np.gradient(smooth)
    across = 0.5 * np.arctan2(2 * (gx * gy).mean(), (gx**2 - gy**2).mean())
    return float((across + np.pi / 2) % np.pi)


def test_noise_is_normal() -> None:
    """Mean 0, variance 1, and the tails of a normal distribution."""
    values = noise((400, 500), rng())
    assert values.dtype == np.float32
    assert values.mean() == pytest.approx(0, abs=0.01)
    assert values.std() == pytest.approx(1, abs=0.01)
    assert (np.abs(values) > 1.96).mean() == pytest.approx(0.05, abs=0.01)


@pytest.mark.parametrize("scale", [0.5, 1.0, 6.0])
@pytest.mark.parametrize(("length", "width"), [(8.0, 4.0), (40.0, 3.0), (30.0, 12.0)])
def test_smooth_noise_has_its_scale(length: float, width: float, scale: float) -> None:
    """Mean 0 and the standard deviation that was asked for, at any grain."""
    planes = [smooth_noise((400, 300), 0.4, length, width, rng(s), scale=scale) for s in range(6)]
    assert np.mean(planes) == pytest.approx(0, abs=0.15 * scale)
    assert np.std(planes) == pytest.approx(scale, rel=0.2)


@pytest.mark.parametrize(("length", "width"), [(30.0, 3.0), (40.0, 10.0)])
def test_smooth_noise_is_stretched(length: float, width: float) -> None:
    """Grains are `length` px along x and `width` along y where the direction is 0; 90 degrees turn them."""
    level = smooth_noise((400, 400), 0.0, length, width, rng())
    upright = smooth_noise((400, 400), np.pi / 2, length, width, rng())
    assert 0.3 * length < reach(level, 1) <= length
    assert 0.3 * width < reach(level, 0) <= width
    assert reach(upright, 0) > 2 * reach(upright, 1)


@pytest.mark.parametrize("direction", [0.2, 0.9, 1.7, 2.8])
@pytest.mark.parametrize("length", [30.0, 80.0])
def test_smooth_noise_keeps_to_its_direction(direction: float, length: float) -> None:
    """The structure tensor finds the direction, also where noise is drawn at half the size (wide grains)."""
    plane = smooth_noise((500, 500), direction, length, length / 8, rng())
    off = abs(main_direction(plane) - direction)
    assert min(off, np.pi - off) < 0.1


def test_smooth_noise_is_smooth() -> None:
    """Neighbouring px of wide grains differ by a fraction of the standard deviation: no blocks, no steps."""
    plane = smooth_noise((300, 300), 0.5, 60.0, 25.0, rng())
    steps = np.abs(np.diff(plane, axis=0))
    assert steps.max() < 0.5
    assert (steps[100:200] > 0).mean() > 0.3


@settings(max_examples=30, derandomize=True, deadline=None)
@given(
    width=st.integers(1, 90),
    height=st.integers(1, 90),
    surface=st.builds(
        Surface,
        direction=st.floats(0, np.pi),
        strokes=st.floats(0, 10),
        stroke_length=st.floats(4, 100),
        stroke_width=st.floats(1, 8),
        ridges=st.floats(0, 3),
        weave=st.floats(0, 10),
        thread=st.floats(2, 12),
        stain=st.floats(0, 10),
        stain_size=st.floats(2, 60),
        salt=st.floats(0, 5),
        hairs=st.integers(0, 30),
        crumbs=st.integers(0, 60),
        crumb_length=st.floats(1, 20),
        crumb_contrast=st.floats(-120, 120),
        specks=st.integers(0, 100),
        speck_contrast=st.floats(-90, 90),
    ),
)
def test_any_surface_can_be_laid_on_any_size(width: int, height: int, surface: Surface) -> None:
    """Shape and type are kept, the painting is not changed in place, chance comes from the stream alone."""
    image = rng(1).integers(0, 256, (height, width, 3), np.uint8)
    before = image.copy()
    laid, again = (lay(image, surface, rng=rng(2)) for _ in range(2))
    assert laid.shape == image.shape
    assert laid.dtype == np.uint8
    assert np.array_equal(laid, again)
    assert np.array_equal(image, before)


def test_a_bare_surface_changes_nothing() -> None:
    """With all strengths at 0 the paint is as it was."""
    image = rng().integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)
    assert np.array_equal(lay(image, BARE, rng=rng()), image)


@pytest.mark.parametrize("strength", ["strokes", "weave", "blotches", "grain", "coarse_grain", "salt"])
def test_each_strength_is_one(strength: str) -> None:
    """Each strength alone gives texture about 0, twice as much for twice the strength."""
    weak, strong = (texture(SIZE, bare(**{strength: s}), rng=rng()) for s in (2.0, 4.0))
    assert weak.shape == SIZE[::-1]
    assert weak.dtype == np.float32
    assert weak.std() > 0.5
    assert abs(weak.mean()) < 0.6 * weak.std()
    assert strong.std() / weak.std() == pytest.approx(2, rel=0.05)


def test_salt_sparkles() -> None:
    """Salt has heavier tails than grain."""
    salt, grain = (texture(SIZE, bare(**{name: 3.0}), rng=rng()) for name in ("salt", "grain"))

    def tails(plane: Plane) -> float:
        return float((plane**4).mean() / (plane**2).mean() ** 2)

    assert tails(grain) == pytest.approx(3, rel=0.1)
    assert tails(salt) > 10


@pytest.mark.parametrize("thread", [3.0, 5.0, 9.0])
def test_weave_has_its_threads(thread: float) -> None:
    """Along both axes the strongest frequency of the weave is one thread."""
    plane = texture((360, 360), replace(BARE, weave=5.0, thread=thread), rng=rng())
    for axis in (0, 1):
        power = np.abs(np.fft.rfft(plane, axis=axis)) ** 2
        spectrum = power.mean(axis=1 - axis)[20:]
        assert 360 / (20 + spectrum.argmax()) == pytest.approx(thread, rel=0.15)


def test_strokes_follow_the_brush() -> None:
    """The main direction of brush strokes is the brush's."""
    surface = replace(BARE, strokes=5.0, direction=0.7, stroke_length=40.0, stroke_width=3.0)
    assert main_direction(texture((500, 500), surface, rng=rng())) == pytest.approx(0.7, abs=0.2)


@pytest.mark.parametrize(("contrast", "sign"), [(60.0, 1), (-60.0, -1)])
def test_specks_are_lighter_or_darker_than_the_paint(contrast: float, sign: int) -> None:
    """Specks are few px of the sign that was asked for; more specks cover more px."""
    few, many = (texture(SIZE, replace(BARE, specks=n, speck_contrast=contrast), rng=rng()) for n in (10, 80))
    assert (few * sign >= -1).all()
    assert 0 < (np.abs(few) > 8).sum() < (np.abs(many) > 8).sum() < 0.2 * many.size


def test_hairs_are_thin_lines() -> None:
    """Hairs cover some px, and nothing of them is left by an opening of 5 x 5 px."""
    plane = texture((400, 400), replace(BARE, hairs=4), rng=rng(3))
    lines = (np.abs(plane) > 8).view(np.uint8)
    assert lines.sum() > 50
    opened: Any = cv2.morphologyEx(lines, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    assert opened.sum() == 0


@pytest.mark.parametrize(("contrast", "sign"), [(60.0, 1), (-60.0, -1)])
def test_crumbs_are_short_thin_dashes(contrast: float, sign: int) -> None:
    """Crumbs are light or dark as asked for, of about the length asked for, and as many, but for overlaps."""
    surface = replace(BARE, crumbs=60, crumb_length=6.0, crumb_contrast=contrast)
    plane = texture((600, 600), surface, rng=rng(4))
    assert (plane * sign >= -1).all()
    count, _, boxes, _ = cv2.connectedComponentsWithStats((np.abs(plane) > 8).view(np.uint8), connectivity=8)
    assert 50 <= count - 1 <= 60
    spans = boxes[1:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max(axis=1)
    assert 5 <= np.median(spans) <= 9
    assert spans.max() < 40


def test_a_surface_shows_less_on_dark_paint() -> None:
    """The same grain spreads dark paint less than paint of middle luminance."""
    surface = replace(BARE, grain=6.0)
    dark, middle = (lay(plain(level), surface, rng=rng()).astype(float).std() for level in (30, 120))
    assert 0 < dark < 0.7 * middle


def test_stains_are_ochre() -> None:
    """Stains take blue first, then green, and leave red."""
    change = lay(plain(150), replace(BARE, stain=20.0), rng=rng()).astype(float) - 150
    red, green, blue = np.abs(change).mean(axis=(0, 1))
    assert red == 0
    assert 0 < green < blue


def test_nothing_is_worn_by_no_wear() -> None:
    """Without sharpening and JPEG a picture stays as it is."""
    image = rng().integers(0, 256, (40, 60, 3), np.uint8)
    assert np.array_equal(wear(image, 0, 0.0), image)


def test_jpeg_wears_more_at_lower_quality() -> None:
    """The error of JPEG rises as quality falls; colours keep their order (red stays red)."""
    image = np.asarray(cv2.GaussianBlur(rng().integers(0, 256, (80, 80, 3), np.uint8), (0, 0), 2), np.uint8)
    image[:40] = (200, 60, 20)
    errors = [np.abs(wear(image, q, 0.0).astype(int) - image).mean() for q in (95, 75, 40)]
    assert 0 < errors[0] < errors[1] < errors[2]
    assert wear(image, 90, 0.0)[20, 40] == pytest.approx((200, 60, 20), abs=4)


def test_sharpening_overshoots_at_edges() -> None:
    """Unsharp masking makes light lighter and dark darker beside an edge, and keeps even paint even."""
    image = plain(100)
    image[:, 100:] = 160
    sharp = wear(image, 0, 1.0).astype(int)
    assert sharp[75, 99].max() < 100
    assert sharp[75, 100].min() > 160
    assert (sharp[:, :90] == 100).all()
    assert (sharp[:, 110:] == 160).all()
