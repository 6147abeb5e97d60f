"""The store keeps what it has accepted, in order, within quotas, for each address alike."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from hypothesis import given
from hypothesis import strategies as st
from local_hub import (
    ORG,
    READER,
    LocalHub,
    client_warnings,
    local_hub,  # noqa: F401 - a fixture
)
from store_samples import GENEROUS, SIZE, check_store, new_store, submission
from submission_samples import small_board

from craqbench.errors import StorageError, UsageError
from craqbench.hub_errors import HubError
from leaderboard.store import Store, create_store, folder_of, open_store
from leaderboard.store_files import LocalFiles
from leaderboard.store_records import LOG, Settings, StoreError
from leaderboard.store_scores import Scores
from leaderboard.store_ulid import is_ulid, new_ulid, time_of_ulid
from leaderboard.submission import METADATA, PREDICTIONS, Refused

pytestmark = client_warnings

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
HUB = f"hf://datasets/{ORG}/board"


@pytest.fixture(name="address", params=["folder", "hub"])
def some_address(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """Return where a store may be: a folder, or a repository of a local hub."""
    if request.param == "folder":
        yield str(tmp_path / "store")
        return
    hub: LocalHub = request.getfixturevalue("hub")
    hub.adopt(monkeypatch, tmp_path / "home")
    huggingface_hub.HfFileSystem.clear_instance_cache()
    yield HUB
    huggingface_hub.HfFileSystem.clear_instance_cache()


@pytest.fixture(name="store")
def empty_store(address: str) -> Store:
    """Return a store that holds the small board."""
    return new_store(address)


def rules_of(call: Callable[[], object]) -> list[str]:
    """Return the rules by which a call is refused."""
    with pytest.raises(Refused) as error:
        call()
    return [refusal.rule for refusal in error.value.refusals]


def test_what_is_accepted_is_kept(store: Store, address: str, tmp_path: Path) -> None:
    """An accepted submission is there with its files, for whoever opens the store, and has a number."""
    parcel, checked = submission(tmp_path / "mine", "a")
    first = store.accept(parcel, checked, "ada", now=NOON)
    second = store.accept(*submission(tmp_path / "other", "b"), "bob", now=NOON)
    assert (first.number, second.number) == (1, 2)
    assert is_ulid(first.entry)
    assert (first.account, first.accepted_at, first.digest) == ("ada", NOON, checked.digest)
    again = open_store(address)
    assert check_store(again) == (first, second)
    assert again.find(second.entry) == second
    assert again.metadata(first) == checked.metadata
    again.fetch_predictions(first, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == (parcel.folder / PREDICTIONS).read_bytes()
    with pytest.raises(StoreError, match="has no entry '01ARZ3NDEKTSV4RRFFQ69G5FAV'"):
        again.find("01ARZ3NDEKTSV4RRFFQ69G5FAV")


def test_one_a_day(store: Store, tmp_path: Path) -> None:
    """An account has one submission a day, of the calendar in UTC; others are not concerned."""
    assert store.quota("ada", "small", now=NOON) == (1, 10, None)
    store.accept(*submission(tmp_path / "1", "a"), "ada", now=NOON)
    again = datetime(2026, 11, 22, tzinfo=UTC)
    assert store.quota("ada", "small", now=NOON) == (0, 9, again)
    late = NOON + timedelta(hours=11, minutes=59)
    assert rules_of(lambda: store.accept(*submission(tmp_path / "2", "b"), "ada", now=late)) == ["quota-day"]
    store.accept(*submission(tmp_path / "2", "b"), "bob", now=late)
    store.accept(*submission(tmp_path / "3", "c"), "ada", now=late + timedelta(minutes=1))
    assert [one.account for one in check_store(store)] == ["ada", "bob", "ada"]


def test_refused_submissions_cost_nothing(store: Store, tmp_path: Path) -> None:
    """What is refused leaves nothing behind, and may be tried again at once."""
    store.accept(*submission(tmp_path / "1", "a"), "ada", now=NOON)
    before = store.files.names("")
    for _ in range(3):
        assert rules_of(lambda: store.accept(*submission(tmp_path / "2", "a"), "bob", now=NOON)) == [
            "replayed"
        ]
    store.files.look()
    assert store.files.names("") == before
    assert store.accept(*submission(tmp_path / "2", "b"), "bob", now=NOON).number == 2


def test_ten_a_quarter(tmp_path: Path) -> None:
    """An account has ten submissions a quarter; the message says when the next begins."""
    store = new_store(tmp_path / "store")
    for day in range(10):
        when = datetime(2026, 11, 1 + day, tzinfo=UTC)
        store.accept(*submission(tmp_path / str(day), str(day)), "ada", now=when)
    assert store.quota("ada", "small", now=NOON) == (0, 0, datetime(2027, 1, 1, tzinfo=UTC))
    with pytest.raises(
        Refused, match="10 this quarter to small: the next one is possible from 2027-01-01 UTC"
    ):
        store.accept(*submission(tmp_path / "11", "11"), "ada", now=NOON)
    store.accept(*submission(tmp_path / "11", "11"), "ada", now=datetime(2027, 1, 1, tzinfo=UTC))


def test_failed_submissions_cost_nothing(tmp_path: Path) -> None:
    """A submission that could not be scored does not count; one that was scored later does."""
    store = new_store(tmp_path / "store")
    first = store.accept(*submission(tmp_path / "1", "a"), "ada", now=NOON)
    scores = Scores(store, "1")
    for _ in range(2):
        claim = scores.claim(first, "worker", now=NOON)
        assert claim
        scores.release(claim, "out of memory", error=True, now=NOON)
    assert store.quota("ada", "small", now=NOON) == (1, 10, None)
    store.accept(*submission(tmp_path / "2", "b"), "ada", now=NOON)
    better = Scores(store, "2")
    claim = better.claim(first, "worker", now=NOON)
    assert claim
    better.finish(claim, b"{}")
    assert store.quota("ada", "small", now=NOON).this_quarter == 8


def test_operators_have_any_number(tmp_path: Path) -> None:
    """Operators have no quota; replays are refused to them, too."""
    store = new_store(tmp_path / "store", Settings(operators=("eva",)))
    for name in "abc":
        store.accept(*submission(tmp_path / name, name), "eva", now=NOON)
    assert store.quota("eva", "small", now=NOON) == (None, None, None)
    assert rules_of(lambda: store.accept(*submission(tmp_path / "a", "a"), "eva")) == ["replayed"]


@pytest.mark.parametrize("name", ["", "a/b", "../ada", ".ada", "a b", "ada\n", "adé", "a" * 65, "<b>"])
def test_accounts_are_names(tmp_path: Path, name: str) -> None:
    """What cannot be an account's name is refused before anything is written."""
    store = new_store(tmp_path / "store")
    before = store.files.names("")
    assert rules_of(lambda: store.accept(*submission(tmp_path / "1", "a"), name)) == ["account"]
    assert store.files.names("") == before


def test_replays(store: Store, tmp_path: Path) -> None:
    """The same predictions are accepted once for a version of a board, whoever sends them, and whenever."""
    first = store.accept(*submission(tmp_path / "1", "a"), "ada", now=NOON)
    with pytest.raises(Refused, match=f"entry {first.entry} of 2026-11-21T12:00:00"):
        store.accept(*submission(tmp_path / "2", "a"), "bob", now=NOON + timedelta(days=300))
    parcel, checked = submission(tmp_path / "3", "a")
    newer = checked.metadata.model_copy(update={"board_version": "2"})
    assert store.accept(parcel, checked._replace(metadata=newer), "bob", now=NOON).number == 2


def test_boards(store: Store, address: str) -> None:
    """A board is there for whoever opens the store; under its name and version there is never another."""
    store.add_board(small_board())
    newer = small_board(version="2", classes=3)
    store.add_board(newer)
    store.files.look()
    assert store.boards() == [("small", "1"), ("small", "2")]
    again = open_store(address)
    assert again.board("small", "2") == newer
    with pytest.raises(StoreError, match="has another board small 1: expected a new version"):
        store.add_board(small_board(licence="other"))
    with pytest.raises(StoreError, match="no board 'large' '1': expected one of small 1, small 2"):
        store.board("large", "1")


def test_flags(store: Store, tmp_path: Path) -> None:
    """Flags are raised and taken back, and none is forgotten."""
    first = store.accept(*submission(tmp_path / "1", "a"), "ada", now=NOON)
    store.flag(first, "disputed", "eva", note="labels leaked")
    store.flag(first, "reproduced", "eva")
    store.flag(first, "disputed", "eva", raised=False)
    found = store.flags(first)
    assert [*found] == ["reproduced"]
    assert found["reproduced"].by == "eva"
    store.files.look()
    assert len(store.files.names(f"{folder_of(first.entry)}/flags")) == 3


def test_creating_a_store(address: str) -> None:
    """Creating a store twice opens it; with other settings it is refused; there is none before."""
    with pytest.raises((StoreError, HubError)):
        open_store(address)
    create_store(address, GENEROUS)
    assert create_store(address, GENEROUS).settings == open_store(address).settings == GENEROUS
    with pytest.raises(StoreError, match="is a store with other settings: expected a new place"):
        create_store(address)


@pytest.mark.parametrize(
    "address", ["s3://bucket/x", "memory://x", "hf://models/a/b", "hf://datasets/a", "https://a.org"]
)
def test_addresses_that_are_none(address: str) -> None:
    """Other places are refused: there nothing says that a file is created once."""
    with pytest.raises(UsageError):
        open_store(address)


def test_changed_files_are_noticed(tmp_path: Path) -> None:
    """A file that somebody has changed, or removed, is told by its path."""
    store = new_store(tmp_path / "store", GENEROUS)
    for name in "abc":
        store.accept(*submission(tmp_path / name, name), "ada", now=NOON)
    second = tmp_path / "store" / LOG / "00000002.json"
    data = second.read_text()
    second.write_text(data.replace('"number": 2', '"number": 3'))
    with pytest.raises(StoreError, match=r"00000002\.json says that it is number 3"):
        open_store(str(tmp_path / "store")).accepted()
    second.write_text(data[:100])
    with pytest.raises(StoreError, match=r"00000002\.json: .*expected a file that nobody has changed"):
        open_store(str(tmp_path / "store")).accepted()
    second.unlink()
    with pytest.raises(StorageError, match=r"00000002\.json has been removed"):
        open_store(str(tmp_path / "store")).accepted()


def test_a_listing_may_miss_what_comes_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A listing that lacks a file of the log is no reason to lose it, or its place in a quota."""
    store = new_store(tmp_path / "store", GENEROUS)
    for name in "abcd":
        store.accept(*submission(tmp_path / name, name), "ada", now=NOON)
    other = open_store(str(tmp_path / "store"))
    listed = other.files.names(LOG)
    monkeypatch.setattr(other.files, "names", lambda folder: [listed[0], listed[3]] if folder == LOG else [])
    assert [one.number for one in other.accepted()] == [1, 2, 3, 4]


def test_nothing_is_written_twice(tmp_path: Path) -> None:
    """A file that is there stays as it is, and no temporary file is left."""
    files = LocalFiles(tmp_path / "files")
    assert files.create("a/b.json", b"one")
    assert not files.create("a/b.json", b"two", {"a/beside": b"three"})
    assert files.read("a/b.json") == b"one"
    assert files.names("") == ["a/b.json", "a/beside"]
    assert {path.name for path in (tmp_path / "files" / "a").iterdir()} == {"b.json", "beside"}
    assert files.read("none") is None
    assert files.read("a/b.json/c") is None


def test_a_network_disk_may_lose_the_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link that was made although the disk says that the name is taken counts as made."""
    real = os.link

    def link(source: Path, target: Path) -> None:
        real(source, target)
        raise FileExistsError(17, "File exists")

    monkeypatch.setattr("leaderboard.store_files.os.link", link)
    files = LocalFiles(tmp_path)
    assert files.create("a.json", b"one")
    assert not files.create("a.json", b"two")


def test_on_the_hub_a_submission_is_one_commit(
    hub: LocalHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All files of a submission and its place in the log come in one commit; a stranger may not write."""
    hub.adopt(monkeypatch, tmp_path / "home")
    store = new_store(HUB)
    repository = hub.repository(f"{ORG}/board")
    before = len(repository.commits)
    first = store.accept(*submission(tmp_path / "1", "a"), "ada", now=NOON)
    assert len(repository.commits) == before + 1
    folder = folder_of(first.entry)
    commit = repository.commit_of("main")
    assert {f"{folder}/{METADATA}", f"{folder}/{PREDICTIONS}", f"{LOG}/00000001.json"} <= {*commit.files}
    assert commit.files[f"{folder}/{PREDICTIONS}"].size == SIZE
    monkeypatch.setenv("HF_TOKEN", READER)
    with pytest.raises(HubError, match="no right to do this"):
        open_store(HUB).accept(*submission(tmp_path / "2", "b"), "bob", now=NOON)


@pytest.mark.parametrize(
    ("pattern", "where"), [("POST .*/commit/", "processed"), ("POST .*/commit/", "before")]
)
def test_on_the_hub_answers_may_be_lost(
    hub: LocalHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str, where: Any
) -> None:
    """A commit whose answer is lost has happened once, one whose question is lost happens at the next try."""
    hub.adopt(monkeypatch, tmp_path / "home")
    store = new_store(HUB)
    fault = hub.faults.cut(pattern, where=where, times=2)
    first = store.accept(*submission(tmp_path / "1", "a"), "ada", now=NOON)
    assert fault.struck == (1 if where == "processed" else 2)
    assert check_store(open_store(HUB)) == (first,)


def test_on_the_hub_somebody_may_be_faster(
    hub: LocalHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If another commit comes in between we look again: at the log, and at the quota."""
    hub.adopt(monkeypatch, tmp_path / "home")
    store, other = new_store(HUB), open_store(HUB)
    real, rivals = store.files.create, [("bob", "b"), ("ada", "c")]

    def create(*arguments: Any) -> bool:
        if rivals:
            account, name = rivals.pop(0)
            other.accept(*submission(tmp_path / name, name), account, now=NOON)
        return real(*arguments)

    monkeypatch.setattr(store.files, "create", create)
    assert rules_of(lambda: store.accept(*submission(tmp_path / "1", "a"), "ada", now=NOON)) == ["quota-day"]
    assert [one.account for one in check_store(open_store(HUB))] == ["bob", "ada"]


@given(st.datetimes(datetime(1970, 1, 1), datetime(9998, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_ulids(now: datetime) -> None:
    """A ULID tells when it was made, to the millisecond; later ones sort later, and no two are equal."""
    ulid = new_ulid(now)
    assert is_ulid(ulid)
    assert timedelta(0) <= now - time_of_ulid(ulid) < timedelta(milliseconds=1)
    assert new_ulid(now + timedelta(milliseconds=1)) > ulid
    assert new_ulid(now) != ulid


@pytest.mark.parametrize(
    "text", ["", "../../etc/passwd", "01arz3ndektsv4rrffq69g5fav", "81ARZ3NDEKTSV4RRFFQ69G5FAV"]
)
def test_other_texts_are_no_ulids(text: str) -> None:
    """Nothing else passes for a ULID."""
    assert not is_ulid(text)
