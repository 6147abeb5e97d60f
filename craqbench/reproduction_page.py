"""The page of a reproduction: tables beside what the paper says, and pictures at full size; one HTML file."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from PIL import Image as Pictures

from baselines.protocols import Image, Mask
from craqbench import __version__
from craqbench.overlays import overlay
from craqbench.report_markup import Markup, document, tag
from craqbench.reproduction import DILATIONS, FILLERS, REMOVALS, SOURCE, Filled, Measured
from craqbench.reproduction_tables import Table

__all__ = ["WINDOW", "page", "window_of"]

WINDOW = 288
"""Longest side in px of what is shown of a picture, at full size: where most is found. The files have all."""

Window = tuple[slice, slice]


def page(measured: Sequence[Measured], tables: Sequence[Table], command: str) -> str:
    """Return the page.

    Parameters
    ----------
    measured
        The pictures.
    tables
        See `craqbench.reproduction_tables.tables_of`.
    command
        Makes the page again.
    """
    title = "Table I, Fig. 5 and Fig. 6 of paper A, on other pictures"
    introduction = (
        f"Beside {SOURCE}. Cracks are found by its top-hat (disk, one dilation unless told otherwise) and "
        "filled by its two fillers: MTM, and AD as eq. 5 has it, which starts from the damaged values. AD "
        "from MTM is ours: the same equation, started from what MTM fills."
    )
    return document(
        title,
        tag("header", tag("h1", title), tag("p", introduction)),
        tag("main", *(_table(table) for table in tables), *_shots(measured)),
        tag(
            "footer",
            tag("p", "To make this page again:"),
            tag("pre", command),
            tag("p", f"Made by craqbench {__version__}.", class_="quiet"),
        ),
        styles=["report.css"],
    )


def _table(table: Table) -> Markup:
    head = tag("thead", tag("tr", *(tag("th", name, scope="col") for name in table.heads)))
    rows = [
        tag("tr", tag("th", cells[0], scope="row"), *(tag("td", cell) for cell in cells[1:]))
        for cells in table.rows
    ]
    whole = tag("table", tag("caption", table.title), head, tag("tbody", *rows))
    return tag(
        "section",
        tag("h2", table.title.partition(":")[0]),
        tag("p", table.paper),
        tag("div", whole, class_="wide", tabindex=0, role="region", aria_label=table.title),
    )


def _shots(measured: Sequence[Measured]) -> Iterator[Markup]:
    yield tag("h2", "Pictures")
    for one in measured:
        window = window_of(one.mask, WINDOW)
        yield tag("h3", one.name)
        yield tag("p", _place(one, window), class_="quiet")
        found = overlay(one.image, one.mask)
        first = [("the picture", one.image), ("dark cracks found, dilated once", found)]
        yield _row([(told, picture) for told, picture in first], window)
        for filler in FILLERS:
            shown = [row for row in one.removals if row.filler == filler and row.removal != "BCR"]
            shown += [row for row in one.dilated if row.filler == filler]
            yield _row([(_told(row), row.picture) for row in sorted(shown, key=_order)], window)


def _order(row: Filled) -> tuple[int, int]:
    return list(REMOVALS).index(row.removal), DILATIONS.index(row.dilations)


def _told(row: Filled) -> str:
    times = "once" if row.dilations == 1 else f"{row.dilations} times"
    told = f"{row.filler}, {row.removal}, dilated {times}: {100 * row.share:.1f} % filled"
    return (
        f"{told}, entropy {row.entropy:.3f}" if row.entropy is not None else f"{told}: nothing to fill from"
    )


def _place(one: Measured, window: Window) -> str:
    height, width = one.image.shape[:2]
    rows, columns = window
    told = f"{width:,} x {height:,} px, entropy {one.entropy:.3f} bits"
    if (rows.stop - rows.start, columns.stop - columns.start) == (height, width):
        return told
    where = f"{columns.start:,} px from the left and {rows.start:,} px from the top on"
    return f"{told}; shown at full size from {where}, where most is found"


def window_of(mask: Mask, longest: int) -> Window:
    """Return the window, at most so many px high and wide, with most px of a mask."""
    height, width = mask.shape
    rows, columns = min(height, longest), min(width, longest)
    sums = cv2.integral(mask.view(np.uint8))
    inside = sums[rows:, columns:] - sums[:-rows, columns:] - sums[rows:, :-columns] + sums[:-rows, :-columns]
    top, left = (int(place) for place in np.unravel_index(int(np.argmax(inside)), inside.shape))
    return slice(top, top + rows), slice(left, left + columns)


def _row(shown: Sequence[tuple[str, Image | None]], window: Window) -> Markup:
    figures = [
        tag(
            "figure",
            _picture(told, picture[window]) if picture is not None else None,
            tag("figcaption", told),
        )
        for told, picture in shown
    ]
    width = window[1].stop - window[1].start
    return tag("div", tag("div", *figures, class_="pictures"), class_="shots full", style=f"--w:{width}")


def _picture(told: str, picture: Image) -> Markup:
    encoded = io.BytesIO()
    Pictures.fromarray(np.ascontiguousarray(picture)).save(
        encoded, "WEBP", lossless=True, quality=50, method=4
    )
    address = f"data:image/webp;base64,{base64.b64encode(encoded.getvalue()).decode('ascii')}"
    height, width = picture.shape[:2]
    return tag("img", class_="plain", src=address, alt=told, width=width, height=height)
