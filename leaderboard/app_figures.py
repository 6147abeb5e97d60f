"""What is seen of an entry wherever it is shown: badges, figures, intervals as pictures."""

from __future__ import annotations

from craqbench.report_markup import Markup, fragment, tag
from leaderboard.ranking import Figure, Ranking, Row

__all__ = ["badges", "figure_text", "interval_text", "whisker", "whisker_scale"]

_FLAGS = {"reproduced": "reproduced", "disputed": "disputed"}


def badges(row: Row) -> Markup:
    """Return what is to be known of an entry, a word or two each."""
    found = (
        [("sanity", "sanity row", "predictions that do not depend on the image")]
        if row.kind == "sanity"
        else []
    )
    if row.track == "self-reported":
        found.append(("self", "self-reported", "figures by the authors, not scored here"))
    if row.used_real_annotations:
        found.append(("real", "real labels", "real annotations were used to train, tune or choose"))
    if row.used_test_images:
        found.append(("test", "test images", "images of this board were used, without annotations"))
    found += [(_FLAGS.get(flag.kind, "flag"), flag.kind, flag.note) for flag in row.flags]
    return fragment(
        *(tag("span", text, class_=f"badge {kind}", title=hint or None) for kind, text, hint in found)
    )


def figure_text(figure: Figure | None, digits: int) -> str:
    """Return a figure without its interval; "" where there is none."""
    return "" if figure is None or figure.value is None else f"{figure.value:.{digits}f}"


def interval_text(figure: Figure | None, digits: int) -> str:
    """Return the interval of a figure; "" where there is none."""
    if figure is None or figure.low is None or figure.high is None:
        return ""
    return f"{figure.low:.{digits}f} to {figure.high:.{digits}f}"


def whisker_scale(ranking: Ranking) -> tuple[float, float]:
    """Return the ends that all intervals of the ranking figure are drawn between."""
    figures = [row.metrics.get(ranking.ranking) for row in ranking.rows]
    ends = [end for one in figures if one for end in (one.low, one.value, one.high) if end is not None]
    if not ends:
        return 0.0, 1.0
    low, high = min(ends), max(ends)
    space = 0.04 * (high - low) or 0.5
    return low - space, high + space


def whisker(figure: Figure | None, scale: tuple[float, float]) -> Markup | None:
    """Return a figure with its interval as a picture, on the scale that all rows have."""
    if figure is None or figure.value is None:
        return None
    low, value, high = (
        round(100 * (end - scale[0]) / (scale[1] - scale[0]), 1)
        for end in (
            figure.value if figure.low is None else figure.low,
            figure.value,
            figure.value if figure.high is None else figure.high,
        )
    )
    return tag(
        "svg",
        tag("path", d="M0 6H100", class_="base"),
        tag("path", d=f"M{low} 6H{high}", class_="range"),
        tag("path", d=f"M{value} 1V11", class_="value"),
        class_="whisker",
        viewBox="0 0 100 12",
        preserveAspectRatio="none",
        aria_hidden="true",
    )
