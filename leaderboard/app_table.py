"""The page of a board: its table, the filters above it, and what stands around."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlencode

from craqbench.report_markup import Markup, breakable, fragment, tag
from leaderboard.app_columns import LABELS, MAIN, PAGE, TRACKS, TableColumn, View, chosen_rows, table_columns
from leaderboard.app_figures import badges, figure_text, interval_text, whisker, whisker_scale
from leaderboard.app_page import Page, link, moment, page
from leaderboard.app_scatter import scatter
from leaderboard.app_tables import BoardView, Snapshot
from leaderboard.ranking import Column, Figure, Ranking, Row

__all__ = ["board_links", "board_page", "shown_columns", "standing"]

_TEXTS = ("authors", "account", "training", "hardware", "licence")
"""Columns that are searched, and shown on an entry's own page only."""


def board_page(snapshot: Snapshot, found: BoardView, view: View, operator: str = "") -> Page:
    """Return the page of a board as a view of it."""
    columns = table_columns(found.ranking)
    rows = chosen_rows(found.ranking.rows, view, columns)
    return page(
        found.board.label,
        "/",
        *_heading(snapshot, found),
        _filters(found, view, columns),
        tag("div", *_results(found, view, columns, rows), id="results"),
        *_after(found),
        operator=operator,
    )


def standing(found: BoardView) -> Iterator[Markup]:
    """Yield what a board's page says whatever is chosen: heading, scatter, the whole table, notes."""
    ranking, columns, view = found.ranking, table_columns(found.ranking), View()
    alone = Snapshot({(found.board.name, found.board.version): found}, ranking.made_at or datetime.now(UTC))
    yield from filter(None, _heading(alone, found))
    yield tag("div", scatter(ranking, ranking.rows), class_="plot-frame")
    yield _table(ranking, found.path, view, columns, ranking.rows)
    yield from _notes(found)


def _heading(snapshot: Snapshot, found: BoardView) -> Iterator[Markup | None]:
    board, ranking = found.board, found.ranking
    what = "crack detection" if board.task == "detection" else "virtual restoration"
    classes = f", {len(board.classes)} classes" if board.classes else ""
    of = f" of {ranking.paintings:,} paintings" if ranking.paintings else ""
    counted = f"{ranking.images or len(board.images):,} images{of}"
    yield board_links(snapshot, found)
    yield tag("h1", board.name, " ", tag("small", f"version {board.version}"))
    yield tag("p", f"{what.capitalize()}{classes}. {_rule(ranking)}", class_="lead")
    since = fragment(" Ranked ", moment(ranking.made_at), ".") if ranking.made_at else None
    stale = (
        fragment(
            " ", tag("strong", "The store cannot be reached at the moment; this is the last that was read.")
        )
        if snapshot.stale
        else None
    )
    yield tag("p", f"{len(found.queue):,} entries, figures of {counted}.", since, stale, class_="quiet")


def _rule(ranking: Ranking) -> str:
    return (
        f"Ranked by {ranking.columns[0].heading}, with the interval of 95 % of resamples of the paintings. "
        "Entries that these paintings cannot tell apart share a rank."
    )


def board_links(snapshot: Snapshot, found: BoardView, path: str = "") -> Markup | None:
    """Return links to all boards; None where there is but one."""
    if len(snapshot.boards) < 2:
        return None
    links = [
        tag(
            "a",
            view.board.label,
            href=f"{path}?{urlencode({'board': view.board.name, 'version': view.board.version})}"
            if path
            else view.path,
            aria_current="true" if view is found else None,
        )
        for view in snapshot.boards.values()
    ]
    return tag("nav", *links, class_="boards", aria_label="Boards")


def _filters(found: BoardView, view: View, columns: Sequence[TableColumn]) -> Markup:
    search = tag(
        "label",
        tag("span", "Search"),
        tag(
            "input",
            type="search",
            name_="q",
            value=view.text or None,
            placeholder="method, author, data ...",
            maxlength=80,
        ),
        class_="search",
    )
    by_column = [_filter(column, view) for column in columns if column.name not in ("method", "submitted")]
    more = tag(
        "details",
        tag("summary", "Filter by column"),
        tag("div", *by_column, class_="by-column"),
        open="" if view.ends or view.parts else None,
    )
    keep = tag("input", type="hidden", name_="columns", value="all") if view.all_figures else None
    return tag(
        "form",
        search,
        _choice("labels", "Training", {"": "any", **LABELS}, view.labels),
        _choice("track", "Track", {"": "all", **TRACKS}, view.track),
        tag(
            "label",
            tag("span", "Order"),
            tag("select", *_orders(columns, view), name_="sort"),
            class_="order",
        ),
        tag("button", "Show"),
        more,
        keep,
        action=found.path,
        method="get",
        class_="filters",
        role="search",
        data_live="",
    )


def _orders(columns: Sequence[TableColumn], view: View) -> Iterator[Markup]:
    """Yield what the table may be sorted by, each best first; and what it is sorted by."""
    orders = {"": "as ranked"}
    for column in columns:
        if column.name != "rank":
            orders["-" * column.descending + column.name] = column.heading
    if view.order not in orders:
        heading = next(column.heading for column in columns if column.name == view.sort)
        orders[view.order] = f"{heading}, {'descending' if view.descending else 'ascending'}"
    for value, text in orders.items():
        yield tag("option", text, value=value, selected="" if value == view.order else None)


def _choice(name: str, label: str, choices: dict[str, str], chosen: str) -> Markup:
    options = [
        tag("option", text, value=value, selected="" if value == chosen else None)
        for value, text in choices.items()
    ]
    return tag("label", tag("span", label), tag("select", *options, name_=name))


def _filter(column: TableColumn, view: View) -> Markup:
    if column.kind == "text":
        part = dict(view.parts).get(column.name)
        box = tag("input", name_=f"has.{column.name}", value=part, placeholder="has", maxlength=80)
        return tag("label", tag("span", column.heading), box)
    ends = dict(view.ends).get(column.name, (None, None))
    boxes = [
        tag(
            "input",
            name_=f"{end}.{column.name}",
            value=None if value is None else f"{value:g}",
            inputmode="decimal",
            placeholder=word,
            aria_label=f"{column.heading} {word}",
            maxlength=20,
        )
        for end, word, value in zip(("min", "max"), ("at least", "at most"), ends, strict=True)
    ]
    return tag("fieldset", tag("legend", column.heading), *boxes)


def _results(
    found: BoardView, view: View, columns: Sequence[TableColumn], rows: Sequence[Row]
) -> Iterator[Markup | None]:
    everything = len(found.ranking.rows)
    if not everything:
        waiting = len(found.queue)
        told = f"{waiting:,} {'waits' if waiting == 1 else 'wait'} in the " if waiting else "Be the first: "
        where = link("queue", "/queue") if waiting else link("submit one", "/submit")
        yield tag("p", "No entry has been scored yet. ", told, where, ".", class_="empty")
        return
    yield tag("div", scatter(found.ranking, rows), class_="plot-frame") if rows else None
    pages = max(1, -(-len(rows) // PAGE))
    number = min(max(view.page, 1), pages)
    shown = rows[(number - 1) * PAGE : number * PAGE]
    count = f"{len(rows):,} of {everything:,} entries" if view.filtered else f"{everything:,} entries"
    clear = tag("a", "Show all", href=found.path) if view.filtered else None
    yield tag("div", tag("p", count, " ", clear, role="status"), _all_or_main(found, view), class_="above")
    if shown:
        yield _table(found.ranking, found.path, view, columns, shown)
    else:
        yield tag("p", "No entry is like that. ", tag("a", "Show all", href=found.path), ".", class_="empty")
    if pages > 1:
        yield _pages(found.path, view, number, pages)


def _all_or_main(found: BoardView, view: View) -> Markup:
    other = replace(view, all_figures=not view.all_figures)
    text = "Main columns" if view.all_figures else "All columns"
    return tag("a", text, href=_address(found.path, other), class_="button", data_swap="")


def _address(path: str, view: View) -> str:
    ends = {
        f"{end}.{name}": f"{value:g}"
        for name, both in view.ends
        for end, value in zip(("min", "max"), both, strict=True)
        if value is not None
    }
    query = {
        **({"q": view.text} if view.text else {}),
        **({"labels": view.labels} if view.labels else {}),
        **({"track": view.track} if view.track else {}),
        **ends,
        **{f"has.{name}": part for name, part in view.parts},
        **({"sort": view.order} if view.sort else {}),
        **({"columns": "all"} if view.all_figures else {}),
        **({"page": str(view.page)} if view.page > 1 else {}),
    }
    return f"{path}?{urlencode(query)}" if query else path


def _pages(path: str, view: View, number: int, pages: int) -> Markup:
    steps = [(number - 1, "Previous"), (number + 1, "Next")]
    links = [
        tag("a", text, href=_address(path, replace(view, page=to)), class_="button", data_swap="")
        for to, text in steps
        if 1 <= to <= pages
    ]
    return tag(
        "nav",
        *links,
        tag("span", f"page {number} of {pages}"),
        class_="pages",
        aria_label="Pages of the table",
    )


def shown_columns(ranking: Ranking, view: View, columns: Sequence[TableColumn]) -> list[TableColumn]:
    """Return the columns of the table as a view has it."""
    main = MAIN[ranking.task]
    return [
        column
        for column in columns
        if view.all_figures
        or (column.figure is None and column.name not in _TEXTS)
        or column.name in main
        or (column.figure is not None and column.name.partition(":")[2] in ranking.classes)
    ]


def _table(
    ranking: Ranking, path: str, view: View, columns: Sequence[TableColumn], rows: Sequence[Row]
) -> Markup:
    shown = shown_columns(ranking, view, columns)
    scale = whisker_scale(ranking)
    return tag(
        "div",
        tag(
            "table",
            tag("caption", f"{ranking.board} {ranking.board_version}", class_="hidden"),
            tag("thead", tag("tr", *(_head(column, path, view, ranking) for column in shown))),
            tag("tbody", *(_row(ranking, row, shown, scale) for row in rows)),
            class_="ranking",
        ),
        class_="wide",
    )


def _head(column: TableColumn, path: str, view: View, ranking: Ranking) -> Markup:
    default = not view.sort and column.name == "rank"
    sorted_by = view.sort == column.name or default
    descending = not view.descending if view.sort == column.name else column.descending
    to = replace(view, sort=column.name, descending=descending, page=1)
    state = ("descending" if view.descending else "ascending") if sorted_by else None
    heading = tag("a", column.heading, href=_address(path, to), title=column.hint or None, data_swap="")
    classes = [column.kind, "main" if column.name == ranking.ranking else ""]
    return tag("th", heading, scope="col", aria_sort=state, class_=" ".join(filter(None, classes)))


def _row(ranking: Ranking, row: Row, shown: Sequence[TableColumn], scale: tuple[float, float]) -> Markup:
    kinds = [row.kind if row.kind == "sanity" else "", "unranked" if row.rank is None else ""]
    cells = (_cell(ranking, row, column, scale) for column in shown)
    return tag("tr", *cells, class_=" ".join(filter(None, kinds)) or None)


def _cell(ranking: Ranking, row: Row, column: TableColumn, scale: tuple[float, float]) -> Markup:
    if column.name == "rank":
        return _rank(row)
    if column.name == "method":
        return _method(row)
    if column.name == ranking.ranking:
        figure = row.metrics.get(column.name)
        drawn = fragment(tag("b", figure_text(figure, ranking.columns[0].digits)), whisker(figure, scale))
        return tag("td", drawn, _interval(figure, ranking.columns[0].digits), class_="main number")
    if column.figure is not None:
        return _figure_cell(row, column, column.figure)
    value = column.value(row)
    digits = ranking.columns[0].digits
    text = value if isinstance(value, str) else _number(column.name, value, digits)
    kind = "text date" if column.name == "submitted" else column.kind
    return tag("td", text, class_=kind, data_l=column.heading)


def _figure_cell(row: Row, column: TableColumn, of: Column) -> Markup:
    figure = row.metrics.get(column.name)
    return tag(
        "td",
        figure_text(figure, of.digits),
        class_="number",
        data_l=column.heading,
        title=interval_text(figure, of.digits) or None,
    )


def _number(name: str, value: float | None, digits: int) -> str:
    if value is None:
        return ""
    if name == "seconds":
        return f"{value:.3g}"
    return f"{value:.{digits}f}" if name in ("behind", "gap", "final") else f"{value:,.0f}"


def _rank(row: Row) -> Markup:
    if row.rank is None:
        return tag("td", tag("span", "not ranked", class_="hidden"), class_="rank number")
    tied = tag("small", "tied", title="another entry has the same rank") if row.tied else None
    return tag("td", tag("b", row.rank), tied, class_="rank number")


def _method(row: Row) -> Markup:
    name = tag("a", breakable(row.method), href=row.path, class_="name")
    version = tag("span", row.version, class_="version")
    authors = row.authors[0] if len(row.authors) == 1 else f"{row.authors[0]} et al."
    return tag(
        "th", name, " ", version, tag("small", authors, " ", badges(row)), scope="row", class_="method"
    )


def _interval(figure: Figure | None, digits: int) -> Markup | None:
    text = interval_text(figure, digits)
    return tag("small", text) if text else None


def _notes(found: BoardView) -> Iterator[Markup]:
    if found.ranking.notes:
        yield tag("h2", "To be known")
        yield tag("ul", *(tag("li", note) for note in found.ranking.notes))


def _after(found: BoardView) -> Iterator[Markup]:
    yield from _notes(found)
    query = {"board": found.board.name, "version": found.board.version}
    links = [
        tag("li", link(name, "/api/ranking", **query, format=form))
        for form, name in {"csv": "CSV", "json": "JSON", "md": "Markdown"}.items()
    ]
    yield tag("h2", "Take it along")
    yield tag(
        "p", "The whole table with every figure and interval; see ", link("About", "/about"), " for programs."
    )
    yield tag(
        "ul",
        *links,
        tag("li", link("board.json", "/api/board", name=found.board.name, version=found.board.version)),
        class_="links",
    )
