from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generators.growth import grow
from generators.networks import Habit, Network
from generators.raster import SUPERSAMPLING, Drawing, draw_network

SIZE = (90, 70)
MIDDLE = (45.213, 35.327)
"""In no simple proportion to any grid."""

Plane = npt.NDArray[np.float64]


def network(*runs: Any, size: tuple[int, int] = SIZE) -> Network:
    """Make a network of one strand for each run of points."""
    lengths = [len(run) for run in runs]
    n = len(runs)
    return Network(
        np.concatenate(runs).astype(np.float32),
        np.cumsum([0, *lengths]),
        np.zeros(sum(lengths), np.float32),
        np.zeros(n, np.int64),
        np.arange(n),
        np.zeros(n, np.bool_),
        size,
    )


def straight(angle: float, middle: tuple[float, float] = MIDDLE, length: float = 50.0) -> Plane:
    """Points every px or so of a straight strand, an angle in degrees."""
    along = np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
    return np.asarray(middle + np.linspace(-length / 2, length / 2, int(length) + 1)[:, None] * along)


def drawn(points: Any, width: float, strength: float = 1.0) -> Drawing:
    """Draw one strand of constant width and strength."""
    n = len(points)
    return draw_network(network(points), np.full(n, width, np.float32), np.full(n, strength, np.float32))


def covered(points: Plane, width: float) -> Plane:
    """Brute force on a grid 12 x as fine: the share of each px that lies within half a width of a line."""
    fine = 12
    y, x = (np.mgrid[0 : SIZE[1] * fine, 0 : SIZE[0] * fine] + 0.5) / fine
    start, chord = points[0], points[-1] - points[0]
    t = ((x - start[0]) * chord[0] + (y - start[1]) * chord[1]) / (chord @ chord)
    t = np.clip(t, 0, 1)
    inside = np.hypot(x - start[0] - t * chord[0], y - start[1] - t * chord[1]) <= width / 2
    return np.asarray(inside.reshape(SIZE[1], fine, SIZE[0], fine).mean(axis=(1, 3)))


def centroid(opacity: Any) -> Any:
    """Middle of the opacity, (x, y), in px whose first one has its centre at 0.5."""
    y, x = np.mgrid[0 : opacity.shape[0], 0 : opacity.shape[1]] + 0.5
    return np.array([(x * opacity).sum(), (y * opacity).sum()]) / opacity.sum()


def parts(mask: Any) -> int:
    """Count the 8-connected parts of a mask."""
    return int(cv2.connectedComponents(mask.view(np.uint8), connectivity=8)[0] - 1)


@pytest.mark.parametrize("angle", [0, 17, 30, 45, 90, 120])
@pytest.mark.parametrize("width", [0.34, 0.5, 0.75, 1.0, 1.25, 1.6, 2.0, 3.0, 4.5, 7.0])
def test_a_strand_covers_its_width(angle: float, width: float) -> None:
    """Opacity per px of length is the width that brute force measures.

    Tolerance: widths come in odd quarters of a px, so 0.25 px are owed to rounding; a line of one fine px
    is up to 1 - 1/sqrt(2) thinner on the diagonal, which is another 0.07 px.
    """
    points = straight(angle)
    got = drawn(points, width).opacity.sum() / 255
    assert got / 50 == pytest.approx(covered(points, width).sum() / 50, abs=0.25 + 0.1)


@pytest.mark.parametrize("angle", [0, 30, 45])
def test_widths_are_right_on_average(angle: float) -> None:
    """Rounding of widths favours neither side: over all widths from 0.5 to 4.5 px the error averages out."""
    points = straight(angle)
    widths = np.linspace(0.5, 4.5, 17)
    errors = [drawn(points, w).opacity.sum() / 255 / 50 - covered(points, w).sum() / 50 for w in widths]
    assert abs(np.mean(errors)) < 0.1


@pytest.mark.parametrize("angle", [0, 30, 45, 70])
def test_opacity_lies_where_the_strand_lies(angle: float) -> None:
    """Px by px the opacity of an odd-quarter width is the brute-force coverage, but for a fine px or two."""
    points = straight(angle)
    off = np.abs(drawn(points, 2.25).opacity / 255 - covered(points, 2.25))
    assert off.max() <= 0.5
    assert off.sum() / 50 < 0.3


@pytest.mark.parametrize("angle", [0, 30, 45, 90])
@pytest.mark.parametrize("width", [1.25, 2.25, 4.25])
def test_half_a_px_is_half_a_px(angle: float, width: float) -> None:
    """Shifting a strand by half a px in x and y shifts the middle of its opacity by as much."""
    before = centroid(drawn(straight(angle), width).opacity)
    after = centroid(drawn(straight(angle) + 0.5, width).opacity)
    assert before == pytest.approx(MIDDLE, abs=0.15)
    assert after - before == pytest.approx([0.5, 0.5], abs=0.1)


@pytest.mark.parametrize("strength", [0.25, 0.5, 0.75, 1.0])
def test_opacity_goes_with_strength(strength: float) -> None:
    """Half the strength is half the opacity, and the mask is the same."""
    full, weak = drawn(straight(20), 2.0), drawn(straight(20), 2.0, strength)
    assert weak.opacity.sum() / full.opacity.sum() == pytest.approx(strength, abs=0.01)
    assert np.array_equal(weak.mask, full.mask)


@settings(max_examples=40, derandomize=True, deadline=None)
@given(
    turns=st.lists(st.floats(-1.2, 1.2), min_size=5, max_size=60),
    start=st.tuples(st.floats(5, 85), st.floats(5, 65)),
    width=st.sampled_from([0.34, 0.5, 1.0, 2.5]),
)
def test_a_hairline_is_one_connected_part_of_the_mask(
    turns: list[float], start: tuple[float, float], width: float
) -> None:
    """However a strand winds, its mask does not fall into dots."""
    angle = np.cumsum(turns)
    points = np.concatenate([[start], start + 2 * np.cumsum(np.stack([np.cos(angle), np.sin(angle)], 1), 0)])
    inside = (points > 1) & (points < np.array(SIZE) - 1)
    # What leaves the picture may come back elsewhere: cut there.
    points = points[: len(points) if inside.all() else inside.all(axis=1).argmin()]
    if len(points) > 1:
        assert parts(drawn(points, width).mask) == 1


@pytest.mark.parametrize("angle", [0, 25, 45, 90])
def test_the_mask_holds_the_centre_line_and_what_is_seen_covered(angle: float) -> None:
    """The mask holds what is clearly more than three tenths covered, or crossed, and nothing of less."""
    points = straight(angle)
    mask, truth = drawn(points, 3.25).mask, covered(points, 3.25)
    assert mask[truth > 0.6].all()
    assert not mask[truth < 0.05].any()
    assert mask[(truth > 0.35) & (truth < 0.5)].mean() > 0.5
    hair = drawn(points, 0.34).mask
    on_line = np.floor(points).astype(int)
    near = cv2.dilate(hair.view(np.uint8), np.ones((3, 3), np.uint8)) > 0
    assert near[on_line[:, 1], on_line[:, 0]].all()
    assert hair.sum() <= 1.1 * 50


def test_points_without_width_are_not_drawn() -> None:
    """A strand is drawn as far as it has a width, and not at all if it has none."""
    points = straight(0)
    none = drawn(points, 0.0)
    assert not none.mask.any()
    assert not none.opacity.any()
    width = np.where(points[:, 0] < 45, 2.0, 0.0).astype(np.float32)
    half = draw_network(network(points), width, np.ones(len(points), np.float32))
    assert half.mask[:, :44].any()
    assert not half.mask[:, 48:].any()
    assert not half.opacity[:, 48:].any()


def test_strands_are_not_joined_to_one_another() -> None:
    """Between the end of a strand and the start of the next one there is whole paint."""
    two = network(straight(0, (20, 20), 20), straight(0, (60, 50), 20))
    ones = np.ones(len(two.points), np.float32)
    assert parts(draw_network(two, ones, ones).mask) == 2


def test_a_change_of_width_or_strength_leaves_no_gap() -> None:
    """A strand whose width and strength change at every point is still in one piece."""
    points = straight(33)
    rng = np.random.default_rng(0)
    width, strength = (rng.uniform(0.3, 1.5, len(points)).astype(np.float32) for _ in range(2))
    drawing = draw_network(network(points), width, strength.clip(0.25, 1))
    assert parts(drawing.mask) == 1
    assert parts(drawing.opacity > 0) == 1


def test_strands_beyond_the_border_are_cut_by_it() -> None:
    """What lies outside is not drawn, and what comes in from there is."""
    points = straight(0, (0, 30), 30)
    drawing = drawn(points, 2.25)
    assert drawing.mask[:, :14].any(axis=0).all()
    assert not drawing.mask[:, 18:].any()
    assert not drawn(points - (40, 0), 2.25).mask.any()


def test_no_strand_is_a_drawing_too() -> None:
    """An empty network is drawn as nothing."""
    empty = grow((40, 30), Habit(fill=0), rng=np.random.default_rng(0))
    drawing = draw_network(empty, np.zeros(0, np.float32), np.zeros(0, np.float32))
    assert drawing.opacity.shape == drawing.mask.shape == (30, 40)
    assert not drawing.mask.any()


def test_opacity_lies_in_and_beside_the_mask() -> None:
    """On a whole network opacity is nowhere more than a px from the mask, nor the mask without opacity."""
    grown = grow((200, 160), Habit(), rng=np.random.default_rng(0))
    n = len(grown.points)
    drawing = draw_network(grown, np.full(n, 1.3, np.float32), np.ones(n, np.float32))
    near = cv2.dilate(drawing.mask.view(np.uint8), np.ones((3, 3), np.uint8)) > 0
    assert not drawing.opacity[~near].any()
    assert (drawing.opacity[drawing.mask] > 0).mean() > 0.99
    assert SUPERSAMPLING == 4, "the tolerances above are those of quarters of a px"
