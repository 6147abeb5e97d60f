"""The top-hat detector beside section III-A of paper A, written with SciPy."""

from __future__ import annotations

from fractions import Fraction
from math import ceil

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import ndimage

from baselines.components import specks, survivors
from baselines.protocols import Image, Mask
from baselines.tophat import ELEMENTS, TopHat, as_score, as_scores, luminance, stretched

EIGHT = np.ones((3, 3), np.bool_)
DISK = np.array(
    [[0, 0, 1, 0, 0], [1, 1, 1, 1, 1], [1, 1, 1, 1, 1], [1, 1, 1, 1, 1], [0, 0, 1, 0, 0]], np.bool_
)


def picture(height: int = 60, width: int = 80, seed: int = 0) -> Image:
    """Draw noise with some lines, dark and light, of few enough levels that there are ties."""
    rng = np.random.default_rng(seed)
    image = rng.integers(100, 130, (height, width, 3), dtype=np.uint8)
    for grey in (20, 60, 90, 160, 190, 230):
        start, end = rng.integers(0, (width, height), (2, 2)).tolist()
        cv2.line(image, start, end, (grey,) * 3, 1 + grey % 3)
    return image


def hat(grey: npt.NDArray[np.int64], polarity: str, element: Mask) -> npt.NDArray[np.int64]:
    """Take the top-hat, where nothing beyond the picture counts."""
    if polarity == "both":
        return np.maximum(hat(grey, "dark", element), hat(grey, "light", element))
    if polarity == "light":
        return hat(255 - grey, "dark", element)
    dilated = ndimage.grey_dilation(grey, footprint=element, mode="constant", cval=-1)
    closed = ndimage.grey_erosion(dilated, footprint=element, mode="constant", cval=256)
    return np.asarray(closed - grey, np.int64)


def as_published(image: Image, detector: TopHat) -> Mask:
    """Follow section III-A step by step, with fractions for the stretched response."""
    grey = luminance(image).astype(np.int64)
    found = hat(grey, detector.polarity, DISK if detector.element == "disk" else EIGHT)
    if detector.normalised:
        low, span = int(found.min()), int(found.max() - found.min())
        inverted = [255 - Fraction(255 * (int(v) - low), max(span, 1)) for v in found.ravel()]
    else:
        inverted = [Fraction(255 - int(v)) for v in found.ravel()]
    mask = np.array([v < 255 - detector.level for v in inverted]).reshape(found.shape)
    labels, count = ndimage.label(mask, EIGHT)
    sizes = ndimage.sum_labels(mask, labels, range(1, count + 1))
    mask = np.isin(labels, 1 + np.flatnonzero(np.asarray(sizes) >= detector.min_size))
    if detector.dilations:
        mask = ndimage.binary_dilation(mask, EIGHT, iterations=detector.dilations)
    return np.asarray(mask, np.bool_)


def found_by(detector: TopHat, image: Image) -> Mask:
    """Return the mask of a detector."""
    return np.asarray(detector.predict(image) >= detector.threshold, np.bool_)


@pytest.mark.parametrize("polarity", ["dark", "light", "both"])
@pytest.mark.parametrize("element", ["disk", "square"])
@pytest.mark.parametrize("normalised", [True, False])
@pytest.mark.parametrize("dilations", [0, 1, 2])
def test_mask_is_the_published_one(polarity: str, element: str, normalised: bool, dilations: int) -> None:  # noqa: FBT001 - a parameter of the test
    """The mask equals the five steps of the paper in every pixel."""
    level = 60 if normalised else 20
    detector = TopHat(
        polarity=polarity, element=element, level=level, normalised=normalised, dilations=dilations
    )
    expected = as_published(picture(), detector)
    assert 0 < expected.mean() < 0.9
    assert (found_by(detector, picture()) == expected).all()


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    image=arrays.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3))),
    level=st.integers(0, 254),
    min_size=st.integers(1, 8),
    polarity=st.sampled_from(["dark", "light", "both"]),
)
def test_any_small_picture(image: Image, level: int, min_size: int, polarity: str) -> None:
    """The mask equals the paper's for any content, level and size filter, also at the frame."""
    detector = TopHat(level=level, min_size=min_size, polarity=polarity)
    assert (found_by(detector, image) == as_published(image, detector)).all()


def test_defaults_are_the_papers() -> None:
    """Black top-hat, disk of radius 2, 180 of the inverted response, 5 px, one dilation."""
    assert TopHat() == TopHat(
        polarity="dark", element="disk", level=255 - 180, normalised=True, min_size=5, dilations=1
    )


def test_structuring_elements() -> None:
    """The disk of radius 2 has the 17 px that the module names, the square 9."""
    assert (ELEMENTS["disk"] == DISK).all()
    assert (ELEMENTS["square"] == EIGHT).all()


@pytest.mark.parametrize("level", [0, 10, 54, 75, 76, 120, 200, 254])
def test_scores_are_the_masks_of_all_levels(level: int) -> None:
    """Without the size filter, scores at another threshold give the mask of that level."""
    scores = TopHat(min_size=1).predict(picture())
    assert ((scores >= as_score(level + 1)) == found_by(TopHat(level=level, min_size=1), picture())).all()


def test_what_is_removed_scores_just_below() -> None:
    """The size filter lowers scores to below the threshold, and no further than needed."""
    with_filter = TopHat(min_size=30).predict(picture())
    without = TopHat(min_size=1).predict(picture())
    assert (with_filter <= without).all()
    changed = with_filter != without
    assert changed.any()
    assert (with_filter[changed] <= TopHat().threshold).all()
    low = without < TopHat().threshold
    assert (with_filter[low] == without[low]).all()


@pytest.mark.parametrize("px", [1, 4, 5, 6])
def test_size_filter(px: int) -> None:
    """A diagonal run of 4 px is removed, one of 5 px is kept: diagonal neighbours are connected."""
    image = np.full((20, 20, 3), 200, np.uint8)
    image[range(5, 5 + px), range(5, 5 + px)] = 50
    assert found_by(TopHat(dilations=0), image).sum() == (px if px >= 5 else 0)


def test_polarity() -> None:
    """Black top-hat sees the dark line, white the light one, both see both."""
    image = np.full((30, 40, 3), 128, np.uint8)
    image[10, 5:35], image[20, 5:35] = 60, 196
    found = {p: found_by(TopHat(polarity=p, dilations=0), image) for p in ("dark", "light", "both")}
    assert found["dark"][10, 5:35].all()
    assert not found["dark"][20].any()
    assert found["light"][20, 5:35].all()
    assert not found["light"][10].any()
    assert (found["both"] == (found["dark"] | found["light"])).all()


def test_wide_cracks_escape() -> None:
    """A line wider than the element is no line to a top-hat."""
    image = np.full((30, 40, 3), 128, np.uint8)
    image[10:17] = 30
    assert not found_by(TopHat(), image).any()


@pytest.mark.parametrize("values", [(0, 255), (3, 9), (7, 7), (0, 1), (13, 200)])
def test_stretching(values: tuple[int, int]) -> None:
    """Levels are stretched to 0-255 exactly and rounded up; uniform ones become 0."""
    low, high = values
    levels = np.arange(low, high + 1, dtype=np.uint8)[None]
    expected = [ceil(Fraction(255 * (v - low), max(1, high - low))) for v in range(low, high + 1)]
    assert stretched(levels).ravel().tolist() == expected


def test_scores_of_levels() -> None:
    """Scores are whole 255ths in float32, and a level's score is a number that float32 has."""
    scores = as_scores(np.arange(256, dtype=np.uint8)[None]).ravel()
    assert scores.dtype == np.float32
    assert scores.tolist() == [as_score(level) for level in range(256)]
    assert (np.rint(scores * 255) == np.arange(256)).all()


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    mask=arrays.arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12))), size=st.integers(1, 9)
)
def test_specks_and_survivors_share_the_candidates(mask: Mask, size: int) -> None:
    """What is too small and what survives are the candidates, divided."""
    left = mask.copy()
    left.ravel()[specks(mask, size)] = False
    assert (left == survivors(mask, size=size)).all()
    labels, count = ndimage.label(mask, EIGHT)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    assert (left == (mask & (sizes[labels] >= size))).all()
