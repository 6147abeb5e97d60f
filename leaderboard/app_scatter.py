"""How good against how fast: a picture of the entries that tell their speed, as SVG in the page's colours."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from craqbench.report_markup import Markup, tag
from leaderboard.ranking import Ranking, Row

__all__ = ["scatter"]

SHAPES = {"across": (1180, 330), "upright": (360, 300)}
"""Name -> width and height in px: of wide windows, and of phones; the page shows one of them."""

LEFT, RIGHT, TOP, BOTTOM = 52, 12, 14, 46
"""Margins around the plotting area, px."""

_NAMED = 8
"""Most names in the picture: those of entries that no other one is better and faster than."""

_WHISKERS = 60
"""Most entries that have their intervals drawn."""

_LETTER = 6.4
"""px of a letter of a name, about."""


class _Dot(NamedTuple):
    row: Row
    x: float
    y: float
    low: float
    high: float


class _Axes(NamedTuple):
    x: tuple[float, float]
    y: tuple[float, float]
    width: int
    height: int

    @property
    def right(self) -> int:
        return self.width - RIGHT

    @property
    def bottom(self) -> int:
        return self.height - BOTTOM

    def across(self, seconds: float) -> float:
        low, high = map(math.log10, self.x)
        return round(LEFT + (math.log10(seconds) - low) / (high - low) * (self.right - LEFT), 1)

    def up(self, value: float) -> float:
        low, high = self.y
        return round(self.bottom - (value - low) / (high - low) * (self.bottom - TOP), 1)


def scatter(ranking: Ranking, rows: Sequence[Row]) -> Markup | None:
    """Return the picture; None if no entry has both a figure and a speed.

    Parameters
    ----------
    ranking
        Whose figure ranks.
    rows
        Which to draw.
    """
    known = [row for row in rows if row.seconds_per_megapixel and _value(ranking, row) is not None]
    if not known:
        return None
    ends = _ends(ranking, known)
    drawings = [_drawing(ranking, known, _Axes(*ends, *size), name) for name, size in SHAPES.items()]
    told = "Speeds are as the submitters measured them, on different machines."
    return tag("figure", *drawings, tag("figcaption", *_legend(known), told))


def _drawing(ranking: Ranking, rows: Sequence[Row], axes: _Axes, shape: str) -> Markup:
    heading = ranking.columns[0].heading
    dots = [_dot(ranking, row, axes) for row in rows]
    few = len(dots) <= _WHISKERS
    return tag(
        "svg",
        tag("title", f"{heading} against seconds per megapixel of {len(dots):,} entries"),
        *_frame(axes, heading),
        *(tag("path", d=f"M{dot.x} {dot.low}V{dot.high}", class_="bar") for dot in dots if few),
        *(_dots(dots) if few else _clouds(dots)),
        *_names(ranking, dots, axes),
        viewBox=f"0 0 {axes.width} {axes.height}",
        class_=f"scatter {shape}",
        role="group",
    )


def _kind(row: Row) -> str:
    if row.rank is None:
        return "unranked"
    return "real" if row.used_real_annotations else "ranked"


def _value(ranking: Ranking, row: Row) -> float | None:
    figure = row.metrics.get(ranking.ranking)
    return None if figure is None else figure.value


def _dot(ranking: Ranking, row: Row, axes: _Axes) -> _Dot:
    figure = row.metrics[ranking.ranking]
    value = figure.value or 0.0
    low = value if figure.low is None else figure.low
    high = value if figure.high is None else figure.high
    x = axes.across(row.seconds_per_megapixel or 1.0)
    return _Dot(row, x, axes.up(value), axes.up(low), axes.up(high))


def _ends(ranking: Ranking, rows: Sequence[Row]) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return the ends of both axes."""
    speeds = [row.seconds_per_megapixel or 1.0 for row in rows]
    ends = [
        end
        for row in rows
        for figure in (row.metrics[ranking.ranking],)
        for end in (figure.low, figure.value, figure.high)
        if end is not None
    ]
    low, high = min(ends), max(ends)
    space = 0.06 * (high - low) or 0.05
    bottom = 0.0 if 0 <= low <= 0.6 * high else low - space
    ends_x = math.log10(min(speeds)) - 0.15, math.log10(max(speeds)) + 0.15
    middle = sum(ends_x) / 2
    half = max((ends_x[1] - ends_x[0]) / 2, 0.7)
    return (10 ** (middle - half), 10 ** (middle + half)), (bottom, high + space)


def _frame(axes: _Axes, heading: str) -> Iterator[Markup]:
    for value in _ticks(*axes.y):
        y = axes.up(value)
        yield tag("path", d=f"M{LEFT} {y}H{axes.right}", class_="grid")
        yield tag("text", f"{value:g}", x=LEFT - 8, y=y + 4, text_anchor="end")
    for seconds in _powers(*axes.x):
        x = axes.across(seconds)
        yield tag("path", d=f"M{x} {TOP}V{axes.bottom}", class_="grid")
        yield tag("text", f"{seconds:g}", x=x, y=axes.bottom + 18, text_anchor="middle")
    yield tag(
        "text", "seconds per megapixel", x=(LEFT + axes.right) / 2, y=axes.height - 8, text_anchor="middle"
    )
    middle = (TOP + axes.bottom) / 2
    yield tag("text", heading, transform=f"translate(13 {middle}) rotate(-90)", text_anchor="middle")


def _ticks(low: float, high: float) -> list[float]:
    """Return round values between two ends, about five."""
    raw = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(step * power for step in (1, 2, 5, 10) if step * power >= raw)
    first = math.ceil(low / step - 1e-9)
    return [round(k * step, 10) for k in range(first, math.floor(high / step + 1e-9) + 1)]


def _powers(low: float, high: float) -> list[float]:
    """Return 1, 2 and 5 times powers of ten between two ends, or powers only where that is enough."""
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1, 2, 5) if math.log10(high / low) < 2 else (1,)
    found = [step * 10.0**exponent for exponent in exponents for step in steps]
    return [value for value in found if low <= value <= high]


def _dots(dots: Sequence[_Dot]) -> Iterator[Markup]:
    for dot in dots:
        circle = tag("circle", tag("title", f"{dot.row.method} {dot.row.version}"), cx=dot.x, cy=dot.y, r=4.5)
        yield tag("a", circle, href=dot.row.path, class_=f"dot {_kind(dot.row)}", tabindex=-1)


def _clouds(dots: Sequence[_Dot]) -> Iterator[Markup]:
    """Yield a path for each kind of dot, so that thousands are a small picture."""
    for kind in ("unranked", "real", "ranked"):
        places = "".join(f"M{dot.x:g} {dot.y:g}h0" for dot in dots if _kind(dot.row) == kind)
        if places:
            yield tag("path", d=places, class_=f"cloud {kind}")


def _names(ranking: Ranking, dots: Sequence[_Dot], axes: _Axes) -> Iterator[Markup]:
    """Yield the names of entries that no other is both better and faster than, where there is room."""
    taken: list[tuple[float, float, float]] = []
    for dot in _front(dots)[:_NAMED]:
        text = dot.row.method if len(dot.row.method) <= 26 else f"{dot.row.method[:25]}…"
        width = _LETTER * len(text)
        left = dot.x + 8 if dot.x + 8 + width < axes.right else dot.x - 8 - width
        if any(left < end and start < left + width and abs(y - dot.y) < 14 for start, end, y in taken):
            continue
        taken.append((left, left + width, dot.y))
        label = tag("text", text, x=round(left, 1), y=dot.y - 6, class_="name")
        rank = f"rank {dot.row.rank}" if dot.row.rank else "not ranked"
        yield tag("a", label, href=dot.row.path, aria_label=f"{dot.row.method}, {rank} of {ranking.board}")


def _front(dots: Sequence[_Dot]) -> list[_Dot]:
    """Return ranked entries that none of a better rank is faster than, best first."""
    ranked = sorted((dot for dot in dots if dot.row.rank), key=lambda dot: (dot.row.rank or 0, dot.x))
    front: list[_Dot] = []
    for dot in ranked:
        if not front or dot.x < front[-1].x:
            front.append(dot)
    return front


def _legend(rows: Sequence[Row]) -> Iterator[Markup]:
    names = {"ranked": "no real labels", "real": "real labels used", "unranked": "not ranked"}
    for kind, name in names.items():
        if any(_kind(row) == kind for row in rows):
            dot = tag(
                "svg",
                tag("circle", cx=6, cy=6, r=4.5),
                viewBox="0 0 12 12",
                class_=f"key dot {kind}",
                aria_hidden="true",
            )
            yield tag("span", dot, name, class_="legend")
