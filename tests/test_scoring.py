"""What is scored has the figures of an evaluation, and tells nothing that is hidden."""

from __future__ import annotations

import json
import logging
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from evaluation_samples import write_classes
from scoring_samples import CANARY, Leaderboard, accept, found, new_leaderboard, submit, write

from craqbench.comparison import compare
from craqbench.comparison_formats import FORMATS as TABLES
from craqbench.errors import UsageError
from craqbench.evaluation import Options, evaluate, evaluate_inpainting
from craqbench.results import DetectionResult, ImageCounts, PaintingCounts, Result, scores_of
from leaderboard.board import BoardError
from leaderboard.board_labels import FINAL, NOW, load_labels
from leaderboard.board_making import Plan
from leaderboard.packaging import Run, Told, package
from leaderboard.process_limits import Resources
from leaderboard.ranking import FORMATS, Ranking, export, load_queue, load_ranking, load_scorers
from leaderboard.scoring import Worked, republish, work
from leaderboard.scoring_private import Private
from leaderboard.scoring_process import COUNT, UNPACK, Ended, run_apart
from leaderboard.scoring_revision import SCORER, begin_scorer, seal
from leaderboard.store import folder_of
from leaderboard.store_records import Accepted
from leaderboard.store_scores import Scores

ALL_NOW = Plan(name="small", version="1", final_share=0)
ENOUGH = Resources(memory=2_000_000_000, seconds=100, patience=300.0, file_bytes=100_000_000)

posix = pytest.mark.skipif(sys.platform == "win32", reason="limits and locks of POSIX")


class Scored(NamedTuple):
    """A leaderboard whose entries are scored, and the evaluation of the same methods on its labels."""

    leaderboard: Leaderboard
    accepted: dict[str, Accepted]
    done: Worked
    ranking: Ranking
    results: dict[str, dict[str, DetectionResult]]
    told: str


METHODS = ("tophat", "ridge", "none")


@pytest.fixture(scope="module", name="scored")
def a_scored_leaderboard(tmp_path_factory: pytest.TempPathFactory) -> Scored:
    """Package and submit methods as a user does, score them, and evaluate them on both hidden halves."""
    home = tmp_path_factory.mktemp("scored")
    leaderboard = new_leaderboard(home)
    accepted = {}
    for method in METHODS:
        made = package(method, str(leaderboard.public), home / method, Run(scores=True, device="cpu"))
        assert not made.refusals
        accepted[method] = accept(leaderboard, home / method)
    stream = logging.StreamHandler(log := _Kept())
    logging.getLogger().addHandler(stream)
    try:
        done = work(leaderboard.store, leaderboard.private)
    finally:
        logging.getLogger().removeHandler(stream)
    results = {}
    for side in (NOW, FINAL):
        sets = [f"folder:{leaderboard.private / side}"]
        made_now = evaluate(sets, METHODS, home / "results", Options(keep_scores=True))
        results[side] = {one.result.method.name: one.result for one in made_now}
    ranking = load_ranking(leaderboard.store, leaderboard.board)
    return Scored(leaderboard, accepted, done, ranking, results, log.text)


class _Kept:
    """Keeps what is logged."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> None:
        self.text += text

    def flush(self) -> None:
        """Do nothing."""


def test_everything_is_scored_once(scored: Scored) -> None:
    """All entries are scored in their order, and one table is published."""
    assert scored.done.scored == 3
    assert scored.done.failed == 0
    queue = load_queue(scored.leaderboard.store, scored.leaderboard.board)
    assert [one.state for one in queue] == ["scored"] * 3
    assert [one.attempts for one in queue] == [1] * 3
    assert [one.method for one in queue] == list(METHODS)


def test_the_board_is_the_comparison_to_the_last_digit(scored: Scored) -> None:
    """Figures, intervals, ranks, order and distances are those that `craqbench compare` prints."""
    table = compare([*scored.results[NOW].values()])
    header, _, *lines = TABLES["markdown"](table).split("\n\n")[0].split("\n")
    heads = [head.strip() for head in header.strip("|").split("|")]
    theirs = [
        dict(zip(heads, (cell.strip() for cell in line.strip("|").split("|")), strict=True)) for line in lines
    ]
    assert [row["method"].removesuffix(" (sanity)") for row in theirs] == [
        row.method for row in scored.ranking.rows
    ]
    for row, told in zip(scored.ranking.rows, theirs, strict=True):
        assert ("" if row.rank is None else str(row.rank)) == told["rank"]
        assert (row.kind == "sanity") == ("(sanity)" in told["method"])
        for column in scored.ranking.columns:
            figure = row.metrics[column.name]
            shown = told[column.heading].partition(" ")[0]
            assert f"{figure.value:.{column.digits}f}" == shown, (row.method, column.heading)
        first = row.metrics[scored.ranking.ranking]
        assert f"{first.value:.3f} [{first.low:.3f}, {first.high:.3f}]" == told["F1@2px"]
        if row.behind is not None:
            gap = row.behind
            assert f"{gap.value:.3f} [{gap.low:.3f}, {gap.high:.3f}]" == told["behind best"]


def test_all_digits_are_those_of_the_evaluation(scored: Scored) -> None:
    """In the private folder counts, scores, intervals and digests equal those of `craqbench evaluate`."""
    (scorer,) = load_scorers(scored.leaderboard.store, scored.leaderboard.board)
    for side, theirs in scored.results.items():
        for method, expected in theirs.items():
            entry = scored.accepted[method].entry
            ours = Private(scored.leaderboard.private).load(scorer.key, entry, side)
            assert isinstance(ours, DetectionResult)
            assert ours.scores == expected.scores
            assert ours.images == expected.images
            assert ours.paintings == expected.paintings
            assert ours.groups == expected.groups
            assert ours.curves == expected.curves
            assert ours.policies == expected.policies
            assert ours.set.digest == expected.set.digest
            assert ours.predictions_digest == expected.predictions_digest


def test_a_result_says_what_made_it(scored: Scored) -> None:
    """Scorer, revision of the labels, digest of the predictions, and how the network was kept away."""
    store, labels = scored.leaderboard.store, load_labels(scored.leaderboard.private)
    (scorer,) = load_scorers(store, scored.leaderboard.board)
    assert scorer.key == f"{SCORER}-{labels.revision[:12]}"
    for accepted in scored.accepted.values():
        told = json.loads(Scores(store, scorer.key).result(accepted) or b"")
        assert told["scorer"] == SCORER
        assert told["revision"] == labels.revision
        assert told["predictions_digest"] == accepted.digest
        assert told["network"] in ("namespace", "audit hook")
        assert told["versions"]["numpy"] == np.__version__


def _secrets(scored: Scored) -> set[bytes]:
    """Return what nobody may learn of the hidden halves: names, and figures of images and paintings."""
    secret = {CANARY.encode(), b"split-key"}
    for results in scored.results.values():
        for result in results.values():
            parts: list[ImageCounts | PaintingCounts] = [*result.images, *result.paintings]
            for part in parts:
                figures = scores_of(part.counts).values()
                secret |= {repr(value).encode() for value in figures if len(repr(value)) > 8}
                counts = part.counts.model_dump(mode="json")
                secret |= {json.dumps(row).encode() for row in counts["tolerance"] if min(row) > 9}
            secret |= {repr(s.value).encode() for s in result.scores.values() if len(repr(s.value)) > 8}
    return secret


def test_nothing_hidden_is_in_the_store(scored: Scored) -> None:
    """No byte of the store, of an export, or of what is logged has hidden names, counts or further digits."""
    store = scored.leaderboard.store
    secret = _secrets(scored)
    assert len(secret) > 200
    contents = {path: store.files.read(path) or b"" for path in store.files.names("")}
    contents |= {form: export(scored.ranking, form).encode() for form in FORMATS}
    contents["log"] = scored.told.encode()
    assert len(contents) > 20
    for path, data in contents.items():
        flat = re.sub(rb"\s+", b" ", data).replace(b"[ ", b"[").replace(b" ]", b"]")
        assert not [one for one in secret if one in flat], path


def test_no_more_digits_than_the_table_has(scored: Scored) -> None:
    """Figures in results and tables have three digits at most, and no image is named there."""
    store = scored.leaderboard.store
    made = [p for p in store.files.names("") if "/scores/" in p or "/rankings/" in p or "/scorers/" in p]
    assert len(made) >= 3 * 2 + 2
    for path in made:
        data = (store.files.read(path) or b"").decode()
        assert "picture-" not in data
        data = re.sub(r'"seconds_per_megapixel": [^,]*', "", data)
        data = re.sub(r'"[^"]*"', "", data)  # times and versions
        assert not re.search(r"\d\.\d{4}", data), path


def test_the_private_folder_is_not_needed_to_read(scored: Scored, tmp_path: Path) -> None:
    """Table, queue and exports come from the store alone."""
    away = tmp_path / "away"
    scored.leaderboard.private.rename(away)
    try:
        ranking = load_ranking(scored.leaderboard.store, scored.leaderboard.board)
        assert ranking == scored.ranking
        assert len(load_queue(scored.leaderboard.store, scored.leaderboard.board)) == 3
    finally:
        away.rename(scored.leaderboard.private)


def test_lost_counts_are_made_again(scored: Scored, tmp_path: Path) -> None:
    """Without its counts an entry is counted again; its score, and who is tied, stay as they are."""
    store, private = scored.leaderboard.store, scored.leaderboard.private
    (scorer,) = load_scorers(store, scored.leaderboard.board)
    entry = scored.accepted["ridge"]
    before = Scores(store, scorer.key).result(entry)
    place = private / "counts" / scorer.key / entry.entry
    place.rename(tmp_path / "counts")
    assert work(store, private) == (0, 0, 0)
    assert Scores(store, scorer.key).result(entry) == before
    for side in (NOW, FINAL):
        lost = json.loads((tmp_path / "counts" / side / "result.json").read_text())
        assert json.loads((place / side / "result.json").read_text()) == lost


@posix
def test_no_network(tmp_path: Path) -> None:
    """Where a process has left the network nothing reaches us, whatever asks; Python always refuses."""
    code = """
import ctypes, json, os, socket, subprocess, sys
from leaderboard.scoring_process import isolate
how, port, told = isolate(), int(sys.argv[1]), {}
for name, ask in {
    "socket": lambda: socket.create_connection(("127.0.0.1", port), 1),
    "name": lambda: socket.getaddrinfo("localhost", port),
    "process": lambda: subprocess.run(["true"]),
    "fork": os.fork,
    "shell": lambda: os.system("true"),
}.items():
    try:
        ask()
        told[name] = "reached"
    except PermissionError:
        told[name] = "refused"
libc = ctypes.CDLL(None, use_errno=True)
number = libc.socket(2, 1, 0)
address = (2).to_bytes(2, sys.byteorder) + port.to_bytes(2, "big") + bytes([127, 0, 0, 1]) + bytes(8)
told["system"] = libc.connect(number, address, len(address))
print(json.dumps({"how": how, **told}))
"""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-c", code, str(port)], capture_output=True, text=True, check=False,
            cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])},
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    refused = {name: told[name] for name in ("socket", "name", "process", "fork", "shell")}
    assert refused == dict.fromkeys(refused, "refused")
    assert told["system"] == (-1 if told["how"] == "namespace" else 0)


def test_which_isolation_holds_here() -> None:
    """The process that scores says how it was isolated, and on a Linux that allows it it is a namespace."""
    allowed = False
    if sys.platform == "linux":
        code = "import ctypes; raise SystemExit(ctypes.CDLL(None).unshare(0x10000000 | 0x40000000))"
        allowed = subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    told = run_apart(UNPACK, {}, b"", ENOUGH)
    assert told["network"] == ("namespace" if allowed else "audit hook")
    assert told["error"] == "BoardError"


def test_no_secret_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that scores gets none of our variables but those that find Python's packages."""
    asked: dict[str, Any] = {}

    def watched(*_: object, **options: Any) -> Any:
        asked.update(options)
        raise subprocess.TimeoutExpired("it", 1)

    for name in ("HF_TOKEN", "CRAQBENCH_TOKEN", "AWS_SECRET_ACCESS_KEY", "HOME"):
        monkeypatch.setenv(name, CANARY)
    monkeypatch.setattr("subprocess.run", watched)
    with pytest.raises(Ended):
        run_apart(COUNT, {}, b"", ENOUGH)
    assert CANARY not in json.dumps(asked["env"])
    known = {"PYTHONPATH", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "ARROW_DEFAULT_MEMORY_POOL"}
    assert {*asked["env"]} <= known | {"PYTHONUTF8", "SYSTEMROOT", "LD_LIBRARY_PATH"}


def test_only_scoring_is_run() -> None:
    """No other module can be asked for."""
    with pytest.raises(Ended, match="exit code 1"):
        run_apart("os", {}, b"", ENOUGH)


@posix
@pytest.mark.parametrize(
    ("limit", "told"),
    [({"patience": 0.05}, "more than 0 s"), ({"memory": 30_000_000}, "MB|ended|error of its own")],
)
def test_limits(limit: dict[str, Any], told: str, tmp_path: Path) -> None:
    """What takes too long, or too much, is tried once more and then has failed, for all to see."""
    leaderboard = new_leaderboard(tmp_path, 4)
    accepted = submit(leaderboard, tmp_path / "sent", "slow", 0.9)
    done = work(leaderboard.store, leaderboard.private, resources=ENOUGH._replace(**limit))
    assert done == (0, 1, 0)
    (one,) = load_queue(leaderboard.store, leaderboard.board)
    assert (one.entry, one.state, one.attempts) == (accepted.entry, "failed", 2)
    assert re.search(told, one.reason)
    assert str(tmp_path) not in one.reason
    assert leaderboard.store.quota("ada", "small").today == 1000  # it costs nothing


def test_an_error_tells_nothing_hidden(tmp_path: Path) -> None:
    """Files that have changed fail with a plain reason; details stay with the operator."""
    leaderboard = new_leaderboard(tmp_path, 3, plan=ALL_NOW)
    accepted = submit(leaderboard, tmp_path / "sent", "torn", 0.9)
    other = submit(leaderboard, tmp_path / "sent", "swapped", 0.8)
    sound = submit(leaderboard, tmp_path / "sent", "sound", 0.7)
    root = tmp_path / "store"
    path = root / folder_of(accepted.entry) / "predictions.parquet"
    path.write_bytes(path.read_bytes()[:2000])
    swapped, whole = (root / folder_of(one.entry) / "predictions.parquet" for one in (other, sound))
    swapped.write_bytes(whole.read_bytes())
    assert work(leaderboard.store, leaderboard.private)[:2] == (1, 2)
    torn, wrong, right = load_queue(leaderboard.store, leaderboard.board)
    assert torn.reason == "the scoring failed with an error of its own (Refused)"
    assert wrong.reason == "its predictions are not those that were accepted"
    assert right.state == "scored"
    (errors,) = (leaderboard.private / "errors").rglob("*.txt")
    assert "parquet" in errors.read_text()
    for name in leaderboard.store.files.names(""):
        data = leaderboard.store.files.read(name) or b""
        assert CANARY.encode() not in data
        assert b"Traceback" not in data


def test_broken_labels_are_nobodys_fault(tmp_path: Path) -> None:
    """A label that has changed stops the worker; no entry is blamed, and mended it goes on."""
    leaderboard = new_leaderboard(tmp_path, 4)
    submit(leaderboard, tmp_path / "sent", "any", 0.9)
    begin_scorer(leaderboard.store, leaderboard.private)
    manifest = leaderboard.private / NOW / "manifest.csv"
    sound = manifest.read_bytes()
    manifest.write_bytes(sound.replace(b"canary school 0", b"canary school 1"))
    with pytest.raises(BoardError, match="are not those of revision"):
        work(leaderboard.store, leaderboard.private)
    manifest.write_bytes(sound)
    (one,) = load_queue(leaderboard.store, leaderboard.board)
    assert (one.state, one.attempts, one.reason) == ("waiting", 0, "")


def test_new_labels_score_everything_again(tmp_path: Path) -> None:
    """Mended labels are a revision with tables of their own; old tables stay; an old scorer is refused."""
    leaderboard = new_leaderboard(tmp_path, 3, plan=ALL_NOW)
    store, board, private = leaderboard.store, leaderboard.board, leaderboard.private
    submit(leaderboard, tmp_path / "sent", "any", 0.9)
    assert work(store, private)[:2] == (1, 0)
    first = load_ranking(store, board)
    old = (private / "labels.json").read_bytes()
    manifest = private / NOW / "manifest.csv"
    sound = manifest.read_bytes()
    manifest.write_bytes(sound.replace(b"canary school 0", b"canary school 1"))
    seal(private)
    assert begin_scorer(store, private).number == 2
    assert [one.state for one in load_queue(store, board)] == ["waiting"]
    assert load_ranking(store, board) == first  # until there is another
    assert work(store, private)[:2] == (1, 0)
    second = load_ranking(store, board)
    assert second.key != first.key
    assert load_ranking(store, board, key=first.key) == first
    (private / "labels.json").write_bytes(old)
    manifest.write_bytes(sound)
    with pytest.raises(UsageError, match="'craqbench leaderboard rescore' to go back"):
        work(store, private)
    third = begin_scorer(store, private, again=True)
    assert third.key == f"{first.key}-2"
    assert begin_scorer(store, private) == third


@pytest.fixture(scope="module", name="restored")
def a_board_of_restorations(tmp_path_factory: pytest.TempPathFactory) -> Leaderboard:
    """Return a board of two synthetic pictures."""
    plan = Plan(task="restoration", final_share=0)
    return new_leaderboard(tmp_path_factory.mktemp("restored"), plan=plan, spec="synthetic,n=2")


def test_restorations(restored: Leaderboard, tmp_path: Path) -> None:
    """They are scored as inpainters are; one that changes paint outside the mask fails, and says where."""
    methods = ("telea", "none")
    made = package("telea", str(restored.public), tmp_path / "telea", Run(device="cpu"))
    assert not made.refusals
    accept(restored, tmp_path / "telea")
    untouched = {item.stem: restored.annotated.load(item).image for item in restored.annotated}
    accept(restored, write(tmp_path / "none", restored.board, untouched, method="none"))
    images = {name: image.copy() for name, image in untouched.items()}
    name = next(iter(images))
    mask = restored.annotated.load(restored.annotated.items[0]).damage
    y, x = np.argwhere(~mask)[0]
    images[name][y, x, 1] ^= 1
    accept(restored, write(tmp_path / "outside", restored.board, images, method="outside"))
    assert work(restored.store, restored.private)[:2] == (2, 1)
    queue = load_queue(restored.store, restored.board)
    assert queue[2].state == "failed"
    assert queue[2].reason == f"image {name!r}: changed 1 px outside the mask: expected none"
    made_now = evaluate_inpainting(["synthetic,n=2"], methods, tmp_path / "results")
    results: list[Result] = [one.result for one in made_now]
    table = compare(results)
    ranking = load_ranking(restored.store, restored.board)
    assert [row.method for row in ranking.rows] == [row.label for row in table.rows]
    assert [row.kind for row in ranking.rows] == [row.kind for row in table.rows] == ["method", "sanity"]
    assert [row.rank for row in ranking.rows] == [row.rank for row in table.rows]
    for ours, theirs in zip(ranking.rows, table.rows, strict=True):
        for column in ranking.columns:
            score = theirs.scores[column.name]
            if column.name in ours.metrics or score.value is not None:
                figure = ours.metrics[column.name]
                assert figure.value == round(score.value or 0, column.digits)
                assert figure.low == (None if score.low is None else round(score.low, column.digits))


def test_three_classes(tmp_path: Path) -> None:
    """Label maps, and masks of cracks alone, have the figures of classes that an evaluation gives."""
    spec = f"folder:{write_classes(tmp_path / 'set')}"
    leaderboard = new_leaderboard(tmp_path, plan=ALL_NOW, spec=spec)
    said = Told(authors=("Ada",), used_real_annotations=False, used_test_images=False)
    methods = ("toy_detectors:Coloured", "tophat")
    for number, method in enumerate(methods):
        made = package(method, str(leaderboard.public), tmp_path / str(number), Run(scores=True), said)
        assert not made.refusals
        assert made.metadata["classes"] == 3 - number
        accept(leaderboard, tmp_path / str(number))
    assert work(leaderboard.store, leaderboard.private)[:2] == (2, 0)
    sets = [f"folder:{leaderboard.private / NOW}"]
    evaluated = evaluate(sets, methods, tmp_path / "results", Options(keep_scores=True))
    expected = {one.result.predictions_digest: one.result for one in evaluated}
    (scorer,) = load_scorers(leaderboard.store, leaderboard.board)
    for accepted in leaderboard.store.accepted():
        ours = Private(leaderboard.private).load(scorer.key, accepted.entry, NOW)
        assert isinstance(ours, DetectionResult)
        theirs = expected.pop(ours.predictions_digest)
        assert ours.scores == theirs.scores
        assert ours.images == theirs.images
        assert ours.predicted_classes == theirs.predicted_classes
    table = load_ranking(leaderboard.store, leaderboard.board)
    assert [column.heading for column in table.columns][-3:] == ["IoU", "F1 paint loss", "IoU paint loss"]


def test_masks_without_scores(tmp_path: Path) -> None:
    """Of masks alone there are no figures of all thresholds; all others are there."""
    leaderboard = new_leaderboard(tmp_path, 3, plan=ALL_NOW)
    predictions = found(leaderboard.annotated, 0.9)
    accept(leaderboard, write(tmp_path / "one", leaderboard.board, predictions))
    assert work(leaderboard.store, leaderboard.private)[:2] == (1, 0)
    (row,) = load_ranking(leaderboard.store, leaderboard.board).rows
    assert "ap@2" not in row.metrics
    assert row.metrics["f1@2"].value == pytest.approx(0.95, abs=0.05)
    assert not republish(leaderboard.store, leaderboard.private)
