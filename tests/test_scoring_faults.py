"""Every accepted submission is scored exactly once: killed workers, many at once, full disks. Counted."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from scoring_samples import Leaderboard, found, new_leaderboard, submit, write
from store_samples import check_store

from leaderboard.board_making import Plan
from leaderboard.ranking import load_queue, load_ranking, load_scorers
from leaderboard.scoring import work
from leaderboard.scoring_private import Private
from leaderboard.scoring_revision import begin_scorer
from leaderboard.store_scores import Scores

ROOT = Path(__file__).resolve().parents[1]
Run = Callable[..., Any]

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that are forked")


@pytest.fixture(name="leaderboard")
def a_board(tmp_path: Path) -> Leaderboard:
    """Return a board of four images, all of which count at once."""
    return new_leaderboard(tmp_path, 2, plan=Plan(name="small", version="1", final_share=0))


@pytest.fixture(name="run")
def runner(tmp_path: Path) -> Run:
    """Return a function that lets workers loose on the board of this test."""

    def run(do: str, *numbers: int) -> Any:
        path = os.pathsep.join([str(ROOT), str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")])
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "scoring_runner", do, str(tmp_path), *map(str, numbers)],
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def check_scored(leaderboard: Leaderboard, entries: int) -> None:
    """Fail unless every entry is scored once, has its counts and a row, and nothing else is left."""
    store, board = leaderboard.store, leaderboard.board
    log = check_store(store)
    assert len(log) == entries
    assert [one.state for one in load_queue(store, board)] == ["scored"] * entries
    assert [one.reason for one in load_queue(store, board)] == [""] * entries
    (scorer,) = load_scorers(store, board)
    results = [path for path in store.files.names("submissions") if path.endswith("result.json")]
    assert sorted(path.split("/")[1] for path in results) == sorted(one.entry for one in log)
    private = Private(leaderboard.private)
    for one in log:
        told = json.loads(Scores(store, scorer.key).result(one) or b"")
        assert told["predictions_digest"] == one.digest
        counted = private.counted(scorer.key, one.entry, "board")
        assert counted
        value = counted.scores["f1@2"].value
        assert value is not None
        assert told["figures"]["f1@2"]["value"] == round(value, 3)
    rows = load_ranking(store, board).rows
    assert sorted(row.entry for row in rows) == sorted(one.entry for one in log)
    left = [path.name for path in (leaderboard.private / "workers").glob("worker-*")]
    assert left == []


def _killed(leaderboard: Leaderboard, run: Run, home: Path, kills: int, entries: int) -> None:
    for number in range(entries):
        submit(leaderboard, home / "sent", f"method-{number:02}", 0.3 + 0.6 * number / entries)
    told = run("killed", kills)
    assert told["code"] == 0
    assert told["hit"] >= kills // 3
    check_scored(leaderboard, entries)


def test_killed_at_random(leaderboard: Leaderboard, run: Run, tmp_path: Path) -> None:
    """Workers that are killed six times at random lose nothing, and the next one goes on at once."""
    _killed(leaderboard, run, tmp_path, 6, 3)


@pytest.mark.long
def test_killed_at_fifty_points(leaderboard: Leaderboard, run: Run, tmp_path: Path) -> None:
    """The same with fifty kills and thirty entries."""
    _killed(leaderboard, run, tmp_path, 50, 30)


def _together(leaderboard: Leaderboard, run: Run, home: Path, submitters: int) -> None:
    for number in range(submitters):
        masks = found(leaderboard.annotated, 0.3 + 0.6 * number / submitters, seed=number)
        write(home / "ready" / f"{number:02}", leaderboard.board, masks, method=f"method {number}")
    told = run("together", 2, submitters)
    assert told["codes"] == [0] * (submitters + 2)
    assert len({*told["told"]}) == submitters
    assert sum(told["scored"]) == submitters
    check_scored(leaderboard, submitters)


def test_two_workers_and_submitters_at_once(leaderboard: Leaderboard, run: Run, tmp_path: Path) -> None:
    """While four submit, two workers score: each accepted submission once, by one of them."""
    _together(leaderboard, run, tmp_path, 4)


@pytest.mark.long
def test_two_workers_and_twenty_submitters(leaderboard: Leaderboard, run: Run, tmp_path: Path) -> None:
    """The same with twenty."""
    _together(leaderboard, run, tmp_path, 20)


@pytest.mark.parametrize("most", [1_000, 5_000])
def test_full_disk(leaderboard: Leaderboard, run: Run, tmp_path: Path, most: int) -> None:
    """Where there is no room the worker says so, blames no entry, and later goes on."""
    submit(leaderboard, tmp_path / "sent", "one", 0.8)
    told = run("full", most)
    assert told["code"] == 0
    assert len(told["errors"]) == 1
    (one,) = load_queue(leaderboard.store, leaderboard.board)
    assert one.reason == ""
    assert work(leaderboard.store, leaderboard.private)[:2] == (1, 0)
    check_scored(leaderboard, 1)


def test_a_worker_elsewhere(leaderboard: Leaderboard, tmp_path: Path) -> None:
    """What a worker with another private folder is at is left to it until its claim has run out."""
    accepted = submit(leaderboard, tmp_path / "sent", "one", 0.8)
    scorer = begin_scorer(leaderboard.store, leaderboard.private)
    scores = Scores(leaderboard.store, scorer.key)
    past = datetime.now(UTC) - timedelta(hours=1)
    assert scores.claim(accepted, "worker-elsewhere", lease=timedelta(hours=2), now=past)
    running = scores.running(accepted)
    assert running
    assert running.worker == "worker-elsewhere"
    assert work(leaderboard.store, leaderboard.private) == (0, 0, 0)
    (one,) = load_queue(leaderboard.store, leaderboard.board)
    assert one.state == "claimed"
    scores.release(running, "gone", error=False)
    assert scores.running(accepted) is None
    assert scores.claim(accepted, "worker-elsewhere", lease=timedelta(minutes=1), now=past)
    assert work(leaderboard.store, leaderboard.private)[:2] == (1, 0)
    check_scored(leaderboard, 1)


def test_killed_while_it_leaves(leaderboard: Leaderboard, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that dies while its seat is removed leaves nothing that the next one does not clear away."""
    private = Private(leaderboard.private)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", lambda folder, **_: (Path(folder) / "lock").unlink())
        with private.seat():
            pass
    left = [path.name for path in (leaderboard.private / "workers").iterdir()]
    assert len(left) == 1
    assert private.dead() == []
    with private.seat():
        pass
    assert not list((leaderboard.private / "workers").iterdir())
