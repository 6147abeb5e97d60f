"""`craqbench leaderboard`, as an operator types it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from scoring_samples import CANARY, write_set

from craqbench import cli
from craqbench.cli import leaderboard as command
from leaderboard.board import load_board
from leaderboard.board_labels import load_labels
from leaderboard.ranking import load_queue, load_ranking, load_scorers
from leaderboard.store import open_store

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(name="run")
def in_an_empty_folder(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Run:
    """Return a function that runs a command line in an empty folder: (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("getpass.getuser", lambda: "olga")

    def run(*arguments: object) -> tuple[int, str, str]:
        code = cli.main([*map(str, arguments)])
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture(name="board")
def an_empty_board(run: Run, tmp_path: Path) -> str:
    """Make a board of a folder, and return where it is."""
    write_set(tmp_path / "set", 4)
    code, _, err = run("leaderboard", "init", "here", "--set", "folder:set", "--name", "small")
    assert (code, err) == (0, "")
    return "here"


def test_two_commands_to_a_ranked_entry(run: Run, tmp_path: Path) -> None:
    """From nothing to a table with a ranked method takes two commands; from there on every action works."""
    write_set(tmp_path / "set", 4)
    words = ["--set", "folder:set", "--name", "small", "--method", "tophat", "--method", "none"]
    code, out, err = run("leaderboard", "init", *words)
    assert code == 0, err
    assert "counts now   4 (board), 4 (final)" in out
    assert out.splitlines()[-1] == "next: craqbench leaderboard work board"
    code, out, err = run("leaderboard", "work")
    assert code == 0, err
    assert "scored       2" in out
    table = [line.split() for line in out.splitlines()]
    assert [line[:3] for line in table if line[1:2] == ["tophat"]] == [["1", "tophat", "1"]]
    assert "none 1 (sanity)" in out
    assert "gap" not in out
    store = open_store("board/store")
    assert store.settings.operators == ("olga",)
    _read_export(run)
    _raise_flags(run)
    code, out, _ = run("leaderboard", "reveal")
    assert code == 0
    assert "gap" in out
    (row,) = [r for r in load_ranking(store, load_board(Path("board/public"))).rows if r.method == "tophat"]
    assert row.gap is not None
    assert row.final is not None
    code, out, _ = run("leaderboard", "work")
    assert (code, "scored       0" in out) == (0, True)
    for path in store.files.names(""):
        assert CANARY.encode() not in (store.files.read(path) or b"")


def _read_export(run: Run) -> None:
    code, out, _ = run("leaderboard", "export", "--format", "json")
    assert code == 0
    content = json.loads(out)
    assert [row["method"] for row in content["rows"]] == ["tophat", "none"]
    code, out, _ = run("leaderboard", "export", "--out", "table.md", "--key", content["key"])
    assert (code, out) == (0, "table.md: 2 rows\n")
    assert Path("table.md").read_text().startswith("| rank | method |")
    code, _, err = run("leaderboard", "export", "--key", "other")
    assert (code, "'other' has published nothing" in err) == (2, True)


def _raise_flags(run: Run) -> None:
    said = ("--kind", "disputed", "--note", "whose?")
    code, out, _ = run("leaderboard", "flag", "--entry", "1", *said)
    assert code == 0
    assert "disputed, raised by olga" in out
    store, board = open_store("board/store"), load_board(Path("board/public"))
    (row,) = [row for row in load_ranking(store, board).rows if row.method == "tophat"]
    assert (row.rank, [flag.note for flag in row.flags]) == (None, ["whose?"])
    code, _, _ = run("leaderboard", "flag", "--entry", row.entry, "--kind", "disputed", "--lower")
    assert code == 0
    assert load_ranking(store, board).rows[0].rank == 1


def test_a_submission_of_somebody_else(run: Run, board: str) -> None:
    """`package` and `submit` go on from what `init` says, and `work` ranks what they send."""
    public, store = f"{board}/public", f"{board}/store"
    code, _, err = run("package", "--method", "tophat", "--set", public, "--out", "mine", "--workers", "1")
    assert code == 0, err
    code, out, _ = run("submit", "mine", "--to", store, "--account", "ada")
    assert code == 0
    assert "number 1" in out
    code, out, _ = run("leaderboard", "work", board)
    assert (code, "scored       1" in out) == (0, True)


def test_rescore(run: Run, board: str) -> None:
    """A new revision begins; without mended labels, too."""
    store, described = open_store(f"{board}/store"), load_board(Path(board) / "public")
    before = load_labels(Path(board) / "private").revision
    code, out, _ = run("leaderboard", "rescore", board)
    assert code == 0
    assert "earlier tables stay" in out
    first, second = load_scorers(store, described)
    assert second.key == f"{first.key}-2"
    assert load_labels(Path(board) / "private").revision == before
    assert load_queue(store, described) == ()


def test_the_same_split_again(run: Run, board: str, tmp_path: Path) -> None:
    """The key that dealt out the paintings deals them the same way for another version."""
    key = f"{board}/private/split-key"
    code, _, err = run(
        "leaderboard", "init", "again", "--set", "folder:set", "--version", "2", "--split-key", key,
        "--store", f"{board}/store",
    )  # fmt: skip
    assert (code, err) == (0, "")
    sides = [load_labels(tmp_path / name / "private").sides for name in (board, "again")]
    assert sides[0] == sides[1]
    assert len(open_store(f"{board}/store").boards()) == 2
    if sys.platform != "win32":
        assert (tmp_path / "again" / "private").stat().st_mode & 0o077 == 0


FAULTS: dict[str, tuple[tuple[str, ...], str]] = {
    "no action": ((), "are required: init|serve"),
    "no such action": (("begin",), "got 'begin', expected one of init, serve, work"),
    "no set": (("init",), "expected --set"),
    "no such set": (("init", "new", "--set", "nowhere"), "set 'nowhere'"),
    "a share": (("init", "new", "--set", "synthetic", "--final", "1"), "expected at least 0 and less than 1"),
    "no restoration of these": (("init", "new", "--set", "folder:set", "--task", "restoration"), "not known"),
    "there already": (("init", "here", "--set", "folder:set"), "here holds a board already"),
    "no board": (("work", "nowhere"), "'craqbench leaderboard init nowhere --set SET' makes one"),
    "another's option": (
        ("work", "here", "--set", "folder:set"),
        "expected with `craqbench leaderboard init`",
    ),
    "no such key": (("export", "here", "--key", "a"), "'a' has published nothing"),
    "no entry": (("flag", "here", "--kind", "disputed"), "expected --entry and --kind"),
    "no such entry": (("flag", "here", "--entry", "1", "--kind", "disputed"), "or a number of 1 to 0"),
    "no such ulid": (("flag", "here", "--entry", "x", "--kind", "disputed"), "has no entry 'x'"),
    "no store": (("work", "here", "--store", "http://a"), "expected a folder, or hf://datasets/"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_faults(case: str, run: Run, board: str) -> None:
    """What an operator can mend is one line on stderr and exit code 2, and nothing is made."""
    words, message = FAULTS[case]
    before = sorted(Path().rglob("*"))
    code, out, err = run("leaderboard", *words)
    assert code == 2
    assert message in err
    assert err.startswith("craqbench: error: ")
    assert out == ""
    made = {*Path().rglob("*")} - {*before}
    assert not [path for path in made if "private" in path.parts or "public" in path.parts]
    assert board


def test_final_share_of_nothing(run: Run, board: str) -> None:
    """Where all counts at once nothing can be revealed."""
    code, out, _ = run("leaderboard", "init", "open", "--set", "folder:set", "--final", "0", "--name", "open")
    assert (code, "counts now   8 (board)" in out) == (0, True)
    code, _, err = run("leaderboard", "reveal", "open")
    assert (code, "has no final half" in err) == (2, True)
    assert board


def test_serve(run: Run, board: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page gets the store, its images and the operator; without Gradio one is told what to install."""
    asked: dict[str, Any] = {}
    fake = ModuleType("leaderboard.app")
    fake.__dict__["serve"] = lambda store, **options: asked.update(options, store=str(store))
    monkeypatch.setitem(sys.modules, "leaderboard.app", fake)
    assert run("leaderboard", "serve", board, "--port", "7999")[0] == 0
    assert asked["store"].endswith("here/store")
    assert (asked["operator"], asked["port"]) == ("olga", 7999)

    def missing(_: str) -> None:
        raise ModuleNotFoundError("No module named 'gradio'", name="gradio")

    monkeypatch.setattr(command, "import_module", missing)
    code, _, err = run("leaderboard", "serve", board)
    assert code == 2
    assert "serve needs gradio: pip install 'craqbench[space]'" in err


def test_work_again_and_again(run: Run, board: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With --every it looks again until it is interrupted, and says nothing while nothing happens."""
    waits = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", wait)
    code, out, err = run("leaderboard", "work", board, "--every", "7")
    assert (code, out, waits) == (130, "", [7, 7, 7])
    assert "interrupted" in err
