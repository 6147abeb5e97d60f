"""The modified trimmed mean beside a slow version written from paper A."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from inpainting_references import crack_mask, noisy_image, slow_mtm

from baselines.inpainting.mtm import Mtm
from baselines.protocols import Image, Mask


def assert_exact(image: Image, mask: Mask) -> None:
    """Compare values before rounding with the slow version, and the filling with those rounded."""
    expected = slow_mtm(image, mask)[mask]
    assert np.abs(Mtm().values(image, mask) - expected).max(initial=0) < 1e-6
    assert (Mtm().fill(image, mask)[mask] == np.rint(Mtm().values(image, mask))).all()


@pytest.mark.parametrize("size", [(1, 2), (2, 1), (1, 30), (30, 1), (2, 2), (9, 14), (40, 60), (61, 33)])
@pytest.mark.parametrize("seed", range(3))
def test_cracks_equal_the_slow_version(size: tuple[int, int], seed: int) -> None:
    """Values before rounding are the slow version's, with cracks along the border and wide crossings."""
    assert_exact(noisy_image(*size, seed), crack_mask(*size, seed))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(data=st.data(), height=st.integers(1, 9), width=st.integers(1, 9))
def test_any_mask_equals_the_slow_version(data: st.DataObject, height: int, width: int) -> None:
    """Values before rounding are the slow version's for any picture and mask with a known px."""
    mask = data.draw(arrays.arrays(np.bool_, (height, width)))
    assume(not mask.all())
    assert_exact(data.draw(arrays.arrays(np.uint8, (height, width, 3))), mask)


def test_one_known_pixel() -> None:
    """A single known px fills a whole picture, ring by ring."""
    image = noisy_image(30, 50)
    mask = np.ones((30, 50), np.bool_)
    mask[4, 7] = False
    assert (Mtm().fill(image, mask) == image[4, 7]).all()


def test_a_ring_does_not_see_itself() -> None:
    """Px of a ring are filled from what was known before it: two cracks side by side do not blend."""
    image = np.zeros((1, 6, 3), np.uint8)
    image[0] = [[10], [0], [0], [0], [0], [90]]
    mask = np.array([[False, True, True, True, True, False]])
    assert Mtm().fill(image, mask)[0, :, 0].tolist() == [10, 10, 10, 90, 90, 90]


def test_rounded_once_and_halves_to_even() -> None:
    """Means stay real numbers from ring to ring, and are rounded at the end: 10.5 to 10, 11.5 to 12."""
    image = np.zeros((2, 3, 3), np.uint8)
    image[:, 0] = [[10, 11, 0], [11, 12, 1]]
    mask = np.array([[False, True, True]] * 2)
    assert Mtm().values(image, mask)[:2].tolist() == [[10.5, 11.5, 0.5]] * 2
    assert Mtm().fill(image, mask)[0, 1].tolist() == [10, 12, 0]


def test_deep_holes() -> None:
    """A hole of 200 px across is filled to its middle."""
    image = np.full((220, 220, 3), 77, np.uint8)
    mask = np.zeros((220, 220), np.bool_)
    mask[10:210, 10:210] = True
    image[mask] = 0
    assert (Mtm().fill(image, mask) == 77).all()
