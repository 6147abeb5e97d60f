"""The leaderboard for programs: the real server on the loopback, with the real check and a real store."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from app_samples import filled_store, score, served, serving
from submission_samples import (
    as_json,
    metadata,
    parquet,
    png,
    small_board,
    sound_masks,
    table,
    with_mask,
    write_submission,
)

from craqbench.cli import main
from craqbench.errors import StorageError
from leaderboard.app_desk import Desk
from leaderboard.app_login import HubLogin, LoginError
from leaderboard.app_server import Site, make_app
from leaderboard.app_tables import Tables, take_snapshot
from leaderboard.board import board_bytes
from leaderboard.store import Store, create_store
from leaderboard.store_records import Settings
from leaderboard.submission import check_parcel, received_folder
from leaderboard.submission_sending import SendError, fetch_board, send

CANARY = "canary7f3a"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Make a board with entries."""
    return filled_store(tmp_path / "store", 12)


@pytest.fixture
def server(store: Store) -> Iterator[str]:
    """Serve it."""
    with serving(store) as address:
        yield address


def hand_in(address: str, **changes: Any) -> httpx2.Response:
    """Send a submission."""
    told, content = changes.pop("told", metadata()), changes.pop("content", None)
    files: dict[str, Any] = {
        "metadata": ("submission.json", told if isinstance(told, bytes) else as_json(told))
    }
    if content is not False:
        files["predictions"] = ("predictions.parquet", content or parquet(table()))
    return httpx2.post(f"{address}/api/submit", files=files, timeout=60, **changes)


def test_boards_and_a_board(server: str) -> None:
    """Boards are listed, and each is its own board.json; what there is not is 404 with words."""
    (board,) = httpx2.get(f"{server}/api/boards").json()["boards"]
    assert (board["name"], board["version"], board["entries"]) == ("small", "1", 15)
    assert fetch_board(server, "small", "1") == small_board()
    found = httpx2.get(f"{server}/api/board", params={"name": "small", "version": "1"})
    assert found.content == board_bytes(small_board())
    for path in (
        "/api/board?name=small&version=2",
        "/api/ranking?board=other",
        "/api/queue?board=x",
        "/api/x",
        "/api/entry/0",
        "/api/board",
    ):
        answer = httpx2.get(f"{server}{path}")
        assert answer.status_code == 404
        assert "expected" in answer.json()["error"] or "there is no" in answer.json()["error"]


def test_a_ranking_in_every_format(server: str) -> None:
    """JSON, CSV and Markdown have the same rows; a query sorts and filters them as on the page."""
    rows = httpx2.get(f"{server}/api/ranking").json()["rows"]
    assert len(rows) == 12
    assert all(row["path"] == f"/entry/{row['entry']}" for row in rows)
    csv = httpx2.get(f"{server}/api/ranking?board=small&version=1&format=csv")
    assert csv.headers["content-type"].startswith("text/csv")
    assert csv.text.count("\n") == 13
    assert httpx2.get(f"{server}/api/ranking?format=md").text.startswith("| rank |")
    assert httpx2.get(f"{server}/api/ranking?format=xml").status_code == 400
    real = httpx2.get(f"{server}/api/ranking?labels=real&sort=-f1@2").json()["rows"]
    figures = [row["metrics"]["f1@2"]["value"] for row in real]
    assert real
    assert figures == sorted(figures, reverse=True)
    assert all(row["used_real_annotations"] for row in real)


def test_the_queue_and_an_entry(server: str) -> None:
    """Every entry is in the queue with its state; one entry has its row once it is scored."""
    entries = httpx2.get(f"{server}/api/queue").json()["entries"]
    states = [one["state"] for one in entries]
    assert states[-3:] == ["waiting", "claimed", "failed"]
    assert states.count("scored") == 11
    first = httpx2.get(f"{server}/api/entry/{entries[0]['entry']}").json()
    assert first["row"]["method"] == entries[0]["method"]
    assert httpx2.get(f"{server}/api/entry/{entries[-1]['entry']}").json()["row"] is None
    assert httpx2.get(f"{server}/api/rules").json()["quota-day"]


def test_a_submission_goes_all_the_way(server: str, store: Store) -> None:
    """It is accepted, waits, is scored, and has its rank, at one address."""
    answer = hand_in(server)
    assert answer.status_code == 201
    sent = answer.json()
    assert sent == {"entry": store.accepted()[-1].entry, "number": 16}
    assert _soon(lambda: httpx2.get(f"{server}/entry/{sent['entry']}").status_code == 200)
    score(store, store.accepted()[-1], 0.95)
    assert _soon(
        lambda: (httpx2.get(f"{server}/api/entry/{sent['entry']}").json()["row"] or {}).get("rank") == 1
    )
    assert _soon(lambda: "Rank 1" in httpx2.get(f"{server}/entry/{sent['entry']}").text)


def test_the_command_submits_here(server: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`craqbench submit DIR --to URL` is understood, and refused for the same predictions once more."""
    folder = write_submission(tmp_path / "mine")
    assert main(["submit", str(folder), "--to", server]) == 0
    assert "number 16" in capsys.readouterr().out
    assert main(["submit", str(folder), "--to", server]) == 2
    assert "[replayed]" in capsys.readouterr().err


def _soon(ask: Any) -> bool:
    end = time.monotonic() + 20
    while not (found := bool(ask())) and time.monotonic() < end:
        time.sleep(0.05)
    return found


REFUSED: dict[str, dict[str, Any]] = {
    "png-dimensions": {"content": parquet(with_mask(png(np.zeros((1, 1), np.uint8))))},
    "board": {"told": metadata(board="other")},
    "field-missing": {"told": {"format": 1}},
    "text-markup": {"told": metadata(method="<script>alert(1)</script>")},
    "json-syntax": {"told": b"{"},
    "json-depth": {"told": b"[" * 60_000},
    "file-missing": {"content": False},
    "parquet-footer": {"content": b"PAR1 not really PAR1"},
    "file-size": {"told": b" " * 70_000},
    "parquet-rows": {
        "content": parquet(table({"image_id": ["first"], "mask_png": [sound_masks()["first"]]}))
    },
}


@pytest.mark.parametrize("rule", REFUSED)
def test_what_breaks_a_rule_is_refused(server: str, store: Store, rule: str) -> None:
    """A refusal names its rule, quotes in ASCII, keeps nothing, and costs nothing."""
    answer = hand_in(server, **dict(REFUSED[rule]))
    assert answer.status_code == 422
    assert rule in {one["rule"] for one in answer.json()["refusals"]}
    assert answer.content.isascii()
    assert len(store.accepted()) == 15
    assert {path.split("/")[1] for path in store.files.names("submissions")} == {
        e.entry for e in store.accepted()
    }


def test_bodies_that_are_none(server: str) -> None:
    """What is no form, has other files, is too large or says so, is refused before it is read."""
    url = f"{server}/api/submit"
    assert httpx2.post(url, json={}).status_code == 400
    assert httpx2.post(url, content=b"x", headers={"Content-Type": "multipart/form-data"}).status_code == 400
    odd = {"metadata": b"{}", "more": b"x"}
    assert httpx2.post(url, files=odd).status_code == 400
    assert httpx2.post(url, files={"predictions": b"x"}).status_code == 400
    assert httpx2.post(url, data={"metadata": "{}"}, files={"predictions": b"x"}).status_code == 400
    assert httpx2.get(url).status_code in (404, 405)

    def endless() -> Iterator[bytes]:
        while True:
            yield b"x" * 65_536

    for content in (endless(), b"x" * 5_000_000):
        try:
            answer = httpx2.post(
                url, content=content, headers={"Content-Type": "multipart/form-data; boundary=b"}
            )
        except httpx2.TransportError:
            continue  # the server has hung up, which is as good
        assert answer.status_code in (400, 413)


def test_strangers_pages_and_names(server: str) -> None:
    """A page of another site cannot submit in the operator's name, nor reach the loopback by another name."""
    assert hand_in(server, headers={"Origin": "https://evil.test"}).status_code == 403
    assert hand_in(server, headers={"Origin": "null"}).status_code == 403
    assert httpx2.get(server, headers={"Host": "evil.test"}).status_code == 421
    assert httpx2.get(server, headers={"Host": "localhost:1"}).status_code == 200


def _site(store: Store, login: Any, **options: Any) -> tuple[Site, Any]:
    tables = Tables(lambda: take_snapshot(store), seconds=0)
    site = Site(store, tables, Desk(store, tables.boards, **options), login)
    return site, make_app(site)


def test_accounts_are_those_of_tokens(tmp_path: Path) -> None:
    """Without a token 401; the token's account is whose entry it is, and it has its own quota."""
    asked: list[str] = []

    def ask(token: str) -> str:
        asked.append(token)
        if token != "hf_12345678":  # noqa: S105  nobody's
            raise LoginError("unknown")
        return "grace"

    store = create_store(str(tmp_path / "store"), Settings())
    store.add_board(small_board())
    _, app = _site(store, HubLogin(ask))
    with served(app) as address:
        assert hand_in(address).status_code == 401
        for wrong in (
            "Bearer nonsense",
            "Basic hf_12345678",
            "Bearer hf_99999999",
            "Bearer hf_1234\u00e95678",
        ):
            assert hand_in(address, headers={"Authorization": wrong.encode("latin-1")}).status_code == 401
        bearer = {"Authorization": "Bearer hf_12345678"}
        assert hand_in(address, headers=bearer).status_code == 201
        second = hand_in(address, headers=bearer, content=parquet(table(), compression="none"))
        assert [one["rule"] for one in second.json()["refusals"]] == ["quota-day"]
        assert store.accepted()[0].account == "grace"
        assert asked.count("hf_12345678") == 1
        assert asked.count("hf_99999999") == 1


def test_an_overloaded_server_says_so(store: Store) -> None:
    """With as many submissions inside as may be, the next is told when to come again; an account has one."""
    site, app = _site(store, HubLogin(lambda token: token[3:11]), at_once=1, waiting=1)
    with served(app) as address, site.desk.entered("x"), site.desk.entered("somebody"):
        full = hand_in(address, headers={"Authorization": "Bearer hf_aaaaaaaa"})
        own = hand_in(address, headers={"Authorization": "Bearer hf_somebody"})
    assert (full.status_code, own.status_code) == (503, 429)
    assert int(full.headers["Retry-After"]) > 0


def test_as_many_checks_at_once_as_allowed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Six submissions at once are all accepted, and never more than two checked at the same time."""
    running, most, lock = [0], [0], threading.Lock()

    def check(*arguments: Any) -> Any:
        with lock:
            running[0] += 1
            most.append(running[0])
        try:
            return check_parcel(*arguments)
        finally:
            with lock:
                running[0] -= 1

    monkeypatch.setattr("leaderboard.app_desk.check_parcel", check)
    answers: list[int] = []
    with serving(store) as address:

        def one(seed: int) -> None:
            masks = sound_masks(seed + 50)
            content = parquet(table({"image_id": list(masks), "mask_png": list(masks.values())}))
            answers.append(hand_in(address, content=content).status_code)

        threads = [threading.Thread(target=one, args=(seed,)) for seed in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert answers == [201] * 6
    assert max(most) <= 2
    assert len(store.accepted()) == 21


def test_a_store_that_cannot_be_written(server: str, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then nothing is accepted, and the answer says so without saying where the store is."""

    def broken(*_: Any, **__: Any) -> bool:
        raise StorageError(f"{store}: no space left on {CANARY}")

    monkeypatch.setattr("leaderboard.store_files.LocalFiles.create", broken)
    answer = hand_in(server)
    assert answer.status_code == 503
    assert CANARY not in answer.text
    assert str(store) not in answer.text


def test_a_fault_of_ours_tells_nothing(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that nobody expected is 500 without a traceback."""

    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError(CANARY)

    monkeypatch.setattr("leaderboard.app_desk.check_parcel", broken)
    answer = hand_in(server)
    assert answer.status_code == 500
    assert CANARY not in answer.text


def test_nothing_hidden_in_any_answer(tmp_path: Path) -> None:
    """Labels, keys and counts beside the store, and files of it that are not published, are in no answer."""
    store = filled_store(tmp_path / "store", 6)
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "labels.json").write_text(CANARY)
    entry = store.accepted()[0].entry
    for path in (
        f"submissions/{entry}/scores/1-3fa29c/per-image.json",
        f"submissions/{entry}/predictions.parquet",
        "boards/small/1/labels.json",
        "private/labels.json",
    ):
        store.files.create(path, CANARY.encode())
    tricks = ("../private/labels.json", "%2e%2e/private/labels.json", "..%2f..%2fprivate%2flabels.json")
    paths = [
        "/",
        "/queue",
        "/about",
        f"/entry/{entry}",
        "/api/boards",
        "/api/ranking",
        "/api/ranking?format=csv",
        "/api/ranking?format=md",
        "/api/queue",
        f"/api/entry/{entry}",
        "/api/board?name=small&version=1",
        f"/entry/{entry}/0-found.webp",
        "/store.json",
        "/config",
        "/gradio_api/info",
        f"/gradio_api/file={tmp_path}/private/labels.json",
        f"/gradio_api/file={store}/boards/small/1/labels.json",
        f"/gradio_api/proxy=http://127.0.0.1/{CANARY}",
    ]
    paths += [
        f"{start}{trick}"
        for start in ("/", "/look/1/", "/entry/", "/board/small/", "/static/", "/assets/")
        for trick in tricks
    ]
    with serving(store, form=True) as address:
        for path in paths:
            answer = httpx2.get(f"{address}{path}")
            told = answer.text + json.dumps(dict(answer.headers))
            assert CANARY not in told.replace(path, ""), path
            assert str(tmp_path) in path or str(tmp_path) not in told, path
            assert answer.status_code < 500, (path, answer.status_code)


def test_sending_says_what_a_server_says(server: str, tmp_path: Path) -> None:
    """The library's own sender takes the answers as they are; a closed door is an error in words."""
    folder = write_submission(tmp_path / "mine")
    with received_folder(folder, small_board()) as parcel:
        assert send(server, parcel).number == 16
        with pytest.raises(SendError, match="connection failed"):
            send("http://127.0.0.1:9", parcel)
