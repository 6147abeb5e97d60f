"""The sanity rows of inpainters: the damage left, and one colour."""

from __future__ import annotations

import numpy as np
import pytest
from inpainting_references import crack_mask, noisy_image

from baselines.inpainting.checks import checked_fill
from baselines.registry import SANITY_FILLERS, get_inpainter

NAMES = tuple(SANITY_FILLERS)


@pytest.mark.parametrize("size", [(1, 2), (3, 3), (40, 50)])
def test_none_leaves_the_damage(size: tuple[int, int]) -> None:
    """`none` answers with a copy of what it is given."""
    image = noisy_image(*size)
    filled = checked_fill(get_inpainter("none"), image, crack_mask(*size), "noise")
    assert (filled == image).all()
    assert not np.shares_memory(filled, image)


@pytest.mark.parametrize("size", [(1, 2), (3, 3), (40, 50)])
def test_mean_is_that_of_what_is_known(size: tuple[int, int]) -> None:
    """`mean` fills each channel with the rounded mean of the px outside the mask."""
    image, mask = noisy_image(*size), crack_mask(*size)
    filled = checked_fill(get_inpainter("mean"), image, mask, "noise")
    assert (filled[mask] == np.rint(image[~mask].mean(axis=0))).all()


@pytest.mark.parametrize("name", NAMES)
def test_what_all_inpainters_do(name: str) -> None:
    """An empty mask changes nothing, a full one is an error, inputs stay, and so does a view's answer."""
    image, mask = noisy_image(20, 30), crack_mask(20, 30)
    inpainter = get_inpainter(name)
    assert (inpainter.fill(image, np.zeros_like(mask)) == image).all()
    with pytest.raises(ValueError, match="the mask covers all 600 px"):
        inpainter.fill(image, np.ones_like(mask))
    before = image.copy()
    image.flags.writeable = mask.flags.writeable = False
    assert inpainter.fill(image[:, ::-1], mask[:, ::-1]).shape == image.shape
    assert (image == before).all()
