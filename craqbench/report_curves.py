"""Curves of several methods in one picture, as SVG that takes its colours from the page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from craqbench.report_markup import Markup, fragment, tag

__all__ = ["STYLES", "Axes", "Curve", "plot", "swatch"]

STYLES = 8
"""How many colours and dashes the page has; the ninth curve looks like the first."""

WIDTH, HEIGHT = 360, 300
LEFT, RIGHT, TOP, BOTTOM = 44, 350, 10, 258
"""The plotting area in the picture, px."""

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Curve:
    """A method's curve.

    Attributes
    ----------
    label
        The method.
    style
        Which of the page's colours, from 0; None for a sanity row, which is grey.
    points
        (x, y), joined in this order; may be empty.
    marks
        (x, y) of dots, such as the method's own threshold.
    intervals
        (x, low, high) of vertical bars.
    """

    label: str
    style: int | None
    points: Sequence[Point] = ()
    marks: Sequence[Point] = ()
    intervals: Sequence[tuple[float, float, float]] = ()


@dataclass(frozen=True, slots=True)
class Axes:
    """What is plotted: `x` and `y` name the axes; both ends of x; y runs from 0 to 1.

    Attributes
    ----------
    ticks
        On the x axis.
    f1_lines
        Whether to draw where F1 is 0.2 ... 0.8, for x a recall and y a precision.
    """

    x: str
    y: str
    ticks: Sequence[float]
    low: float = 0.0
    high: float = 1.0
    f1_lines: bool = False

    def place(self, point: Point) -> tuple[float, float]:
        """Return the px of a point; one outside the axes is moved to their edge."""
        across = min(max((point[0] - self.low) / (self.high - self.low), 0), 1)
        up = min(max(point[1], 0), 1)
        return round(LEFT + across * (RIGHT - LEFT), 1), round(BOTTOM - up * (BOTTOM - TOP), 1)


def plot(title: str, axes: Axes, curves: Iterable[Curve]) -> Markup:
    """Return curves in a frame, an ``svg`` element whose accessible name is `title`."""
    drawn = [_curve(axes, curve) for curve in curves]
    return tag(
        "svg",
        tag("title", title),
        *_frame(axes),
        *(_f1_line(axes, k / 10) for k in ((2, 4, 6, 8) if axes.f1_lines else ())),
        *drawn,
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
    )


def swatch(style: int | None) -> Markup:
    """Return a short piece of a method's curve, for a legend."""
    line = tag("path", d="M1 6H27", class_=_class(style))
    dot = tag("circle", cx=14, cy=6, r=3.5, class_=_class(style))
    return tag("svg", line, dot, class_="swatch", viewBox="0 0 28 12", aria_hidden="true")


def _class(style: int | None) -> str:
    return "curve sanity" if style is None else f"curve s{style % STYLES}"


def _frame(axes: Axes) -> Iterator[Markup]:
    for k in range(6):
        y = axes.place((axes.low, k / 5))[1]
        yield tag("path", d=f"M{LEFT} {y}H{RIGHT}", class_="grid")
        yield tag("text", f"{k / 5:g}", x=LEFT - 6, y=y + 4, text_anchor="end")
    for tick in axes.ticks:
        x = axes.place((tick, 0))[0]
        yield tag("path", d=f"M{x} {TOP}V{BOTTOM}", class_="grid")
        yield tag("text", f"{tick:g}", x=x, y=BOTTOM + 16, text_anchor="middle")
    middle = (TOP + BOTTOM) / 2
    yield tag("text", axes.x, x=(LEFT + RIGHT) / 2, y=HEIGHT - 6, text_anchor="middle")
    yield tag("text", axes.y, transform=f"translate(11 {middle}) rotate(-90)", text_anchor="middle")


def _f1_line(axes: Axes, f1: float) -> Markup:
    """Draw where the harmonic mean of x and y is `f1`."""
    recall = np.linspace(f1 / (2 - f1), 1, 40)
    points = [(float(r), float(f1 * r / (2 * r - f1))) for r in recall]
    x, y = axes.place((f1, f1))
    name = tag("text", f"F1 {f1:g}", x=x, y=y + 3, text_anchor="middle", class_="faint")
    return fragment(tag("path", d=_path(axes, points), class_="f1"), name)


def _curve(axes: Axes, curve: Curve) -> Markup:
    line = tag("path", d=_path(axes, curve.points)) if len(curve.points) > 1 else None
    bars = [
        tag("path", d=_path(axes, ((x, low), (x, high))), class_="bar") for x, low, high in curve.intervals
    ]
    places = [axes.place(mark) for mark in curve.marks]
    dots = [tag("circle", cx=x, cy=y, r=3.5) for x, y in places]
    return tag("g", tag("title", curve.label), *bars, line, *dots, class_=_class(curve.style))


def _path(axes: Axes, points: Sequence[Point]) -> str:
    places = list(dict.fromkeys(map(axes.place, points)))  # levels that differ by less than a px
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in places)
