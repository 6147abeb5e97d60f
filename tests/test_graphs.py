"""Crack graphs of drawn networks whose nodes and links are known, and laws that hold for all."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import cv2
import networkx as nx  # type: ignore[import-untyped]  # comes without types
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from craqbench.graphs import PUBLISHED_POLICY, CrackGraph, GraphPolicy, crack_graph

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

Mask = npt.NDArray[np.bool_]
Points = npt.NDArray[np.float64]
Segment = tuple[Points, Points]

RAW = GraphPolicy(hole=0, spur=-100, merge=0, merge_widths=0, border=0)
"""Everything that thinning leaves, as it is."""

SYMMETRIES: list[Callable[[Mask], Mask]] = [
    lambda m: m,
    np.fliplr,
    np.flipud,
    np.transpose,
    np.rot90,
    lambda m: np.rot90(m, 2),
    lambda m: np.rot90(m, 3),
    lambda m: np.rot90(m, 2).T,
]


def draw(segments: Sequence[Segment], width: int, size: int) -> Mask:
    """Draw segments (x, y to x, y) as lines: OpenCV 5 draws 1, 3, 5, 7, 9 px for 1, 2, 3, 5, 7."""
    canvas = np.zeros((size, size), np.uint8)
    for a, b in segments:
        (ax, ay), (bx, by) = np.round(np.array([a, b]) * 16).astype(int).tolist()
        cv2.line(canvas, (ax, ay), (bx, by), 255, width, cv2.LINE_8, 4)
    return canvas > 0


def star(centre: Points, degrees: Sequence[float] | Points, reach: float = 30) -> list[Segment]:
    """Return segments from a centre outwards."""
    return [(centre, centre + reach * np.array([np.cos(a), np.sin(a)])) for a in np.radians(degrees)]


def stars(degrees: Sequence[float], width: int) -> Mask:
    """Draw 25 stars with arms at these angles, each turned and shifted at random."""
    rng = np.random.default_rng(width)
    segments = []
    for row in range(5):
        for column in range(5):
            centre = 45.0 + 90.0 * np.array([column, row]) + rng.uniform(-3, 3, 2)
            segments += star(centre, np.asarray(degrees) + rng.uniform(0, 360))
    return draw(segments, width, 450)


def grid(width: int) -> Mask:
    """Draw 7 x 7 crossing lines from frame to frame."""
    lines = [(np.array([40.0 * i, -20.0]), np.array([40.0 * i, 340.0])) for i in range(1, 8)]
    return draw(lines + [(a[::-1], b[::-1]) for a, b in lines], width, 320)


def bricks(width: int) -> Mask:
    """Draw a wall of 9 courses: 8 joints from frame to frame, and 6 upright joints between each two."""
    beds = [(np.array([-20.0, 36.0 * i]), np.array([340.0, 36.0 * i])) for i in range(1, 9)]
    uprights = [
        (np.array([x, 36.0 * i]), np.array([x, 36.0 * i + 36]))
        for i in range(1, 8)
        for x in 26.0 + 50 * np.arange(6) + 25 * (i % 2)
    ]
    return draw(beds + uprights, width, 324)


def honeycomb(width: int) -> tuple[Mask, int]:
    """Draw hexagons with sides of 24 px, cut half-way between corners, and count the corners."""
    side, half = 24.0, 12 * np.sqrt(3)
    rows, columns = 325, 332
    segments, corners = [], []
    for row in range(-1, 11):
        for column in range(-1, 10):
            x, y = half * (2 * column + row % 2 + 0.5), 1.5 * side * row - side / 2
            foot = np.array([x, y + side])
            corners += [np.array([x, y]), foot]
            segments += [(np.array([x, y]), foot)]
            segments += [(foot, foot + np.array([dx * half, side / 2])) for dx in (-1, 1)]
    inside = [0 < x < columns and 0 < y < rows for x, y in corners]
    return draw(segments, width, columns)[:rows], sum(inside)


def scribble(seed: int, size: int = 64) -> Mask:
    """Draw random lines and circles of random widths."""
    rng = np.random.default_rng(seed)
    canvas = np.zeros((size, size), np.uint8)
    for _ in range(int(rng.integers(0, 12))):
        x0, y0, x1, y1 = rng.integers(-8, size + 8, 4).tolist()
        if rng.random() < 0.2:
            cv2.circle(canvas, (x0, y0), 3 + x1 % 12, 255, int(rng.integers(1, 4)))
        else:
            cv2.line(canvas, (x0, y0), (x1, y1), 255, int(rng.integers(1, 5)))
    return canvas > 0


def kinds(graph: CrackGraph) -> tuple[int, int, int]:
    """Count dead ends, 3-way nodes and X."""
    return int(graph.dead_ends.sum()), int(graph.three_ways.sum()), int(graph.crossings.sum())


def walk(skeleton: Mask) -> tuple[list[int], list[float]]:
    """Count nodes by degree and measure links, pixel by pixel: the slow reference."""
    pixels = {(int(y), int(x)) for y, x in np.argwhere(skeleton)}
    graph = nx.Graph()
    graph.add_nodes_from(pixels)
    for y, x in pixels:
        for dy in (-1, 0, 1):
            for dx in (-1, 0, 1):
                detour = dy and dx and ((y + dy, x) in pixels or (y, x + dx) in pixels)
                if (dy or dx) and (y + dy, x + dx) in pixels and not detour:
                    graph.add_edge((y, x), (y + dy, x + dx), px=np.hypot(dy, dx))
    crowded = {p for p in graph if graph.degree(p) >= 3}
    clusters = list(nx.connected_components(graph.subgraph(crowded)))
    degrees = [sum(q not in crowded for p in cluster for q in graph[p]) for cluster in clusters]
    lengths = []
    for part in nx.connected_components(graph.subgraph(pixels - crowded)):
        inner = sum(px for _, _, px in graph.subgraph(part).edges.data("px"))
        outer = [graph.edges[p, q]["px"] for p in part for q in graph[p] if q in crowded]
        ring = not outer and len(part) > 2 and all(graph.degree(p) == 2 for p in part)
        degrees += [1] * (0 if ring else 2 - len(outer))
        lengths.append(inner + sum(outer))
    return sorted(degrees), sorted(lengths)


@pytest.mark.parametrize("width", [1, 2, 3, 5, 7])
def test_every_node_of_a_grid_is_an_x(width: int) -> None:
    """Lines that cross make X and nothing else; lines cut by the frame make no dead ends."""
    graph = crack_graph(grid(width))
    assert kinds(graph) == (0, 0, 49)
    assert len(graph.length) == 2 * 7 * 8
    inner = graph.length[(graph.degree[graph.ends] >= 4).all(axis=1)]
    np.testing.assert_allclose(inner, 40, atol=1.5 + width / 2)
    expected = 40.0 * np.array([(x, y) for x in range(1, 8) for y in range(1, 8)])
    found = graph.position[graph.crossings]
    assert np.linalg.norm(expected[:, None] - found, axis=-1).min(axis=1).max() <= 1.5


@pytest.mark.parametrize("width", [1, 2, 3, 5, 7])
def test_every_node_of_a_brick_wall_is_a_t(width: int) -> None:
    """Cracks that end on others make T."""
    graph = crack_graph(bricks(width))
    assert kinds(graph) == (0, 2 * 7 * 6, 0)
    assert graph.t_junctions.sum() == 2 * 7 * 6
    assert graph.y_junctions.sum() == 0


@pytest.mark.parametrize("width", [1, 2, 3, 5])
def test_every_node_of_a_honeycomb_is_a_y(width: int) -> None:
    """Cracks that part at 120 degrees make Y."""
    mask, corners = honeycomb(width)
    graph = crack_graph(mask)
    assert kinds(graph) == (0, corners, 0)
    assert graph.t_junctions.sum() == 0
    assert graph.y_junctions.sum() >= 0.98 * corners


@pytest.mark.parametrize("width", [1, 2, 3, 5, 7])
@pytest.mark.parametrize("branch", [60, 90, 115])
def test_t_at_any_angle(width: int, branch: int) -> None:
    """A crack that meets another askew and in any direction makes a T and one dead end more."""
    graph = crack_graph(stars([0, 180, branch], width))
    assert kinds(graph) == (75, 25, 0)
    assert graph.t_junctions.sum() >= 24


@pytest.mark.parametrize("width", [1, 2, 3, 5, 7])
def test_y_in_any_direction(width: int) -> None:
    """Three cracks at 120 degrees make a Y however they are turned."""
    graph = crack_graph(stars([0, 120, 240], width))
    assert kinds(graph) == (75, 25, 0)
    assert graph.y_junctions.sum() >= 24
    assert graph.t_junctions.sum() == 0


@pytest.mark.parametrize("width", [1, 2, 3, 5, 7])
@pytest.mark.parametrize("askew", [60, 75, 90])
def test_x_in_any_direction(width: int, askew: int) -> None:
    """Two cracks that cross make one X, though thinning often makes two 3-way nodes of it."""
    graph = crack_graph(stars([0, askew, 180, 180 + askew], width))
    assert kinds(graph) == (100, 0, 25)


def test_a_split_crossing_is_merged_and_two_t_are_not() -> None:
    """Branches that face each other make an X, those on one side or far apart two T."""
    bed = (np.array([10.0, 60.0]), np.array([110.0, 60.0]))
    down, up = np.array([0.0, 40.0]), np.array([0.0, -40.0])

    def branches(gap: float, second: Points) -> CrackGraph:
        left, right = np.array([60.0 - gap / 2, 60.0]), np.array([60.0 + gap / 2, 60.0])
        return crack_graph(draw([bed, (left, left + down), (right, right + second)], 1, 120))

    assert kinds(branches(2, up)) == (4, 0, 1)
    assert kinds(branches(12, up)) == (4, 2, 0)
    assert kinds(branches(8, down)) == (4, 2, 0)
    assert branches(12, up).t_junctions.sum() == 2


def test_five_cracks_that_meet_are_one_node() -> None:
    """A star of hairlines with five arms has one node, counted among the X."""
    graph = crack_graph(draw(star(np.array([60.0, 60.0]), [0, 45, 90, 180, 270], 40), 1, 120))
    assert kinds(graph) == (5, 0, 1)
    assert graph.degree.max() == 5


def test_a_line_has_two_ends_and_a_length() -> None:
    """A single crack is one link between two dead ends."""
    mask = np.zeros((50, 100), np.bool_)
    mask[20, 10:81] = True
    graph = crack_graph(mask)
    assert kinds(graph) == (2, 0, 0)
    assert graph.length.tolist() == [70]
    assert graph.orientation.tolist() == [0]
    assert sorted(graph.position.tolist()) == [[10, 20], [80, 20]]
    assert graph.pixels[:, 0].tolist() in [list(range(10, 81)), list(range(80, 9, -1))]
    assert graph.first_pixel.tolist() == [0, 71]


@pytest.mark.parametrize("degrees", [0, 17, 45, 60, 90, 135, 160])
def test_length_and_orientation_of_a_line(degrees: int) -> None:
    """Steps along and across make a length up to 8 % too long; orientation runs from x to y."""
    graph = crack_graph(draw(star(np.array([60.0, 60.0]), [degrees, degrees + 180], 40), 1, 121))
    assert graph.length[0] == pytest.approx(83, rel=0.06)
    assert abs((graph.orientation[0] - degrees + 90) % 180 - 90) < 1.5


def test_a_ring_is_a_link_without_nodes() -> None:
    """A closed crack has no ends."""
    canvas = np.zeros((80, 80), np.uint8)
    cv2.circle(canvas, (40, 40), 25, 255, 2)
    graph = crack_graph(canvas > 0)
    assert len(graph.degree) == 0
    assert graph.ends.tolist() == [[-1, -1]]
    assert graph.length[0] == pytest.approx(2 * np.pi * 25, rel=0.08)
    assert np.isnan(graph.orientation[0])
    steps = np.abs(np.diff(np.concatenate([graph.pixels, graph.pixels[:1]]), axis=0)).max(axis=1)
    assert (steps == 1).all()


def test_bumps_are_no_branches() -> None:
    """A wide crack with a rough edge has two ends and no junction."""
    mask = np.zeros((60, 140), np.bool_)
    mask[26:33, 20:120] = True
    mask[24:26, 50:52] = mask[33:35, 80:82] = True
    assert kinds(crack_graph(mask, policy=RAW))[1] > 0
    graph = crack_graph(mask)
    assert kinds(graph) == (2, 0, 0)
    assert graph.length[0] > 90


def test_a_fork_at_its_end_does_not_shorten_a_crack() -> None:
    """Of two whiskers the shorter is pruned, and the longer becomes the crack's end."""
    mask = np.zeros((40, 100), np.bool_)
    mask[20, 10:71] = True
    mask[[19, 18], [71, 72]] = True
    mask[[21, 22, 23], [71, 72, 73]] = True
    assert kinds(crack_graph(mask, policy=RAW)) == (3, 1, 0)
    graph = crack_graph(mask, policy=GraphPolicy(spur=6))
    assert kinds(graph) == (2, 0, 0)
    assert graph.length[0] == pytest.approx(60 + 3 * np.sqrt(2))


def test_a_branch_longer_than_a_spur_is_kept() -> None:
    """What sticks out farther than the policy's spur length is a branch."""
    bed = (np.array([10.0, 40.0]), np.array([110.0, 40.0]))
    branch = (np.array([60.0, 40.0]), np.array([60.0, 52.0]))
    mask = draw([bed, branch], 1, 120)
    assert kinds(crack_graph(mask)) == (3, 1, 0)
    assert kinds(crack_graph(mask, policy=GraphPolicy(spur=13))) == (2, 0, 0)
    assert kinds(crack_graph(mask, policy=PUBLISHED_POLICY))[1] == 0


def test_specks_and_pin_holes_are_no_network() -> None:
    """Single pixels are dropped, and a hole of a pixel makes no loop."""
    mask = np.zeros((60, 60), np.bool_)
    mask[10, 10] = True
    mask[30:35, 5:55] = True
    mask[32, 30] = False
    graph = crack_graph(mask)
    assert kinds(graph) == (2, 0, 0)
    assert len(graph.length) == 1
    assert len(crack_graph(mask, policy=RAW).length) > 2


def test_nodes_by_the_frame_are_not_counted() -> None:
    """An end within the border of the frame is a crack cut by it, and so is a junction there."""
    mask = np.zeros((50, 100), np.bool_)
    mask[20, 2:60] = True
    assert kinds(crack_graph(mask)) == (1, 0, 0)
    assert kinds(crack_graph(mask, policy=GraphPolicy(border=0))) == (2, 0, 0)
    assert kinds(crack_graph(mask, policy=GraphPolicy(border=45))) == (0, 0, 0)


@pytest.mark.parametrize("width", [1, 3, 5, 7, 9])
def test_wide_cracks_cut_by_the_frame_have_no_ends(width: int) -> None:
    """However wide and askew, a crack that leaves the picture has no dead end in it."""
    rng = np.random.default_rng(width)
    for _ in range(10):
        centre = 60 + rng.uniform(-15, 15, 2)
        degrees = rng.uniform(0, 180)
        assert kinds(crack_graph(draw(star(centre, [degrees, degrees + 180], 200), width, 120))) == (0, 0, 0)


def test_ignored_px_cut_like_the_frame() -> None:
    """Nothing is traced in ignored px, and no end counts beside them."""
    mask = np.zeros((50, 100), np.bool_)
    mask[20, 10:81] = True
    ignore = np.zeros_like(mask)
    ignore[:, 40:50] = True
    graph = crack_graph(mask, ignore=ignore)
    assert kinds(graph) == (2, 0, 0)
    assert len(graph.length) == 2
    assert not (graph.skeleton & ignore).any()


def test_an_ignore_mask_of_another_shape_is_refused() -> None:
    """Both shapes are named."""
    mask = np.zeros((5, 6), np.bool_)
    with pytest.raises(ValueError, match=r"shape \(5, 6\). Got \(6, 5\)"):
        crack_graph(mask, ignore=mask.T)


@pytest.mark.parametrize(
    "mask", [np.zeros((0, 0), np.bool_), np.zeros((9, 9), np.bool_), np.ones((9, 9), np.bool_), np.eye(1) > 0]
)
def test_degenerate_masks_have_graphs(mask: Mask) -> None:
    """Nothing, everything and a pixel are traced without complaint."""
    graph = crack_graph(mask)
    assert graph.skeleton.shape == mask.shape
    assert kinds(graph)[1:] == (0, 0)


@settings(derandomize=True, max_examples=150, deadline=None)
@given(st.integers(0, 10**6))
def test_same_graph_as_a_walk_over_the_pixels(seed: int) -> None:
    """Nodes by degree and link lengths agree with a slow reference of another design."""
    graph = crack_graph(scribble(seed), policy=RAW)
    degrees, lengths = walk(graph.skeleton)
    assert sorted(graph.degree.tolist()) == degrees
    np.testing.assert_allclose(np.sort(graph.length), lengths, atol=1e-9)


@settings(derandomize=True, max_examples=150, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([GraphPolicy(), PUBLISHED_POLICY, RAW]))
def test_nodes_links_and_loops_add_up(seed: int, policy: GraphPolicy) -> None:
    """Under any policy nodes - links = parts - holes, and each link has its ends and pixels."""
    # A pin hole between four touching junctions is within one node, so these are filled.
    graph = crack_graph(scribble(seed), policy=dataclasses.replace(policy, hole=4))
    parts = ndimage.label(graph.skeleton, np.ones((3, 3)))[1]
    holes = ndimage.label(np.pad(~graph.skeleton, 1, constant_values=True))[1] - 1
    rings = int((graph.ends < 0).all(axis=1).sum())
    assert len(graph.degree) - (len(graph.length) - rings) == parts - holes
    assert (np.bincount(graph.ends[graph.ends >= 0], minlength=len(graph.degree)) == graph.degree).all()
    assert not np.isin(graph.degree, [0, 2]).any()
    x, y = graph.pixels.astype(int).T
    assert graph.skeleton[y, x].all()
    assert len(graph.pixels) == graph.first_pixel[-1]


@settings(derandomize=True, max_examples=60, deadline=None)
@given(st.integers(0, 10**6))
def test_link_pixels_are_in_order(seed: int) -> None:
    """Along a link each pixel touches the one before, and the first lies by the first end."""
    graph = crack_graph(scribble(seed), policy=RAW)
    for link, (start, stop) in enumerate(zip(graph.first_pixel[:-1], graph.first_pixel[1:], strict=True)):
        xy = graph.pixels[start:stop]
        assert (np.abs(np.diff(xy, axis=0)).max(axis=1, initial=0) <= 1).all()
        if (graph.ends[link] >= 0).all() and (graph.degree[graph.ends[link]] == 1).all():
            np.testing.assert_array_equal(graph.position[graph.ends[link]], xy[[0, -1]])


@pytest.mark.parametrize("turn", SYMMETRIES)
@pytest.mark.parametrize("width", [2, 5])
def test_nodes_turn_with_the_picture(turn: Callable[[Mask], Mask], width: int) -> None:
    """Mirrored and turned networks have the same nodes, though thinning is not quite symmetrical."""
    for mask in (grid(width), bricks(width), honeycomb(width)[0]):
        before, after = crack_graph(mask), crack_graph(np.ascontiguousarray(turn(mask)))
        assert kinds(after) == kinds(before)
        assert after.t_junctions.sum() == before.t_junctions.sum()
        assert after.length.sum() == pytest.approx(before.length.sum(), rel=0.02)


def test_real_masks_have_real_junctions(shared: Path) -> None:
    """Annotated masks of real paintings show T by far more than Y, and about a tenth of X."""
    graphs = []
    for path in sorted((shared / "data/real/val/masks").glob("*.png")):
        labels = np.asarray(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE))
        graphs.append(crack_graph(labels == 255, ignore=labels == 128))
    _, threes, crossings = np.sum([kinds(graph) for graph in graphs], axis=0)
    assert 0.62 <= sum(graph.t_junctions.sum() for graph in graphs) / threes <= 0.89
    assert 0.01 <= sum(graph.y_junctions.sum() for graph in graphs) / threes <= 0.05
    assert 0.065 <= crossings / (threes + crossings) <= 0.123
