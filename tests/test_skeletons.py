"""Centre lines and widths of drawn lines."""

from __future__ import annotations

from importlib.metadata import version

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from craqbench.metrics.skeletons import SKELETONISER, half_widths, skeletonize

Mask = npt.NDArray[np.bool_]


def bar(width: float, degrees: float, size: int = 160) -> Mask:
    """Draw a bar of 100 px by `width` px at any angle, each px set where half of it is covered."""
    scale = 8
    along = np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])
    across = np.array([-along[1], along[0]])
    # Odd widths are centred on a pixel, even ones between two.
    middle = size / 2 + (0.5 if round(width) % 2 else 0.0)
    corners = [50 * a * along + width / 2 * b * across for a, b in ((1, 1), (-1, 1), (-1, -1), (1, -1))]
    fine = np.zeros((size * scale, size * scale), np.uint8)
    cv2.fillPoly(fine, [np.round((np.array(corners) + middle) * scale).astype(np.int32)], 255)
    return np.asarray(cv2.resize(fine, (size, size), interpolation=cv2.INTER_AREA) >= 128, np.bool_)


def holes_and_parts(mask: Mask) -> tuple[int, int]:
    """Count the 4-connected parts of the background and the 8-connected parts of the mask."""
    eight = np.ones((3, 3))
    return int(ndimage.label(np.pad(~mask, 1, constant_values=True))[1]), int(ndimage.label(mask, eight)[1])


def blots(seed: int, size: int = 48) -> Mask:
    """Draw random lines of random widths."""
    rng = np.random.default_rng(seed)
    canvas = np.zeros((size, size), np.uint8)
    for _ in range(int(rng.integers(1, 8))):
        x0, y0, x1, y1 = rng.integers(2, size - 2, 4).tolist()
        cv2.line(canvas, (x0, y0), (x1, y1), 255, int(rng.integers(1, 6)))
    return canvas > 0


@pytest.mark.parametrize("width", [1, 2, 3, 5, 8])
def test_bar_becomes_a_line(width: int) -> None:
    """A straight bar of any width thins to one pixel per column."""
    mask = np.zeros((40, 80), np.bool_)
    mask[10 : 10 + width, 10:70] = True
    skeleton = skeletonize(mask)
    assert skeleton.sum(axis=0).max() == 1
    assert skeleton.any(axis=0).sum() >= 60 - 2 * width


@settings(derandomize=True, max_examples=60, deadline=None)
@given(st.integers(0, 10**6))
def test_topology_survives(seed: int) -> None:
    """A skeleton lies within its mask and has as many parts and holes."""
    mask = blots(seed)
    skeleton = skeletonize(mask)
    assert not (skeleton & ~mask).any()
    assert holes_and_parts(skeleton) == holes_and_parts(mask)


def test_beyond_the_frame() -> None:
    """A wide crack cut by the frame is followed up to the frame when it is continued beyond."""
    mask = np.zeros((40, 60), np.bool_)
    mask[16:25] = True
    assert not skeletonize(mask)[:, :2].any()
    assert skeletonize(mask, beyond=8).any(axis=0).all()


def test_empty_mask_has_an_empty_skeleton() -> None:
    """No crack, no centre line; also for a picture without pixels."""
    assert not skeletonize(np.zeros((5, 7), np.bool_)).any()
    assert skeletonize(np.zeros((0, 7), np.bool_)).shape == (0, 7)
    assert half_widths(np.zeros((0, 7), np.bool_)).shape == (0, 7)


@pytest.mark.parametrize("mask", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.bool_)])
def test_other_arrays_are_refused(mask: Mask) -> None:
    """An array that is no mask is named by shape and type."""
    with pytest.raises(ValueError, match=r"shape \(H, W\) and type bool. Got \(4, 4"):
        skeletonize(mask)


def test_the_skeletoniser_is_named_with_its_version() -> None:
    """Results say what made the skeletons."""
    assert version("scikit-image") in SKELETONISER
    assert "lee" in SKELETONISER


@pytest.mark.parametrize("width", range(1, 9))
@pytest.mark.parametrize("upright", [False, True])
def test_width_of_straight_lines_is_exact(width: int, upright: bool) -> None:  # noqa: FBT001 (parametrised)
    """Lines of 1, 2, 3, ... px along an axis measure 1, 2, 3, ... px."""
    mask = np.zeros((40, 90), np.bool_)
    mask[12 : 12 + width, 10:80] = True
    mask = mask.T if upright else mask
    widths = 2 * half_widths(mask)[skeletonize(mask)]
    assert np.median(widths) == pytest.approx(width)


@pytest.mark.parametrize("width", range(1, 8))
@pytest.mark.parametrize("degrees", range(0, 180, 15))
def test_width_of_lines_at_any_angle(width: int, degrees: int) -> None:
    """Lines at any angle measure their width to within the raster, 0.8 px."""
    mask = bar(width, degrees)
    drawn = mask.sum() / 100
    measured = float(np.median(2 * half_widths(mask)[skeletonize(mask)]))
    assert measured == pytest.approx(width, abs=0.8)
    assert measured == pytest.approx(drawn, abs=0.75)


def test_width_is_unbiased_over_angles() -> None:
    """Over all angles and widths the error averages out."""
    errors = [
        np.median(2 * half_widths(mask)[skeletonize(mask)]) - width
        for width in range(2, 8)
        for degrees in range(0, 180, 10)
        for mask in [bar(width, degrees)]
    ]
    assert abs(np.mean(errors)) < 0.1


def test_the_frame_is_no_edge() -> None:
    """A crack that runs out of the picture does not narrow there."""
    mask = np.zeros((30, 50), np.bool_)
    mask[10:15] = True
    assert (half_widths(mask)[12] == half_widths(mask)[12, 25]).all()


def test_a_picture_full_of_crack_has_finite_widths() -> None:
    """Without any edge in sight the distance is bounded by the picture."""
    assert half_widths(np.ones((6, 9), np.bool_)).max() <= 15


@settings(derandomize=True, max_examples=30, deadline=None)
@given(st.integers(0, 10**6))
def test_widths_turn_with_the_picture(seed: int) -> None:
    """Mirrored and turned masks have mirrored and turned widths."""
    mask = blots(seed)
    for turned in (np.rot90, np.fliplr, np.transpose):
        np.testing.assert_allclose(
            half_widths(np.ascontiguousarray(turned(mask))), turned(half_widths(mask)), atol=1e-6
        )
