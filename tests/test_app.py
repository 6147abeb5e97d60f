"""The pages of a leaderboard: what they show, in which order, and that no text in them is markup."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from app_samples import START, filled_store, publish, serving
from html_pages import Page
from submission_samples import as_json, metadata, small_board

from craqbench.errors import StorageError, UsageError
from leaderboard.app import create_app, serve
from leaderboard.app_columns import View, chosen_rows, read_view, table_columns
from leaderboard.app_desk import Desk
from leaderboard.app_entry import entry_page, queue_page
from leaderboard.app_figures import whisker
from leaderboard.app_files import RememberedFiles, remembering
from leaderboard.app_form import _Form
from leaderboard.app_login import is_loopback
from leaderboard.app_scatter import _ticks, scatter
from leaderboard.app_tables import BoardView, Snapshot, Tables, take_snapshot
from leaderboard.ranking import Figure, Ranking, load_ranking
from leaderboard.store import Store, create_store
from leaderboard.submission_metadata import read_metadata

ATTACK = "\"'><script>window.broken=1</script><img src=x onerror=alert(1)>{{7*7}}${7*7}"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Make a board of forty entries."""
    return filled_store(tmp_path_factory.mktemp("app") / "store", 40)


@pytest.fixture(scope="module")
def server(store: Store) -> Iterator[str]:
    """Serve it."""
    with serving(store) as address:
        yield address


@pytest.fixture(scope="module")
def ranking(store: Store) -> Ranking:
    """Return its table."""
    return load_ranking(store, small_board())


def page_of(address: str) -> Page:
    """Return a page, which must be there."""
    answer = httpx2.get(address, follow_redirects=True)
    assert answer.status_code == 200
    return Page(answer.text)


def names(page: Page) -> list[str]:
    """Return the entries of a table, in its order."""
    return [str(found["href"]) for found, _ in page.all("a", **{"class": "name"})]


def test_the_table_has_all_entries(server: str, ranking: Ranking) -> None:
    """In the order of the ranking, with intervals, ranks that are tied, badges, and where to get it."""
    page = page_of(server)
    assert names(page) == [row.path for row in ranking.rows]
    text = httpx2.get(server).text
    assert text.count("<tr") == len(ranking.rows) + 1
    for word in (
        "tied",
        "reproduced",
        "disputed",
        "real labels",
        "self-reported",
        "sanity row",
        "format=csv",
    ):
        assert word in text
    first = ranking.rows[0].metrics["f1@2"]
    assert f"{first.low:.3f} to {first.high:.3f}" in text
    assert len(page.all("th", **{"aria-sort": "ascending"})) == 1
    assert not page.unclosed


@pytest.mark.parametrize(
    "column",
    [
        "rank",
        "method",
        "f1@2",
        "precision@2",
        "seconds",
        "attempts",
        "submitted",
        "authors",
        "account",
        "training",
        "hardware",
        "licence",
        "behind",
    ],
)
def test_any_column_sorts(server: str, ranking: Ranking, column: str) -> None:
    """Up and down; entries without a value come last either way."""
    found = next(one for one in table_columns(ranking) if one.name == column)
    rows = {row.path: row for row in ranking.rows}
    for sign in ("", "-"):
        values = [
            found.value(rows[path]) for path in names(page_of(f"{server}/board/small/1?sort={sign}{column}"))
        ]
        assert len(values) == 40
        known = [
            value.casefold() if isinstance(value, str) else value for value in values if value is not None
        ]
        assert known == sorted(known, reverse=bool(sign))
        assert all(value is None for value in values[len(known) :])


@pytest.mark.parametrize(
    ("query", "holds"),
    [
        ("q=RIDGE", lambda row: row.method == "ridge"),
        ("q=châtelet", lambda row: len(row.authors) == 2),
        ("labels=real", lambda row: row.used_real_annotations),
        ("labels=synthetic", lambda row: not row.used_real_annotations),
        ("track=self-reported", lambda row: row.track == "self-reported"),
        ("track=reproduced", lambda row: row.reproduced),
        ("min.f1@2=0.4", lambda row: row.metrics["f1@2"].value >= 0.4),
        ("min.f1@2=0,2&max.f1@2=0.4", lambda row: 0.2 <= row.metrics["f1@2"].value <= 0.4),
        ("max.seconds=1", lambda row: row.seconds_per_megapixel and row.seconds_per_megapixel <= 1),
        ("max.rank=5", lambda row: row.rank and row.rank <= 5),
        ("has.account=grace", lambda row: row.account == "grace"),
        ("has.method=tophat&min.attempts=2", lambda row: row.method == "tophat" and row.attempts >= 2),
        ("sort=nonsense&min.f1@2=x&page=-1&labels=q&max.rank=nan", lambda _: True),
    ],
)
def test_any_column_filters(server: str, ranking: Ranking, query: str, holds: Any) -> None:
    """Texts by a part, numbers by their ends; what is not understood hides nothing."""
    assert names(page_of(f"{server}/board/small/1?{query}")) == [
        row.path for row in ranking.rows if holds(row)
    ]


def test_nothing_found_is_said(server: str) -> None:
    """A filter that nothing passes shows a way back."""
    text = httpx2.get(f"{server}/board/small/1?q=nobody").text
    assert "No entry is like that" in text
    assert "0 of 40 entries" in text


def test_views_survive_their_addresses(ranking: Ranking) -> None:
    """What a page's own links say is read back as it was."""
    columns = table_columns(ranking)
    view = View(
        "f1@2",
        descending=True,
        text="a&b",
        labels="real",
        ends=(("rank", (1.0, 5.0)),),
        parts=(("account", "x"),),
    )
    query = {
        "sort": "-f1@2",
        "q": "a&b",
        "labels": "real",
        "min.rank": "1",
        "max.rank": "5",
        "has.account": "x",
    }
    assert read_view(query, columns) == view
    assert view.filtered
    assert not View().filtered
    assert chosen_rows(ranking.rows, View(), columns) == list(ranking.rows)


def test_an_entry_has_its_page(server: str, store: Store, ranking: Ranking) -> None:
    """At an address that stays: what it says, its figures, and where it stands; waiting ones, too."""
    row = ranking.rows[0]
    text = httpx2.get(f"{server}{row.path}").text
    for word in (
        row.method,
        row.entry,
        row.account,
        row.licence,
        row.training_data,
        "Rank 1",
        "clDice",
        row.code,
    ):
        assert str(word) in text
    waiting, claimed, failed = (
        httpx2.get(f"{server}/entry/{one.entry}").text for one in store.accepted()[-3:]
    )
    assert "It waits for its score" in waiting
    assert "being scored right now" in claimed
    assert "could not be scored" in failed
    for path in ("/entry/x", "/entry/01ARZ3NDEKTSV4RRFFQ69G5FAV", "/board/small/2", "/nothing"):
        answer = httpx2.get(f"{server}{path}")
        assert (answer.status_code, "Not found" in answer.text) == (404, True)


def test_the_queue(server: str) -> None:
    """Newest first, each with its state."""
    page = page_of(f"{server}/queue")
    states = [text for found, text in page.all("span") if str(found.get("class")).startswith("state")]
    assert states[:3] == ["failed", "claimed", "waiting"]
    assert len(states) == 43


def test_the_rules_and_the_licence(server: str) -> None:
    """The page about it has the protocol, three commands with this address, every rule, and licences."""
    text = httpx2.get(f"{server}/about").text
    assert f"craqbench submit mine --to {server}" in text
    assert 'id="quota-day"' in text
    assert "CC0-1.0" in text
    assert "Apache-2.0" in text


def test_who_is_the_operator(server: str) -> None:
    """The page says who sits at this machine."""
    assert "operator <b>ada</b>" in httpx2.get(server).text


def test_a_policy_lets_nothing_in(server: str) -> None:
    """Every answer forbids scripts in the page, other sites' frames, and guessing of types."""
    for path in ("/", "/queue", "/about", "/nothing", "/api/boards", "/look/1/app.css"):
        headers = httpx2.get(f"{server}{path}").headers
        assert "frame-ancestors 'self'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
    policy = httpx2.get(server).headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy


def test_pages_are_sent_once(server: str) -> None:
    """Who has a page already is told that it has not changed; it is packed for who can unpack it."""
    first = httpx2.get(server)
    assert httpx2.get(server, headers={"If-None-Match": first.headers["etag"]}).status_code == 304
    assert first.headers["content-encoding"] == "gzip"
    assert httpx2.get(server, headers={"Accept-Encoding": "identity"}).text == first.text
    (style, *_) = re.findall(r'href="(/look/[^"]+)"', first.text)
    assert "immutable" in httpx2.get(f"{server}{style}").headers["cache-control"]
    assert httpx2.get(f"{server}/look/1/app.py").status_code == 404


def test_hostile_texts_are_escaped(tmp_path: Path) -> None:
    """In every text of a row, and every note: neither an element nor an attribute comes of it."""
    fields = ("method", "version", "training_data", "hardware", "licence", "code", "weights_repository")
    texts: dict[str, Any] = {**dict.fromkeys(fields, ATTACK), "authors": (ATTACK, ATTACK)}
    store = filled_store(tmp_path / "store", 8, **texts)
    ranking = load_ranking(store, small_board())
    flags = tuple(
        flag.model_copy(update={"note": ATTACK, "kind": "odd"}) for row in ranking.rows for flag in row.flags
    )
    rows = [row.model_copy(update={"flags": flags}) for row in ranking.rows]
    publish(store, rows, 2, notes=(ATTACK,))
    with serving(store) as address:
        paths = [
            "/",
            "/?columns=all",
            f"/board/small/1?q={ATTACK}",
            f"/board/small/1?has.method={ATTACK}",
            f"/entry/{rows[0].entry}",
            "/queue",
            "/about",
            f"/queue?board={ATTACK}",
            f"/{ATTACK}",
        ]
        for path in paths:
            _check_harmless(httpx2.get(f"{address}{path}").text)
        for form in ("csv", "json", "md"):
            answer = httpx2.get(f"{address}/api/ranking?format={form}")
            assert "html" not in answer.headers["content-type"]
    first = take_snapshot(store).boards["small", "1"].queue[0]
    texts = dict.fromkeys(("method", "version", "account", "track", "reason"), ATTACK)
    queued = first.model_copy(update={**texts, "state": "failed"})
    texts = {**dict.fromkeys((*fields, "code_commit"), ATTACK), "authors": (ATTACK,), "weights": None}
    told = read_metadata(as_json(metadata())).model_copy(update=texts)
    view = BoardView(small_board(), ranking, (queued,))
    snapshot = Snapshot({("small", "1"): view}, START)
    _check_harmless(queue_page(snapshot, view, 1).html.decode())
    _check_harmless(entry_page(view, told, queued.entry).html.decode())


def _check_harmless(text: str) -> None:
    page = Page(text)
    assert [found for found, _ in page.all("script") if "src" not in found] == []
    assert [found for found, _ in page.all("img")] == []
    assert not [name for _, found, _ in page.elements for name in found if name.startswith("on")]
    for found, _ in page.all("a"):
        assert re.match(r"(/|#|https://)", str(found["href"])) or str(found["href"]).startswith("?"), found


def test_what_the_form_says_is_escaped(store: Store) -> None:
    """Refusals of hostile texts, and of none at all, are harmless markup with the rule in it."""
    tables = Tables(lambda: take_snapshot(store))
    form = _Form(Desk(store, tables.boards), tables)
    assert '"board": "small"' in form.template()
    for text in (ATTACK, json.dumps({ATTACK: 1}), "{", "[" * 9000, '{"method": "<b>"}'):
        told = form.hear(text, account="ada")
        _check_harmless(told)
        assert 'class="told bad"' in told
    assert form.hear(" ", account="") == ""
    assert list(form.submit("{}", None, account=""))[-1][1] == ""
    assert "field-missing" in list(form.check("{}", None, account="grace"))[-1]


def test_two_thousand_entries_open_fast(tmp_path: Path) -> None:
    """A large board is pages of a hundred rows and one small picture, under 300 kB each."""
    store = filled_store(tmp_path / "store", 1997)
    with serving(store, seconds=5.0) as address:
        start = time.monotonic()
        text = httpx2.get(address).text
        print(f"{time.monotonic() - start:.2f} s, {len(text):,} bytes")  # noqa: T201  for who measures
        assert len(Page(text).all("a", **{"class": "name"})) == 100
        assert len(text) < 300_000
        assert "1,997 entries" in text
        last = Page(httpx2.get(f"{address}/board/small/1?page=20").text)
        assert len(last.all("a", **{"class": "name"})) == 97
        assert len(httpx2.get(f"{address}/api/ranking").json()["rows"]) == 1997


def test_a_cold_start_needs_the_store_only(store: Store) -> None:
    """A new process shows the same page, byte for byte."""
    with serving(store) as address:
        first = httpx2.get(address).content
    with serving(store) as address:
        assert httpx2.get(address).content == first


def test_an_empty_store_says_what_to_do(tmp_path: Path) -> None:
    """Without a board, and with a board without entries, there are pages that say so."""
    store = create_store(str(tmp_path / "store"))
    with serving(store) as address:
        assert "craqbench leaderboard init" in httpx2.get(address).text
        assert "no board yet" in httpx2.get(f"{address}/queue").text
        store.add_board(small_board())
        shows(address, "No entry has been scored yet")
        shows(f"{address}/queue", "Nobody has submitted")


def shows(address: str, text: str) -> None:
    """Wait until a page has a text: for a moment the page of the table before may be shown."""
    end = time.monotonic() + 20
    while text not in (found := httpx2.get(address).text):
        assert time.monotonic() < end, found
        time.sleep(0.05)


@pytest.mark.parametrize("then", [StorageError("gone"), RuntimeError("odd"), Snapshot({}, START)])
def test_a_store_that_goes_away_leaves_the_last_table(then: Any) -> None:
    """Nobody waits for a new table; while the store cannot be read the last one is shown, and says so."""
    view = BoardView(small_board(), None, ())  # type: ignore[arg-type]  # not looked at
    answers: list[Any] = [Snapshot({("small", "1"): view}, START)]

    def take() -> Snapshot:
        found: Any = answers.pop() if answers else then
        if isinstance(found, Exception):
            raise found
        return found  # type: ignore[no-any-return]

    tables = Tables(take, seconds=0)
    assert not tables.get().stale
    end = time.monotonic() + 20
    while not tables.get().stale:
        assert time.monotonic() < end
        time.sleep(0.01)
    assert tables.get().boards.keys() == {("small", "1")}


def test_a_store_that_cannot_be_read_at_the_start(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server starts, says that it cannot reach the store, and nothing of why; later it can."""

    def broken(*_: Any) -> list[str]:
        raise StorageError("canary")

    with monkeypatch.context() as patched:
        patched.setattr("leaderboard.store_files.LocalFiles.names", broken)
        with serving(store) as address:
            answer = httpx2.get(address)
            assert (answer.status_code, "canary" in answer.text) == (503, False)
            assert httpx2.get(f"{address}/api/boards").status_code == 503
            patched.undo()
            assert httpx2.get(address).status_code == 200


def test_files_are_read_once(tmp_path: Path) -> None:
    """A small file that was read is remembered, up to a number of bytes; which there are is asked anew."""
    store = filled_store(tmp_path / "store", 3)
    files = RememberedFiles(store.files, most=100)
    store.files.create("a", b"x" * 60)
    assert files.read("a") == b"x" * 60
    (tmp_path / "store" / "a").unlink()
    assert files.read_all(["a", "store.json"])[0] == b"x" * 60
    assert files.read("nothing") is None
    assert files.read("boards/small/1/board.json") is not None
    assert "a" not in files.names("")
    assert files.read("a") is None
    assert remembering(store).accepted() == store.accepted()


def test_the_operator_is_reached_on_the_loopback_only(store: Store) -> None:
    """Other hosts, a port that is taken, and a missing operator are errors in words."""
    for host in ("127.0.0.1", "::1", "localhost", "[::1]"):
        assert is_loopback(host)
    with pytest.raises(UsageError, match=r"host '0.0.0.0': .* expected 127.0.0.1"):
        serve(store, host="0.0.0.0", operator="ada")  # noqa: S104  refused
    with pytest.raises(UsageError, match="no operator"):
        serve(store, operator="")
    with serving(store) as address, pytest.raises(UsageError, match="expected a free --port"):
        serve(store, port=int(address.rpartition(":")[2]), operator="ada")


def test_without_its_packages_the_page_says_which(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra is named."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(UsageError, match=r"craqbench\[space\]"):
        create_app(store, operator="ada")


def test_pictures_of_drawings() -> None:
    """Ticks are round numbers within the axis; whiskers are drawn of figures only."""
    assert _ticks(0, 0.63) == [0, 0.2, 0.4, 0.6]
    assert _ticks(21.3, 24.8) == [22, 23, 24]
    assert 'd="M50.0 6H50.0"' in str(whisker(Figure(value=0.5), (0, 1)))
    assert whisker(None, (0, 1)) is None


def test_a_scatter_of_what_has_a_speed(ranking: Ranking) -> None:
    """Entries without a speed are left out; without any there is no picture; thousands are one path."""
    drawn = str(scatter(ranking, ranking.rows))
    fast = [row for row in ranking.rows if row.seconds_per_megapixel]
    assert f"of {len(fast)} entries" in drawn
    assert scatter(ranking, [row for row in ranking.rows if not row.seconds_per_megapixel]) is None
    assert "cloud" in str(scatter(ranking, fast * 5))
    assert len(str(scatter(ranking, fast * 50))) < 120_000


SPACE = """
import os, sys
os.environ.update(SPACE_ID="lab/board", SYSTEM="spaces", SPACE_HOST="lab-board.hf.space", OAUTH_CLIENT_ID="i",
                  OAUTH_CLIENT_SECRET="canary-secret", OAUTH_SCOPES="openid profile",
                  OPENID_PROVIDER_URL="http://127.0.0.1:9")
sys.path.insert(0, sys.argv[2])
import httpx2
from app_samples import served
from leaderboard.app import create_app
from leaderboard.store import open_store
with served(create_app(open_store(sys.argv[1]))) as address:
    page = httpx2.get(address + "/submit", headers={"Host": "lab-board.hf.space"})
    assert page.status_code == 200, page.text
    assert "Sign in" in page.text
    assert "canary-secret" not in page.text
    assert "https://huggingface.co" in page.headers["content-security-policy"]
    assert "operator" not in httpx2.get(address).text
    assert httpx2.post(address + "/api/submit", files={"metadata": b"{}"}).status_code == 401
    assert httpx2.get(address + "/logout", follow_redirects=False).status_code in (302, 307)
    print("fine")
"""


@pytest.mark.long
def test_a_space_signs_in_with_the_hub(store: Store) -> None:
    """On a Space the form has the Hub's login, nobody is the operator, and programs need a token."""
    tests = str(Path(__file__).parent)
    found = subprocess.run(
        [sys.executable, "-c", SPACE, str(store), tests],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert found.stdout.endswith("fine\n"), found.stderr
