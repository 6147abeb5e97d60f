"""What every inpainter of this package that needs no weights does.

A new one is tested here by its line in the registry alone.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import cache
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from inpainting_references import crack_mask, noisy_image

from baselines.inpainting.checks import checked_fill
from baselines.protocols import Card, Inpainter
from baselines.registry import FILLERS, get_inpainter, settings_of
from craqbench.metrics import psnr
from generators.canvases import numbered_canvas
from generators.recipes import RECIPES, triplet

NAMES = tuple(FILLERS)
SIZES = ((1, 2), (2, 1), (1, 40), (37, 1), (3, 3), (4, 5), (17, 31), (63, 257), (130, 129))

made = cache(get_inpainter)
every = pytest.mark.parametrize("name", NAMES)


@every
@pytest.mark.parametrize("size", SIZES)
def test_any_size(name: str, size: tuple[int, int]) -> None:
    """Images of any height and width are filled, also at the frame, and stay as they are elsewhere."""
    checked_fill(made(name), noisy_image(*size), crack_mask(*size), "noise")


@every
@settings(max_examples=50, deadline=None, derandomize=True)
@given(data=st.data(), height=st.integers(1, 12), width=st.integers(1, 12))
def test_any_content(name: str, data: st.DataObject, height: int, width: int) -> None:
    """Whatever an image shows and a mask covers, all outside the mask is bit-identical."""
    mask = data.draw(arrays.arrays(np.bool_, (height, width)))
    assume(not mask.all())
    image = data.draw(arrays.arrays(np.uint8, (height, width, 3), fill=st.just(9)))
    checked_fill(made(name), image, mask, "drawn")


@every
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (30, 40)])
def test_empty_mask(name: str, size: tuple[int, int]) -> None:
    """With nothing to fill the answer is a copy of the image, byte for byte."""
    image = noisy_image(*size)
    filled = made(name).fill(image, np.zeros(size, np.bool_))
    assert filled.tobytes() == image.tobytes()
    assert not np.shares_memory(filled, image)


@every
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (30, 40)])
def test_mask_of_everything(name: str, size: tuple[int, int]) -> None:
    """Where nothing is known, there is nothing to fill from."""
    with pytest.raises(ValueError, match=f"the mask covers all {size[0] * size[1]} px of the image"):
        made(name).fill(noisy_image(*size), np.ones(size, np.bool_))


@every
def test_same_answer_every_time(name: str) -> None:
    """The same image and mask are filled alike, whatever came before and however many threads there are."""
    image, mask = noisy_image(120, 170), crack_mask(120, 170)
    before = cv2.getNumThreads()
    answers = set()
    try:
        for threads in (1, 2, 5):
            cv2.setNumThreads(threads)
            answers.add(made(name).fill(image, mask).tobytes())
            made(name).fill(noisy_image(50, 70, seed=1), crack_mask(50, 70, seed=1))
    finally:
        cv2.setNumThreads(before)
    answers.add(get_inpainter(name).fill(image.copy(), mask.copy()).tobytes())
    assert len(answers) == 1


@every
def test_inputs_stay_as_they_are(name: str) -> None:
    """An inpainter does not paint into what it is given, nor needs to; the answer can be painted into."""
    image, mask = noisy_image(40, 50), crack_mask(40, 50)
    before = image.copy(), mask.copy()
    image.flags.writeable = mask.flags.writeable = False
    filled = made(name).fill(image, mask)
    filled[:] = 0
    assert (image == before[0]).all()
    assert (mask == before[1]).all()


@every
def test_views(name: str) -> None:
    """A window, a mirror image or a transposed image is filled as its copy is."""
    image, mask = noisy_image(70, 90), crack_mask(70, 90)
    for view, cut in (
        (image[5:60, 10:77], mask[5:60, 10:77]),
        (image[:, ::-1], mask[:, ::-1]),
        (image.transpose(1, 0, 2), mask.T),
        (image[..., ::-1], mask),
        (image[::2, ::3], mask[::2, ::3]),
    ):
        expected = made(name).fill(np.ascontiguousarray(view), np.ascontiguousarray(cut))
        assert made(name).fill(view, cut).tobytes() == expected.tobytes()


@every
def test_channels_are_independent(name: str) -> None:
    """Each channel is filled alike, and from itself alone."""
    image, mask = noisy_image(50, 60), crack_mask(50, 60)
    filled = made(name).fill(image, mask)
    for channel in range(3):
        alone = np.repeat(image[..., [channel]], 3, axis=2)
        assert (made(name).fill(alone, mask) == filled[..., [channel]]).all()


@every
@pytest.mark.parametrize("value", [0, 90, 255])
def test_uniform_paint(name: str, value: int) -> None:
    """Cracks in paint of one colour vanish; to within 4 levels with OpenCV, which heeds the damage."""
    image, mask = np.full((60, 80, 3), value, np.uint8), crack_mask(60, 80)
    image[mask] = 255 - value
    error = np.abs(made(name).fill(image, mask).astype(int) - value).max()
    assert error <= (0 if name in {"mtm", "diffusion"} else 4)


@pytest.mark.parametrize("name", ["mtm", "diffusion"])
def test_the_damage_does_not_matter(name: str) -> None:
    """What is in the mask has no influence on paper A's fillers (on OpenCV's, it has some)."""
    image, mask = noisy_image(60, 80), crack_mask(60, 80)
    other = image.copy()
    other[mask] = noisy_image(60, 80, seed=5)[mask]
    assert (made(name).fill(image, mask) == made(name).fill(other, mask)).all()


@every
@pytest.mark.parametrize(
    ("image", "mask", "message"),
    [
        (np.zeros((4, 4), np.uint8), np.zeros((4, 4), np.bool_), "expected an RGB image"),
        (np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4), np.bool_), "expected an RGB image"),
        (np.zeros((4, 4, 3)), np.zeros((4, 4), np.bool_), "expected an RGB image"),
        (np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.uint8), "expected a mask of shape"),
        (np.zeros((4, 4, 3), np.uint8), np.zeros((4, 5), np.bool_), r"Got \(4, 5\) bool"),
    ],
)
def test_wrong_input(name: str, image: Any, mask: Any, message: str) -> None:
    """Grey images, images with alpha, float images, masks of other sizes and grey masks are refused."""
    with pytest.raises(ValueError, match=message):
        made(name).fill(image, mask)


@every
def test_card(name: str) -> None:
    """An inpainter has a version and a complete card; all that is JSON."""
    inpainter = made(name)
    assert isinstance(inpainter, Inpainter)
    assert isinstance(inpainter.card, Card)
    assert inpainter.version
    told = {"card": asdict(inpainter.card), "settings": settings_of(inpainter)}
    assert json.loads(json.dumps(told)) == told


@every
@pytest.mark.parametrize("radius", [0.5, 101, "3", True])
def test_radius(name: str, radius: Any) -> None:
    """OpenCV's radius lies from 1 to 100 px; paper A's fillers have none."""
    with pytest.raises(ValueError, match=r"setting 'radius'.*: (expected|it has none)"):
        get_inpainter(name, radius=radius)


TRIPLETS = [("paper", 0), ("paper", 1), ("dutch", 0), ("italian", 0), ("flemish", 0), ("french", 1)]


@every
@pytest.mark.parametrize(("recipe", "index"), TRIPLETS)
def test_better_than_the_damage(name: str, recipe: str, index: int) -> None:
    """With the true mask, a filling is 3 dB or more nearer to the clean painting than the damage is."""
    made_here = triplet(RECIPES[recipe], 0, index, numbered_canvas(0, index, (480, 320)), (300, 200))
    filled = made(name).fill(made_here.damaged, made_here.mask)
    gained = psnr(filled, made_here.image, made_here.mask) - psnr(
        made_here.damaged, made_here.image, made_here.mask
    )
    assert gained > 3
