"""The page of a board in one file, for whoever has no server: the table as it is, nothing to click."""

from __future__ import annotations

import re

from craqbench.report_markup import Markup, document, tag
from leaderboard.app_page import MARK
from leaderboard.app_table import standing
from leaderboard.app_tables import BoardView

__all__ = ["alone"]

_LINK = re.compile(r' (?:href="/[^"]*"|data-swap)')

_LOOK = "main { padding-top: 1.5rem } a:not([href]) { color: inherit; text-decoration: none }"


def alone(found: BoardView) -> str:
    """Return the page of a board: heading, figures against speed, table, notes.

    Parameters
    ----------
    found
        The board, with at least one row.
    """
    brand = tag("span", MARK, tag("span", tag("b", "craqbench"), " leaderboard"), class_="brand")
    return document(
        f"{found.board.label} - craqbench leaderboard",
        tag("header", tag("div", brand, class_="bar"), class_="top"),
        tag("main", *(Markup(_LINK.sub("", part)) for part in standing(found))),
        styles=["app_frame.css", "app.css"],
        head=tag("style", Markup(_LOOK)),
        package="leaderboard",
    )
