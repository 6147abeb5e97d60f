from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generators.framing import FITS, Framing, close_up, whole
from generators.triplets import Image, Size

sides = st.integers(1, 3000)
sizes = st.tuples(sides, sides)
picture_sizes = st.tuples(st.integers(1, 1500), st.integers(1, 1500))


def extent(box: tuple[int, int, int, int]) -> Size:
    """(width, height) of a box."""
    return box[2] - box[0], box[3] - box[1]


def assert_undistorted(framing: Framing) -> None:
    """Window and inner rectangle have the same proportions, to half a px of rounding on each side."""
    (window_w, window_h), (inner_w, inner_h) = extent(framing.window), extent(framing.inner)
    # In one of the two rectangles the sides are exact, in the other they were rounded to whole px.
    of_window = abs(window_w - window_h * inner_w / inner_h) <= 0.501 * (1 + inner_w / inner_h)
    of_inner = abs(inner_w - inner_h * window_w / window_h) <= 0.501 * (1 + window_w / window_h)
    assert of_window or of_inner or 1 in (window_w, window_h, inner_w, inner_h), framing


def assert_within(box: tuple[int, int, int, int], size: Size) -> None:
    """A box is not empty and lies in a picture."""
    x0, y0, x1, y1 = box
    assert 0 <= x0 < x1 <= size[0]
    assert 0 <= y0 < y1 <= size[1]


@pytest.mark.parametrize("fit", FITS)
@settings(max_examples=300, derandomize=True, deadline=None)
@given(painting=sizes, size=picture_sizes)
def test_framings_fit_any_size(fit: str, painting: Size, size: Size) -> None:
    """Window and inner rectangle are never empty and lie inside; nothing is distorted unasked."""
    framing = whole(painting, size, fit)
    assert framing.size == size
    assert_within(framing.window, painting)
    assert_within(framing.inner, size)
    if fit != "stretch":
        assert_undistorted(framing)
    if fit in ("pad", "stretch"):
        assert extent(framing.window) == painting
    if fit in ("crop", "stretch"):
        assert extent(framing.inner) == size


@settings(max_examples=300, derandomize=True, deadline=None)
@given(painting=sizes, size=picture_sizes, scale=st.floats(0.1, 32), seed=st.integers(0, 9))
def test_close_ups_fit_any_size(painting: Size, size: Size, scale: float, seed: int) -> None:
    """A close-up is a window of the painting, undistorted, that fills the picture at the scale or larger."""
    framing = close_up(painting, size, scale, rng=np.random.default_rng(seed))
    assert_within(framing.window, painting)
    assert extent(framing.inner) == size
    assert_undistorted(framing)
    window_w, window_h = extent(framing.window)
    assert window_w <= max(1, size[0] / scale + 0.51)
    assert window_h <= max(1, size[1] / scale + 0.51)


@pytest.mark.parametrize(("painting", "size"), [((1200, 800), (598, 375)), ((500, 900), (97, 131))])
def test_crop_and_pad_leave_as_little_as_they_can(painting: Size, size: Size) -> None:
    """Cropping shows all of one axis, padding fills all of one, and both keep to the middle."""
    crop, pad = whole(painting, size, "crop"), whole(painting, size, "pad")
    assert extent(crop.window)[0] == painting[0] or extent(crop.window)[1] == painting[1]
    assert extent(pad.inner)[0] == size[0] or extent(pad.inner)[1] == size[1]
    for box, (w, h) in ((crop.window, painting), (pad.inner, size)):
        assert abs(box[0] - (w - box[2])) <= 1
        assert abs(box[1] - (h - box[3])) <= 1


def test_close_ups_are_drawn_from_all_over() -> None:
    """Windows reach all four borders of the painting."""
    rng = np.random.default_rng(0)
    windows = np.array([close_up((40, 30), (64, 64), 4.0, rng=rng).window for _ in range(400)])
    assert windows.min(axis=0)[:2] == pytest.approx([0, 0])
    assert windows.max(axis=0)[2:] == pytest.approx([40, 30])


def test_a_close_up_of_a_painting_too_small_for_its_scale_shows_all_there_is() -> None:
    """Below the scale that fills the picture, the painting is enlarged to fill it."""
    framing = close_up((32, 32), (64, 64), 1.0, rng=np.random.default_rng(0))
    assert framing.window == (0, 0, 32, 32)
    assert framing.scale == 2.0


def disk(width: int, height: int, x: int, y: int, radius: int) -> Image:
    """Return a white disk on black."""
    painting = np.zeros((height, width, 3), np.uint8)
    cv2.circle(painting, (x, y), radius, (255, 255, 255), -1)
    return painting


def spread(picture: Image) -> Any:
    """Standard deviation in x and y of what is white."""
    y, x = np.nonzero(picture[..., 1] > 127)
    return np.array([x.std(), y.std()])


@pytest.mark.parametrize("fit", ["crop", "pad"])
@pytest.mark.parametrize("size", [(598, 375), (64, 64), (97, 131), (900, 1200)])
@pytest.mark.parametrize("painting", [(1201, 803), (300, 700)])
def test_a_circle_stays_a_circle(fit: str, size: Size, painting: Size) -> None:
    """Cropping and padding keep shapes, smaller or larger."""
    framing = whole(painting, size, fit)
    picture = framing.image(disk(*painting, painting[0] // 2, painting[1] // 2, 60))
    assert picture.shape == (size[1], size[0], 3)
    x, y = spread(picture * framing.inside()[..., None])
    assert x == pytest.approx(y, rel=0.01, abs=0.2)


def test_stretching_distorts() -> None:
    """Stretching scales each axis by itself, as its name says."""
    x, y = spread(whole((1000, 500), (300, 300), "stretch").image(disk(1000, 500, 500, 250, 200)))
    assert y / x == pytest.approx(2, rel=0.02)


@pytest.mark.parametrize("painting", [(300, 100), (100, 300), (5, 3000), (3000, 5)])
def test_padding_reflects_and_inside_tells_where(painting: Size) -> None:
    """Inside is the painting; outside its mirror image, at whatever proportions."""
    framing = whole(painting, (120, 120), "pad")
    source = np.random.default_rng(0).integers(1, 256, (painting[1], painting[0], 3), np.uint8)
    picture, inside = framing.image(source), framing.inside()
    assert picture.shape == (120, 120, 3)
    assert inside.sum() == np.prod(extent(framing.inner))
    x0, y0, x1, y1 = framing.inner
    assert inside[y0:y1, x0:x1].all()
    if y0 and y1 - y0 > 2:
        assert np.array_equal(picture[y0 - 1], picture[y0 + 1])
    if x0 and x1 - x0 > 2:
        assert np.array_equal(picture[:, x0 - 1], picture[:, x0 + 1])


def test_a_painting_of_the_right_size_is_left_alone() -> None:
    """No fit changes a px of a painting that has the picture's size already."""
    source = np.random.default_rng(0).integers(0, 256, (50, 80, 3), np.uint8)
    for fit in FITS:
        framing = whole((80, 50), (80, 50), fit)
        assert framing.scale == 1
        assert framing.inside().all()
        assert np.array_equal(framing.image(source), source)


def test_masks_are_scaled_by_area() -> None:
    """A px is set where at least half of it is covered: compared with block means at a factor of 4."""
    mask = np.random.default_rng(0).random((240, 320)) < 0.5
    scaled = whole((320, 240), (80, 60), "crop").mask(mask)
    share = mask.reshape(60, 4, 80, 4).mean(axis=(1, 3))
    assert scaled.dtype == np.bool_
    clear = share != 0.5
    assert np.array_equal(scaled[clear], share[clear] > 0.5)


def test_masks_are_not_padded() -> None:
    """Padding is never cracked, not even beside cracks."""
    framing = whole((60, 20), (60, 60), "pad")
    mask = framing.mask(np.ones((20, 60), np.bool_))
    assert np.array_equal(mask, framing.inside())


def test_close_ups_are_smooth() -> None:
    """Enlarging interpolates: neighbouring px do not come in blocks."""
    ramp = np.repeat(np.linspace(0, 255, 20).astype(np.uint8)[None, :, None], 20, axis=0).repeat(3, axis=2)
    enlarged = whole((20, 20), (200, 200), "crop").image(np.ascontiguousarray(ramp))
    assert len(np.unique(enlarged[100, :, 0])) > 150


@pytest.mark.parametrize("fit", ["", "Crop", "fill"])
def test_an_unknown_fit_is_named(fit: str) -> None:
    """The error has the value and what was expected."""
    with pytest.raises(ValueError, match=rf"unknown fit '{fit}': expected one of crop, pad, stretch"):
        whole((10, 10), (10, 10), fit)
