"""Rows, ranks with ties, flags, final figures, exports: what is published, and what it follows from."""

from __future__ import annotations

import csv
import io
import json
import shutil
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import huggingface_hub
import numpy as np
import numpy.typing as npt
import pytest
from evaluation_samples import drawn_result
from local_hub import (
    ORG,
    LocalHub,
    client_warnings,
    local_hub,  # noqa: F401 - a fixture
)
from scoring_samples import SETTINGS
from submission_samples import as_json, metadata, small_board

from craqbench.errors import UsageError
from craqbench.metrics import RESAMPLES
from craqbench.metrics.matches import match_f1
from craqbench.results import DetectionResult, result_bytes
from leaderboard.board import Board, BoardError
from leaderboard.board_labels import FINAL, NOW
from leaderboard.ranking import (
    FORMATS,
    Ranking,
    Row,
    columns_of,
    export,
    load_queue,
    load_ranking,
    load_scorers,
)
from leaderboard.ranking_export import brief
from leaderboard.ranking_making import Publisher, reveal, rounded
from leaderboard.ranking_records import EntryResult, Scorer, board_folder
from leaderboard.scoring_private import Private
from leaderboard.store import Store, create_store, open_store
from leaderboard.store_records import Accepted, StoreError, record_bytes
from leaderboard.store_scores import Scores
from leaderboard.submission import METADATA, PREDICTIONS, Checked, Parcel, Received
from leaderboard.submission_metadata import read_metadata

pytestmark = client_warnings

PAINTINGS = 14

Shares = npt.ArrayLike


class Place(NamedTuple):
    """A store with a board, and entries whose results are drawn."""

    store: Store
    board: Board
    scorer: Scorer
    private: Private
    home: Path

    def add(
        self,
        name: str,
        right: Shares | None,
        *,
        final: Shares | None = None,
        account: str = "ada",
        sanity: bool = False,
        **told: Any,
    ) -> Accepted:
        """Add an entry, scored if there is a share of px that it has right."""
        data = as_json(metadata(**{"method": name, **told}))
        folder = self.home / name
        folder.mkdir()
        (folder / METADATA).write_bytes(data)
        self_reported = told.get("track") == "self-reported"
        files = {METADATA: Received(folder / METADATA, len(data), "0" * 64)}
        if not self_reported:
            (folder / PREDICTIONS).write_bytes(b"x")
            files[PREDICTIONS] = Received(folder / PREDICTIONS, 1, "0" * 64)
        digest = None if self_reported else f"{sum(name.encode()):064x}"
        checked = Checked(read_metadata(data), digest)
        accepted = self.store.accept(Parcel(folder, files), checked, account)
        if right is not None:
            self.score(accepted, right, right if final is None else final, sanity=sanity)
        return accepted

    def score(self, accepted: Accepted, right: Shares, final: Shares, *, sanity: bool = False) -> None:
        """Score an entry with drawn results."""
        now, later = (drawn_result("drawn", right=r, paintings=PAINTINGS) for r in (right, final))
        data = {NOW: result_bytes(now), FINAL: result_bytes(later)}
        self.private.keep(self.scorer.key, accepted.entry, data)
        scores = Scores(self.store, self.scorer.key)
        claim = scores.claim(accepted, "worker")
        assert claim
        assert scores.finish(claim, record_bytes(self.result(accepted, now, sanity=sanity)))

    def result(self, accepted: Accepted, now: DetectionResult, *, sanity: bool) -> EntryResult:
        """Return what a worker would keep in the store."""
        return EntryResult(
            entry=accepted.entry,
            key=self.scorer.key,
            scorer=self.scorer.scorer,
            revision=self.scorer.revision,
            board=self.board.name,
            board_version=self.board.version,
            predictions_digest=accepted.digest or "",
            figures=rounded(now, columns_of(self.board)),
            images=PAINTINGS,
            paintings=PAINTINGS,
            sanity=sanity,
            network="namespace",
            versions={"numpy": "2"},
            at=datetime.now(UTC),
        )

    def publish(self) -> Ranking | None:
        """Publish the table, as a worker does."""
        return Publisher(self.store, self.board, self.scorer, self.private).publish()

    def table(self) -> Ranking:
        """Publish, and return what is published."""
        self.publish()
        return load_ranking(self.store, self.board)

    def row(self, accepted: Accepted) -> Row:
        """Return the row of an entry."""
        row = self.table().row(accepted.entry)
        assert row
        return row


@pytest.fixture(name="place")
def an_empty_board(tmp_path: Path) -> Place:
    """Return a store with the small board and a scorer."""
    return new_place(tmp_path, str(tmp_path / "store"))


def new_place(tmp_path: Path, address: str) -> Place:
    """Make a store with the small board and a scorer."""
    store, board = create_store(address, SETTINGS), small_board()
    store.add_board(board)
    scorer = Scorer(number=1, key="1.1-abc", scorer="1.1", revision="a" * 64, at=datetime.now(UTC))
    assert store.files.create(f"{board_folder(board)}/scorers/0001.json", record_bytes(scorer))
    private = tmp_path / "private"
    private.mkdir()
    labels = {"format": 1, "board": "small", "version": "1", "revision": "a" * 64}
    sides = {NOW: ["first"], FINAL: ["second", "third"]}
    (private / "labels.json").write_text(json.dumps({**labels, "sides": sides}))
    home = tmp_path / "home"
    home.mkdir()
    return Place(store, board, scorer, Private(private), home)


def test_a_board_without_entries(place: Place) -> None:
    """It has columns, and neither rows nor a time; nothing is published."""
    assert place.publish() is None
    table = load_ranking(place.store, place.board)
    assert (table.rows, table.made_at, table.key, table.number) == ((), None, "", 0)
    assert table.ranking == table.columns[0].name == "f1@2"
    assert load_queue(place.store, place.board) == ()
    for form in FORMATS:
        assert export(table, form)


def _slow_ranks(tables: dict[str, npt.NDArray[np.int64]]) -> dict[str, int]:
    """Rank by the rule, resample by resample, in plain Python."""
    rng = np.random.Generator(np.random.PCG64DXSM(0))
    draws = rng.multinomial(PAINTINGS, [1 / PAINTINGS] * PAINTINGS, RESAMPLES)

    def f1(counts: npt.NDArray[np.int64]) -> float:
        hits, predicted, reached, annotated = (int(value) for value in counts)
        precision, recall = hits / predicted, reached / annotated
        return 2 * precision * recall / (precision + recall)

    order = sorted(tables, key=lambda name: -f1(tables[name].sum(axis=0)))
    ranks, leader = {order[0]: 1}, order[0]
    for place, name in enumerate(order[1:], start=2):
        below = above = 0
        for draw in draws:
            ours = f1((draw[:, None] * tables[leader]).sum(axis=0))
            theirs = f1((draw[:, None] * tables[name]).sum(axis=0))
            below += ours <= theirs
            above += ours >= theirs
        differ = int((tables[leader] != tables[name]).any(axis=1).sum())
        p = min(1.0, max(2 * (min(below, above) + 1) / (RESAMPLES + 1), 2.0 ** (1 - differ)))
        if p < 0.05:
            leader = name
        ranks[name] = ranks[leader] if leader != name else place
    return ranks


def test_ties_follow_the_rule(place: Place) -> None:
    """Ranks are those of the rule in words, followed resample by resample; who shares one is marked."""
    rng = np.random.default_rng(3)
    shares = {
        name: np.clip(mean + rng.normal(0, 0.12, PAINTINGS), 0.05, 0.95)
        for name, mean in {"a": 0.8, "b": 0.78, "c": 0.7, "d": 0.5, "e": 0.48, "f": 0.2}.items()
    }
    entries = {place.add(name, right).entry: name for name, right in shares.items()}
    table = place.table()
    drawn = {name: drawn_result("drawn", right=right, paintings=PAINTINGS) for name, right in shares.items()}
    counts = {
        name: np.array([p.counts.tolerance[result.taus.index(2.0)] for p in result.paintings])
        for name, result in drawn.items()
    }
    expected = _slow_ranks(counts)
    assert {entries[row.entry]: row.rank for row in table.rows} == expected
    assert 1 < len({*expected.values()}) < 6
    for row in table.rows:
        sharing = [name for name, rank in expected.items() if rank == row.rank]
        assert row.tied == (len(sharing) > 1)
    values = [float(match_f1(counts[entries[row.entry]].sum(axis=0))) for row in table.rows]
    assert values == sorted(values, reverse=True)
    assert table.rows[0].behind is None
    assert all(
        row.behind and row.behind.value is not None and row.behind.value >= 0 for row in table.rows[1:]
    )


def test_equal_figures(place: Place) -> None:
    """Of equal figures the earlier entry comes first, and they share a rank."""
    for name in ("zeta", "alpha"):
        place.add(name, 0.5)
    first, second = place.table().rows
    assert (first.method, second.method) == ("zeta", "alpha")
    assert (first.rank, second.rank, first.tied, second.tied) == (1, 1, True, True)


def test_who_is_not_ranked(place: Place) -> None:
    """Sanity rows, self-reported figures and disputed entries have a row, no rank, and no competitors."""
    best = place.add("best", 0.9)
    plain = place.add("plain", 0.3)
    constant = place.add("constant", 0.95, sanity=True)
    told = {"f1@2": 0.98765, "other": 3.0}
    reported = place.add("reported", None, track="self-reported", reported=told)
    table = place.table()
    assert [row.entry for row in table.rows] == [one.entry for one in (constant, best, plain, reported)]
    assert [row.rank for row in table.rows] == [None, 1, 2, None]
    assert [row.kind for row in table.rows] == ["sanity", "method", "method", "method"]
    assert [row.state for row in table.rows] == ["scored"] * 3 + ["listed"]
    assert {name: figure.value for name, figure in table.rows[-1].metrics.items()} == {"f1@2": 0.988}
    place.store.flag(best, "disputed", "olga", note="whose labels?")
    table = place.table()
    assert [row.rank for row in table.rows] == [None, None, 1, None]
    (flag,) = place.row(best).flags
    assert (flag.kind, flag.note, flag.by) == ("disputed", "whose labels?", "olga")
    place.store.flag(best, "disputed", "olga", raised=False)
    place.store.flag(best, "reproduced", "olga")
    assert place.row(best).rank == 1
    assert place.row(best).reproduced


def test_notes(place: Place) -> None:
    """A reader is told of the rule, of missing sanity rows, and of who is no better than these."""
    place.add("method", 0.9)
    assert any("p >= 0.05" in note for note in place.table().notes)
    assert any(note.startswith("No sanity rows") for note in place.table().notes)
    place.add("constant", 0.3, sanity=True)
    assert not any("anity" in note for note in place.table().notes)
    place.add("poor", 0.3)
    assert any(note.endswith("best sanity row: poor 1.0.") for note in place.table().notes)


def test_nothing_new_is_not_published(place: Place) -> None:
    """A table is written once for each state; the last one is read, and the earlier ones stay."""
    accepted = place.add("one", 0.5)
    assert place.publish()
    assert place.publish() is None
    place.store.flag(accepted, "disputed", "olga")
    second = place.publish()
    assert second
    assert second.number == 2
    assert place.publish() is None
    assert load_ranking(place.store, place.board) == second
    assert len(place.store.files.names(f"{board_folder(place.board)}/rankings")) == 2


def test_two_publish_at_once(place: Place) -> None:
    """Of many who publish the same at the same moment one writes the table."""
    for name in ("one", "two"):
        place.add(name, 0.5)
    made: list[Ranking | None] = []
    threads = [threading.Thread(target=lambda: made.append(place.publish())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(one is not None for one in made) == 1
    assert len(place.store.files.names(f"{board_folder(place.board)}/rankings")) == 1


def test_on_the_hub(hub: LocalHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rankings lie in a dataset repository as in a folder, and nothing but rounded figures goes there."""
    hub.adopt(monkeypatch, tmp_path / "home-of-hub")
    huggingface_hub.HfFileSystem.clear_instance_cache()
    place = new_place(tmp_path, f"hf://datasets/{ORG}/board")
    entry = place.add("one", 0.8)
    assert place.publish()
    assert place.publish() is None
    store = open_store(f"hf://datasets/{ORG}/board")
    (row,) = load_ranking(store, place.board).rows
    assert (row.entry, row.rank) == (entry.entry, 1)
    assert [one.state for one in load_queue(store, place.board)] == ["scored"]
    assert not [name for name in store.files.names("") if "counts" in name]
    huggingface_hub.HfFileSystem.clear_instance_cache()


def test_lost_counts(place: Place) -> None:
    """Without the counts of an entry nobody can say who is tied: nothing is published."""
    accepted = place.add("one", 0.8)
    shutil.rmtree(place.private.folder / "counts")
    with pytest.raises(BoardError, match=f"no counts of entry {accepted.entry}"):
        place._replace(private=Private(place.private.folder)).publish()


def test_attempts(place: Place) -> None:
    """An entry says how many its account has sent with it; self-reported ones do not count."""
    first = place.add("one", 0.5)
    place.add("told", None, track="self-reported", reported={"f1@2": 0.5})
    other = place.add("two", 0.5, account="bob")
    third = place.add("three", 0.5)
    assert [place.row(one).attempts for one in (first, other, third)] == [1, 1, 2]


def test_final_figures(place: Place) -> None:
    """They are shown when the operator says so, of the entries that there are then, with the gap."""
    first = place.add("one", 0.8, final=0.5)
    table = place.table()
    assert (table.revealed, table.rows[0].final, table.rows[0].gap) == (0, None, None)
    assert "final" not in export(table, "markdown").splitlines()[0]
    record = reveal(place.store, place.board, place.private, "olga")
    assert (record.up_to, record.by) == (1, "olga")
    second = place.add("two", 0.7)
    row = place.row(first)
    now = row.metrics["f1@2"].value
    assert row.final
    assert now is not None
    assert row.final.value is not None
    assert row.final.value < now
    assert row.gap == round(now - row.final.value, 3)
    assert place.row(second).final is None
    assert place.table().revealed == 1
    assert f"{row.gap:.3f}" in export(place.table(), "markdown")
    assert brief(place.table(), 9)[0][-1] == "gap"
    reveal(place.store, place.board, place.private, "olga")
    assert place.row(second).final is not None
    assert place.row(second).gap == 0


def test_no_final_half(place: Place) -> None:
    """Where all images count at once there is nothing to reveal."""
    labels = place.private.folder / "labels.json"
    content = json.loads(labels.read_text())
    del content["sides"][FINAL]
    labels.write_text(json.dumps(content))
    with pytest.raises(UsageError, match="has no final half"):
        reveal(place.store, place.board, place.private, "olga")


def test_another_scorer(place: Place) -> None:
    """Until a new scorer has published the table is that of the old one, which stays."""
    place.add("one", 0.5)
    old = place.table()
    new = place.scorer.model_copy(update={"number": 2, "key": "0.0-first-by-name"})
    place.store.files.create(f"{board_folder(place.board)}/scorers/0002.json", record_bytes(new))
    assert load_scorers(place.store, place.board) == (place.scorer, new)
    assert load_ranking(place.store, place.board) == old
    assert [one.state for one in load_queue(place.store, place.board)] == ["waiting"]
    later = place._replace(scorer=new)
    later.score(place.store.accepted()[0], 0.6, 0.6)
    newest = later.table()
    assert newest.key == new.key
    assert load_ranking(place.store, place.board, key=old.key) == old


def test_the_queue(place: Place) -> None:
    """Every accepted entry has its state, and a failed one its reason."""
    place.add("scored", 0.5)
    failed = place.add("failed", None)
    place.add("waiting", None)
    place.add("listed", None, track="self-reported", reported={"f1@2": 0.5})
    scores = Scores(place.store, place.scorer.key)
    for _ in range(2):
        claim = scores.claim(failed, "worker")
        assert claim
        scores.release(claim, "the scoring was ended: it took more than 9 s", error=True)
    queue = load_queue(place.store, place.board)
    assert [(one.method, one.state) for one in queue] == [
        (name, name) for name in ("scored", "failed", "waiting", "listed")
    ]
    assert queue[1].reason == "the scoring was ended: it took more than 9 s"
    assert queue[1].path == f"/entry/{failed.entry}"
    assert [row.method for row in place.table().rows] == ["scored", "listed"]


def test_a_description_that_breaks_a_later_rule(place: Place) -> None:
    """The queue shows such an entry without its name, and all others; whoever ranks is told which it is."""
    place.add("sound", 0.5)
    broken = place.add("broken", 0.4)
    path = f"submissions/{broken.entry}/submission.json"
    (tmp := Path(str(place.store)) / path).chmod(0o644)
    tmp.write_text(tmp.read_text().replace('"broken"', '"bro\\u202eken"'))
    assert [one.method for one in load_queue(place.store, place.board)] == ["sound", "(unreadable)"]
    with pytest.raises(StoreError, match=path):
        place.table()


def test_exports(place: Place) -> None:
    """JSON and CSV have all figures and the stable path of every entry; JSON is read back as it was."""
    for name, right in (("one", 0.8), ("two", 0.4)):
        place.add(name, right)
    table = place.table()
    content = json.loads(export(table, "json"))
    assert [row.pop("path") for row in content["rows"]] == [f"/entry/{row.entry}" for row in table.rows]
    assert Ranking.model_validate_json(json.dumps(content)) == table
    rows = list(csv.DictReader(io.StringIO(export(table, "csv"))))
    for told, row in zip(rows, table.rows, strict=True):
        assert told["path"] == f"/entry/{row.entry}"
        assert float(told["f1@2"]) == row.metrics["f1@2"].value
        assert float(told["f1@2_high"]) == row.metrics["f1@2"].high
        assert told["rank"] == str(row.rank)
        assert told["code"] == "https://github.com/lab/ridge"
    with pytest.raises(KeyError):
        export(table, "html")


def test_texts_of_strangers_in_markdown(place: Place) -> None:
    """Whatever a name holds, it is one cell, and no markup."""
    place.add("a_b=(c) #1", 0.5, authors=["A. *B* | C", "D_e ![x]"])
    line = export(place.table(), "markdown").splitlines()[2]
    assert r"a\_b=\(c\) \#1" in line
    assert r"A. \*B\* \| C, D\_e \!\[x\]" in line
    cells = line.replace(r"\|", "").count("|")
    assert cells == export(place.table(), "markdown").splitlines()[0].count("|")


def test_headings_are_those_of_compare() -> None:
    """Columns are called as `craqbench compare` calls them."""
    from craqbench.comparison_formats import CRACKS, FILLINGS  # noqa: PLC0415  of this test alone

    for task, columns in (("detection", CRACKS), ("restoration", FILLINGS)):
        theirs = {column.figure: column.head for column in columns if column.figure}
        theirs |= {"f1@2": "F1@2px"} if task == "detection" else {"psnr:mask": "PSNR mask"}
        for column in columns_of(small_board(task=task)):
            assert theirs[column.name] == column.heading
    further = columns_of(small_board(classes=3))
    assert [c.heading for c in further][-3:] == ["IoU", "F1 paint loss", "IoU paint loss"]
