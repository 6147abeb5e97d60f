"""The table of masked px and those beside them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from inpainting_references import crack_mask, noisy_image

from baselines.inpainting.diffusion import Diffusion
from baselines.inpainting.mtm import Mtm
from baselines.inpainting.surroundings import STEPS, survey
from baselines.protocols import Image, Mask


def numbered(height: int, width: int) -> Image:
    """Return an image that has each colour once."""
    number = np.arange(height * width).reshape(height, width)
    return np.stack((number // 256, number % 256, number % 7), axis=-1).astype(np.uint8)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(mask=arrays.arrays(np.bool_, st.tuples(st.integers(1, 7), st.integers(1, 7))))
def test_rows(mask: Mask) -> None:
    """Masked px come first, in raster order, then those beside them, each once; all have their colours."""
    assume(not mask.all())
    image = numbered(*mask.shape)
    colours = survey(image, mask).colours
    count = mask.sum()
    assert (colours[:count] == image[mask]).all()
    beside = {
        (y, x)
        for y, x in np.argwhere(~mask).tolist()
        if mask[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2].any()
    }
    assert sorted(colours[count:].tolist()) == sorted(image[place].tolist() for place in beside)


@pytest.mark.parametrize("method", [Mtm(), Diffusion(), Diffusion(start="damaged")], ids=str)
def test_real_pictures(method: Mtm | Diffusion) -> None:
    """Real numbers are filled as levels are; what lies between two levels stays there."""
    image, mask = noisy_image(30, 40), crack_mask(30, 40)
    values = method.values(image, mask)
    real: Any = image.astype(np.float64)
    np.testing.assert_array_equal(method.values(real, mask), values)
    between: Any = values + 0.375
    np.testing.assert_allclose(method.values(real + 0.375, mask), between, atol=1e-9)
    with pytest.raises(ValueError, match="uint8"):
        method.fill(real, mask)
    with pytest.raises(ValueError, match="image"):
        method.values(real[..., 0], mask)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(mask=arrays.arrays(np.bool_, st.tuples(st.integers(1, 7), st.integers(1, 7))))
def test_neighbours(mask: Mask) -> None:
    """Each neighbour's row is the px one step away, or the px itself where that is beyond the frame."""
    assume(not mask.all())
    image = numbered(*mask.shape)
    colours, neighbours = survey(image, mask)
    for row, (y, x) in enumerate(np.argwhere(mask).tolist()):
        for step, (dy, dx) in enumerate(STEPS):
            inside = 0 <= y + dy < mask.shape[0] and 0 <= x + dx < mask.shape[1]
            expected = image[y + dy, x + dx] if inside else image[y, x]
            assert (colours[neighbours[step, row]] == expected).all()


def test_only_cracks_count() -> None:
    """The table has as many rows for a crack in a large picture as for the same crack in a small one."""
    small, large = np.zeros((20, 20), np.bool_), np.zeros((500, 700), np.bool_)
    small[5:9, 3:12] = large[205:209, 303:312] = True
    rows = [len(survey(np.zeros((*mask.shape, 3), np.uint8), mask).colours) for mask in (small, large)]
    assert rows == [6 * 11, 6 * 11]
