"""The page that says how it works: for authors, for programs, for whoever doubts it."""

from __future__ import annotations

from collections.abc import Iterator

from craqbench.report_markup import Markup, fragment, tag
from leaderboard.app_page import Page, link, page
from leaderboard.app_tables import Snapshot
from leaderboard.store_records import Settings
from leaderboard.submission_rules import RULES

__all__ = ["about_page"]

_PROGRAMS = {
    "GET /api/boards": "what there is to submit to",
    "GET /api/board?name=NAME&version=VERSION": "board.json: images, classes, limits",
    "GET /api/ranking?board=NAME&version=VERSION": (
        "the table; with format=csv, json or md, and sorted and filtered as its page"
    ),
    "GET /api/queue?board=NAME&version=VERSION": "every entry with its state",
    "GET /api/entry/ENTRY": "one entry",
    "POST /api/submit": (
        "multipart files metadata and predictions: 201 with the entry, or 422 with the rules that refuse it; "
        "429 and 503 say when to come again"
    ),
}


def about_page(snapshot: Snapshot, settings: Settings, address: str, operator: str = "") -> Page:
    """Return the page.

    Parameters
    ----------
    snapshot
        For an example.
    settings
        Quotas.
    address
        Of this leaderboard, as a program reaches it.
    operator
        Who sits at this machine; empty on a Space.
    """
    return page(
        "About",
        "/about",
        tag("h1", "About this leaderboard"),
        tag(
            "p",
            "Who can find cracks in paintings that nobody has shown them? Predictions are sent here, "
            "and compared with annotations that stay hidden.",
            class_="lead",
        ),
        *_protocol(settings),
        *_submitting(snapshot, address),
        *_hidden(operator),
        tag("h2", "For programs"),
        tag(
            "dl",
            *(fragment(tag("dt", tag("code", name)), tag("dd", text)) for name, text in _PROGRAMS.items()),
            class_="api",
        ),
        tag("h2", "All rules"),
        tag(
            "p",
            "A refusal names the rule and, where it is about one, the image. A submission that is "
            "refused costs nothing.",
        ),
        tag(
            "details",
            tag("summary", f"{len(RULES)} rules"),
            tag(
                "dl",
                *(
                    fragment(tag("dt", tag("code", rule), id=rule), tag("dd", text))
                    for rule, text in RULES.items()
                ),
                class_="rules",
            ),
        ),
        *_licences(snapshot),
        operator=operator,
    )


def _protocol(settings: Settings) -> Iterator[Markup]:
    day = "one submission" if settings.per_day == 1 else f"{settings.per_day:,} submissions"
    yield tag("h2", "How it is scored")
    yield tag(
        "ul",
        tag(
            "li",
            tag("b", "Tracks. "),
            "Predictions are ranked. Reproduced is a badge: a maintainer has run the method again, from "
            "safetensors and a pinned commit. Self-reported figures are listed and never ranked.",
        ),
        tag(
            "li",
            tag("b", "Two halves. "),
            "The paintings of a board are dealt into two halves. The table shows figures of the first. "
            "Those of the second are revealed by the operator, with the gap between both: who has tuned "
            "on the table is seen there.",
        ),
        tag(
            "li",
            tag("b", "Ranks. "),
            "F1 at a tolerance of 2 px, with the interval of 95 % of resamples of paintings. Entries "
            "share a rank if, painting by painting, they cannot be told apart from the best of them.",
        ),
        tag(
            "li",
            tag("b", "How often. "),
            f"{day.capitalize()} a day and {settings.per_quarter:,} a quarter for each account and board "
            f"are scored, in calendar days and quarters, UTC.",
        ),
        tag(
            "li",
            tag("b", "Honesty. "),
            "Say whether any real annotation, or an image of this board, was used: it is shown as a "
            "badge, and allowed. An entry that is in doubt is marked disputed, and loses its rank until "
            "that is settled.",
        ),
    )


def _submitting(snapshot: Snapshot, address: str) -> Iterator[Markup]:
    first = snapshot.first
    name = first.board.name if first else "NAME"
    yield tag("h2", "How to submit")
    yield tag("p", "With any method that craqbench knows, or your own module:")
    yield tag(
        "pre",
        f"pip install craqbench\n"
        f"craqbench package --method package.module:Class --set {name} --out mine\n"
        f"craqbench submit mine --to {address}",
    )
    yield tag(
        "p",
        "The first check is the same as the server's: ",
        tag("code", "craqbench submit mine --dry-run"),
        ". Or use the ",
        link("form", "/submit"),
        ".",
    )


def _hidden(operator: str) -> Iterator[Markup]:
    yield tag("h2", "What is hidden from whom")
    login = (
        "This one runs on the operator's machine, and nobody else can reach it."
        if operator
        else "Programs show a token of the Hugging Face Hub in CRAQBENCH_TOKEN; one without any "
        "permission is enough. It is used to ask the Hub whose it is, and not kept."
    )
    yield tag(
        "ul",
        tag(
            "li",
            "Annotations of a hidden board are with the scorer only, which has no network. This page, "
            "its programs and its logs never have them.",
        ),
        tag(
            "li",
            "There are no figures of single hidden images or paintings, for nobody, and figures are rounded.",
        ),
        tag(
            "li",
            "What you say of your method is public at once, with the name of your account. Your "
            "predictions are not shown.",
        ),
        tag("li", login),
    )


def _licences(snapshot: Snapshot) -> Iterator[Markup]:
    yield tag("h2", "Licences")
    for view in snapshot.boards.values():
        yield tag("p", tag("b", view.board.label), ": ", view.board.licence)
    yield tag(
        "p",
        "This software: Apache-2.0. Each entry names the licence of its method and predictions. The "
        "table may be used by anybody for anything.",
    )
