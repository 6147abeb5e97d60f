from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from generators.appearance import NARROWEST, SOFT_EDGE, Look, blend, damage, near, profile, younger
from generators.growth import grow
from generators.networks import Habit, Network
from generators.raster import Drawing, draw_network
from generators.triplets import Image

SIZE = (120, 90)
PLAIN = Look(dirt=0.0, grain=0.0, softness=0.3, strength=1.0, flip=0.0)
"""Dark cracks, evenly filled."""

GROWN = grow(SIZE, Habit(spacing=30), rng=np.random.default_rng(0))

looks = st.builds(
    Look,
    width=st.floats(0.34, 12),
    width_decay=st.floats(0.1, 1),
    width_spread=st.floats(0, 2),
    unevenness=st.floats(0, 1),
    strength=st.floats(0.05, 1),
    strength_decay=st.floats(0.1, 1),
    flip=st.floats(0, 256),
    dark=st.tuples(*[st.floats(0, 2)] * 3),
    light=st.tuples(*[st.floats(-50, 255)] * 3),
    softness=st.floats(0.1, 2),
    dirt=st.floats(0, 1),
    lift=st.floats(0, 2),
    lift_from=st.tuples(*[st.sampled_from([-1, 0, 1])] * 2),
    grain=st.floats(0, 1),
)


def rng(seed: int = 0) -> np.random.Generator:
    """Return a stream."""
    return np.random.default_rng(seed)


def paint(level: int, size: tuple[int, int] = SIZE) -> Image:
    """Return paint of one colour, a little warm."""
    colour = np.clip(np.array([level + 10, level, level - 10]), 0, 255)
    return np.full((size[1], size[0], 3), colour, np.uint8)


def stripe(width: int = 9) -> Drawing:
    """Draw one upright crack of full opacity in the middle."""
    mask = np.zeros(SIZE[::-1], np.bool_)
    mask[:, 60 - width // 2 : 60 + width // 2 + 1] = True
    return Drawing(mask.astype(np.uint8) * np.uint8(255), mask)


def drawing_of(look: Look, seed: int = 0, age: float = 1.0) -> Drawing:
    """Draw the grown network as a look has it."""
    width, strength = profile(GROWN, look, rng=rng(seed))
    return draw_network(GROWN, younger(GROWN, width, age), strength)


def chessboard(mask: Any) -> Any:
    """Distance to the mask in px, Chebyshev, by scipy."""
    return ndimage.distance_transform_cdt(~mask, metric="chessboard")


@settings(max_examples=60, derandomize=True, deadline=None)
@given(look=looks, seed=st.integers(0, 1000), age=st.floats(0.05, 1))
def test_paint_away_from_cracks_stays_as_it_was(look: Look, seed: int, age: float) -> None:
    """Whatever the look, the damaged painting is the clean one farther than the soft edge from the mask."""
    image = rng(seed).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)
    before = image.copy()
    drawing = drawing_of(look, seed, age)
    damaged = damage(image, drawing, look, rng=rng(seed))
    assert damaged.dtype == np.uint8
    assert damaged.shape == image.shape
    away = chessboard(drawing.mask) > SOFT_EDGE
    assert np.array_equal(damaged[away], image[away])
    assert np.array_equal(image, before), "the clean image was changed in place"
    assert not np.shares_memory(damaged, image)


def test_damage_is_a_pure_function() -> None:
    """The same drawing, look and stream give the same painting; another stream fills cracks otherwise."""
    image, look = paint(120), Look(grain=0.5)
    one, again, other = (damage(image, drawing_of(look), look, rng=rng(s)) for s in (1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_dark_cracks_are_paint_darkened() -> None:
    """In the middle of a wide crack each channel is the paint's times the dark factor."""
    image = paint(150)
    damaged = damage(image, stripe(), PLAIN, rng=rng())
    assert damaged[40, 60] == pytest.approx(image[40, 60] * np.array(PLAIN.dark), abs=1.5)
    assert (damaged <= image).all()


def test_light_cracks_are_paint_lightened() -> None:
    """In the middle of a wide crack each channel is the paint's and the light level, at most white."""
    image, look = paint(20), replace(PLAIN, flip=256.0)
    damaged = damage(image, stripe(), look, rng=rng())
    assert damaged[40, 60] == pytest.approx(image[40, 60] + np.array(look.light), abs=1.5)
    assert (damaged >= image).all()
    assert damage(paint(250), stripe(), look, rng=rng())[40, 60] == pytest.approx(255, abs=1)


def test_the_paint_beside_decides_the_polarity() -> None:
    """One crack shows light where it runs through dark paint and dark where it runs through light paint."""
    image = paint(20)
    image[SIZE[1] // 2 :] = paint(160)[0, 0]
    damaged = damage(image, stripe(), replace(PLAIN, flip=60.0), rng=rng()).astype(int)
    assert (damaged[10:35, 60] > image[10:35, 60]).all()
    assert (damaged[55:80, 60] < image[55:80, 60]).all()


@pytest.mark.parametrize("level", [25, 80, 200])
def test_flip_is_a_luminance(level: int) -> None:
    """Paint lighter than flip has dark cracks, paint darker than it has light ones."""
    image = paint(level)
    above, below = (
        damage(image, stripe(), replace(PLAIN, flip=level + d), rng=rng())[40, 60].astype(int) - level
        for d in (15, -15)
    )
    assert above.sum() > 0 > below.sum()


def test_weaker_cracks_show_less() -> None:
    """The change of the painting goes with the opacity of what is drawn."""
    image, full = paint(150), stripe()
    changes = [
        np.abs(
            damage(image, Drawing(full.opacity // part, full.mask), PLAIN, rng=rng()).astype(int) - image
        ).sum()
        for part in (4, 2, 1)
    ]
    assert changes[1] / changes[0] == pytest.approx(2, rel=0.06)
    assert changes[2] / changes[1] == pytest.approx(2, rel=0.06)


def test_dirt_darkens_beside_a_crack() -> None:
    """Dirt reaches paint that the crack's own soft edge does not."""
    image = paint(150)
    without, dirty = (
        damage(image, stripe(), replace(PLAIN, dirt=d), rng=rng()).astype(int) for d in (0.0, 0.5)
    )
    beside = 60 + 4 + 3
    assert np.array_equal(without[40, beside], image[40, beside])
    assert (dirty[40, beside] < image[40, beside]).all()


def test_lifted_edges_are_lit_from_one_side() -> None:
    """One side of a lifted crack is lighter than the paint, one darker; light from across swaps them."""
    image = paint(120)
    looks = (replace(PLAIN, lift=1.0, lift_from=(x, 0)) for x in (-1, 1))
    changes = [damage(image, stripe(), look, rng=rng())[40, [55, 65], 1].astype(int) - 120 for look in looks]
    for left, right in changes:
        assert left * right < 0
        assert left == -right
    assert changes[0][0] == -changes[1][0]


def test_grain_fills_unevenly() -> None:
    """Grain spreads the levels in a crack and hardly moves their mean."""
    image = paint(150)
    even, grainy = (
        damage(image, stripe(), replace(PLAIN, grain=g), rng=rng())[:, 59:62, 1].astype(float)
        for g in (0.0, 0.4)
    )
    assert even.std() < 1
    assert grainy.std() > 3
    assert abs(grainy.mean() - even.mean()) < 0.12 * (150 - even.mean())


def test_without_a_crack_nothing_happens() -> None:
    """An empty drawing leaves the painting as it is, in a copy."""
    image, empty = paint(99), Drawing(np.zeros(SIZE[::-1], np.uint8), np.zeros(SIZE[::-1], np.bool_))
    damaged = damage(image, empty, Look(lift=1.0), rng=rng())
    assert np.array_equal(damaged, image)
    assert not np.shares_memory(damaged, image)


@settings(max_examples=30, derandomize=True, deadline=None)
@given(
    ages=st.lists(st.floats(0.01, 1), min_size=2, max_size=5),
    widths=st.floats(0.34, 12),
)
def test_cracks_open_with_age(ages: list[float], widths: float) -> None:
    """No point is narrower at a later age, none is there before its birth, and 1 is full age."""
    full = np.full(len(GROWN.points), widths, np.float32)
    aged = [younger(GROWN, full, age) for age in sorted(ages)]
    for age, width in zip(sorted(ages), aged, strict=True):
        assert width.dtype == np.float32
        assert not width[GROWN.birth > age].any() or age == 1
        assert (width[GROWN.birth <= age] > 0).all()
    for young, old in pairwise(aged):
        assert (young <= old).all()
    assert (aged[-1] <= np.maximum(full, NARROWEST)).all()
    assert np.array_equal(younger(GROWN, full, 1.0), full)


def test_masks_of_rising_ages_contain_one_another() -> None:
    """What is drawn at an age is drawn at every later one."""
    look = Look(width=4.0)
    masks = [drawing_of(look, age=age).mask for age in np.linspace(0.05, 1, 12)]
    for young, old in pairwise(masks):
        assert not (young & ~old).any()
    assert masks[0].sum() < masks[5].sum() < masks[-1].sum()


def per_generation(values: Any, network: Network) -> list[float]:
    """Median of values at points, per generation."""
    generation = np.repeat(network.generation, network.lengths)
    return [float(np.median(values[generation == g])) for g in range(network.generation.max() + 1)]


def test_later_generations_are_narrower_and_fainter() -> None:
    """Median width and strength fall from a generation to the next by about their decay."""
    network = grow((900, 900), Habit(generations=4, tiring=0, spurs=0, doubling=0), rng=rng())
    look = Look(
        width=8.0, width_decay=0.6, strength=1.0, strength_decay=0.8, width_spread=0.2, unevenness=0.1
    )
    width, strength = profile(network, look, rng=rng())
    widths, strengths = per_generation(width, network), per_generation(strength, network)
    assert np.divide(widths[1:], widths[:-1]) == pytest.approx(0.6, abs=0.08)
    assert np.divide(strengths[1:], strengths[:-1]) == pytest.approx(0.8, abs=0.06)
    assert widths[0] == pytest.approx(8.0, rel=0.15)


@settings(max_examples=30, derandomize=True, deadline=None)
@given(look=looks)
def test_profiles_keep_within_bounds(look: Look) -> None:
    """No width falls below the narrowest and no strength leaves (0, 1]."""
    width, strength = profile(GROWN, look, rng=rng())
    assert width.shape == strength.shape == (len(GROWN.points),)
    assert width.dtype == strength.dtype == np.float32
    assert np.isfinite(width).all()
    assert width.min() >= NARROWEST
    assert strength.min() > 0
    assert strength.max() <= 1


def test_dead_ends_taper() -> None:
    """A crack that dies in whole paint is narrower at its end than in its middle; others are not."""
    network = grow((900, 900), Habit(tiring=0.4, spurs=0, doubling=0, generations=2), rng=rng())
    width, _ = profile(network, Look(width=8, width_spread=0.0, unevenness=0.0), rng=rng())
    long = network.lengths > 20
    last, middle = network.first[1:] - 1, (network.first[1:] + network.first[:-1]) // 2
    ratio = width[last] / width[middle]
    assert (ratio[network.dead & long] < 0.7).all()
    assert ratio[~network.dead & long] == pytest.approx(1)


@settings(max_examples=20, derandomize=True, deadline=None)
@given(seed=st.integers(0, 100), distance=st.integers(0, 7))
def test_near_is_a_chebyshev_distance(seed: int, distance: int) -> None:
    """`near` agrees with scipy's chessboard distance, at the border too."""
    mask = rng(seed).random((40, 30)) < 0.003
    mask[0, 0] = seed % 2
    expected = chessboard(mask) <= distance if mask.any() else mask
    assert np.array_equal(near(mask, distance), expected)


def test_blending_is_exact_at_both_ends_and_rounds_between() -> None:
    """Opacity 0 is the image, 256 the colour; in between integers are within half a level of real numbers."""
    image, colour = rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8)
    opacity = rng(1).integers(0, 257, (64, 64)).astype(np.uint16)
    opacity[0], opacity[1] = 0, 256
    mixed = blend(image, colour, opacity)
    assert np.array_equal(mixed[0], image[0])
    assert np.array_equal(mixed[1], colour[1])
    share = opacity[..., None] / 256
    assert np.abs(mixed - (image * (1 - share) + colour * share)).max() <= 0.5


def test_the_edge_is_soft() -> None:
    """A softer look spreads the same crack over more px."""
    image = paint(150)
    changed = [
        int((damage(image, stripe(3), replace(PLAIN, softness=s), rng=rng()) != image).any(axis=2).sum())
        for s in (0.2, 1.5)
    ]
    assert changed[0] < changed[1]
    assert cv2.countNonZero(stripe(3).opacity) <= changed[0]
