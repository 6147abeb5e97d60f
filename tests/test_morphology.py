"""Measures of networks with known answers, of nothing at all, and of real craquelure."""

from __future__ import annotations

import dataclasses
import doctest
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import scipy.io
from hypothesis import given, settings
from hypothesis import strategies as st

import craqbench.morphology
from craqbench.graphs import PUBLISHED_POLICY, GraphPolicy
from craqbench.morphology import (
    Morphology,
    anisotropy_at,
    anisotropy_floor,
    island_areas,
    morphology,
    summarise,
)
from craqbench.real_styles import REAL_RANGES, REAL_STYLES

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable
    from pathlib import Path

Mask = npt.NDArray[np.bool_]

STYLES = {"dutch": 80, "flemish": 90, "french": 60, "german": 50, "italian": 80}
"""Patches of each style in stats.mat, in its order."""


def strokes(degrees: npt.NDArray[np.float64]) -> Mask:
    """Draw separate hairlines of 32 to 40 px, one per cell of 48 px, in these directions."""
    rng = np.random.default_rng(len(degrees))
    canvas = np.zeros((48 * (len(degrees) // 20), 48 * 20), np.uint8)
    for number, angle in enumerate(np.radians(degrees)):
        centre = 24 + 48 * np.array([number % 20, number // 20]) + rng.uniform(-1, 1, 2)
        reach = rng.uniform(16, 20) * np.array([np.cos(angle), np.sin(angle)])
        (ax, ay), (bx, by) = np.round(np.array([centre - reach, centre + reach]) * 16).astype(int).tolist()
        cv2.line(canvas, (ax, ay), (bx, by), 255, 1, cv2.LINE_8, 4)
    return canvas > 0


def windows(lines: list[int], width: int = 2, size: int = 200) -> Mask:
    """Draw lines across and down the picture at these positions: islands of known area."""
    mask = np.zeros((size, size), np.bool_)
    for at in lines:
        mask[at : at + width] = mask[:, at : at + width] = True
    return mask


def network(seed: int, size: int = 128) -> Mask:
    """Draw random lines of random widths across a picture."""
    rng = np.random.default_rng(seed)
    canvas = np.zeros((size, size), np.uint8)
    for _ in range(int(rng.integers(0, 14))):
        x0, y0, x1, y1 = rng.integers(0, size, 4).tolist()
        cv2.line(canvas, (x0, y0), (x1, y1), 255, int(rng.integers(1, 6)))
    return canvas > 0


def figures_of(measured: Iterable[Morphology]) -> dict[Hashable, dict[str, float]]:
    """Summarise, as {measure: {column: figure}}."""
    rows = summarise(measured).to_dict("index")
    return {name: {str(column): float(x) for column, x in row.items()} for name, row in rows.items()}


def labelled(path: Path) -> Morphology:
    """Measure an annotated mask: 255 is crack, 128 is unknown."""
    labels = np.asarray(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE))
    return morphology(labels == 255, ignore=labels == 128)


def test_a_cross_by_hand() -> None:
    """All measures of a cross of two lines are what one counts."""
    mask = np.zeros((100, 100), np.bool_)
    mask[48:51, 20:80] = mask[20:80, 48:51] = True
    measured = morphology(mask)
    assert measured.crack_fraction == pytest.approx((2 * 180 - 9) / 10_000)
    assert (measured.nodes, measured.junctions, measured.three_ways, measured.links) == (5, 1, 0, 4)
    assert measured.end_share == pytest.approx(0.8)
    assert measured.x_share == pytest.approx(0.2)
    assert measured.three_way_share == 0
    assert measured.x_of_junctions == 1
    assert np.isnan(measured.t_share)
    assert measured.links_per_junction == 4
    assert measured.nodes_per_px2 == pytest.approx(5e-4)
    assert measured.width_median == pytest.approx(3)
    assert measured.link_length == pytest.approx(28.5, abs=1.5)
    assert measured.link_length_cv < 0.05
    assert measured.skeleton_density == pytest.approx(117e-4, abs=4e-4)


@pytest.mark.parametrize("width", range(1, 8))
def test_width_of_a_network(width: int) -> None:
    """Median width is the drawn one, and crossings hardly raise the 95th percentile."""
    measured = morphology(windows([30, 80, 140], width))
    assert measured.width_median == pytest.approx(width)
    assert measured.width_p95 <= width * 1.3 + 0.5


def test_islands_are_what_cracks_enclose() -> None:
    """Islands at the frame, of unknown size, and holes in a crack are left out."""
    mask = windows([20, 60, 120, 180])
    sides = np.diff([20, 60, 120, 180]) - 2
    expected = sorted(int(a * b) for a in sides for b in sides)
    assert sorted(island_areas(mask).tolist()) == expected
    assert morphology(mask).island_cv == pytest.approx(np.std(expected) / np.mean(expected))
    blot = mask.copy()
    blot[30:40, 30:40] = True
    blot[34:36, 34:36] = False
    assert len(island_areas(blot)) == 9


def test_diagonal_cracks_part_islands() -> None:
    """Paint does not pass between two pixels of a crack that touch at a corner."""
    mask = np.zeros((60, 60), np.bool_)
    mask[10, 10:51] = mask[50, 10:51] = mask[10:51, 10] = mask[10:51, 50] = True
    mask |= np.eye(60, dtype=np.bool_)
    assert len(island_areas(mask)) == 2


def test_islands_beside_ignored_px_are_left_out() -> None:
    """An island that runs into unknown ground has no known area."""
    mask = windows([20, 60, 120, 180])
    ignore = np.zeros_like(mask)
    ignore[30:34, 30:34] = True
    assert len(island_areas(mask, ignore=ignore)) == 8


def test_few_islands_have_no_variation() -> None:
    """The spread of four areas says nothing."""
    measured = morphology(windows([20, 80, 180]))
    assert measured.islands == 4
    assert np.isnan(measured.island_cv)


def test_ignored_px_do_not_count_as_area() -> None:
    """Densities are per known px."""
    mask = windows([40, 90])
    ignore = np.zeros_like(mask)
    ignore[100:] = True
    measured = morphology(mask, ignore=ignore)
    assert measured.crack_fraction == pytest.approx(mask[:100].mean())


def test_one_direction_is_as_anisotropic_as_can_be() -> None:
    """All links in one bin of 36 have a variation of 6, and an excess of 35."""
    measured = morphology(strokes(np.zeros(400)))
    assert measured.links == 400
    assert measured.anisotropy == pytest.approx(6)
    assert measured.anisotropy_excess == pytest.approx(35)
    assert measured.anisotropy_corrected == pytest.approx(35**0.5)


def test_no_direction_is_as_anisotropic_as_chance() -> None:
    """Isotropic links come near the floor, and to nothing without it."""
    measured = [morphology(strokes(np.random.default_rng(seed).uniform(0, 180, 400))) for seed in range(12)]
    assert {one.anisotropy_floor for one in measured} == {0.3}
    table = figures_of(measured)
    assert table["anisotropy"]["mean"] == pytest.approx(0.3, rel=0.25)
    assert abs(table["anisotropy_excess"]["mean"]) < 0.05


def test_excess_does_not_depend_on_the_number_of_links() -> None:
    """Small and large samples of one distribution have the same mean excess: it is unbiased."""
    rng = np.random.default_rng(3)
    chances = rng.dirichlet(np.ones(36))
    truth = 36 * (chances**2).sum() - 1
    for links in (5, 40, 600):
        found = [craqbench.morphology._excess(rng.multinomial(links, chances)) for _ in range(6000)]
        assert np.mean(found) == pytest.approx(truth, abs=4 * np.std(found) / 6000**0.5)


def test_anisotropy_at_a_number_of_links() -> None:
    """The excess and a number of links give the anisotropy to be expected of such a sample."""
    rng = np.random.default_rng(4)
    chances = rng.dirichlet(np.full(36, 3.0))
    counts = rng.multinomial(402, chances, size=4000)
    squared = counts.var(axis=1, ddof=1) / counts.mean(axis=1) ** 2
    expected = anisotropy_at(36 * (chances**2).sum() - 1, 402)
    assert np.sqrt(squared.mean()) == pytest.approx(expected, rel=0.01)
    assert np.isnan(anisotropy_at(0.5, 0))
    assert np.isnan(anisotropy_floor(0))


@pytest.mark.parametrize(
    ("name", "mask"),
    [
        ("no pixel", np.zeros((0, 0), np.bool_)),
        ("empty", np.zeros((40, 50), np.bool_)),
        ("full", np.ones((40, 50), np.bool_)),
        ("one pixel", np.eye(1, 2000, 1020).reshape(40, 50) > 0),
        ("a line", np.repeat(np.arange(40) == 20, 50).reshape(40, 50)),
        ("one row", np.ones((1, 50), np.bool_)),
    ],
)
def test_degenerate_masks_are_measured(name: str, mask: Mask) -> None:
    """Where there is no network the measures are NaN, and nothing is raised."""
    measured = morphology(mask)
    assert measured.junctions == 0, name
    assert np.isnan([measured.x_of_junctions, measured.t_share, measured.island_cv]).all()
    assert np.isnan(measured.crack_fraction) == (mask.size == 0)


def test_an_empty_mask_has_no_crack_and_no_width() -> None:
    """Fractions of nothing are 0, averages over nothing NaN."""
    measured = morphology(np.zeros((40, 50), np.bool_))
    assert measured.crack_fraction == measured.skeleton_density == measured.nodes_per_px2 == 0
    assert np.isnan(
        [measured.width_median, measured.link_length, measured.end_share, measured.anisotropy]
    ).all()


@settings(derandomize=True, max_examples=80, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([np.fliplr, np.transpose, np.rot90]))
def test_measures_are_consistent_and_turn_with_the_picture(seed: int, turn: Callable[[Mask], Mask]) -> None:
    """Shares add up to 1 and areas do not change when the picture is turned."""
    mask = network(seed)
    measured, turned = morphology(mask), morphology(np.ascontiguousarray(turn(mask)))
    shares = measured.end_share + measured.three_way_share + measured.x_share
    assert np.isnan(shares) if measured.nodes == 0 else shares == pytest.approx(1)
    assert measured.crack_fraction == pytest.approx(mask.mean())
    assert not measured.t_share + measured.y_share > 1
    assert turned.crack_fraction == measured.crack_fraction
    assert turned.islands == measured.islands
    assert turned.skeleton_density == pytest.approx(measured.skeleton_density, rel=0.05, abs=5e-4)


def test_summary_leaves_out_what_is_undefined() -> None:
    """A mask without a crack counts for the crack fraction, not for widths."""
    empty, cross = np.zeros((60, 60), np.bool_), windows([30], 3, 60)
    table = figures_of([morphology(empty), morphology(cross)])
    assert list(table) == [field.name for field in dataclasses.fields(Morphology)]
    assert table["crack_fraction"]["mean"] == pytest.approx(cross.mean() / 2)
    assert table["crack_fraction"]["masks"] == 2
    assert table["width_median"]["mean"] == pytest.approx(3)
    assert table["width_median"]["masks"] == 1
    assert np.isnan(table["width_median"]["std"])
    assert table["t_share"]["masks"] == 0


def test_pooled_shares_weigh_masks_by_their_nodes() -> None:
    """Three junctions of which one is an X are a third, though two masks average to a half."""
    one = np.zeros((120, 120), np.bool_)
    one[60, 20:100] = one[20:100, 60] = True
    two = np.zeros((120, 120), np.bool_)
    two[60, 10:110] = two[60:100, 40] = two[60:100, 80] = True
    table = figures_of([morphology(one), morphology(two)])
    assert table["x_of_junctions"]["mean"] == pytest.approx(1 / 2)
    assert table["x_of_junctions"]["pooled"] == pytest.approx(1 / 3)


def test_summary_of_nothing() -> None:
    """No mask, no figures."""
    table = figures_of([])
    assert {row["masks"] for row in table.values()} == {0}
    assert np.isnan([row["mean"] for row in table.values()]).all()


def test_examples_in_docstrings() -> None:
    """What the docstrings show is what comes out."""
    result = doctest.testmod(craqbench.morphology)
    assert result.attempted > 0
    assert result.failed == 0


def test_real_values_are_named_like_measures() -> None:
    """Every real value stands beside a measure."""
    names = {field.name for field in dataclasses.fields(Morphology)}
    assert set(REAL_RANGES) <= names
    assert list(REAL_STYLES) == list(STYLES)
    assert all(set(style) <= names for style in REAL_STYLES.values())


def test_real_styles_follow_from_the_published_figures(shared: Path) -> None:
    """The table is the medians over 800 x 800 px patches, with 36 bins of direction and their floor."""
    figures = scipy.io.loadmat(shared / "data/morphology/stats.mat")["stats"]
    first = 0
    for style, patches in STYLES.items():
        rows = figures[first : first + patches].T
        first += patches
        orientation, length, spread, per_junction, density, ends, threes, crossings, _ = rows
        links = per_junction * (threes + crossings) * density * 800 * 800
        medians = {
            "link_length": np.median(length),
            "link_length_cv": np.median(spread / length),
            "end_share": np.median(ends),
            "three_way_share": np.median(threes),
            "x_of_junctions": np.median(crossings / (threes + crossings)),
            # Their histogram goes round twice: 72 bins, two of them for each link.
            "anisotropy": np.median(orientation / (2 * links / 72)),
            "anisotropy_floor": np.median([anisotropy_floor(n) for n in links]),
        }
        for name, median in medians.items():
            assert REAL_STYLES[style][name] == pytest.approx(median, rel=0.015, abs=0.006), (style, name)
    assert first == len(figures)


@pytest.mark.parametrize(("picture", "row"), [("ge230", 24), ("fl187", 11)])
def test_published_policy_gives_the_published_figures(shared: Path, picture: str, row: int) -> None:
    """On a skeleton of the published set our graph has the nodes of the ten patches cut from it.

    The figures do not name their picture: these rows are the nearest of its class.
    """
    skeleton = cv2.imread(str(shared / f"data/real/skeletons/{picture}_skeleton.png"), cv2.IMREAD_GRAYSCALE)
    measured = morphology(np.asarray(skeleton) > 0, policy=PUBLISHED_POLICY)
    figures = scipy.io.loadmat(shared / "data/morphology/stats.mat")["stats"]
    published = figures.reshape(36, 10, 9)[row].mean(axis=0)
    assert measured.end_share == pytest.approx(published[5], abs=0.1)
    assert measured.three_way_share == pytest.approx(published[6], abs=0.1)
    assert measured.x_share == pytest.approx(published[7], abs=0.025)
    assert measured.nodes_per_px2 == pytest.approx(published[4], rel=0.3)


def test_real_skeletons_have_real_shapes(shared: Path) -> None:
    """T, Y and islands of the three published skeletons lie where the real ranges say."""
    measured = [
        morphology(np.asarray(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)) > 0, policy=PUBLISHED_POLICY)
        for path in sorted((shared / "data/real/skeletons").glob("*_skeleton.png"))
    ]
    assert len(measured) == 3
    table = figures_of(measured)
    for name in ("t_share", "island_cv"):
        low, high = REAL_RANGES[name]
        assert low - 0.02 <= table[name]["mean"] <= high + 0.02
    assert table["y_share"]["mean"] <= 0.06


def test_annotated_masks_have_real_shapes(shared: Path) -> None:
    """The 20 annotated close-ups lie where the real ranges say."""
    table = figures_of([labelled(path) for path in sorted((shared / "data/real/val/masks").glob("*.png"))])
    for name in ("crack_fraction", "width_median", "x_of_junctions", "t_share", "y_share", "island_cv"):
        low, high = REAL_RANGES[name]
        assert low <= table[name]["pooled"] <= high, name


def test_longer_spurs_leave_fewer_dead_ends(shared: Path) -> None:
    """The share of dead ends depends on the policy: compare like with like."""
    path = shared / "data/real/skeletons/fl187_skeleton.png"
    skeleton = np.asarray(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)) > 0
    shares = [morphology(skeleton, policy=GraphPolicy(spur=spur)).end_share for spur in (2, 6, 13.5)]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 2 * shares[2]
