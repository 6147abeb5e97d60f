from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generators import appearance
from generators.appearance import Look
from generators.growth import grow
from generators.networks import MARGIN, STEP, Floats, Habit, Ints, Network
from generators.raster import draw_network

SIZE = (300, 240)
PLAIN = Habit(spurs=0, doubling=0)
"""No short side cracks and no double lines: every strand grew from a seed."""

habits = st.builds(
    Habit,
    spacing=st.floats(8, 200),
    generations=st.integers(1, 5),
    refinement=st.floats(0.5, 1),
    fill=st.floats(0, 1),
    room=st.floats(0, 1),
    direction=st.floats(0, np.pi),
    order=st.floats(0, 50),
    obedience=st.floats(0, 1),
    jag=st.floats(0, 2),
    bend=st.floats(0, 0.1),
    reach=st.floats(0.1, 10),
    tiring=st.floats(0, 1),
    capture=st.floats(0, 50),
    crossing=st.floats(0, 1),
    spurs=st.floats(0, 2),
    doubling=st.floats(0, 1),
)


def grown(habit: Habit = PLAIN, seed: int = 0, size: tuple[int, int] = SIZE) -> Network:
    """Grow a network."""
    return grow(size, habit, rng=np.random.default_rng(seed))


def several(habit: Habit, size: tuple[int, int] = SIZE) -> list[Network]:
    """Grow four networks."""
    return [grown(habit, seed, size) for seed in range(4)]


def strands(network: Network) -> list[Floats]:
    """Points of each strand."""
    return np.split(network.points, network.first[1:-1]) if len(network.lengths) else []


def strand_of_point(network: Network) -> Ints:
    """(P,) number of the strand that a point belongs to."""
    return np.repeat(np.arange(len(network.lengths)), network.lengths)


def ends_inside(network: Network) -> Ints:
    """Strands that stop inside the picture."""
    x, y = network.points[network.first[1:] - 1].T
    return np.flatnonzero((x >= 0) & (y >= 0) & (x < network.size[0]) & (y < network.size[1]))


def distance(point: Floats, points: Floats) -> float:
    """Distance to the nearest of some points, infinite if there are none."""
    return float(np.hypot(*(points - point).T).min(initial=np.inf))


def crossings(network: Network) -> int:
    """Count pairs of segments of different cracks that properly cross, by brute force."""
    strand = strand_of_point(network)
    at = np.flatnonzero(strand[1:] == strand[:-1])
    a, b, crack = (
        network.points[at].astype(float),
        network.points[at + 1].astype(float),
        network.crack[strand[at]],
    )

    def side(p: Any, q: Any, r: Any) -> Any:
        """Sign of the turn p -> q -> r, for all pairs."""
        return np.sign(
            (q[..., 0] - p[..., 0]) * (r[..., 1] - p[..., 1])
            - (q[..., 1] - p[..., 1]) * (r[..., 0] - p[..., 0])
        )

    p, q, r, s = a[:, None], b[:, None], a[None], b[None]
    proper = (side(p, q, r) * side(p, q, s) < 0) & (side(r, s, p) * side(r, s, q) < 0)
    return int((proper & (crack[:, None] != crack)).sum()) // 2


def meeting_angles(network: Network) -> Floats:
    """Angles in degrees, 0-90, at which strands meet cracks of earlier generations."""
    strand, angles = strand_of_point(network), []
    for number in ends_inside(network):
        end = network.first[number + 1] - 1
        older = np.flatnonzero(network.generation[strand] < network.generation[number])
        if network.dead[number] or distance(network.points[end], network.points[older]) > 1.5:
            continue
        met = older[np.hypot(*(network.points[older] - network.points[end]).T).argmin()]
        low, high = (
            np.clip(met + k, *(network.first[strand[met] + np.array([0, 1])] - (0, 1))) for k in (-3, 3)
        )
        along, arrival = (
            network.points[high] - network.points[low],
            network.points[end] - network.points[end - 1],
        )
        cosine = abs(along @ arrival) / max(np.hypot(*along) * np.hypot(*arrival), 1e-9)
        angles.append(np.degrees(np.arccos(min(cosine, 1))))
    return np.array(angles)


def order_along(network: Network, direction: float) -> float:
    """Mean of cos 2(angle) between the chords of strands and a direction: 1 along, -1 across, 0 neither."""
    chords = np.array([s[-1] - s[0] for s in strands(network) if len(s) > 8])
    return float(np.cos(2 * (np.arctan2(chords[:, 1], chords[:, 0]) - direction)).mean())


def test_the_same_stream_grows_the_same_network() -> None:
    """A network is a pure function of size, habit and stream."""
    one, again, other = grown(seed=3), grown(seed=3), grown(seed=4)
    for field in fields(Network):
        assert np.array_equal(getattr(one, field.name), getattr(again, field.name)), field.name
    assert not np.array_equal(one.points, other.points)


@settings(max_examples=40, derandomize=True, deadline=None)
@given(habit=habits, width=st.integers(1, 200), height=st.integers(1, 200))
def test_a_network_is_well_formed(habit: Habit, width: int, height: int) -> None:
    """Whatever the habit and size: arrays fit, births rise along strands within [0, 1], points stay near."""
    network = grow((width, height), habit, rng=np.random.default_rng(1))
    n = len(network.lengths)
    assert network.first[0] == 0
    assert network.first[-1] == len(network.points) == len(network.birth)
    assert n == len(network.generation) == len(network.crack) == len(network.dead)
    assert network.points.dtype == network.birth.dtype == np.float32
    assert (network.lengths > 0).all()
    assert np.isfinite(network.points).all()
    assert ((network.birth >= 0) & (network.birth <= 1)).all()
    along = strand_of_point(network)[1:] == strand_of_point(network)[:-1]
    assert (np.diff(network.birth)[along] >= 0).all()
    # Double lines run up to 6 px beside what they double.
    x, y = network.points.T
    assert (
        (x > -MARGIN - 8) & (y > -MARGIN - 8) & (x < width + MARGIN + 8) & (y < height + MARGIN + 8)
    ).all()


@pytest.mark.parametrize("seed", range(3))
def test_strands_stay_in_the_picture_and_its_margin(seed: int) -> None:
    """Without double lines no point lies outside the margin."""
    x, y = grown(seed=seed).points.T
    assert x.min() > -MARGIN
    assert y.min() > -MARGIN
    assert x.max() < SIZE[0] + MARGIN
    assert y.max() < SIZE[1] + MARGIN


@pytest.mark.parametrize("crossing", [0.0, 0.12])
def test_strands_that_stop_end_on_a_crack(crossing: float) -> None:
    """A strand that is not dead and stops inside ends on another crack's point, but for rare chains."""
    gaps = [
        distance(
            network.points[network.first[s + 1] - 1],
            network.points[network.crack[strand_of_point(network)] != network.crack[s]],
        )
        for network in several(replace(PLAIN, crossing=crossing))
        for s in ends_inside(network)
        if not network.dead[s]
    ]
    assert len(gaps) > 200
    assert np.mean(np.array(gaps) <= 1.5) >= 0.98
    assert max(gaps) < PLAIN.capture + 3


def test_dead_ends_lie_in_whole_paint() -> None:
    """Where a strand died there was no crack of an earlier generation, nor nearly ever an earlier sister."""
    habit, older, earlier = replace(PLAIN, crossing=0.0, tiring=0.4), [], []
    for network in several(habit):
        strand = strand_of_point(network)
        generation, crack = network.generation[strand], network.crack[strand]
        for s in ends_inside(network):
            end = network.first[s + 1] - 1
            if network.dead[s]:
                at, own = network.points[end], network.generation[s]
                before = (
                    (generation == own) & (network.birth < network.birth[end]) & (crack != network.crack[s])
                )
                older.append(distance(at, network.points[generation < own]))
                earlier.append(distance(at, network.points[before]))
    assert len(older) > 50
    assert min(older) > 1.5
    assert np.mean(np.array(earlier) > 1.5) >= 0.98


def test_later_cracks_are_born_later_and_end_on_earlier_ones() -> None:
    """Generations follow one another in time: each begins when the one before is half through, or later."""
    network = grown()
    first_birth = [
        network.birth[network.generation[strand_of_point(network)] == g].min()
        for g in range(PLAIN.generations)
    ]
    assert first_birth == sorted(first_birth)
    assert len(set(first_birth)) == PLAIN.generations


def test_the_two_strands_of_a_crack_share_their_seed() -> None:
    """A crack grows from its seed both ways."""
    network = grown()
    numbers, counts = np.unique(network.crack, return_counts=True)
    assert set(counts) == {2}
    starts = network.points[network.first[:-1]]
    for number in numbers:
        one, other = np.flatnonzero(network.crack == number)
        assert np.array_equal(starts[one], starts[other])


def test_the_two_strands_of_a_crack_leave_opposite_ways() -> None:
    """Without wandering, both strands of a crack lie on one straight line through the seed."""
    network = grown(replace(PLAIN, jag=0, kink=0, sway=0, bend=0))
    for number in np.unique(network.crack):
        one, other = (strands(network)[s] for s in np.flatnonzero(network.crack == number))
        if min(len(one), len(other)) > 4:
            away, back = one[2] - one[0], other[2] - other[0]
            assert away @ back < -0.99 * np.hypot(*away) * np.hypot(*back)


def test_steps_are_two_px_long() -> None:
    """All steps but the last one, which closes the gap to what was met, are `STEP` long."""
    steps = np.concatenate([np.hypot(*np.diff(s, axis=0).T)[:-1] for s in strands(grown())])
    assert steps == pytest.approx(STEP, abs=0.01)


def test_tiring_makes_dead_ends() -> None:
    """The share of dead ends rises with tiring."""
    shares = [
        np.concatenate([n.dead for n in several(replace(PLAIN, tiring=t))]).mean() for t in (0.0, 0.25, 0.5)
    ]
    assert shares[0] + 0.1 < shares[1] < shares[2] - 0.1


def test_crossing_makes_crossings() -> None:
    """Strands cross what they meet always, sometimes or hardly ever, as they are told."""
    size = (160, 120)
    never, some, always = (
        sum(map(crossings, several(replace(PLAIN, crossing=c), size))) for c in (0.0, 0.2, 1.0)
    )
    strand_count = sum(len(n.lengths) for n in several(replace(PLAIN, crossing=0.0), size))
    assert never < 0.05 * strand_count
    assert never < some < always
    assert always > 0.3 * strand_count


def test_capture_makes_right_angles() -> None:
    """A strand that turns to an older crack as it comes near meets it at a right angle."""
    habit = replace(PLAIN, crossing=0.0, obedience=1.0, order=0.0)
    turned, straight = (
        np.concatenate([meeting_angles(n) for n in several(replace(habit, capture=c))]) for c in (8.0, 0.0)
    )
    assert len(turned) > 100
    assert np.median(turned) > 80
    assert np.median(straight) < 70


def test_without_capture_cracks_are_met_all_the_same() -> None:
    """A capture of 0 does not let strands run through older cracks."""
    network = grown(replace(PLAIN, capture=0.0, crossing=0.0))
    assert crossings(network) < 0.05 * len(network.lengths)


@pytest.mark.parametrize("direction", [0.3, 2.0])
def test_order_aligns_cracks(direction: float) -> None:
    """With order, primaries keep to the main direction, or across it where told; without, to neither."""
    habit = replace(PLAIN, generations=1, direction=direction, across=0.0, spacing=30)
    strict, loose, none, across = (
        np.mean([order_along(n, direction) for n in several(h)])
        for h in (
            replace(habit, order=20),
            replace(habit, order=1),
            replace(habit, order=0),
            replace(habit, order=20, across=1.0),
        )
    )
    assert strict > 0.8
    assert across < -0.8
    assert abs(none) < 0.25
    assert none < loose < strict


def test_obedience_decides_what_later_cracks_follow() -> None:
    """Later cracks that obey run along the main direction as often as across; others to the nearest crack."""
    habit = replace(
        PLAIN, direction=0.0, order=50.0, across=0.0, jag=0, kink=0, sway=0, bend=0, generations=2
    )

    def along(habit: Habit) -> float:
        later = [
            strand
            for n in several(habit)
            for strand, generation in zip(strands(n), n.generation, strict=True)
            if generation and len(strand) > 5
        ]
        x, y = np.array([strand[3] - strand[0] for strand in later]).T
        return float(np.cos(2 * np.arctan2(y, x)).mean())

    assert abs(along(replace(habit, obedience=1.0))) < 0.45
    assert along(replace(habit, obedience=0.0)) < -0.6


def test_spacing_sets_how_many_cracks_there_are() -> None:
    """Half the spacing gives about four times as many primaries."""
    coarse, fine = (
        np.mean(
            [len(np.unique(n.crack)) for n in several(replace(PLAIN, generations=1, spacing=s), (600, 600))]
        )
        for s in (60, 30)
    )
    assert 2.5 < fine / coarse < 5.5


def test_spurs_leave_cracks_sideways() -> None:
    """Spurs start on an older crack, are single, and shorter than the spacing."""
    habit = replace(PLAIN, spurs=2.0)
    network = grown(habit)
    counts = np.bincount(network.crack)
    spurs = [s for s in range(len(network.lengths)) if counts[network.crack[s]] == 1]
    assert len(spurs) > 5
    strand = strand_of_point(network)
    for s in spurs:
        start = network.points[network.first[s]]
        assert distance(start, network.points[strand < s]) < 0.1
        assert network.lengths[s] * STEP < habit.spacing


def test_double_lines_run_beside_a_primary() -> None:
    """A double line keeps within 7 px of its primary and comes back to it at both ends."""
    network = grown(replace(PLAIN, doubling=1.0, tiring=0.0))
    single = grown(replace(PLAIN, tiring=0.0))
    assert len(network.lengths) > len(single.lengths)
    for double in strands(network)[len(single.lengths) :]:
        gaps = [distance(p, single.points) for p in double]
        assert max(gaps) < 7
        assert max(gaps[0], gaps[-1]) < 0.1


@pytest.mark.parametrize("size", [(1, 1), (5, 300), (64, 64), (300, 5)])
@pytest.mark.parametrize("spacing", [8.0, 60.0, 4096.0])
def test_any_size_and_spacing_grows(size: tuple[int, int], spacing: float) -> None:
    """Tiny pictures and huge spacings give few cracks, and no fault."""
    network = grown(Habit(spacing=spacing), size=size)
    assert (
        draw_network(
            network, np.ones(len(network.points), np.float32), np.ones(len(network.points), np.float32)
        ).mask.shape
        == size[::-1]
    )
    assert len(np.unique(network.crack)) < 4 + 8 * (size[0] + 24) * (size[1] + 24) / spacing**2 * 8


def test_no_crack_at_all_is_a_network_too() -> None:
    """Where no site opens, the empty network is drawn and painted on like any other."""
    network = grown(Habit(fill=0.0, spurs=1.0, doubling=1.0))
    assert len(network.points) == len(network.lengths) == 0
    rng = np.random.default_rng(0)
    width, strength = appearance.profile(network, Look(), rng=rng)
    drawing = draw_network(network, appearance.younger(network, width, 0.5), strength)
    assert not drawing.mask.any()
    assert not drawing.opacity.any()
    image = rng.integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)
    assert np.array_equal(appearance.damage(image, drawing, Look(), rng=rng), image)
