"""`craqbench package` and `craqbench submit`, as a user types them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from evaluation_samples import write_images
from store_samples import check_store, new_store, submission
from submission_samples import metadata, write_submission
from submission_server import Leaderboard, leaderboard

from craqbench import cli
from craqbench.annotated import open_set
from craqbench.errors import CraqbenchError
from craqbench.evaluation_methods import make_detector, parse_method
from craqbench.results import load_result
from leaderboard.board import load_board
from leaderboard.board_making import Plan, make_board
from leaderboard.store import Store
from leaderboard.submission import METADATA, PREDICTIONS
from leaderboard.submission_sending import send
from leaderboard.submission_text import check_text

Run = tuple[int, str, str]

DARK = "toy_detectors:Dark"
SAID = ("--author", "Ada Lovelace", "--used-real-annotations", "no", "--used-test-images", "no")


@pytest.fixture(name="run")
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Return a function that runs a command line in an empty folder: (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("getpass.getuser", lambda: "ada")

    def run(name: str, *arguments: object) -> Run:
        workers = ["--workers", "1"] if name == "package" else []
        code = cli.main([name, *map(str, arguments), *workers])
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture(name="scans")
def annotated_folder(tmp_path: Path) -> str:
    """Return a set of four images, as ``--set`` names it."""
    return f"folder:{write_images(tmp_path / 'scans', 4)}"


@pytest.fixture(name="store")
def small_store(tmp_path: Path) -> Store:
    """Return a store with the small board."""
    return new_store(tmp_path / "store")


def digest(path: Path) -> str:
    """Return the digest of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_from_a_method_to_an_entry(run: Any, tmp_path: Path) -> None:
    """Three lines take a shipped method from nothing to an accepted entry."""
    store = new_store("store")
    make_board(open_set("synthetic,n=2"), tmp_path / "board", tmp_path / "labels", Plan(final_share=0))
    store.add_board(load_board(tmp_path / "board"))
    code, out, err = run("package", "--method", "none", "--set", "board", "--out", "mine")
    assert (code, err) == (0, "")
    assert out.splitlines()[:2] == [
        "board        synthetic-n-2 mixed-v1: detection, 2 images",
        "method       none, version 1",
    ]
    assert out.endswith("next: craqbench submit mine --to URL|FOLDER\n")
    code, out, err = run("submit", "mine", "--dry-run", "--board", "board")
    assert (code, err) == (0, "")
    assert out.endswith("it keeps all rules; nothing sent: this is a dry run\n")
    assert store.accepted() == ()
    code, out, err = run("submit", "mine", "--to", "store")
    assert (code, err) == (0, "")
    (one,) = check_store(store)
    assert (one.account, one.board) == ("ada", "synthetic-n-2")
    assert f"entry        {one.entry}, number 1 of this leaderboard" in out
    assert store.metadata(one).authors == ("craqbench",)
    code, out, err = run("submit", "mine", "--to", "store")
    assert code == 2
    assert f"[replayed] these predictions are entry {one.entry}" in err
    packed = ("package", "--method", "all", "--set", "board", "--out", "other", "--to", "store")
    code, out, err = run(*packed, "--account", "bob")
    assert (code, err) == (0, "")
    assert check_store(store)[1].account == "bob"
    assert "number 2 of this leaderboard" in out


def test_all_ways_are_one(run: Any, scans: str, tmp_path: Path) -> None:
    """On a set, of a kept result, and on a board's images alone, predictions have the same bytes."""
    assert run("package", "--method", "tophat", "--set", scans, "--out", "one", "--scores")[0] == 0
    kept = tmp_path / "results" / "folder-scans" / "tophat"
    stamps = [path.stat().st_mtime_ns for path in sorted(kept.rglob("*.png"))]
    assert run("package", "--method", "tophat", "--set", scans, "--out", "two", "--scores")[0] == 0
    assert [path.stat().st_mtime_ns for path in sorted(kept.rglob("*.png"))] == stamps
    assert run("package", "--from", kept, "--out", "three", "--scores")[0] == 0
    plan = Plan(name="folder-scans")
    make_board(open_set(scans), tmp_path / "board", tmp_path / "labels", plan)
    assert run("package", "--method", "tophat", "--set", "board", "--out", "four", "--scores")[0] == 0
    found = [digest(tmp_path / name / PREDICTIONS) for name in ("one", "two", "three", "four")]
    assert len({*found}) == 1
    assert (tmp_path / "one" / METADATA).read_bytes() == (tmp_path / "three" / METADATA).read_bytes()
    code, out, _ = run("submit", "four", "--dry-run", "--board", scans)
    assert code == 0
    assert load_result(kept / "result.json").predictions_digest[:12] in out


def test_what_only_people_know(run: Any, scans: str, tmp_path: Path) -> None:
    """Of somebody's own method it says what is to be filled in, by hand or as options."""
    code, out, err = run("package", "--method", DARK, "--set", scans, "--out", "one")
    assert code == 2
    assert "next:" not in out
    assert "one/submission.json is not complete: expected these, by hand or as options:" in err
    assert [line.split()[1] for line in err.splitlines()[1:]] == [
        "authors:",
        "used_real_annotations:",
        "used_test_images:",
    ]
    told = json.loads((tmp_path / "one" / METADATA).read_text())
    told |= {"authors": ["Ada Lovelace"], "used_real_annotations": False, "used_test_images": False}
    (tmp_path / "one" / METADATA).write_text(json.dumps(told))
    assert run("submit", "one", "--dry-run", "--board", scans)[0] == 0
    assert run("package", "--method", DARK, "--set", scans, "--out", "two", *SAID, "--seed", 7)[0] == 0
    assert json.loads((tmp_path / "two" / METADATA).read_text()) == told | {"seeds": [7]}


def test_restorations(run: Any) -> None:
    """An inpainter's fillings are packaged, too."""
    code, out, err = run(
        "package", "--method", "mtm", "--task", "restoration", "--set", "synthetic,n=2", "--out", "m"
    )
    assert (code, "restoration, 2 images" in out) == (0, True), err
    code, _, err = run("submit", "m", "--dry-run", "--board", "synthetic,n=2")
    assert code == 2
    assert "[board] it is for synthetic-n-2 mixed-v1 restoration" in err


def test_a_method_that_fails(run: Any, scans: str, tmp_path: Path) -> None:
    """If a method fails on an image nothing is written, neither of a set nor of a board."""
    make_board(open_set(scans), tmp_path / "board", tmp_path / "labels")
    for where in (scans, "board"):
        code, _, err = run(
            "package", "--method", "toy_detectors:Faulty", "--set", where, "--out", "mine", *SAID
        )
        assert code == 2
        assert "image '1': raised ZeroDivisionError" in err
        assert not (tmp_path / "mine").exists()


def test_nothing_is_written_over(run: Any, scans: str, tmp_path: Path) -> None:
    """A folder with a submission is refused before anything is run."""
    write_submission(tmp_path / "mine")
    before = digest(tmp_path / "mine" / METADATA)
    code, _, err = run("package", "--method", "none", "--set", scans, "--out", "mine")
    assert (code, "mine holds a submission.json already: expected another folder" in err) == (2, True)
    assert digest(tmp_path / "mine" / METADATA) == before
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--out", "m"], "expected --method, or --from"),
        (["--out", "m", "--method", "none"], "expected --set"),
        (
            ["--out", "m", "--method", "none", "--from", "x", "--set", "synthetic"],
            "expected --method, or --from",
        ),
        (["--out", "m", "--method", "nosuch", "--set", "synthetic"], "unknown method 'nosuch'"),
        (["--out", "m", "--method", "none", "--set", "nosuch"], "set 'nosuch': expected one of"),
        (["--out", "m", "--from", "nowhere"], "result nowhere/result.json: No such file"),
        (["--method", "none", "--set", "synthetic"], "--out"),
        (
            ["--out", "m", "--method", "none", "--set", "synthetic", "--board", "x.json"],
            "x.json: No such file",
        ),
    ],
)
def test_package_needs_these(run: Any, words: list[str], message: str) -> None:
    """What is missing or unknown is told, with exit code 2."""
    code, _, err = run("package", *words)
    assert (code, message in err) == (2, True), err


def test_changed_sets_and_images_are_noticed(run: Any, scans: str, tmp_path: Path) -> None:
    """A result of another state of its set, and another image of a board, are refused."""
    run("package", "--method", "none", "--set", scans, "--out", "one")
    make_board(open_set(scans), tmp_path / "board", tmp_path / "labels")
    image = next((tmp_path / "board" / "images").iterdir())
    image.write_bytes(image.read_bytes() + b"x")
    code, _, err = run("package", "--method", "none", "--set", "board", "--out", "two")
    assert (code, f"{image.name} is not the image of" in err) == (2, True), err
    (tmp_path / "scans" / "masks" / "0.png").write_bytes(
        (tmp_path / "scans" / "masks" / "2.png").read_bytes()
    )
    code, _, err = run("package", "--from", "results/folder-scans/none", "--out", "three")
    assert (code, "expected" in err) == (2, True), err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["mine"], "nowhere to send it: expected --to URL|FOLDER, or --dry-run"),
        (["mine", "--dry-run"], "board 'small' is no set that is known by name: expected --board"),
        (["nowhere", "--dry-run"], "[file-missing] nowhere/submission.json"),
        (["mine", "--to", "nowhere"], "nowhere holds no store.json"),
        (["mine", "--to", "http://example.org"], "expected https://HOST, or http://localhost:PORT"),
        (["mine", "--to", "https://a@example.org"], "expected https://HOST, or http://localhost:PORT"),
        (["mine", "--to", "s3://bucket"], "expected a folder, or hf://datasets/ORG/NAME"),
        (["mine", "--dry-run", "--board", "mine"], "set 'mine': expected one of"),
        (["mine", "--to", "store", "--account", "a/b"], "[account] account 'a/b': expected letters"),
    ],
)
def test_submit_needs_these(run: Any, store: Store, tmp_path: Path, words: list[str], message: str) -> None:
    """What is missing or unknown is told, with exit code 2, and nothing is accepted."""
    write_submission(tmp_path / "mine")
    code, _, err = run("submit", *words)
    assert (code, message in err) == (2, True), err
    assert store.accepted() == ()


def test_refusals_are_told_by_rule(run: Any, store: Store, tmp_path: Path) -> None:
    """A refused submission ends with exit code 2 and every rule, and costs nothing."""
    write_submission(tmp_path / "mine", metadata(method="<b>", more=1))
    code, _, err = run("submit", "mine", "--to", "store")
    assert code == 2
    assert "[text-markup] method: " in err
    assert "[field-unknown] more: " in err
    write_submission(tmp_path / "mine", metadata(), b"none")
    code, _, err = run("submit", "mine", "--to", "store")
    assert (code, "[parquet-format] " in err) == (2, True)
    assert store.accepted() == ()
    write_submission(tmp_path / "mine")
    assert run("submit", "mine", "--to", "store")[0] == 0


@pytest.fixture(name="server")
def running(store: Store) -> Iterator[Leaderboard]:
    """Run a leaderboard on the loopback."""
    with leaderboard(store) as server:
        yield server


def test_over_the_network(
    run: Any, server: Leaderboard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A leaderboard is asked for its board, checks again, and keeps the submission; its refusals are told."""
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    write_submission(tmp_path / "mine")
    code, out, err = run("submit", "mine", "--to", server.address)
    assert (code, err) == (0, "")
    (one,) = check_store(server.store)
    assert f"entry        {one.entry}, number 1" in out
    code, _, err = run("submit", "mine", "--to", f"{server.address}/")
    assert (code, f"[replayed] these predictions are entry {one.entry}" in err) == (2, True)
    assert {*server.tokens} == {None}
    monkeypatch.setenv("CRAQBENCH_TOKEN", "mine")
    run("submit", "mine", "--to", server.address)
    assert server.tokens[-1] == "Bearer mine"
    write_submission(tmp_path / "mine", metadata(board="other"))
    code, _, err = run("submit", "mine", "--to", server.address)
    assert (code, "status 404: expected the board other 1" in err) == (2, True)


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (201, b"{}", "an answer that is none"),
        (201, b'{"entry": "../../x", "number": 1}', "an answer that is none"),
        (200, b"<html>", "status 200: expected a leaderboard"),
        (401, b"", "expected a token in CRAQBENCH_TOKEN"),
        (429, b"", "try again later"),
        (500, b"", "status 500: expected a leaderboard"),
        (302, b"", "status 302: expected a leaderboard"),
        (201, b"x" * 200_000, "an answer of more than 100,000 bytes"),
        (422, b'{"refusals": []}', "an answer that is none"),
        (
            422,
            b'{"refusals": [{"rule": "png-depth", "problem": "\\u001b[2J16 bit"}]}',
            "[png-depth] \\x1b[2J16 bit",
        ),
        (422, b'{"refusals": [{"rule": "\\u202e", "problem": "x"}]}', "['\\u202e'] x"),
    ],
)
def test_strange_answers(server: Leaderboard, tmp_path: Path, status: int, body: bytes, message: str) -> None:
    """Whatever answers, nothing of it is printed raw, followed, or believed."""
    server.instead = (status, {"Location": "http://169.254.169.254/"}, body)
    with pytest.raises(CraqbenchError) as error:
        send(server.address, submission(tmp_path / "mine", "a")[0])
    assert message in str(error.value)
    assert str(error.value).replace("\n", "").isprintable()


def test_nobody_there(run: Any, tmp_path: Path) -> None:
    """A leaderboard that cannot be reached is told, with its address."""
    write_submission(tmp_path / "mine")
    code, _, err = run("submit", "mine", "--to", "http://127.0.0.1:9")
    assert (code, "http://127.0.0.1:9/api/board" in err, "the connection failed" in err) == (2, True, True)


def test_on_the_tracks(run: Any, store: Store, tmp_path: Path) -> None:
    """A self-reported submission has no predictions, and is kept all the same."""
    told = metadata(track="self-reported", reported={"f1@2": 0.4}, classes=2)
    (write_submission(tmp_path / "mine", told) / PREDICTIONS).unlink()
    code, out, err = run("submit", "mine", "--to", "store", "--account", "bob")
    assert (code, err) == (0, "")
    assert "predictions" not in out
    (one,) = store.accepted()
    assert (one.track, one.digest, one.account, [*one.files]) == ("self-reported", None, "bob", [METADATA])


@pytest.mark.parametrize("name", ["tophat", "grassfire", "ridge", "none", "all"])
def test_what_shipped_methods_say_passes(name: str) -> None:
    """The cards of shipped methods keep the rules of texts."""
    card = make_detector(parse_method(name), "cpu").card
    for text in (card.training_data, card.licence):
        assert check_text(text) == text
