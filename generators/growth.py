"""Crack networks as real paint grows them: generations that end on one another.

Each generation seeds cracks in the paint that is still whole and grows them from the seed both ways
until they meet a crack (a T-junction), cross it (an X), tire (a dead end) or leave the picture. That is
Gilbert growth, seeded after the cell splitting of STIT tessellations: a crack opens where the paint is
farthest from any crack and runs towards the nearest one, hence roughly perpendicular to the long axis of
its island and at right angles to what it meets. Voronoi networks, which are all Y-junctions, are what
real craquelure is not.

All strands of a generation are grown at once: first as free paths, then cut where they meet an older
crack, then where they meet a sister that was there before them. The last step looks at the sisters'
paths as cut so far and is repeated a few times, which resolves all but rare chains of meetings; those
leave a dead end or a crossing too many.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from generators.networks import MARGIN, STEP, Flags, Floats, Habit, Ints, Network
from generators.occupancy import Ground, Strands
from generators.triplets import Size

ROUNDS = 2
"""How often sisters of a generation are cut by one another."""

CLEARANCE = 5
"""Steps for which a strand sees nothing: after its start, and after it crossed a crack."""

HEADINGS = 4096
"""Headings that are told apart. Their steps are looked up: float32 sines differ between machines."""

_STEP_X, _STEP_Y = (
    (np.rint(f(np.arange(HEADINGS) * (2 * np.pi / HEADINGS)) * (256 * STEP)) / 256).astype(np.float32)
    for f in (np.cos, np.sin)
)


class _Paths(NamedTuple):
    """Free paths of one generation: x, y (n, S), how many steps each may take, and their cracks' numbers."""

    x: Floats
    y: Floats
    limit: Ints
    crack: Ints


def grow(size: Size, habit: Habit, *, rng: np.random.Generator) -> Network:
    """Grow a network over a picture of `size` (width, height) px."""
    ground = Ground(size)
    total = habit.generations + 1
    for generation in range(habit.generations):
        spacing = habit.spacing * habit.refinement**generation
        tiring = min(1.0, habit.tiring * 2 * generation / max(1, habit.generations - 1))
        # Later cracks meet something soon: longer free paths would be drawn for nothing.
        later = replace(habit, tiring=tiring, reach=min(habit.reach, 2.6)) if generation else habit
        for _ in range(_waves(generation)):
            ground.survey()
            x, y, heading = _seeds(ground, habit, spacing, generation, rng)
            both_ways = np.concatenate([heading, heading + np.float32(np.pi)])
            crack = np.tile(np.arange(len(x)), 2) + ground.cracks()
            paths = _free_paths(ground, (np.tile(x, 2), np.tile(y, 2)), both_ways, crack, later, spacing, rng)
            _settle(ground, paths, habit, generation, total, rng)
    _grow_spurs(ground, habit, total, rng)
    _double(ground, habit, total, rng)
    return ground.network()


def _waves(generation: int) -> int:
    """In how many goes a generation opens: only older cracks are met at right angles."""
    return 2 if generation == 0 else 1


def _seeds(
    ground: Ground, habit: Habit, spacing: float, generation: int, rng: np.random.Generator
) -> tuple[Floats, Floats, Floats]:
    """Jittered sites in paint that is whole enough, and the heading of the crack that opens at each."""
    pitch = spacing * np.sqrt(_waves(generation))
    columns, rows = (max(1, round(side / pitch)) for side in (ground.width, ground.height))
    sites = rng.random((3, rows * columns), np.float32)
    x = (np.tile(np.arange(columns), rows) + sites[0]) * np.float32(ground.width / columns) - MARGIN
    y = (np.repeat(np.arange(rows), columns) + sites[1]) * np.float32(ground.height / rows) - MARGIN
    field = _field(habit, len(x), habit.across if generation == 0 else 0.5, rng)
    keep = sites[2] < habit.fill
    distance, downhill = ground.nearest(x, y)
    keep &= distance > habit.room * spacing
    obeys = rng.random(len(x), np.float32) < (1.0 if generation == 0 else habit.obedience)
    heading = np.where(obeys, field, downhill)
    return x[keep], y[keep], heading[keep].astype(np.float32)


def _field(habit: Habit, count: int, across: float, rng: np.random.Generator) -> Floats:
    """Headings along the main direction, or across it."""
    spread = rng.vonmises(0.0, habit.order, count) / 2 if habit.order > 0 else rng.uniform(0, np.pi, count)
    turned = rng.random(count) < across
    return (habit.direction + spread + np.where(turned, np.pi / 2, 0.0)).astype(np.float32)


def _free_paths(
    ground: Ground,
    start: tuple[Floats, Floats],
    heading: Floats,
    crack: Ints,
    habit: Habit,
    spacing: float,
    rng: np.random.Generator,
) -> _Paths:
    """Paths as they would grow in whole paint."""
    n = len(heading)
    tired = rng.random(n) < habit.tiring
    limit = np.where(
        tired, rng.uniform(0.15, 1.1, n) * spacing, rng.uniform(0.75, 1, n) * habit.reach * spacing
    )
    limit = np.maximum(np.rint(limit / STEP), 3).astype(np.int64)
    steps = min(int(limit.max(initial=3)) + 1, int(np.hypot(ground.width, ground.height) / STEP))
    noise = rng.standard_normal((2, n, steps), np.float32)
    kinks = rng.standard_normal((n, -(-steps // 4)), np.float32) * np.float32(habit.kink)
    angle = heading[:, None] + noise[0] * np.float32(habit.jag)
    angle += np.repeat(kinks, 4, axis=1)[:, :steps]
    angle += _smooth(noise[1], 15) * np.float32(habit.sway)
    curvature = rng.normal(0, habit.bend * STEP, (n, 1)).astype(np.float32)
    angle += curvature * np.arange(steps, dtype=np.float32)
    number = np.rint(angle * np.float32(HEADINGS / (2 * np.pi))).astype(np.int64) & (HEADINGS - 1)
    dx, dy = _STEP_X[number], _STEP_Y[number]
    dx[:, 0] = dy[:, 0] = 0
    x0, y0 = ((np.rint(a * 256) / 256).astype(np.float32) for a in start)
    px = x0[:, None] + np.cumsum(dx, axis=1, dtype=np.float32)
    py = y0[:, None] + np.cumsum(dy, axis=1, dtype=np.float32)
    return _Paths(px, py, limit, crack)


def _smooth(noise: Floats, over: int) -> Floats:
    """Take the moving average of white noise along its last axis, of unit variance again."""
    total = np.cumsum(noise, axis=1)
    total[:, over:] -= total[:, :-over].copy()
    return total / np.float32(np.sqrt(over))


def _settle(
    ground: Ground, paths: _Paths, habit: Habit, generation: int, total: int, rng: np.random.Generator
) -> None:
    """Cut the paths where they meet something and add what is left to the ground."""
    n, steps = paths.x.shape
    crosses = np.asarray(rng.random(n) < habit.crossing)
    if n == 0:
        return
    left = _first(~ground.inside(paths.x, paths.y))
    whole = np.minimum(np.minimum(paths.limit, steps), left)
    met_old = _meet_older(ground, paths, crosses, habit.capture)
    met_sister, sister = _meet_sisters(ground, paths, np.minimum(whole, met_old), crosses)
    length = np.minimum(whole, np.minimum(met_old, met_sister))
    row, last = np.arange(n), np.minimum(length, steps - 1)
    end = np.stack([paths.x[row, last], paths.y[row, last]], axis=1)
    meets_old = (length == met_old) & (length < whole)
    end[meets_old] = _foot(ground, end[meets_old])
    meets_sister = (length == met_sister) & ~meets_old & (length < whole)
    end[meets_sister, 0], end[meets_sister, 1] = (a.ravel()[sister[meets_sister]] for a in (paths.x, paths.y))
    met = meets_old | meets_sister
    ground.add(_strands(paths, length, end, met, ~met & (length < left), generation, total))


def _meet_older(ground: Ground, paths: _Paths, crosses: Flags, capture: float) -> Ints:
    """At which step each path comes near an older crack (or S), (n,)."""
    bottom, right = ground.distance.shape[0] - 1, ground.distance.shape[1] - 1
    column = np.minimum(np.maximum((paths.x.astype(np.int64) + MARGIN) >> 1, 0), right)
    row = np.minimum(np.maximum((paths.y.astype(np.int64) + MARGIN) >> 1, 0), bottom)
    near = ground.distance[row, column] <= capture
    clearance = CLEARANCE + int(2 * capture / STEP)
    near[:, : 1 + int(capture / STEP)] = False
    return _first_not_crossed(near, crosses, clearance)


def _foot(ground: Ground, points: Floats) -> Floats:
    """Find the points of older cracks that lie nearest to points in whole paint, (n, 2)."""
    distance, heading = ground.nearest(points[:, 0], points[:, 1])
    end, unit = points, _unit(heading)
    # The farthest try first, so that the nearest crack is written last: the map of distances is coarse.
    for beyond in (3, 2, 1, 0):
        foot = points + (distance + beyond)[:, None] * unit
        owner = ground.owner[ground.cells(foot[:, 0], foot[:, 1])].astype(np.int64) - 1
        end = np.where((owner >= 0)[:, None], ground.points[owner], end)
    return end.astype(np.float32)


def _unit(heading: Floats) -> Floats:
    """Unit vectors, (n, 2)."""
    cos, sin = np.cos(heading, dtype=np.float64), np.sin(heading, dtype=np.float64)
    return np.stack([cos, sin], axis=1).astype(np.float32)


def _strands(
    paths: _Paths, length: Ints, end: Floats, met: Flags, dead: Flags, generation: int, total: int
) -> Strands:
    """Cut paths to `length` steps and end those that met something on the point that they met."""
    n, steps = paths.x.shape
    row = np.arange(n)
    x, y = (np.concatenate([a, a[:, -1:]], axis=1) for a in (paths.x, paths.y))
    x[row, length], y[row, length] = end.T
    taken = np.arange(steps + 1) < (length + met)[:, None]
    age = np.minimum(np.arange(steps + 1), max(1, int(length.max()))) / max(1, int(length.max()))
    birth = np.broadcast_to(((generation + age) / total).astype(np.float32), x.shape)
    return Strands(x, y, taken, birth, paths.crack, dead, generation)


def _meet_sisters(ground: Ground, paths: _Paths, longest: Ints, crosses: Flags) -> tuple[Ints, Ints]:
    """At which step each path stops on an earlier sister (or S), and on which of her points: (n,) each.

    A point's number is its row times S plus its column.
    """
    (n, steps), crack = paths.x.shape, paths.crack
    when, who = np.nonzero(np.arange(steps - 1, -1, -1)[:, None] < longest)
    when = steps - 1 - when  # the latest first, so that the earliest is written last and stays
    own, here = who * steps + when, ground.cells(paths.x[who, when], paths.y[who, when])
    length, seen = longest, np.full((n, steps), -1)
    met = np.full(n, steps)
    for _ in range(ROUNDS):
        alive = when < length[who]
        around = ground.around(here[alive])
        ground.stamp[around] = own[alive].astype(np.int32)
        found = ground.stamp[here].astype(np.int64)
        ground.stamp[around] = -1
        other, then = np.divmod(found, steps)
        there = (found >= 0) & (crack[other] != crack[who]) & (then < when) & (when >= CLEARANCE)
        seen[who, when] = np.where(there, found, -1)
        met = _first_not_crossed(seen >= 0, crosses, CLEARANCE)
        length = np.minimum(longest, met)
    return met, seen[np.arange(n), np.minimum(met, steps - 1)]


def _first(flags: Flags) -> Ints:
    """Index of the first True of each row, or the row's length."""
    first = flags.argmax(axis=1)
    found = flags[np.arange(len(flags)), first]
    return np.asarray(np.where(found, first, flags.shape[1]), np.int64)


def _first_not_crossed(flags: Flags, crosses: Flags, clearance: int) -> Ints:
    """Index of the first True of each row; for rows that cross, of the first one well behind that."""
    first = _first(flags)
    behind = np.arange(flags.shape[1]) > (first + clearance)[:, None]
    return np.where(crosses, _first(flags & behind), first)


def _double(ground: Ground, habit: Habit, total: int, rng: np.random.Generator) -> None:
    """Run a second crack beside some of the primaries for 20 to 60 px."""
    if not ground.lengths:
        return
    lengths, generation = np.concatenate(ground.lengths), np.concatenate(ground.generation)
    first = np.cumsum(lengths) - lengths
    doubled = (rng.random(len(lengths)) < habit.doubling) & (lengths > 14) & (generation == 0)
    for strand in np.flatnonzero(doubled):
        start = first[strand] + rng.integers(lengths[strand] - 10)
        stop = min(start + rng.integers(10, 30), first[strand] + lengths[strand])
        beside = _beside(ground.points[start:stop], rng.choice([-1, 1]) * rng.uniform(2.5, 5.5), rng)
        n = len(beside)
        birth = np.linspace(total - 1, total, n, dtype=np.float32)[None] / np.float32(total)
        crack = np.array([ground.cracks()])
        x, y = beside.T
        ground.add(
            Strands(x[None], y[None], np.ones((1, n), np.bool_), birth, crack, np.zeros(1, np.bool_), 1)
        )


def _beside(points: Floats, offset: float, rng: np.random.Generator) -> Floats:
    """Draw a line that leaves a run of points, keeps `offset` px from it and comes back, (n, 2)."""
    along = np.gradient(points, axis=0)
    normal = along[:, ::-1] * (1, -1) / np.maximum(np.sqrt((along**2).sum(axis=1)), 1e-3)[:, None]
    away = np.sqrt(np.sin(np.linspace(0, np.pi, len(points)))) * offset + rng.normal(0, 0.35, len(points))
    away[[0, -1]] = 0
    return np.asarray(np.rint((points + normal * away[:, None]) * 256) / 256, np.float32)


def _grow_spurs(ground: Ground, habit: Habit, total: int, rng: np.random.Generator) -> None:
    """Short strands that leave existing cracks sideways."""
    w, h = ground.size
    count = rng.poisson(habit.spurs * w * h / habit.spacing**2)
    if not count or not len(ground.points):
        return
    ground.survey()
    x, y = ground.points.T
    at = rng.integers(1, len(x), count)
    along = np.arctan2(y[at] - y[at - 1], x[at] - x[at - 1], dtype=np.float64)
    side = np.where(rng.random(count) < 0.5, 1, -1) * rng.normal(np.pi / 2, 0.35, count)
    crack = np.arange(count) + ground.cracks()
    heading = (along + side).astype(np.float32)
    short = replace(habit, tiring=1.0)
    paths = _free_paths(ground, (x[at], y[at]), heading, crack, short, habit.spacing * 0.5, rng)
    _settle(ground, paths, habit, total - 1, total, rng)
