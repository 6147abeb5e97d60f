"""Leaderboards for tests of the page: stores with entries and a table, and a server that is one thread."""

from __future__ import annotations

import contextlib
import hashlib
import random
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import uvicorn
from submission_samples import as_json, metadata, small_board

from leaderboard.app import create_app
from leaderboard.ranking import empty_ranking
from leaderboard.ranking_records import Figure, FlagNote, Ranking, Row, Scorer, board_folder
from leaderboard.store import Store, create_store, folder_of
from leaderboard.store_records import Accepted, Claim, Failed, FileFacts, Settings, record_bytes
from leaderboard.store_ulid import new_ulid
from leaderboard.submission import METADATA

KEY = "1-3fa29c"
START = datetime(2026, 11, 1, tzinfo=UTC)
METHODS = ("segformer-lora", "unet-small", "tophat", "ridge", "grassfire", "craqnet,level=55", "checkerboard")
PEOPLE = ("ada", "grace", "emilie", "noether")
OPERATORS = Settings(operators=("ada",))


def filled_store(folder: Path, count: int, **texts: Any) -> Store:
    """Return a store of one board with so many scored entries, and one that waits, one claimed, one failed.

    `texts` replace those of every row of the table, and may be what no check lets pass.
    """
    store = create_store(str(folder), OPERATORS)
    board = small_board()
    store.add_board(board)
    rng = random.Random(3)  # noqa: S311  no secret
    made = [_entry(store, number) for number in range(1, count + 4)]
    waits = {count + 1, count + 2, count + 3}
    _leave(store, made[-2], "claim-0001.json")
    _leave(store, made[-1], "failed.json")
    scored = [(one, told) for one, told in made if one.number not in waits]
    for one in (one for one, _ in scored if one.digest):
        put(store, f"{folder_of(one.entry)}/scores/{KEY}/result.json", b"{}\n")
    rows = [_row(one, told, rng).model_copy(update=texts) for one, told in scored]
    scorer = Scorer(number=1, key=KEY, scorer="1", revision="3" * 64, at=START)
    put(store, f"{board_folder(board)}/scorers/0001.json", record_bytes(scorer))
    publish(store, rows, 1)
    return store


def publish(store: Store, rows: list[Row], number: int, **changes: Any) -> Ranking:
    """Publish a table of rows, best first."""
    board = store.board("small", "1")
    rows = sorted(rows, key=lambda row: (row.state == "listed", -(row.metrics["f1@2"].value or 0)))
    ranked = [row.entry for row in rows if row.state == "scored" and row.kind == "method" and not row.flags]
    placed = [
        row.model_copy(update={"rank": ranked.index(row.entry) // 2 * 2 + 1, "tied": True})
        if row.entry in ranked
        else row
        for row in rows
    ]
    fields = {"key": KEY, "number": number, "made_at": START + timedelta(days=20), "rows": tuple(placed)}
    notes = ("Ties: paired bootstrap over these paintings, p >= 0.05.",)
    told = {**fields, "images": 40, "paintings": 21, "notes": notes, **changes}
    ranking = empty_ranking(board).model_copy(update=told)
    path = f"{board_folder(board)}/rankings/{KEY}/{number:08}.json"
    assert store.files.create(path, record_bytes(ranking))
    return ranking


def put(store: Store, path: str, data: bytes) -> None:
    """Write a file of a store without waiting for the disk, which thousands of them would."""
    file = Path(str(store)) / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)


def _entry(store: Store, number: int) -> tuple[Accepted, dict[str, Any]]:
    name = METHODS[number % len(METHODS)]
    listed = number % 13 == 7
    told = metadata(
        method=name,
        version=f"1.{number}",
        authors=["Ada Lovelace", "Émilie du Châtelet"][: 1 + number % 2],
        used_real_annotations=number % 4 == 1,
        seconds_per_megapixel=None if number % 11 == 10 else round(0.01 * 1.7 ** (number % 17), 4),
        track="self-reported" if listed else "predictions",
        reported={"f1@2": 0.5} if listed else None,
    )
    raw = as_json(told)
    at = START + timedelta(hours=number)
    one = Accepted(
        number=number,
        entry=new_ulid(at),
        account=PEOPLE[number % 4],
        accepted_at=at,
        board="small",
        board_version="1",
        track=told["track"],
        digest=None if listed else hashlib.sha256(str(number).encode()).hexdigest(),
        files={METADATA: FileFacts(size=len(raw), sha256=hashlib.sha256(raw).hexdigest())},
    )
    put(store, f"{folder_of(one.entry)}/{METADATA}", raw)
    put(store, f"log/{number:08}.json", record_bytes(one))
    return one, told


def _leave(store: Store, made: tuple[Accepted, dict[str, Any]], name: str) -> None:
    one, now = made[0], datetime.now(UTC)
    claim = Claim(
        entry=one.entry, key=KEY, number=1, worker="w", nonce="0" * 16, at=now, until=now + timedelta(hours=1)
    )
    failed = Failed(reason="scoring took more than 600 s", errors=2, at=now)
    record = claim if name.startswith("claim") else failed
    put(store, f"{folder_of(one.entry)}/scores/{KEY}/{name}", record_bytes(record))


def row_of(one: Accepted, told: Mapping[str, Any], f1: float) -> Row:
    """Return the row of an entry with this F1."""
    listed = one.track == "self-reported"
    figures = {
        "f1@2": f1,
        "precision@2": min(1, f1 + 0.05),
        "recall@2": max(0, f1 - 0.04),
        "cldice": 0.9 * f1,
    }
    return Row(
        entry=one.entry,
        number=one.number,
        state="listed" if listed else "scored",
        kind="sanity" if told["method"] == "checkerboard" else "method",
        rank=None,
        tied=False,
        account=one.account,
        submitted_at=one.accepted_at,
        track=one.track,
        task="detection",
        classes=2,
        method=told["method"],
        version=told["version"],
        authors=tuple(told["authors"]),
        code=told["code"],
        code_commit=told["code_commit"],
        weights_repository="lab/ridge",
        weights_revision="v1",
        training_data=told["training_data"],
        used_real_annotations=told["used_real_annotations"],
        used_test_images=told["used_test_images"],
        seeds=(0, 1),
        hardware=told["hardware"],
        seconds_per_megapixel=told["seconds_per_megapixel"],
        licence=told["licence"],
        metrics={"f1@2": Figure(value=round(f1, 3))}
        if listed
        else {n: _figure(v) for n, v in figures.items()},
        behind=None,
        final=None,
        gap=None,
        flags=_flags(one),
        attempts=1 + one.number % 4,
        predictions_digest=one.digest,
    )


def _row(one: Accepted, told: Mapping[str, Any], rng: random.Random) -> Row:
    low = told["method"] == "checkerboard"
    return row_of(one, told, 0.05 if low else 0.1 + 0.6 * rng.betavariate(4, 4))


def _figure(value: float) -> Figure:
    low, high = max(0.0, value - 0.05), min(1.0, value + 0.05)
    return Figure(value=round(value, 3), low=round(low, 3), high=round(high, 3))


def _flags(one: Accepted) -> tuple[FlagNote, ...]:
    kinds = {3: "reproduced", 5: "disputed"}
    at = one.accepted_at
    return (FlagNote(kind=kinds[one.number], note="as told", by="ada", at=at),) if one.number in kinds else ()


def score(store: Store, one: Accepted, f1: float) -> None:
    """Do what a worker does: a result, and a new table."""
    told = store.metadata(one).model_dump()
    store.files.create(f"{folder_of(one.entry)}/scores/{KEY}/result.json", b"{}\n")
    board = store.board("small", "1")
    paths = store.files.names(f"{board_folder(board)}/rankings")
    rows = list(Ranking.model_validate_json(store.files.read_all(paths[-1:])[0]).rows) if paths else []
    publish(store, [*rows, row_of(one, told, f1)], len(paths) + 1)


@contextlib.contextmanager
def serving(store: Store, **options: Any) -> Iterator[str]:
    """Serve a store on the loopback until the block ends; yield the address."""
    app = create_app(store, **{"operator": "ada", "seconds": 0.0, "form": False, **options})
    with served(app) as address:
        yield address


@contextlib.contextmanager
def served(app: Any) -> Iterator[str]:
    """Serve an application on a free port of the loopback."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(512)
        config = uvicorn.Config(app, log_level="critical", access_log=False, server_header=False, ws="none")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        try:
            while not server.started:
                assert thread.is_alive(), "the server has not started"
                time.sleep(0.01)
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(timeout=20)
