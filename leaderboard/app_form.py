"""The form for submissions: a page of Gradio, which tells live what the server's own check would say.

Gradio serves this page only, below the paths of `leaderboard.app_server`; tables are pages of our own, which
open without its scripts. It is imported when the form is made: it is an extra.
"""

import asyncio
import atexit
import contextlib
import io
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from fastapi import FastAPI

from craqbench.errors import CraqbenchError
from craqbench.report_markup import Child, Markup, fragment, tag
from leaderboard.app_desk import Busy, Desk
from leaderboard.app_entry import STATES
from leaderboard.app_page import asset_path, header
from leaderboard.app_tables import Tables
from leaderboard.ranking import entry_path
from leaderboard.store_records import Accepted
from leaderboard.submission import Refused
from leaderboard.submission_text import JSON_BYTES

if TYPE_CHECKING:
    from leaderboard.app_server import Site

__all__ = ["add_form"]

TEMPLATE = """{
 "format": 1,
 "board": "%s",
 "board_version": "%s",
 "task": "%s",
 "classes": %s,
 "track": "predictions",
 "method": "",
 "version": "1.0",
 "authors": [""],
 "code": null,
 "training_data": "",
 "used_real_annotations": false,
 "used_test_images": false,
 "hardware": "",
 "seconds_per_megapixel": null,
 "licence": ""
}
"""

_SECONDS = 3.0
"""Between two looks at the state of what was sent."""

_CLEANED, _OLD = 300, 1800
"""Seconds between two looks for uploads that nobody needs, and their age."""


def add_form(app: FastAPI, site: "Site") -> None:
    """Add the form to the application, at ``/submit``. Not to be called where an event loop runs."""

    async def add() -> None:
        _add(app, site)

    asyncio.run(add())  # where none runs, Gradio makes event loops, and leaves them open


def _add(app: FastAPI, site: "Site") -> None:
    import gradio as gr  # noqa: PLC0415  an extra, and seconds of importing

    if "GRADIO_TEMP_DIR" not in os.environ:
        folder = os.environ["GRADIO_TEMP_DIR"] = tempfile.mkdtemp(prefix="leaderboard-uploads-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    form = _Form(site.desk, site.tables)
    blocks = gr.Blocks(
        title="Submit - craqbench leaderboard", analytics_enabled=False, delete_cache=(_CLEANED, _OLD)
    )
    with blocks:
        pass  # the page at / is ours
    with blocks.route("Submit", "/submit", show_in_navbar=False):
        _lay_out(gr, form, site.login.operator)
    blocks.queue(max_size=64, default_concurrency_limit=8)
    styles = (
        tag("link", rel="stylesheet", href=asset_path(name)) for name in ("app_frame.css", "app_form.css")
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "SSR mode is not supported")  # nor wanted
        gr.mount_gradio_app(
            app,
            blocks,
            path="/",
            footer_links=[],
            run_history=False,
            show_error=False,
            mcp_server=False,
            ssr_mode=False,
            enable_monitoring=False,
            theme=_theme(gr),
            head="\n".join(styles),
        )


def _theme(gr: Any) -> Any:
    """Return a theme of the page's own colours, with letters that every machine has."""
    base = gr.themes.Base(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])
    colours = {
        "body_background_fill": "var(--paper)",
        "body_text_color": "var(--ink)",
        "body_text_color_subdued": "var(--quiet)",
        "background_fill_primary": "var(--paper)",
        "background_fill_secondary": "var(--plate)",
        "block_background_fill": "var(--paper)",
        "block_border_color": "var(--line)",
        "block_label_background_fill": "var(--plate)",
        "block_label_text_color": "var(--quiet)",
        "block_title_text_color": "var(--ink)",
        "border_color_primary": "var(--line)",
        "border_color_accent": "var(--accent)",
        "color_accent_soft": "var(--plate)",
        "input_background_fill": "var(--paper)",
        "input_border_color": "var(--quiet)",
        "input_border_color_focus": "var(--accent)",
        "input_placeholder_color": "var(--faint)",
        "link_text_color": "var(--accent)",
        "link_text_color_hover": "var(--accent)",
        "button_primary_background_fill": "var(--accent)",
        "button_primary_background_fill_hover": "var(--accent)",
        "button_primary_text_color": "var(--on-accent)",
        "button_secondary_background_fill": "var(--paper)",
        "button_secondary_background_fill_hover": "var(--plate)",
        "button_secondary_text_color": "var(--ink)",
        "button_secondary_border_color": "var(--quiet)",
    }
    both = {**colours, **{f"{name}_dark": value for name, value in colours.items()}}
    return base.set(block_radius="5px", button_large_radius="5px", input_radius="5px", **both)


def _lay_out(gr: Any, form: "_Form", operator: str) -> None:
    """Put the parts on the page, and say what each does."""
    gr.HTML(header("/submit", operator), elem_classes="frame", padding=False)
    gr.HTML(_introduction(operator), padding=False)
    if not operator:
        gr.LoginButton(elem_classes="login")
    with gr.Row(elem_classes="parts"):
        with gr.Column(scale=5, min_width=320):
            gr.HTML(tag("h2", "1. What it is"), padding=False)
            described = gr.File(
                label="submission.json", file_types=[".json"], height=140, elem_id="described"
            )
            text = gr.Textbox(
                form.template,
                label="submission.json, to be written here or taken from the file",
                lines=16,
                max_lines=24,
                max_length=JSON_BYTES,
                elem_id="text",
            )
        with gr.Column(scale=4, min_width=320):
            gr.HTML(tag("h2", "2. What it found"), padding=False)
            predictions = gr.File(
                label="predictions.parquet", file_types=[".parquet"], height=140, elem_id="predictions"
            )
            gr.HTML(tag("h2", "3. Check, and send"), padding=False)
            said = gr.HTML("", elem_id="said", padding=False)
            with gr.Row():
                check = gr.Button("Check only", elem_id="check")
                send = gr.Button("Submit", variant="primary", elem_id="send")
            answer = gr.HTML("", elem_id="answer", padding=False)
    entry = gr.State("")
    clock = gr.Timer(_SECONDS, active=False)
    hear, do_check, do_submit = _told_who(gr, form, operator)
    quiet = {"show_progress": "hidden", "api_visibility": "private"}
    taken = described.upload(form.take, described, text, **quiet)
    taken.then(hear, text, said, **quiet)  # a change that comes while another is heard may get lost
    text.change(hear, text, said, trigger_mode="always_last", **quiet)
    check.click(do_check, [text, predictions], answer, **quiet)
    sent = send.click(do_submit, [text, predictions], [answer, entry], **quiet)
    sent.then(lambda entry: gr.Timer(active=bool(entry)), entry, clock, **quiet)

    def follow(entry: str) -> tuple[str, Any]:
        told, goes_on = form.follow(entry)
        return told, gr.Timer(active=goes_on)

    clock.tick(follow, entry, [answer, clock], **quiet)


def _told_who(gr: Any, form: "_Form", operator: str) -> tuple[Callable[..., Any], ...]:
    """Return what hears, checks and submits, told whose it is: Gradio hands over a profile by its type."""

    def name(profile: Any) -> str:
        return operator or (profile.username if profile else "")

    def hear(text: str, profile: Any = None) -> str:
        return form.hear(text, account=name(profile))

    def check(text: str, predictions: str | None, profile: Any = None) -> Iterator[str]:
        yield from form.check(text, predictions, account=name(profile))

    def submit(text: str, predictions: str | None, profile: Any = None) -> Iterator[tuple[str, str]]:
        yield from form.submit(text, predictions, account=name(profile))

    for one in (hear, check, submit):
        one.__annotations__["profile"] = gr.OAuthProfile | None
    return hear, check, submit


def _introduction(operator: str) -> Markup:
    who = (
        fragment("Entries are those of ", tag("b", operator), ", who sits at this machine.")
        if operator
        else "Entries are those of the account that you sign in with."
    )
    return tag(
        "div",
        tag("h1", "Submit"),
        tag(
            "p",
            "Two files, as ",
            tag("code", "craqbench package"),
            " makes them. The check is the same that runs at home; what is refused costs nothing. ",
            who,
        ),
        class_="introduction",
    )


class _Form:
    """What the parts of the form do. Whatever it returns as HTML is escaped."""

    def __init__(self, desk: Desk, tables: Tables) -> None:
        self._desk, self._tables = desk, tables

    def template(self) -> str:
        """Return the beginnings of a submission.json for the first board."""
        try:
            first = self._tables.get().first
        except CraqbenchError:
            first = None
        if first is None:
            return TEMPLATE % ("", "", "detection", 2)
        board = first.board
        classes = "null" if board.task == "restoration" else str(len(board.classes))
        return TEMPLATE % (board.name, board.version, board.task, classes)

    def take(self, path: str | None) -> str:
        """Return the text of a file that was chosen."""
        if path is None:
            return ""
        with Path(path).open("rb") as file:
            return file.read(JSON_BYTES + 1).decode("utf-8", "replace")

    def hear(self, text: str, *, account: str) -> str:
        """Return what the check says of submission.json alone, while it is written."""
        if not text.strip():
            return ""
        try:
            told, board = self._desk.read(text.encode())
        except CraqbenchError as error:
            return _problems(error)
        quota = self._desk.store.quota(account, told.board) if account else None
        parts: list[Child] = [
            f"submission.json keeps its rules: {told.method} {told.version}, for {board.label}."
        ]
        if quota is not None and quota.again is not None:
            parts.append(f" {account} may submit again from {quota.again:%Y-%m-%d} UTC on.")
        elif quota is not None and quota.today is not None:
            parts.append(f" {account} has {quota.today} left today, {quota.this_quarter} this quarter.")
        return tag("p", *parts, class_="told good", role="status")

    def check(self, text: str, predictions: str | None, *, account: str) -> Iterator[str]:
        """Yield that it is being checked, and what came of it."""
        yield _busy("Checking, in a process of its own ...")
        try:
            with _opened(text, predictions) as (metadata, table):
                checked = self._desk.check(metadata, table, account or "nobody")
        except CraqbenchError as error:
            yield _problems(error)
            return
        told = checked.metadata
        yield tag(
            "p",
            f"It keeps all rules: {told.method} {told.version}. Nothing was sent yet.",
            class_="told good",
            role="status",
        )

    def submit(self, text: str, predictions: str | None, *, account: str) -> Iterator[tuple[str, str]]:
        """Yield that it is being checked, and what came of it, with the entry where there is one."""
        if not account:
            yield (
                tag("p", "Please sign in first: an entry is somebody's.", class_="told bad", role="alert"),
                "",
            )
            return
        yield _busy("Checking, in a process of its own ..."), ""
        try:
            with self._desk.entered(account), _opened(text, predictions) as (metadata, table):
                accepted = self._desk.submit(metadata, table, account)
        except CraqbenchError as error:
            yield _problems(error), ""
            return
        if predictions is not None:
            Path(predictions).unlink(missing_ok=True)
        yield _accepted(accepted), accepted.entry

    def follow(self, entry: str) -> tuple[str, bool]:
        """Return where an entry stands, and whether that may change soon."""
        found = self._tables.get().find(entry)
        queued = found.entries[entry] if found else None
        state = queued.state if queued else "waiting"
        done = state in ("failed", "listed") or (found is not None and entry in found.rows)
        return _standing(entry, queued.number if queued else None, state, done=done), not done


@contextlib.contextmanager
def _opened(text: str, predictions: str | None) -> Iterator[tuple[BinaryIO, BinaryIO | None]]:
    with contextlib.ExitStack() as stack:
        table = None if predictions is None else stack.enter_context(Path(predictions).open("rb"))
        yield io.BytesIO(text.encode()), table


def _busy(text: str) -> Markup:
    return tag("p", text, class_="told busy", role="status")


def _problems(error: CraqbenchError) -> Markup:
    if isinstance(error, Refused):
        lines = [
            tag(
                "li",
                tag("a", one.rule, href=f"/about#{one.rule}"),
                " ",
                None if one.image is None else f"image {one.image}: ",
                one.problem,
            )
            for one in error.refusals[:20]
        ]
        return tag("div", tag("p", "Refused:"), tag("ul", *lines), class_="told bad", role="alert")
    if isinstance(error, Busy):
        return tag("p", f"Not now: {error}.", class_="told bad", role="alert")
    return tag(
        "p",
        "The store cannot be reached; nothing was kept. Please try again in a minute.",
        class_="told bad",
        role="alert",
    )


def _accepted(accepted: Accepted) -> Markup:
    return _standing(accepted.entry, accepted.number, "waiting", done=False)


def _standing(entry: str, number: int | None, state: str, *, done: bool) -> Markup:
    of = "" if number is None else f", number {number:,}"
    where = tag("a", "its page", href=entry_path(entry))
    badge = tag("span", state, class_=f"state {state}", title=STATES[state])
    parts = ["Accepted", of, ". ", badge, " It can be followed on ", where, "."]
    told = {"data_state": state, "data_done": str(done).lower()}
    return tag("p", *parts, class_="told good", role="status", **told)
