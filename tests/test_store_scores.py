"""Claims are had by one worker, results are made once, and what fails says why."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from local_hub import (
    ORG,
    LocalHub,
    client_warnings,
    local_hub,  # noqa: F401 - a fixture
)
from store_samples import GENEROUS, new_store, submission

from craqbench.errors import UsageError
from leaderboard.store import Store, open_store
from leaderboard.store_records import Accepted, StoreError
from leaderboard.store_scores import LOST, Scores

pytestmark = client_warnings

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
LEASE = timedelta(minutes=10)


class Board(NamedTuple):
    """A store with a submission, and its scores."""

    store: Store
    scores: Scores
    first: Accepted


@pytest.fixture(name="board")
def one_submission(tmp_path: Path) -> Board:
    """Return a store with one submission."""
    store = new_store(tmp_path / "store", GENEROUS)
    return Board(
        store, Scores(store, "1-abc"), store.accept(*submission(tmp_path / "1", "a"), "ada", now=NOON)
    )


def test_from_waiting_to_scored(board: Board) -> None:
    """A submission waits, is claimed by one worker, and is scored; then nobody can claim it."""
    _, scores, first = board
    assert scores.progress(first, now=NOON) == ("waiting", 0, 0, "")
    claim = scores.claim(first, "one", lease=LEASE, now=NOON)
    assert claim
    assert scores.progress(first, now=NOON).state == "claimed"
    assert scores.claim(first, "two", lease=LEASE, now=NOON) is None
    assert scores.result(first) is None
    assert scores.finish(claim, b'{"f1": 0.5}')
    assert scores.progress(first, now=NOON) == ("scored", 1, 0, "")
    assert scores.claim(first, "two", now=NOON + 2 * LEASE) is None
    assert scores.result(first) == b'{"f1": 0.5}'


def test_a_worker_that_does_not_come_back(board: Board) -> None:
    """A claim that has run out is taken over; the first result stays, whoever brings it."""
    _, scores, first = board
    slow = scores.claim(first, "slow", lease=LEASE, now=NOON)
    later = NOON + LEASE
    assert scores.progress(first, now=later) == ("waiting", 1, 0, "")
    quick = scores.claim(first, "quick", lease=LEASE, now=later)
    assert slow
    assert quick
    assert (slow.number, quick.number) == (1, 2)
    assert scores.finish(slow, b"slow")
    assert not scores.finish(quick, b"quick")
    assert scores.result(first) == b"slow"


def test_one_retry_and_then_failed(board: Board) -> None:
    """After an error it is tried once more; after a second it has failed, and says why."""
    _, scores, first = board
    for number, state in ((1, "waiting"), (2, "failed")):
        claim = scores.claim(first, "one", now=NOON)
        assert claim
        progress = scores.release(claim, f"out of memory {number}", error=True, now=NOON)
        assert progress == (state, number, number, f"out of memory {number}")
        assert scores.progress(first, now=NOON) == progress
    assert scores.claim(first, "one", now=NOON + 2 * LEASE) is None
    assert scores.all_progress(now=NOON)[first.entry].state == "failed"


def test_stopping_is_no_error(board: Board) -> None:
    """A worker that must stop gives its claim back, or is killed, and none of it is an error."""
    _, scores, first = board
    for number in range(1, 6):
        claim = scores.claim(first, "one", lease=LEASE, now=NOON + number * LEASE)
        assert claim
        if number % 2:
            scores.release(claim, "interrupted", error=False, now=NOON)
    assert scores.progress(first, now=NOON + 9 * LEASE) == ("waiting", 5, 0, "")


def test_what_kills_its_workers(board: Board) -> None:
    """What so many workers never came back from has failed; those who were stopped do not count."""
    _, scores, first = board
    for number in range(LOST + 5):
        claim = scores.claim(first, "one", lease=LEASE, now=NOON + number * LEASE)
        assert claim
        if number < 5:
            scores.release(claim, "interrupted", error=False, now=NOON)
    before, after = NOON + (LOST + 4.5) * LEASE, NOON + (LOST + 5) * LEASE
    assert scores.progress(first, now=before).state == "claimed"
    failed = scores.progress(first, now=after)
    assert failed[:3] == ("failed", LOST + 5, 0)
    assert f"{LOST} workers" in failed.reason
    assert scores.claim(first, "one", now=after) is None
    assert claim
    assert scores.finish(claim, b"late")
    assert scores.progress(first, now=after).state == "scored"


def test_another_scorer_scores_again(board: Board) -> None:
    """Another key begins anew, and leaves what the first has made."""
    store, scores, first = board
    claim = scores.claim(first, "one", now=NOON)
    assert claim
    scores.finish(claim, b"old")
    newer = Scores(store, "2-abc")
    assert newer.progress(first, now=NOON).state == "waiting"
    claim = newer.claim(first, "one", now=NOON)
    assert claim
    newer.finish(claim, b"new")
    assert (scores.result(first), newer.result(first)) == (b"old", b"new")


def test_all_in_their_order(board: Board, tmp_path: Path) -> None:
    """Where all stand is told in the order of acceptance, with one listing."""
    store, scores, first = board
    others = [store.accept(*submission(tmp_path / n, n), "ada", now=NOON) for n in "bcd"]
    claim = scores.claim(others[1], "one", now=NOON)
    assert claim
    scores.finish(claim, b"{}")
    Scores(store, "other").claim(first, "one", now=NOON)
    scores.claim(others[2], "one", now=NOON)
    found = scores.all_progress(now=NOON)
    assert [*found] == [one.entry for one in store.accepted()]
    assert [one.state for one in found.values()] == ["waiting", "waiting", "scored", "claimed"]
    assert [*scores.all_progress(others[:1], now=NOON)] == [others[0].entry]


@pytest.mark.parametrize("key", ["", "a/b", "../x", ".x", "a b", "a" * 121])
def test_keys_are_names(board: Board, key: str) -> None:
    """What cannot be part of a path is no key."""
    with pytest.raises(UsageError, match="expected letters"):
        Scores(board.store, key)


def test_changed_claims_are_noticed(board: Board, tmp_path: Path) -> None:
    """A claim that somebody has changed is told by its path."""
    _, scores, first = board
    scores.claim(first, "one", now=NOON)
    (path,) = (tmp_path / "store").rglob("claim-0001.json")
    path.write_text("{}")
    with pytest.raises(StoreError, match=r"claim-0001\.json: entry"):
        scores.progress(first, now=NOON)


def test_on_the_hub(hub: LocalHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the Hub, too, of two workers one has the claim, and a lost answer makes no second result."""
    hub.adopt(monkeypatch, tmp_path / "home")
    address = f"hf://datasets/{ORG}/board"
    store = new_store(address)
    first = store.accept(*submission(tmp_path / "1", "a"), "ada", now=NOON)
    one, two = Scores(store, "1"), Scores(open_store(address), "1")
    claim = one.claim(first, "one", now=NOON)
    assert claim
    assert two.claim(first, "two", now=NOON) is None
    hub.faults.cut("POST .*/commit/", where="processed")
    assert one.finish(claim, b"{}")
    assert not two.finish(claim.model_copy(update={"number": 2}), b'{"other": 1}')
    assert two.result(first) == b"{}"
    assert two.all_progress(now=NOON)[first.entry].state == "scored"
