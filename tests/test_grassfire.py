"""Region growing beside a fire that spreads pixel by pixel."""

from __future__ import annotations

from collections import deque

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from baselines.components import survivors
from baselines.grassfire import Grassfire, stronger_polarity
from baselines.protocols import Image, Mask


def burn(candidates: Mask, seeds: Mask) -> Mask:
    """Light a fire at the seeds and let it spread from pixel to pixel, as the paper describes it."""
    burnt = candidates & seeds
    front = deque(zip(*np.nonzero(burnt), strict=True))
    height, width = candidates.shape
    while front:
        y, x = front.popleft()
        for ny in range(max(0, y - 1), min(height, y + 2)):
            for nx in range(max(0, x - 1), min(width, x + 2)):
                if candidates[ny, nx] and not burnt[ny, nx]:
                    burnt[ny, nx] = True
                    front.append((ny, nx))
    return burnt


def paint(*, ground: int, lines: dict[int, tuple[int, int]]) -> Image:
    """Paint horizontal lines, row -> (grey, length), on plain ground."""
    image = np.full((60, 80, 3), ground, np.uint8)
    for row, (grey, length) in lines.items():
        image[row, 5 : 5 + length] = grey
    return image


def found_by(detector: Grassfire, image: Image) -> Mask:
    """Return the mask of a detector."""
    return np.asarray(detector.predict(image) >= detector.threshold, np.bool_)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    values=arrays.arrays(
        np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.integers(0, 3)
    )
)
def test_components_with_seeds_are_what_burns(values: Mask) -> None:
    """A fire that spreads over the 8 neighbours burns exactly the components that hold a seed."""
    candidates, seeds = values >= 2, values >= 3
    assert (survivors(candidates, seeds=seeds) == burn(candidates, seeds)).all()


def test_fire_spreads_from_seeds_only() -> None:
    """A faint crack burns where it touches a strong one; alone, it does not."""
    image = paint(ground=200, lines={10: (50, 30), 40: (160, 60)})
    image[10, 35:70] = 160
    found = found_by(Grassfire(), image)
    assert found[10, 5:70].all()
    assert not found[40].any()


@pytest.mark.parametrize(("length", "kept"), [(6, False), (19, False), (20, True), (40, True)])
def test_short_pieces_are_no_cracks(length: int, kept: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """A piece whose bounding box has a diagonal below `extent` is dropped, however strong."""
    image = paint(ground=200, lines={10: (50, 60), 40: (50, length)})
    found = found_by(Grassfire(), image)
    assert found[10, 5:65].all()
    assert found[40].any() == kept


@pytest.mark.parametrize(("ground", "strong", "weak"), [(200, 50, 250), (40, 200, 5)])
def test_polarity_of_the_picture(ground: int, strong: int, weak: int) -> None:
    """On light paint dark cracks are sought, on dark paint light ones: whichever are stronger."""
    image = paint(ground=ground, lines={10: (strong, 60), 40: (weak, 60)})
    found = found_by(Grassfire(), image)
    assert found[10, 5:65].all()
    assert not found[40].any()
    assert found_by(Grassfire(polarity="both", level=10, seed_level=10), image)[40, 5:65].all()


def test_negative() -> None:
    """A picture and its negative have the same cracks."""
    rng = np.random.default_rng(0)
    grey = rng.integers(90, 110, (60, 80), dtype=np.uint8)
    cv2.line(grey, (5, 5), (70, 50), 20, 2)
    image = np.repeat(grey[..., None], 3, axis=2)
    assert Grassfire().predict(image).tobytes() == Grassfire().predict(255 - image).tobytes()


@pytest.mark.parametrize("axis", [0, 1])
def test_mirror(axis: int) -> None:
    """A mirrored picture has the mirrored scores."""
    image = np.random.default_rng(1).integers(0, 256, (50, 60, 3), dtype=np.uint8)
    mirrored = Grassfire().predict(np.ascontiguousarray(np.flip(image, axis)))
    assert (np.flip(mirrored, axis) == Grassfire().predict(image)).all()


def test_strong_and_sparse_beats_faint_and_many() -> None:
    """A few strong responses outweigh the same sum of faint ones; a tie is dark."""
    sparse, faint = np.zeros((10, 10), np.uint8), np.full((10, 10), 2, np.uint8)
    sparse[0, :2] = 100
    assert stronger_polarity(sparse, faint) == "dark"
    assert stronger_polarity(faint, sparse) == "light"
    assert stronger_polarity(faint, faint) == "dark"


def test_what_does_not_burn_scores_below() -> None:
    """Unburnt candidates keep a score just below the threshold, so that a lower one would show them."""
    image = paint(ground=200, lines={10: (50, 60), 40: (50, 8)})
    detector = Grassfire()
    scores = detector.predict(image)
    assert (scores[40, 5:13] == np.float32(detector.level / 255)).all()
    assert scores[40, 5] < detector.threshold
