from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generators.disks import LARGEST_STAMP, draw_disks

if TYPE_CHECKING:
    from generators.triplets import Mask

Integers = npt.NDArray[np.int64]


def one_by_one(shape: tuple[int, int], centres: Integers, radii: Integers) -> Mask:
    """Draw the disks by OpenCV, each by itself."""
    mask = np.zeros(shape, np.uint8)
    for (x, y), radius in zip(centres.tolist(), radii.tolist(), strict=True):
        cv2.circle(mask, (x, y), radius, 255, -1)
    return mask > 0


@settings(max_examples=150, derandomize=True, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    n=st.integers(0, 40),
    largest=st.integers(0, LARGEST_STAMP + 6),
)
def test_union_is_that_of_single_circles(seed: int, shape: tuple[int, int], n: int, largest: int) -> None:
    """Same pixels as one cv2.circle per disk: any radius, inside, across and beyond the border."""
    rng = np.random.default_rng(seed)
    centres = rng.integers(-30, 90, (n, 2))
    radii = rng.integers(0, largest + 1, n)
    np.testing.assert_array_equal(draw_disks(shape, centres, radii), one_by_one(shape, centres, radii))


@pytest.mark.parametrize("radius", range(LARGEST_STAMP + 3))
def test_one_disk_is_one_circle(radius: int) -> None:
    """Each radius by itself is OpenCV's disk."""
    centres, radii = np.array([[15, 14]]), np.array([radius])
    np.testing.assert_array_equal(draw_disks((30, 31), centres, radii), one_by_one((30, 31), centres, radii))


@pytest.mark.parametrize("radius", range(LARGEST_STAMP + 3))
def test_disks_all_around_the_border_are_cut(radius: int) -> None:
    """Every centre on and around a small picture gives what OpenCV gives."""
    grid = np.arange(-radius - 3, radius + 12)
    for centre in np.stack(np.meshgrid(grid, grid), axis=-1).reshape(-1, 1, 2):
        radii = np.array([radius])
        np.testing.assert_array_equal(draw_disks((9, 8), centre, radii), one_by_one((9, 8), centre, radii))


def test_radius_0_is_one_pixel() -> None:
    """A disk of radius 0 sets its centre: x is the column."""
    mask = draw_disks((5, 7), np.array([[6, 2]]), np.array([0]))
    assert np.argwhere(mask).tolist() == [[2, 6]]


@pytest.mark.parametrize("radius", [1, 2, 5, LARGEST_STAMP + 1])
def test_disk_out_of_reach_leaves_nothing(radius: int) -> None:
    """Centres far out, even beyond 32 bits, are neither drawn nor an error."""
    far = np.array([[2**40, 5], [-(2**40), 5], [5, 2**40], [5, -(2**40)], [-radius - 1, 5], [20 + radius, 5]])
    assert not draw_disks((20, 20), far, np.full(len(far), radius)).any()


def test_no_disks_leave_an_empty_mask() -> None:
    """Nothing drawn is False everywhere, of the asked shape and type."""
    mask = draw_disks((4, 6), np.zeros((0, 2), np.int64), np.zeros(0, np.int64))
    assert mask.shape == (4, 6)
    assert mask.dtype == np.bool_
    assert not mask.any()


def test_arguments_are_left_alone() -> None:
    """The caller's arrays are only read."""
    rng = np.random.default_rng(0)
    centres, radii = rng.integers(-5, 45, (100, 2)), rng.integers(0, 12, 100)
    before = centres.copy(), radii.copy()
    draw_disks((40, 40), centres, radii)
    np.testing.assert_array_equal(centres, before[0])
    np.testing.assert_array_equal(radii, before[1])
