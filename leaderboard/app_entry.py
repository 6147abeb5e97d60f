"""The page of an entry, at an address that stays; and the queue."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from craqbench.report_markup import Child, Markup, fragment, tag
from leaderboard.app_figures import badges, figure_text, whisker, whisker_scale
from leaderboard.app_page import Page, link, moment, page
from leaderboard.app_table import board_links
from leaderboard.app_tables import BoardView, Snapshot
from leaderboard.ranking import Figure, QueueEntry, Ranking, Row
from leaderboard.submission_metadata import Metadata

__all__ = ["STATES", "entry_page", "queue_page", "state_badge"]

STATES = {
    "waiting": "waits to be scored",
    "claimed": "is being scored",
    "scored": "scored",
    "failed": "could not be scored",
    "listed": "listed, with its own figures",
}
"""State -> in words."""

QUEUE = 100
"""Entries on one page of the queue."""


def entry_page(
    found: BoardView, told: Metadata, entry: str, pictures: Sequence[Markup] = (), operator: str = ""
) -> Page:
    """Return the page of an entry.

    Parameters
    ----------
    found
        Its board.
    told
        What it says of itself.
    entry
        Its ULID.
    pictures
        What it finds on public images; of hidden annotations there is never one.
    operator
        Who sits at this machine; empty on a Space.
    """
    queued, row = found.entries[entry], found.rows.get(entry)
    title = f"{told.method} {told.version}"
    return page(
        title,
        "",
        tag("p", tag("a", found.board.label, href=found.path), class_="crumbs"),
        tag("h1", told.method, " ", tag("small", f"version {told.version}")),
        tag("p", ", ".join(told.authors), class_="lead"),
        tag("p", badges(row) if row else None, " ", state_badge(queued), class_="badges"),
        *_standing(found.ranking, row, queued),
        *(_figures(found.ranking, row) if row else ()),
        *((tag("h2", "On public images"), *pictures) if pictures else ()),
        tag("h2", "What the authors say"),
        _definitions(_told(told)),
        tag("h2", "The entry"),
        _definitions(_facts(queued, row)),
        operator=operator,
    )


def state_badge(queued: QueueEntry) -> Markup:
    """Return the state of an entry."""
    return tag("span", queued.state, class_=f"state {queued.state}", title=STATES[queued.state])


def _standing(ranking: Ranking, row: Row | None, queued: QueueEntry) -> Iterator[Markup]:
    if row is None:
        told = {
            "waiting": "It waits for its score. This page will have it, at this address.",
            "claimed": "It is being scored right now.",
            "scored": "It is scored, and will be in the next table.",
            "listed": "It will be listed in the next table.",
            "failed": f"It could not be scored: {queued.reason}",
        }[queued.state]
        yield tag(
            "p",
            told,
            class_="standing",
            data_refresh="" if queued.state in ("waiting", "claimed", "scored") else None,
        )
        return
    column, figure = ranking.columns[0], row.metrics.get(ranking.ranking)
    value = figure_text(figure, column.digits)
    parts: list[Child] = []
    if row.rank is not None:
        of = sum(1 for one in ranking.rows if one.rank is not None)
        parts = [tag("b", f"Rank {row.rank}"), f" of {of:,} ranked entries", ", tied" if row.tied else ""]
    if value:
        text = tag(
            "span", column.heading, " ", tag("b", value), _between(figure, column.digits), class_="headline"
        )
        yield tag(
            "div", text, whisker(figure, whisker_scale(ranking)), tag("span", *parts), class_="standing"
        )
    for flag in row.flags:
        yield tag("p", tag("b", flag.kind), f" ({flag.by}, ", moment(flag.at), ") ", flag.note, class_="note")


def _between(figure: Figure | None, digits: int) -> str:
    if figure is None or figure.low is None or figure.high is None:
        return ""
    return f" [{figure.low:.{digits}f}, {figure.high:.{digits}f}]"


def _figures(ranking: Ranking, row: Row) -> Iterator[Markup]:
    lines = [
        tag(
            "tr",
            tag("th", column.heading, scope="row"),
            tag("td", figure_text(figure, column.digits)),
            tag("td", _between(figure, column.digits).strip(" []").replace(", ", " to ")),
        )
        for column in ranking.columns
        for figure in (row.metrics.get(column.name),)
        if figure is not None and figure.value is not None
    ]
    if row.final is not None:
        digits = ranking.columns[0].digits
        gap = (
            ""
            if row.gap is None
            else f"{row.gap:.{digits}f} worse than on the board"
            if row.gap > 0
            else "no worse than on the board"
        )
        head = tag("th", f"Final {ranking.columns[0].heading}", scope="row")
        lines.append(tag("tr", head, tag("td", figure_text(row.final, digits)), tag("td", gap)))
    if not lines:
        return
    heads = tag("tr", *(tag("th", text, scope="col") for text in ("Figure", "Value", "Interval of 95 %")))
    yield tag("h2", "Figures")
    yield tag("div", tag("table", tag("thead", heads), tag("tbody", *lines), class_="figures"), class_="wide")


def _told(told: Metadata) -> dict[str, Child]:
    weights = None if told.weights is None else f"{told.weights.repository} at {told.weights.revision}"
    real = "yes" if told.used_real_annotations else "no"
    test = "yes, without annotations" if told.used_test_images else "no"
    speed = told.seconds_per_megapixel
    return {
        "Training data": told.training_data,
        "Real annotations used": real,
        "Images of this board used": test,
        "Code": None if told.code is None else _outside(told.code),
        "Commit": told.code_commit,
        "Weights": weights,
        "Seeds": ", ".join(map(str, told.seeds)) or None,
        "Hardware": told.hardware,
        "Speed": None if speed is None else f"{speed:.3g} s per megapixel",
        "Licence": told.licence,
    }


def _outside(address: str) -> Markup:
    """Return a link to a stranger's page; the address was checked to be https, and has no markup."""
    if not address.startswith("https://"):
        return tag("span", address)
    return tag("a", address, href=address, rel="noopener noreferrer nofollow ugc")


def _facts(queued: QueueEntry, row: Row | None) -> dict[str, Child]:
    return {
        "Entry": tag("code", queued.entry),
        "Number": f"{queued.number:,}",
        "Account": queued.account,
        "Submitted": moment(queued.submitted_at),
        "Track": queued.track,
        "State": STATES[queued.state],
        "Tries of this account": None if row is None else f"{row.attempts:,}",
        "Digest of the predictions": None
        if row is None or row.predictions_digest is None
        else tag("code", row.predictions_digest),
    }


def _definitions(pairs: dict[str, Child]) -> Markup:
    shown = {name: value for name, value in pairs.items() if value is not None}
    return tag("dl", *(fragment(tag("dt", name), tag("dd", value)) for name, value in shown.items()))


def queue_page(snapshot: Snapshot, found: BoardView | None, number: int, operator: str = "") -> Page:
    """Return a page of the queue of a board, newest first."""
    if found is None:
        return page(
            "Queue",
            "/queue",
            tag("h1", "Queue"),
            tag("p", "There is no board yet.", class_="empty"),
            operator=operator,
        )
    entries = found.queue[::-1]
    pages = max(1, -(-len(entries) // QUEUE))
    number = min(max(number, 1), pages)
    shown = entries[(number - 1) * QUEUE : number * QUEUE]
    busy = any(one.state in ("waiting", "claimed") for one in shown)
    return page(
        "Queue",
        "/queue",
        board_links(snapshot, found, "/queue"),
        tag("h1", "Queue ", tag("small", found.board.label)),
        tag("p", *_counts(found.queue), class_="lead", data_refresh="" if busy else None),
        _queue_table(shown)
        if shown
        else tag(
            "p", "Nobody has submitted anything yet. ", link("Be the first", "/submit"), ".", class_="empty"
        ),
        _queue_pages(found, number, pages),
        operator=operator,
    )


def _counts(queue: Sequence[QueueEntry]) -> Iterator[Child]:
    states = [one.state for one in queue]
    counts = [f"{states.count(state):,} {state}" for state in STATES if state in states]
    yield f"{len(queue):,} entries: {', '.join(counts)}." if counts else "It is empty."


def _queue_table(entries: Sequence[QueueEntry]) -> Markup:
    heads = ("Number", "Method", "State", "Account", "Track", "Submitted")
    rows = (
        tag(
            "tr",
            tag("td", f"{one.number:,}", class_="number"),
            tag(
                "th",
                tag("a", one.method, href=one.path, class_="name"),
                " ",
                tag("span", one.version, class_="version"),
                scope="row",
            ),
            tag(
                "td",
                state_badge(one),
                tag("small", one.reason) if one.reason and one.state == "failed" else None,
            ),
            tag("td", one.account),
            tag("td", one.track),
            tag("td", moment(one.submitted_at)),
        )
        for one in entries
    )
    head = tag("thead", tag("tr", *(tag("th", text, scope="col") for text in heads)))
    return tag("div", tag("table", head, tag("tbody", *rows), class_="queue"), class_="wide")


def _queue_pages(found: BoardView, number: int, pages: int) -> Markup | None:
    if pages < 2:
        return None
    links = [
        link(text, "/queue", board=found.board.name, version=found.board.version, page=to)
        for to, text in ((number - 1, "Newer"), (number + 1, "Older"))
        if 1 <= to <= pages
    ]
    return tag(
        "nav",
        *links,
        tag("span", f"page {number} of {pages}"),
        class_="pages",
        aria_label="Pages of the queue",
    )
